//! Rates from running totals: now, over the last 1, 10 and 60 seconds, and a history for sparklines. Time comes with
//! the samples.

use std::collections::VecDeque;

use crate::model::{Counts, Series};
use observer_engine::event::Nanos;

const SECOND: Nanos = 1_000_000_000;

/// "Now" is the rate over this time: long enough not to flicker, short enough to look immediate.
const NOW: Nanos = SECOND / 2;

/// The same in a replay: recordings hold the counters once a second.
const NOW_REPLAYED: Nanos = SECOND;

/// Age of the oldest sample kept: a little more than the longest span.
const KEPT: Nanos = 61 * SECOND;

/// Points of the history, one per second.
pub const HISTORY: usize = 240;

/// A span of time that rates are taken over.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub name: &'static str,
    /// The key in exports.
    pub code: &'static str,
    pub ns: Nanos,
}

/// The spans beside "now".
pub const SPANS: [Span; 3] = [
    Span { name: "1 s", code: "last_1_s", ns: SECOND },
    Span { name: "10 s", code: "last_10_s", ns: 10 * SECOND },
    Span { name: "60 s", code: "last_60_s", ns: 60 * SECOND },
];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    samples: VecDeque<(Nanos, Counts)>,
    history: VecDeque<Counts>,
    /// The second in progress: its start, and the totals at that time.
    second: Option<(Nanos, Counts)>,
    /// Totals when the counts were reset.
    base: Counts,
    /// When they were reset; `None`: they cover everything.
    cleared: Option<Nanos>,
    last: Counts,
    /// The time of the last sample.
    at: Nanos,
    replayed: bool,
}

impl Rates {
    pub fn set_replayed(&mut self, replayed: bool) {
        self.replayed = replayed;
    }

    /// Adds the totals at a time. If time runs backwards (a replay jumped back), everything is reset.
    pub fn sample(&mut self, at: Nanos, counts: Counts) {
        let back = self.samples.back().is_some_and(|(last, _)| at < *last);
        let fewer = self.last.iter().zip(&counts).any(|(last, now)| now < last);
        if back || fewer {
            *self = Self { replayed: self.replayed, ..Self::default() };
        }
        (self.last, self.at) = (counts, at);
        if self.samples.back().is_some_and(|(last, _)| *last == at) {
            self.samples.pop_back();
        }
        self.samples.push_back((at, counts));
        // One sample older than the longest span is kept as its start.
        while self.samples.get(1).is_some_and(|(second, _)| second + KEPT < at) {
            self.samples.pop_front();
        }
        self.history(at, counts);
    }

    fn history(&mut self, at: Nanos, counts: Counts) {
        let Some((start, base)) = self.second else {
            self.second = Some((at, counts));
            return;
        };
        let seconds = at.saturating_sub(start) / SECOND;
        if seconds == 0 {
            return;
        }
        // The events of a gap (a stopped process, a seek) are spread over it.
        let share = difference(&counts, &base).map(|count| count.div_ceil(seconds));
        for _ in 0..seconds.min(HISTORY as u64) {
            if self.history.len() >= HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(share);
        }
        self.second = Some((start + seconds * SECOND, counts));
    }

    /// Resets rates and history, not totals.
    pub fn restart(&mut self) {
        let Self { base, cleared, last, at, replayed, .. } = *self;
        *self = Self { base, cleared, last, at, replayed, ..Self::default() };
    }

    /// Resets everything.
    pub fn clear(&mut self) {
        let Self { last, at, replayed, .. } = *self;
        *self = Self { base: last, cleared: Some(at), last, at, replayed, ..Self::default() };
    }

    /// When the counts were reset, on the clock of the events; `None`: they cover everything.
    pub fn since(&self) -> Option<Nanos> {
        self.cleared
    }

    /// Events since the last reset.
    pub fn total(&self, series: Series) -> u64 {
        pick(&self.last, series).saturating_sub(pick(&self.base, series))
    }

    /// Events per second, now.
    pub fn now(&self, series: Series) -> f64 {
        self.over(series, if self.replayed { NOW_REPLAYED } else { NOW })
    }

