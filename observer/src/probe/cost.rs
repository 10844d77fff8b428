//! What observing costs: user-space CPU time and memory, kernel memory.

use std::{fs, os::fd::RawFd};

use serde::{Deserialize, Serialize};

/// CPU time of this process, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserTime {
    /// In user mode.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
}

impl UserTime {
    /// Of this process, all threads, since its start. Children are not in it.
    pub fn now() -> Self {
        let ns = |time: libc::timeval| {
            u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_usec).unwrap_or(0) * 1_000
        };
        // SAFETY: a zeroed rusage is a valid one, and getrusage fills it.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a live rusage; RUSAGE_SELF cannot fail.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
        Self { user_ns: ns(usage.ru_utime), system_ns: ns(usage.ru_stime) }
    }
}

/// The tool's own cost over an observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelfCost {
    /// Length of the observation, nanoseconds.
    pub elapsed_ns: u64,
    /// User-space CPU time in user mode, nanoseconds.
    pub user_ns: u64,
    /// User-space CPU time in the kernel, nanoseconds: draining, reading counters.
    pub system_ns: u64,
    /// Largest resident size of the process, bytes.
    pub max_resident_bytes: u64,
    /// Kernel memory of the maps, bytes, as the kernel accounts it.
    pub kernel_bytes: u64,
    /// Programs attached.
    pub programs: u32,
    /// Records that came through the ring buffer.
    pub records: u64,
}

/// Largest resident size so far, bytes; 0 where /proc does not tell.
pub(super) fn max_resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(first_number);
    kib.unwrap_or(0) * 1024
}

/// The number behind `name:` in the fdinfo of a descriptor of ours.
pub(super) fn fdinfo(fd: RawFd, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).and_then(first_number)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
