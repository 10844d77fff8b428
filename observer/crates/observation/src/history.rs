//! What the counters counted when, in bounded memory.

use crate::{durations::sum_ns, sample::Sample};
use observer_engine::{
    event::Nanos,
    series::{Series, Sum},
};

/// What was counted within a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Pages read from swap devices.
    pub swapins: u64,
    /// Events that were not observed, of all causes.
    pub dropped: u64,
    /// Swap-ins that were timed: faults that read directly or through the swap cache.
    pub timed: u64,
    /// Their durations.
    pub timed_ns: u64,
}

impl Sum for Counted {
    fn add(&mut self, other: &Self) {
        let Self { swapins, dropped, timed, timed_ns } = other;
        self.swapins = self.swapins.saturating_add(*swapins);
        self.dropped = self.dropped.saturating_add(*dropped);
        self.timed = self.timed.saturating_add(*timed);
        self.timed_ns = self.timed_ns.saturating_add(*timed_ns);
    }
}

impl Counted {
    fn map(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            swapins: f(self.swapins, other.swapins),
            dropped: f(self.dropped, other.dropped),
            timed: f(self.timed, other.timed),
            timed_ns: f(self.timed_ns, other.timed_ns),
        }
    }

    fn since(self, before: Self) -> Self {
        self.map(before, u64::saturating_sub)
    }

    /// The share that falls into the first `part` of `whole`.
    fn share(self, part: Nanos, whole: Nanos) -> Self {
        let share = |count: u64| u128::from(count) * u128::from(part) / u128::from(whole.max(1));
        self.map(self, |count, _| u64::try_from(share(count)).unwrap_or(u64::MAX))
    }
}

/// Counts by time. Between two readings the counters are taken to have grown evenly.
#[derive(Clone, Debug, Default)]
pub struct History {
    series: Series<Counted>,
    counters: Readings,
    /// Of the distributions, which are read less often.
    times: Readings,
}

/// Readings of what only grows.
#[derive(Clone, Copy, Debug, Default)]
struct Readings {
    last: Option<(Nanos, Counted)>,
    count: u64,
}

impl Readings {
    /// What was counted since the last reading, or since `start`, and when that was. A reading that is not later than
    /// the last one gives nothing.
    fn add(&mut self, start: Nanos, at: Nanos, now: Counted) -> Option<(Nanos, Counted)> {
        let (from, before) = self.last.unwrap_or((start.min(at), Counted::default()));
        if self.count > 0 && at <= from {
            return None;
        }
        self.last = Some((at, now));
        self.count += 1;
        Some((from, now.since(before)))
    }
}

impl History {
    pub fn series(&self) -> &Series<Counted> {
        &self.series
    }

    /// How often the counters were read.
    pub const fn readings(&self) -> u64 {
        self.counters.count
    }

    /// How often the distributions were read.
    pub const fn time_readings(&self) -> u64 {
        self.times.count
    }

    /// The time of the last reading; 0: there is none.
    pub fn until(&self) -> Nanos {
        self.counters.last.map_or(0, |(at, _)| at)
    }

    /// Adds a reading. `start`: the start of the observation; `dropped`: the dropped events so far.
    pub fn add(&mut self, start: Nanos, sample: &Sample, dropped: u64) {
        let counters = &sample.snapshot.counters;
        let swapins = counters.read_direct.saturating_add(counters.read_cached);
        let now = Counted { swapins, dropped, ..Counted::default() };
        if let Some((from, grown)) = self.counters.add(start, sample.at, now) {
            self.spread(from, sample.at, grown);
        }
        if let Some(times) = &sample.fault_times {
            let [direct, cached, _] = &times.by_path;
            let now = Counted {
                timed: direct.len() + cached.len(),
                timed_ns: sum_ns(direct).saturating_add(sum_ns(cached)),
                ..Counted::default()
            };
            if let Some((from, grown)) = self.times.add(start, sample.at, now) {
                self.spread(from, sample.at, grown);
            }
        }
    }

    /// Adds what was counted between two times to the spans that they cover, each its share.
    fn spread(&mut self, from: Nanos, to: Nanos, counted: Counted) {
        self.series.cover(from);
        self.series.cover(to);
        if counted == Counted::default() {
            return;
        }
        let (width, mut at, mut so_far) = (self.series.width(), from, Counted::default());
        while at < to {
            let next = (at / width).saturating_add(1).saturating_mul(width).min(to);
            let share = counted.share(next - from, to - from);
            self.series.add(at, &share.since(so_far));
            (at, so_far) = (next, share);
        }
        if from == to {
            self.series.add(to, &counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::FaultTimes;
    use observer_engine::series::{FIRST_WIDTH, MAX_SPANS};

    const SECOND: Nanos = 1_000_000_000;

    fn sample(at: Nanos, swapins: u64) -> Sample {
        let mut sample = Sample { at, ..Sample::default() };
        (sample.snapshot.counters.read_direct, sample.snapshot.counters.read_cached) =
            (swapins / 3, swapins - swapins / 3);
        sample
    }

    fn swapins(history: &History) -> Vec<u64> {
        history.series().iter().map(|(_, counted)| counted.swapins).collect()
    }

    #[test]
    fn counts_between_two_readings_are_spread_evenly_and_none_is_lost() {
        let mut history = History::default();
        history.add(0, &sample(FIRST_WIDTH / 2, 7), 0);
        history.add(0, &sample(3 * FIRST_WIDTH, 7 + 50), 0);
        // 2.5 spans: half a span, and two.
        assert_eq!(swapins(&history), [7 + 10, 20, 20, 0]);
        history.add(0, &sample(3 * FIRST_WIDTH, 99), 0);
        assert_eq!((swapins(&history), history.readings()), (vec![17, 20, 20, 0], 2), "not later than the last one");
    }

    #[test]
    fn memory_is_bounded_and_sums_are_exact() {
        let mut history = History::default();
        for n in 0..5_000 {
            history.add(0, &sample(n * SECOND + n % 7, n * n), n / 100);
        }
        let all: Vec<_> = history.series().iter().map(|(_, counted)| *counted).collect();
        assert!(all.len() <= MAX_SPANS);
        let sum = |count: fn(&Counted) -> u64| all.iter().map(count).sum::<u64>();
        assert_eq!((sum(|c| c.swapins), sum(|c| c.dropped)), (4_999 * 4_999, 49));
    }

    #[test]
    fn distributions_are_spread_over_the_time_since_they_were_read() {
        let timed = |at, count| {
            let mut times = FaultTimes::default();
            times.by_path[0].record_n(1_000, count).unwrap();
            times.by_path[2].record_n(9_000, count).unwrap();
            Sample { fault_times: Some(times), ..sample(at, 0) }
        };
        let mut history = History::default();
        history.add(0, &timed(SECOND, 0), 0);
        history.add(0, &sample(2 * SECOND, 0), 0);
        history.add(0, &timed(3 * SECOND, 40), 0);
        let all: Vec<_> = history.series().iter().map(|(_, counted)| counted.timed).collect();
        assert_eq!((all[9], all[10], all[29], all.iter().sum::<u64>()), (0, 2, 2, 40), "an early return is no swap-in");
        assert_eq!((history.readings(), history.time_readings()), (3, 2));
    }
}
