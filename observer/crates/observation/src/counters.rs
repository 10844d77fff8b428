//! Counters and distributions at one moment.

use hdrhistogram::Histogram;
use observer_ebpf::{counter::Counters, histogram};

/// Counters of all CPUs together, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The sums.
    pub counters: Counters,
    /// Invocations of programs that the kernel skipped; `None` where it does not tell (before 5.12).
    pub skipped: Option<Skipped>,
    /// Faults whose end was missed and whose task never came back to tell; known at the end only.
    pub ends_missed: u64,
}

/// Invocations of programs that the kernel skipped. It does so when the program is already running on that CPU: nested,
/// or, on a preemptible kernel, because the task that runs it there has been preempted in the middle of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Of all programs.
    pub all: u64,
    /// Of the program that counts reads: as many swap-ins, at least, are missing from the counters.
    pub reads: u64,
}

/// Durations of all faults by path, as timed in the kernel: `direct`, `cached`, `none`.
#[derive(Clone, Debug)]
pub struct FaultTimes {
    /// One histogram for each path. Each value stands for its bucket's middle: an error of at most 1/64.
    pub by_path: [Histogram<u64>; histogram::PATHS as usize],
}

impl Default for FaultTimes {
    fn default() -> Self {
        Self { by_path: [empty(), empty(), empty()] }
    }
}

#[expect(clippy::expect_used, reason = "constants within the crate's documented bounds")]
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << histogram::MAX_POWER, 3).expect("legal bounds")
}
