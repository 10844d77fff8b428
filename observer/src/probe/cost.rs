//! What observing costs: user-space CPU time and memory, kernel memory.

use std::{fs, os::fd::RawFd};

use serde::{Deserialize, Serialize};

use super::{ProgramStats, RingUse};

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

/// The tool's overhead over an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overhead {
    /// Length of the observation, nanoseconds.
    pub elapsed_ns: u64,
    /// User-space CPU time in user mode, nanoseconds.
    pub user_ns: u64,
    /// User-space CPU time in the kernel, nanoseconds: draining, reading counters.
    pub system_ns: u64,
    /// Resident size of the process when it was last looked at, bytes; `None`: not told (recordings of earlier versions).
    pub resident_bytes: Option<u64>,
    /// Largest resident size of the process, bytes.
    pub max_resident_bytes: u64,
    /// Kernel memory of the maps, bytes, as the kernel accounts it.
    pub kernel_bytes: u64,
    /// Use of the ring buffer; `None`: not told.
    pub ring: Option<RingUse>,
    /// Programs attached.
    pub programs: u32,
    /// Records that came through the ring buffer.
    pub records: u64,
    /// Disturbances that have not been taken back: while there are any, the programs note what they otherwise leave out, and are
    /// dearer. 0 in the end, unless faults were in progress or their ends were missed; `None`: not told (earlier versions).
    pub disturbed: Option<u32>,
    /// Run times of the programs; `None`: nobody asked for them.
    pub program_stats: Option<ProgramStats>,
}

impl Overhead {
    /// CPU time in user space, percent of one CPU; 0 for no time at all.
    pub fn cpu_percent(&self) -> f64 {
        percent(self.user_ns + self.system_ns, self.elapsed_ns)
    }
}

/// `part` as percent of `whole`, both in the same unit.
pub fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
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

    #[test]
    fn shares_of_a_cpu() {
        let cost = Overhead { elapsed_ns: 1_000, user_ns: 20, system_ns: 30, ..Overhead::default() };
        assert!((cost.cpu_percent() - 5.0).abs() < 1e-9);
        assert!(percent(0, 0).abs() < 1e-9);
    }
}
