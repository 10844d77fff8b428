//! Distributions of durations.

use hdrhistogram::Histogram;
use observer_engine::{distributions, event::Nanos};
use serde::Serialize;

/// The engine of an observation.
pub type Engine = observer_engine::Engine<Durations>;
/// What the engine has found.
pub type Report = observer_engine::Report<Durations>;
/// The engine's statistics for a dashboard.
pub type Tally = observer_engine::tally::Tally<Durations>;

/// A distribution of durations in nanoseconds: three significant digits, up to an hour.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

impl Default for Durations {
    #[expect(clippy::expect_used, reason = "a constant within the crate's documented bounds; a test creates one")]
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are within 0 to 5"))
    }
}

impl distributions::Durations for Durations {
    fn add(&mut self, ns: Nanos) {
        Self::add(self, ns);
    }
}

impl Durations {
    /// Adds a duration. More than an hour counts as an hour.
    pub fn add(&mut self, ns: Nanos) {
        const HOUR: u64 = 3_600_000_000_000;
        // The histogram resizes itself: an hour is within the range of a `u64`.
        let _ = self.0.record(ns.min(HOUR));
    }

    pub fn append(&mut self, other: &Self) {
        // Both have the same precision, and this one resizes itself.
        let _ = self.0.add(&other.0);
    }

    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    pub fn summary(&self) -> DurationSummary {
        DurationSummary::of(&self.0)
    }
}

/// The sum of all durations, as exact as the buckets.
pub fn sum_ns(histogram: &Histogram<u64>) -> Nanos {
    let values = histogram.iter_recorded();
    values
        .map(|value| histogram.median_equivalent(value.value_iterated_to()).saturating_mul(value.count_at_value()))
        .fold(0, u64::saturating_add)
}

/// Count and percentiles of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DurationSummary {
    pub count: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
}

impl DurationSummary {
    /// Summarizes a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: if histogram.is_empty() { 0 } else { histogram.max() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits() {
        let mut durations = Durations::default();
        for ns in [1_000, 2_000, 3_000_000] {
            durations.add(ns);
        }
        let summary = durations.summary();
        assert_eq!((summary.count, summary.p50_ns / 10), (3, 200));
        assert!(summary.max_ns.abs_diff(3_000_000) < 3_000);
    }

    #[test]
    fn an_empty_distribution_has_an_empty_summary() {
        assert_eq!(Durations::default().summary(), DurationSummary::default());
    }

    #[test]
    fn durations_above_an_hour_count_as_an_hour() {
        let mut durations = Durations::default();
        durations.add(u64::MAX);
        assert_eq!((durations.summary().count, durations.summary().max_ns / 10_000_000_000), (1, 360));
    }
}
