//! Counters and histograms, summed over the CPUs.

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray},
};
use observer_ebpf::{
    counters::Counters,
    histogram,
    totals::{DerivedCounters, Totals},
};
use observer_observation::FaultTimes;

/// The totals of each CPU.
pub(crate) type OfCpus = PerCpuArray<MapData, Totals>;

/// Sums the counters, and adds those that follow from the sums.
pub(crate) fn sum(map: &OfCpus, derived: DerivedCounters) -> Result<Counters, MapError> {
    let values = map.get(&0, 0)?;
    let sum = values.iter().map(Totals::counters).fold(Counters::default(), Counters::plus);
    Ok(sum.with_derived(derived))
}

/// Sums the histograms.
pub(crate) fn fault_times(map: &OfCpus) -> Result<FaultTimes, MapError> {
    let values = map.get(&0, 0)?;
    let FaultTimes { mut by_path } = FaultTimes::default();
    let mut places = 0..observer_ebpf::totals::BUCKETS;
    for histogram in &mut by_path {
        for (bucket, place) in (0..histogram::BUCKETS).zip(&mut places) {
            let count: u64 = values.iter().filter_map(|cpu| cpu.fault_times.get(place)).sum();
            if count != 0 {
                let (low, high) = histogram::bounds(bucket.into());
                // The last bucket has no upper bound.
                let middle = low + (high.min(low.saturating_mul(2)) - low) / 2;
                histogram.saturating_record_n(middle, count);
            }
        }
    }
    Ok(FaultTimes { by_path })
}

/// Aya reads map values of any type that is `Pod`; this fails to compile if the totals are not.
const _: fn() = || {
    fn is_pod<T: Pod>() {}
    is_pod::<Totals>();
};
