//! The counters and histograms of all CPUs, added up.

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray},
};
use hdrhistogram::Histogram;
use observer_ebpf::{
    counter::Counters,
    histogram,
    totals::{DerivedCounters, Totals},
};

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

/// What each CPU has added up.
pub(super) type OfCpus = PerCpuArray<MapData, Totals>;

/// Adds up the counters.
pub(super) fn sum(map: &OfCpus, derived: DerivedCounters) -> Result<Counters, MapError> {
    let values = map.get(&0, 0)?;
    let mut words = [0u64; size_of::<Counters>() / 8];
    for cpu in values.iter() {
        let cpu: [u64; size_of::<Counters>() / 8] = bytemuck::cast(cpu.counted());
        for (sum, value) in words.iter_mut().zip(cpu) {
            *sum += value;
        }
    }
    Ok(bytemuck::cast::<_, Counters>(words).with_derived(derived))
}

/// Adds up the histograms.
pub(super) fn fault_times(map: &OfCpus) -> Result<FaultTimes, MapError> {
    let values = map.get(&0, 0)?;
    let FaultTimes { mut by_path } = FaultTimes::default();
    let mut places = 0..observer_ebpf::totals::BUCKETS;
    for histogram in &mut by_path {
        for (bucket, place) in (0..histogram::BUCKETS).zip(&mut places) {
            let count: u64 = values.iter().filter_map(|cpu| cpu.fault_times.get(place)).sum();
            if count != 0 {
                let (low, high) = histogram::bounds(bucket.into());
                let middle = low + (high.min(low.saturating_mul(2)) - low) / 2;
                histogram.saturating_record_n(middle, count);
            }
        }
    }
    Ok(FaultTimes { by_path })
}

#[expect(clippy::expect_used, reason = "constants within the crate's documented bounds")]
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << histogram::MAX_POWER, 3).expect("legal bounds")
}

/// Proof that counters may be read as they are.
const _: fn() = || {
    fn is_pod<T: Pod>() {}
    is_pod::<Totals>();
};
