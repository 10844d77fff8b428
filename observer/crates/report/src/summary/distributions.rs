//! The distributions of an observation: histograms, and the percentiles of each.

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

use observer_kernel::codes;
pub(crate) use observer_observation::sum_ns;
use observer_observation::{DurationSummary, Durations, FaultTimes, Known};

codes! {
    /// What was timed.
    pub enum Measure {
        /// Faults that read directly.
        FaultDirect = "fault_direct",
        /// Faults that used the swap cache.
        FaultCached = "fault_cached",
        /// Faults that returned early.
        FaultNone = "fault_none",
        Overlap = "overlap",
        /// Holds of contended pins.
        PinHold = "pin_hold",
        PinWait = "pin_wait",
        /// The part of pin waits after the pin was released.
        Oversleep = "oversleep",
        LockWait = "lock_wait",
        /// The part of lock waits after the lock was released.
        LockOversleep = "lock_oversleep",
        /// From the start of the read to the end of the fault, of each finding listed.
        Window = "window",
    }
}

impl Measure {
    /// Whether a selection selects what was timed. The kernel times faults all together.
    pub(crate) const fn is_selected(self) -> bool {
        !matches!(self, Self::FaultDirect | Self::FaultCached | Self::FaultNone)
    }
}

/// Percentiles by measure; `None`: no hook observed it.
#[derive(Clone, Debug, Default)]
pub struct Distributions(Vec<(Measure, Option<DurationSummary>)>);

impl Distributions {
    pub fn get(&self, measure: Measure) -> Option<&DurationSummary> {
        self.iter().find(|(known, _)| *known == measure)?.1
    }

    pub fn iter(&self) -> impl Iterator<Item = (Measure, Option<&DurationSummary>)> {
        self.0.iter().map(|(measure, summary)| (*measure, summary.as_ref()))
    }
}

impl Serialize for Distributions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// One histogram of nanoseconds for each [`Measure`].
#[derive(Clone, Debug)]
pub struct Histograms([Histogram<u64>; Measure::ALL.len()]);

impl Default for Histograms {
    fn default() -> Self {
        Self(Measure::ALL.map(|_| Durations::default().histogram().clone()))
    }
}

impl Histograms {
    pub(crate) fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let Known { report, sample, .. } = known.into();
        let FaultTimes { by_path: [direct, cached, none] } = sample.fault_times.clone().unwrap_or_default();
        let mut windows = Durations::default();
        for finding in &report.findings {
            windows.add(finding.end_ns.saturating_sub(finding.read_start_ns));
        }
        let times = &report.distributions;
        Self([
            direct,
            cached,
            none,
            times.overlap.histogram().clone(),
            times.pin_hold.histogram().clone(),
            times.pin_wait.histogram().clone(),
            times.pin_oversleep.histogram().clone(),
            times.lock_wait.histogram().clone(),
            times.lock_oversleep.histogram().clone(),
            windows.histogram().clone(),
        ])
    }

    pub(crate) fn of(&self, measure: Measure) -> &Histogram<u64> {
        // In the order of `Measure::ALL`.
        let [direct, cached, none, overlap, hold, wait, oversleep, lock_wait, lock_oversleep, window] = &self.0;
        match measure {
            Measure::FaultDirect => direct,
            Measure::FaultCached => cached,
            Measure::FaultNone => none,
            Measure::Overlap => overlap,
            Measure::PinHold => hold,
            Measure::PinWait => wait,
            Measure::Oversleep => oversleep,
            Measure::LockWait => lock_wait,
            Measure::LockOversleep => lock_oversleep,
            Measure::Window => window,
        }
    }

    #[cfg(test)]
    pub(crate) fn set(&mut self, measure: Measure, histogram: &Histogram<u64>) {
        for (known, slot) in Measure::ALL.into_iter().zip(&mut self.0) {
            if known == measure {
                slot.clone_from(histogram);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Measure, &Histogram<u64>)> {
        Measure::ALL.into_iter().zip(&self.0)
    }

    /// Those that are not empty.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (Measure, &Histogram<u64>)> {
        self.iter().filter(|(_, histogram)| !histogram.is_empty())
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (histogram, other) in self.0.iter_mut().zip(&other.0) {
            // Fails only for values beyond the range, and the ranges are the same.
            let _ = histogram.add(other);
        }
    }

    /// Percentiles. `holds_seen`: whether hooks observed pin holds, without which oversleep is unknown as well.
    pub(crate) fn summaries(&self, holds_seen: bool) -> Distributions {
        let of_holds = |measure| matches!(measure, Measure::PinHold | Measure::Oversleep);
        let summary = |(measure, histogram)| {
            (measure, (holds_seen || !of_holds(measure)).then(|| DurationSummary::of(histogram)))
        };
        Distributions(self.iter().map(summary).collect())
    }
}

/// How many durations exceed `ns`; the histogram keeps three digits.
pub(crate) fn count_longer(histogram: &Histogram<u64>, ns: u64) -> u64 {
    let longer = histogram.iter_recorded().filter(|value| histogram.lowest_equivalent(value.value_iterated_to()) > ns);
    longer.map(|value| value.count_at_value()).sum()
}