    /// Events per second over the last `span`, or since the first sample if that is less.
    pub fn over(&self, series: Series, span: Nanos) -> f64 {
        let Some((now, counts)) = self.samples.back() else { return 0.0 };
        let from = now.saturating_sub(span);
        let start = self.samples.iter().rev().find(|(at, _)| *at <= from).or_else(|| self.samples.front());
        let Some((at, before)) = start else { return 0.0 };
        let elapsed = now.saturating_sub(*at);
        if elapsed == 0 {
            return 0.0;
        }
        pick(counts, series).saturating_sub(pick(before, series)) as f64 * SECOND as f64 / elapsed as f64
    }

    /// Events in each of the last `points` seconds, oldest first; fewer points if the history is shorter.
    pub fn last_seconds(&self, series: Series, points: usize) -> Vec<u64> {
        let skip = self.history.len().saturating_sub(points);
        self.history.iter().skip(skip).map(|counts| pick(counts, series)).collect()
    }
}

fn pick(counts: &Counts, series: Series) -> u64 {
    counts.get(series as usize).copied().unwrap_or(0)
}

fn difference(now: &Counts, before: &Counts) -> Counts {
    let mut difference = *now;
    for (now, before) in difference.iter_mut().zip(before) {
        *now = now.saturating_sub(*before);
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(direct: u64) -> Counts {
        [direct, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Ten samples a second, `rate` events a second.
    fn run(seconds: u64, rate: u64) -> Rates {
        let mut rates = Rates::default();
        for tick in 0..=seconds * 10 {
            rates.sample(tick * SECOND / 10, counts(tick * rate / 10));
        }
        rates
    }

    fn about(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= expected.abs() * 0.01
    }

    #[test]
    fn a_steady_rate_is_equal_over_all_spans() {
        let rates = run(70, 50);
        assert!(about(rates.now(Series::Direct), 50.0));
        assert!(SPANS.iter().all(|span| about(rates.over(Series::Direct, span.ns), 50.0)));
        assert_eq!((rates.total(Series::Direct), rates.total(Series::Cached)), (3_500, 0));
        assert_eq!(rates.last_seconds(Series::Direct, 3), [50, 50, 50]);
        assert!(rates.samples.len() < 640, "{}", rates.samples.len());
        assert_eq!(rates.history.len(), 70);
    }

    #[test]
    fn a_burst_fades_from_the_short_spans_first() {
        let mut rates = run(5, 0);
        rates.sample(5 * SECOND + 1, counts(600));
        for tick in 1..=20 {
            rates.sample(5 * SECOND + tick * SECOND / 10, counts(600));
        }
        assert!(rates.now(Series::Direct) < 0.1);
        assert!(rates.over(Series::Direct, SECOND) < 0.1);
        assert!(about(rates.over(Series::Direct, 60 * SECOND), 600.0 / 7.0));
        assert_eq!(rates.last_seconds(Series::Direct, 9).iter().max(), Some(&600));
    }

    #[test]
    fn a_restart_keeps_totals_and_clearing_resets_them() {
        let mut rates = run(5, 50);
        rates.restart();
        assert_eq!(rates.total(Series::Direct), 250);
        assert!(rates.last_seconds(Series::Direct, 9).is_empty());
        assert_eq!(rates.since(), None);
        rates.clear();
        assert_eq!((rates.total(Series::Direct), rates.since()), (0, Some(5 * SECOND)));
        rates.restart();
        assert_eq!(rates.since(), Some(5 * SECOND));
        rates.sample(6 * SECOND, counts(257));
        assert_eq!(rates.total(Series::Direct), 7);
    }

    #[test]
    fn rates_are_reset_when_time_runs_backwards() {
        let mut rates = run(5, 50);
        rates.clear();
        rates.sample(SECOND, counts(10));
        assert_eq!((rates.total(Series::Direct), rates.since()), (10, None));
        assert!(rates.last_seconds(Series::Direct, 9).is_empty());
    }

    #[test]
    fn a_long_gap_fills_the_history_once() {
        let mut rates = run(1, 1);
        rates.sample(1_000_000 * SECOND, counts(1_000));
        assert_eq!(rates.history.len(), HISTORY);
    }

    #[test]
    fn a_rate_without_samples_is_zero() {
        assert!(Rates::default().now(Series::Direct).abs() < f64::EPSILON);
    }
}
