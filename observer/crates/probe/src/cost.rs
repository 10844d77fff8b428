//! What observing costs: user-space CPU time and memory, kernel memory.

use std::{fs, os::fd::RawFd};

use serde::Serialize;

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

/// Resident size of this process, bytes: now, and the largest so far.
pub(super) struct Resident {
    pub(super) now: Option<u64>,
    pub(super) most: Option<u64>,
}

impl Resident {
    pub(super) fn of_this_process() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let bytes = |name| Some(first_number(status.lines().find_map(|line| line.strip_prefix(name))?)? * 1024);
        Self { now: bytes("VmRSS:"), most: bytes("VmHWM:") }
    }
}

/// The number behind `name:` in the fdinfo of a descriptor of ours.
pub(super) fn fdinfo(fd: RawFd, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).and_then(first_number)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_sizes_are_told_in_bytes() {
        let Resident { now, most } = Resident::parse("Name:\tx\nVmHWM:\t    9216 kB\nVmRSS:\t    8192 kB\n");
        assert_eq!((now, most), (Some(8 << 20), Some(9 << 20)));
        assert!(Resident::parse("").now.is_none(), "not 0");
    }
}
