//! How to observe.

use std::{os::fd::OwnedFd, sync::Arc};

use observer_ebpf::seat::FAULT_SEATS;

/// Delays tasks of the watched command after their read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widen {
    /// By how much, nanoseconds.
    pub ns: u64,
    /// Only tasks of this command, zero-padded; all zero: any watched task.
    pub comm: [u8; 16],
    /// Of the reads that qualify one in so many is delayed, at random; 0 and 1: every one.
    pub one_in: u32,
}

/// Which faults to observe.
#[derive(Clone, Debug)]
pub struct Only {
    /// One bit for each swap type that is wanted; all ones: whatever there is.
    pub types: u32,
    /// Only of this process; 0: of all.
    pub pid: u32,
    /// Only of tasks of this command, zero-padded; all zero: of any.
    pub comm: [u8; 16],
    /// Only of tasks in this control group (a directory of version 2) or below.
    pub cgroup: Option<Arc<OwnedFd>>,
}

impl Only {
    /// Whether it leaves anything out.
    pub(super) fn is_something(&self) -> bool {
        self.types != u32::MAX || self.pid != 0 || self.comm != [0; 16] || self.cgroup.is_some()
    }
}

impl Default for Only {
    fn default() -> Self {
        Self { types: u32::MAX, pid: 0, comm: [0; 16], cgroup: None }
    }
}

/// Tasks of the watched command that there is room for unless more are asked for.
pub const WATCHED_TASKS: u32 = 8_192;

/// How to observe.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring buffer in bytes, a power of two, at least a page.
    pub ring_bytes: u32,
    /// Observe only tasks named by [`Probes::watch`] and their children.
    pub watch: bool,
    /// Tasks of the watched command that there is room for at once, at least 1.
    pub watched_tasks: u32,
    /// Of those, only these.
    pub only: Only,
    /// Of all entries one in so many is observed, by a hash; 0 and 1: every one.
    pub sample_one_in: u32,
    /// Seats for faults in progress, a power of two, at most [`FAULT_SEATS`]. Fewer make faults share seats, which costs
    /// time and must change nothing else.
    pub fault_seats: u32,
    /// Delay injection, if wanted.
    pub widen: Option<Widen>,
    /// Let the kernel count run times of the programs, which makes each run a little dearer.
    pub program_stats: bool,
    /// How much the programs note.
    pub notes: Notes,
    /// Let programs log, through the `log` crate.
    pub log: bool,
}

/// How much the programs note of a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notes {
    /// What somebody may ask for (docs/decisions/disturbed.md).
    #[default]
    Asked,
    /// Everything: then each hook shows that its program runs.
    Everything,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            watch: false,
            watched_tasks: WATCHED_TASKS,
            only: Only::default(),
            sample_one_in: 1,
            fault_seats: FAULT_SEATS,
            widen: None,
            program_stats: false,
            notes: Notes::default(),
            log: false,
        }
    }
}
