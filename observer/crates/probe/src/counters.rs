//! Counters and histograms, summed over the CPUs.

use std::{fs, io};

use observer_ebpf::{
    counters::Counters,
    histogram,
    totals::{BUCKETS, CpuTotals, DerivedCounters},
};
use observer_observation::FaultTimes;

use crate::mapped::Mapped;

/// The totals of each CPU.
pub(crate) type OfCpus = Mapped<CpuTotals>;

/// Sums the counters, and adds those that follow from the sums.
pub(crate) fn sum(cpus: &OfCpus, derived: DerivedCounters) -> Counters {
    let sum = cpus.iter().map(|cpu| cpu.totals.counters()).fold(Counters::default(), Counters::plus);
    sum.with_derived(derived)
}

/// Sums the histograms.
pub(crate) fn fault_times(cpus: &OfCpus) -> FaultTimes {
    let mut sums = vec![0; BUCKETS];
    for cpu in cpus.iter() {
        for (sum, count) in sums.iter_mut().zip(&cpu.totals.fault_times) {
            *sum += count;
        }
    }
    let FaultTimes { mut by_path } = FaultTimes::default();
    let mut sums = sums.into_iter();
    for histogram in &mut by_path {
        for (bucket, count) in (0..histogram::BUCKETS).zip(&mut sums) {
            if count != 0 {
                let (low, high) = histogram::bounds(bucket.into());
                // The last bucket has no upper bound.
                let middle = low + (high.min(low.saturating_mul(2)) - low) / 2;
                histogram.saturating_record_n(middle, count);
            }
        }
    }
    FaultTimes { by_path }
}

/// The number of elements that an array by CPU number needs: CPUs that are added later are among the possible ones.
pub(crate) fn cpus() -> io::Result<u32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    highest(&text).map(|cpu| cpu + 1).ok_or_else(|| io::Error::other(format!("no CPU numbers: {}", text.trim())))
}

/// The last number of a list such as `0-3,8-11`.
fn highest(cpus: &str) -> Option<u32> {
    cpus.trim().rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_cpu_is_the_last_of_the_list() {
        assert_eq!(highest("0\n"), Some(0));
        assert_eq!(highest("0-3\n"), Some(3));
        assert_eq!(highest("0-3,8-11\n"), Some(11));
        assert_eq!(highest("0,2"), Some(2));
        assert_eq!(highest(""), None);
    }
}
