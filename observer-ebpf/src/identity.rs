//! The task that runs the program `identify`, as the kernel sees it. In a PID or time namespace user space has other
//! numbers and another clock.

use bytemuck::{Pod, Zeroable};

/// The task of the last run of `identify`. Ids are those of the initial PID namespace, which all programs use.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Identity {
    /// The clock of the programs during the run, nanoseconds.
    pub at: u64,
    /// Thread id; 0: the program has not run.
    pub tid: u32,
    /// Process id.
    pub tgid: u32,
    /// 1: the task was added to the watched tasks.
    pub watched: u32,
    pub padding: u32,
}

// SAFETY: `Identity` consists of integers only: any bit pattern is valid, and there is no implicit padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Identity {}

const _: () = assert!(size_of::<Identity>() == 24);
