//! What this process uses: CPU time, memory, and what the kernel shows of its descriptors.

use std::{os::fd::RawFd, path::Path};

use observer_kernel::tree::read_text;

/// CPU time of this process, with all threads and without children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    pub user_ns: u64,
    pub system_ns: u64,
}

impl CpuTime {
    /// Since the start of the process.
    pub fn now() -> Self {
        let ns = |time: libc::timeval| {
            u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_usec).unwrap_or(0) * 1_000
        };
        // SAFETY: rusage consists of integers only, for which zero is valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a live rusage, which the call fills and does not keep.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
        Self { user_ns: ns(usage.ru_utime), system_ns: ns(usage.ru_stime) }
    }
}

/// Resident size of this process in bytes.
pub(crate) struct Resident {
    pub(crate) now: Option<u64>,
    /// The largest so far.
    pub(crate) largest: Option<u64>,
}

impl Resident {
    pub(crate) fn of_this_process() -> Self {
        Self::parse(&read_text(Path::new("/proc/self/status")).unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let bytes = |name| Some(first_number(status.lines().find_map(|line| line.strip_prefix(name))?)? * 1024);
        Self { now: bytes("VmRSS:"), largest: bytes("VmHWM:") }
    }
}

/// The field of a program's `fdinfo` with the runs that were skipped because it was already running on the CPU (5.12).
pub(crate) const SKIPPED: &str = "recursion_misses";

/// The number after `name:` in the fdinfo of a descriptor of this process.
pub(crate) fn fdinfo(fd: RawFd, name: &str) -> Option<u64> {
    let text = read_text(Path::new(&format!("/proc/self/fdinfo/{fd}"))).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).and_then(first_number)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_sizes_are_read_in_bytes() {
        let Resident { now, largest } = Resident::parse("Name:\tx\nVmHWM:\t    9216 kB\nVmRSS:\t    8192 kB\n");
        assert_eq!((now, largest), (Some(8 << 20), Some(9 << 20)));
        assert!(Resident::parse("").now.is_none(), "unknown is not 0");
    }
}
