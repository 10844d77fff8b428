//! Sums over equal spans of time, in bounded memory: where there would be more spans than [`MAX_SPANS`], each becomes
//! twice as long. The result does not depend on the order in which things are added.

use std::collections::VecDeque;

use crate::{event::Nanos, report::VerdictCounts, verdict::Verdict};

/// Most spans that a series keeps. A series that has grown keeps more than half as many.
pub const MAX_SPANS: usize = 256;
/// Length of a span at first.
pub const FIRST_WIDTH: Nanos = 100_000_000;

/// What is added up.
pub trait Sum: Clone + Default {
    fn add(&mut self, other: &Self);
}

/// Sums by time. A span covers the times from a multiple of [`Series::width`] to below the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series<T> {
    width: Nanos,
    /// Which multiple of the width the first span starts at.
    first: u64,
    spans: VecDeque<T>,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { width: FIRST_WIDTH, first: 0, spans: VecDeque::new() }
    }
}

impl<T: Sum> Series<T> {
    /// Length of a span.
    pub const fn width(&self) -> Nanos {
        self.width
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Adds to the span that has this time.
    pub fn add(&mut self, at: Nanos, sum: &T) {
        self.cover(at);
        let number = at / self.width;
        if let Some(span) = usize::try_from(number - self.first).ok().and_then(|index| self.spans.get_mut(index)) {
            span.add(sum);
        }
    }

    /// Makes room for a time.
    pub fn cover(&mut self, at: Nanos) {
        if self.spans.is_empty() {
            self.first = at / self.width;
            self.spans.push_back(T::default());
            return;
        }
        while self.needed(at) > MAX_SPANS as u64 {
            self.widen();
        }
        let number = at / self.width;
        while number < self.first {
            self.first -= 1;
            self.spans.push_front(T::default());
        }
        while number >= self.first + self.spans.len() as u64 {
            self.spans.push_back(T::default());
        }
    }

    /// Spans from the first to the last if a time were among them.
    fn needed(&self, at: Nanos) -> u64 {
        let (number, last) = (at / self.width, self.first + self.spans.len() as u64 - 1);
        last.max(number) - self.first.min(number) + 1
    }

    /// Makes the spans twice as long.
    pub fn widen(&mut self) {
        let mut wide: VecDeque<T> = VecDeque::with_capacity(self.spans.len() / 2 + 1);
        for (number, span) in (self.first..).zip(&self.spans) {
            match wide.back_mut() {
                Some(last) if number % 2 == 1 => last.add(span),
                _ => wide.push_back(span.clone()),
            }
        }
        self.first /= 2;
        self.width = self.width.saturating_mul(2);
        self.spans = wide;
    }

    /// The start of each span, and its sum.
    pub fn iter(&self) -> impl Iterator<Item = (Nanos, &T)> {
        (self.first..).map(|number| number.saturating_mul(self.width)).zip(&self.spans)
    }
}

/// What the engine reported within a span, by the time at which it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    pub verdicts: VerdictCounts,
    /// The time of all waits that ended.
    pub waited_ns: Nanos,
    /// The part of it after the pin or the lock was released.
    pub overslept_ns: Nanos,
}

impl Happened {
    pub(crate) fn verdict(verdict: Verdict) -> Self {
        let mut happened = Self::default();
        happened.verdicts.add(verdict);
        happened
    }
}

impl Sum for Happened {
    fn add(&mut self, other: &Self) {
        let Self { verdicts, waited_ns, overslept_ns } = other;
        self.verdicts.append(verdicts);
        self.waited_ns = self.waited_ns.saturating_add(*waited_ns);
        self.overslept_ns = self.overslept_ns.saturating_add(*overslept_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    impl Sum for u64 {
        fn add(&mut self, other: &Self) {
            *self += *other;
        }
    }

    fn series(times: &[Nanos]) -> Series<u64> {
        let mut series = Series::default();
        for at in times {
            series.add(*at, &1);
        }
        series
    }

    #[test]
    fn spans_become_longer_and_sums_stay() {
        let second = 10 * FIRST_WIDTH;
        let series = series(&(0..1_000).map(|n| n * second).collect::<Vec<_>>());
        assert_eq!(series.width(), 64 * FIRST_WIDTH);
        assert_eq!(series.iter().map(|(_, sum)| *sum).sum::<u64>(), 1_000);
        assert!(series.iter().count() > MAX_SPANS / 2);
        assert_eq!(series.iter().nth(1), Some((64 * FIRST_WIDTH, &6)), "7 s to below 12.8 s");
    }

    #[test]
    fn times_at_both_ends_are_taken() {
        let series = series(&[u64::MAX, 0, 1]);
        assert_eq!(series.iter().map(|(_, sum)| *sum).sum::<u64>(), 3);
    }

    proptest! {
        #[test]
        fn every_time_is_in_its_span_in_any_order(mut times in vec(0u64..1 << 44, 1..300)) {
            let forward = series(&times);
            times.reverse();
            prop_assert_eq!(&forward, &series(&times));
            prop_assert!(forward.iter().count() <= MAX_SPANS);
            for (start, sum) in forward.iter() {
                let inside = times.iter().filter(|at| (start..start + forward.width()).contains(at)).count() as u64;
                prop_assert_eq!(*sum, inside);
            }
        }
    }
}
