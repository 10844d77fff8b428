//! The counters and histograms of all CPUs, added up.

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray},
};
use observer_ebpf::{
    counter::Counters,
    histogram,
    totals::{DerivedCounters, Totals},
};
use observer_observation::FaultTimes;

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

/// Proof that counters may be read as they are.
const _: fn() = || {
    fn is_pod<T: Pod>() {}
    is_pod::<Totals>();
};
