//! The distributions of an observation, by name: what percentiles, buckets and pictures are made from.

use hdrhistogram::Histogram;

use serde::Serialize;

use observer_engine::totals::{DurationSummary, Durations};
use observer_observation::{FaultTimes, Known};

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Faults that read past the swap cache.
    FaultDirect,
    /// Faults that went through the swap cache.
    FaultCached,
    /// Faults that returned early.
    FaultNone,
    /// Overlaps.
    Overlap,
    /// Holds of contended pins.
    PinHold,
    /// Waits for a pin.
    PinWait,
    /// The part of them after the pin was dropped.
    Oversleep,
    /// Waits on the folio lock.
    LockWait,
    /// The part of them after the lock was dropped.
    LockOversleep,
    /// Windows: from the start of an overtaken read to the end of its fault. Of the findings listed.
    Window,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FaultDirect,
        Self::FaultCached,
        Self::FaultNone,
        Self::Overlap,
        Self::PinHold,
        Self::PinWait,
        Self::Oversleep,
        Self::LockWait,
        Self::LockOversleep,
        Self::Window,
    ];

    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FaultDirect => "fault_direct",
            Self::FaultCached => "fault_cached",
            Self::FaultNone => "fault_none",
            Self::Overlap => "overlap",
            Self::PinHold => "pin_hold",
            Self::PinWait => "pin_wait",
            Self::Oversleep => "oversleep",
            Self::LockWait => "lock_wait",
            Self::LockOversleep => "lock_oversleep",
            Self::Window => "window",
        }
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::FaultDirect => "direct swap-in",
            Self::FaultCached => "cached swap-in",
            Self::FaultNone => "early return",
            Self::Overlap => "overlap",
            Self::PinHold => "pin hold",
            Self::PinWait => "pin wait",
            Self::Oversleep => "oversleep",
            Self::LockWait => "lock wait",
            Self::LockOversleep => "lock oversleep",
            Self::Window => "window",
        }
    }
}

/// Distributions, nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are the words of design.md")]
pub struct Distributions {
    pub fault_direct: DurationSummary,
    pub fault_cached: DurationSummary,
    pub fault_none: DurationSummary,
    pub overlap: DurationSummary,
    /// `None`: nothing tells of holds; likewise `oversleep`.
    pub pin_hold: Option<DurationSummary>,
    pub pin_wait: DurationSummary,
    pub oversleep: Option<DurationSummary>,
    pub lock_wait: DurationSummary,
    pub lock_oversleep: DurationSummary,
    pub window: DurationSummary,
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
    /// Of an observation.
    pub fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let Known { report, sample, .. } = known.into();
        let FaultTimes { by_path: [direct, cached, none] } = sample.fault_times.clone().unwrap_or_default();
        let mut windows = Durations::default();
        for finding in &report.findings {
            windows.add(finding.end_ns.saturating_sub(finding.read_start_ns));
        }
        Self([
            direct,
            cached,
            none,
            report.overlap_times.histogram().clone(),
            report.hold_times.histogram().clone(),
            report.wait_times.histogram().clone(),
            report.oversleep_times.histogram().clone(),
            report.lock_wait_times.histogram().clone(),
            report.lock_oversleep_times.histogram().clone(),
            windows.histogram().clone(),
        ])
    }

    /// The one of this name.
    pub fn of(&self, measure: Measure) -> &Histogram<u64> {
        // One for each, in order.
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
        for (name, slot) in Measure::ALL.into_iter().zip(&mut self.0) {
            if name == measure {
                slot.clone_from(histogram);
            }
        }
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (Measure, &Histogram<u64>)> {
        Measure::ALL.into_iter().zip(&self.0)
    }

    /// Those that hold anything.
    pub fn filled(&self) -> impl Iterator<Item = (Measure, &Histogram<u64>)> {
        self.iter().filter(|(_, histogram)| !histogram.is_empty())
    }

    /// Adds another observation's.
    pub fn add(&mut self, other: &Self) {
        for (histogram, other) in self.0.iter_mut().zip(&other.0) {
            // Fails only for values beyond the range, and the ranges are the same.
            let _ = histogram.add(other);
        }
    }

    /// Counts and percentiles; `holds_seen`: whether anything told of how long pins were held.
    pub fn summaries(&self, holds_seen: bool) -> Distributions {
        let [
            fault_direct,
            fault_cached,
            fault_none,
            overlap,
            pin_hold,
            pin_wait,
            oversleep,
            lock_wait,
            lock_oversleep,
            window,
        ] = self.0.each_ref().map(DurationSummary::of);
        Distributions {
            fault_direct,
            fault_cached,
            fault_none,
            overlap,
            pin_hold: holds_seen.then_some(pin_hold),
            pin_wait,
            oversleep: holds_seen.then_some(oversleep),
            lock_wait,
            lock_oversleep,
            window,
        }
    }
}

/// The sum of all durations, nanoseconds, as exact as the buckets.
pub fn sum_ns(histogram: &Histogram<u64>) -> u64 {
    let values = histogram.iter_recorded();
    values
        .map(|value| histogram.median_equivalent(value.value_iterated_to()).saturating_mul(value.count_at_value()))
        .fold(0, u64::saturating_add)
}
