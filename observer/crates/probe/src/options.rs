//! What to observe, and how.

use std::{os::fd::OwnedFd, sync::Arc};

use observer_ebpf::seat::FAULT_SEATS;

/// Delay injection: delays tasks of the watched command after their read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    pub ns: u64,
    /// Delays only tasks of this name, zero-padded; all zero: any watched task.
    pub comm: [u8; 16],
    /// Delays one in this many of the reads that qualify, at random; 0 and 1: every one.
    pub one_in: u32,
}

/// Which faults to observe.
#[derive(Clone, Debug)]
pub struct Filter {
    /// One bit for each swap type; all ones: all types. [`Probes::observe_types`](crate::Probes::observe_types) changes
    /// it later, unless it is all ones.
    pub types: u32,
    /// Of this process; 0: of all.
    pub pid: u32,
    /// Of tasks of this name, zero-padded; all zero: of any.
    pub comm: [u8; 16],
    /// Of tasks in this control group (a directory of version 2) or below.
    pub cgroup: Option<Arc<OwnedFd>>,
}

impl Filter {
    /// Whether only some swap types are observed.
    pub(crate) const fn has_types(&self) -> bool {
        self.types != u32::MAX
    }

    /// Whether it excludes any fault.
    pub(crate) fn excludes_any(&self) -> bool {
        self.has_types() || self.pid != 0 || self.comm != [0; 16] || self.cgroup.is_some()
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self { types: u32::MAX, pid: 0, comm: [0; 16], cgroup: None }
    }
}

/// The default of [`Options::watched_tasks`].
pub const WATCHED_TASKS: u32 = 8_192;

/// What to observe, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring buffer, as asked for; see [`Options::ring_size`].
    pub ring_bytes: u32,
    /// Observe only tasks given to [`Probes::watch`](crate::Probes::watch) and their children.
    pub watch: bool,
    /// Room for tasks of the watched command, at least 1.
    pub watched_tasks: u32,
    pub filter: Filter,
    /// Observes one in this many of all entries, by a hash; 0 and 1: every one.
    pub sample_one_in: u32,
    /// Seats for faults in progress, a power of two, at most [`FAULT_SEATS`]. With fewer, faults share seats, which
    /// costs time and must change nothing else.
    pub fault_seats: u32,
    pub delay: Option<Delay>,
    /// Have the kernel count run times of the programs, which makes each run slightly slower.
    pub program_stats: bool,
    pub detail: Detail,
    /// Let programs log, through the `log` crate.
    pub log: bool,
}

impl Options {
    /// The size that the ring buffer gets: a power of two, at least a page, which may have 64 KiB.
    pub fn ring_size(&self) -> u32 {
        ring_size(self.ring_bytes, rustix::param::page_size())
    }

    /// Whether some faults are not observed.
    pub(crate) fn excludes_any(&self) -> bool {
        self.watch || self.filter.excludes_any() || self.sample_one_in > 1
    }
}

fn ring_size(asked: u32, page_bytes: usize) -> u32 {
    let least = u32::try_from(page_bytes).unwrap_or(u32::MAX).max(asked);
    least.checked_next_power_of_two().unwrap_or(1 << 31)
}

/// How much the programs record of a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What another fault may need (docs/decisions/disturbances.md).
    #[default]
    Needed,
    /// Everything, so that each hook shows that its program runs.
    Everything,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            watch: false,
            watched_tasks: WATCHED_TASKS,
            filter: Filter::default(),
            sample_one_in: 1,
            fault_seats: FAULT_SEATS,
            delay: None,
            program_stats: false,
            detail: Detail::default(),
            log: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_power_of_two_and_at_least_a_page() {
        assert_eq!(ring_size(4 << 20, 4_096), 4 << 20);
        assert_eq!(ring_size(4_096, 65_536), 65_536, "64 KiB pages");
        assert_eq!(ring_size(100_000, 4_096), 131_072);
        assert_eq!(ring_size(u32::MAX, 4_096), 1 << 31);
    }
}
