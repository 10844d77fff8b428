//! Counters and distributions at one moment.

use hdrhistogram::Histogram;

use observer_ebpf::{counters::Counters, histogram};
use observer_engine::event::Nanos;
use observer_kernel::vmstat::Vmstat;

use crate::{clock::Clocks, stall::Stalls};

/// Counters of all CPUs together, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub counters: Counters,
    /// Runs of programs that the kernel skipped; `None` where it does not count them (before 5.12).
    pub skipped: Option<Skipped>,
    /// Faults whose end was missed and whose task did not fault again, which would have shown it; known at the end
    /// only.
    pub ends_missed: u64,
}

/// Runs of programs that the kernel skipped because the program was already running on that CPU: nested, or, on a
/// preemptible kernel, in a task that was preempted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    pub all: u64,
    /// Of the programs that count reads: at most this many swap-ins are missing from the counters; exactly this many
    /// where one program counts every read.
    pub reads: u64,
}

/// Durations of all faults by path, as timed in the kernel: `direct`, `cached`, `none`.
#[derive(Clone, Debug)]
pub struct FaultTimes {
    /// One histogram for each path, in nanoseconds. A value is the middle of its bucket: an error of at most 1/64.
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

/// Counters and distributions at one moment, cumulative since the programs were attached.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub at: Nanos,
    pub snapshot: Snapshot,
    /// Records that could not be decoded, so far.
    pub undecodable: u64,
    /// The clocks; `None`: recorded before format version 1.3, or they could not be read together.
    pub clocks: Option<Clocks>,
    /// The kernel's own counters; `None`: they could not be read.
    pub vmstat: Option<Vmstat>,
    /// Durations of all faults by path; `None`: not read this time.
    pub fault_times: Option<FaultTimes>,
    /// Faults in progress for long; `None`: not read this time.
    pub stalls: Option<Stalls>,
}

impl Sample {
    /// Replaces it by a later sample, except for what that one lacks because it is read less often.
    pub fn update(&mut self, later: Self) {
        let fault_times = later.fault_times.or_else(|| self.fault_times.take());
        let stalls = later.stalls.or_else(|| self.stalls.take());
        *self = Self { fault_times, stalls, ..later };
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.snapshot.counters = self.snapshot.counters.since(before.snapshot.counters);
        if let (Some(skipped), Some(base)) = (&mut self.snapshot.skipped, before.snapshot.skipped) {
            skipped.all = skipped.all.saturating_sub(base.all);
            skipped.reads = skipped.reads.saturating_sub(base.reads);
        }
        self.undecodable = self.undecodable.saturating_sub(before.undecodable);
        if let (Some(times), Some(base)) = (&mut self.fault_times, &before.fault_times) {
            for (histogram, base) in times.by_path.iter_mut().zip(&base.by_path) {
                // Fails only where the base has more: then it is no base, and nothing is subtracted.
                let _ = histogram.subtract(base);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_the_distributions_that_the_later_sample_lacks() {
        let mut times = FaultTimes::default();
        times.by_path[0].saturating_record(7);
        let mut sample = Sample { at: 1, fault_times: Some(times), ..Sample::default() };
        sample.update(Sample { at: 2, ..Sample::default() });
        assert_eq!(sample.at, 2);
        assert_eq!(sample.fault_times.map(|times| times.by_path[0].len()), Some(1));
    }

    #[test]
    fn counts_since_a_base_are_differences() {
        let sample = |started, skipped, times: u64| {
            let mut sample = Sample { fault_times: Some(FaultTimes::default()), ..Sample::default() };
            sample.snapshot.counters.started = started;
            sample.snapshot.skipped = Some(Skipped { all: skipped, reads: 0 });
            if let Some(faults) = &mut sample.fault_times {
                faults.by_path[1].saturating_record_n(100, times);
            }
            sample
        };
        let since = sample(9, 5, 4).since(&sample(2, 1, 3));
        assert_eq!(since.snapshot.counters.started, 7);
        assert_eq!(since.snapshot.skipped.map(|skipped| skipped.all), Some(4));
        assert_eq!(since.fault_times.map(|times| times.by_path[1].len()), Some(1));
    }
}
