//! The difference of two rates with an interval, by a bootstrap over intervals of time (docs/decisions/diff.md).

/// What was counted in an interval of time, and per what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    pub(super) value: f64,
    pub(super) per: f64,
}

/// How often an interval is to contain the true difference, 0 to 1, and that quantile of the normal distribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confidence {
    pub(super) share: f64,
    pub(super) z: f64,
}

/// B minus A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

const REPLICATES: usize = 4_000;
const SEED: u64 = 0x6f62_7365_7276_6572;

/// `event`: the usual value of one event. A side whose value is 0 may have had some by chance.
pub(super) fn difference(a: &[Interval], b: &[Interval], event: f64, confidence: Confidence) -> Difference {
    let mut random = Random(SEED);
    let (side_a, side_b) = (Side::new(a, event), Side::new(b, event));
    let (rate_a, rate_b) = (rate(side_a.whole()), rate(side_b.whole()));
    let mut all: Vec<f64> =
        (0..REPLICATES).map(|_| side_b.replicate(&mut random) - side_a.replicate(&mut random)).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (0..REPLICATES).find(|place| *place as f64 >= share * (REPLICATES - 1) as f64).unwrap_or(0);
        all.get(place).copied().unwrap_or_default()
    };
    let tail = (1.0 - confidence.share) / 2.0;
    let (estimate, stretch) = (rate_b - rate_a, stretch(a.len().min(b.len()), confidence.z));
    let stretched = |bound: f64| estimate + (bound - estimate) * stretch;
    Difference { a: rate_a, b: rate_b, low: stretched(at(tail)), high: stretched(at(1.0 - tail)) }
}

fn rate(sum: Interval) -> f64 {
    if sum.per > 0.0 { sum.value / sum.per } else { 0.0 }
}

/// Length of a block: neighbouring intervals are alike, so they are drawn together. One and a half times the third root.
fn block(intervals: usize) -> usize {
    (1..=intervals).find(|length| 8 * length.pow(3) >= 27 * intervals).unwrap_or(intervals.max(1))
}

/// The intervals of one side, with the first after the last, as sums from the first on.
struct Side {
    count: usize,
    sums: Vec<Interval>,
    event: f64,
}

impl Side {
    fn new(intervals: &[Interval], event: f64) -> Self {
        let mut sums = vec![Interval::default()];
        for one in intervals.iter().chain(intervals) {
            let last = sums.last().copied().unwrap_or_default();
            sums.push(Interval { value: last.value + one.value, per: last.per + one.per });
        }
        Self { count: intervals.len(), sums, event }
    }

    /// The sum of some intervals from one on.
    fn sum(&self, start: usize, length: usize) -> Interval {
        let at = |index: usize| self.sums.get(index).copied().unwrap_or_default();
        let (from, to) = (at(start), at(start + length));
        Interval { value: to.value - from.value, per: to.per - from.per }
    }

    fn whole(&self) -> Interval {
        self.sum(0, self.count)
    }

    /// The rate of as many intervals as there are, drawn in blocks with replacement.
    fn replicate(&self, random: &mut Random) -> f64 {
        let whole = self.whole();
        if whole.value <= 0.0 {
            // The rate of events that were not seen in this time: exponential, as after no event of a Poisson process.
            return if whole.per > 0.0 { random.exponential() * self.event / whole.per } else { 0.0 };
        }
        let (length, mut drawn, mut missing) = (block(self.count), Interval::default(), self.count);
        while missing > 0 {
            let part = self.sum(random.below(self.count), length.min(missing));
            drawn = Interval { value: drawn.value + part.value, per: drawn.per + part.per };
            missing -= length.min(missing);
        }
        rate(drawn)
    }
}

/// A bootstrap of few blocks is too narrow: as Student's distribution is wider than the normal one.
fn stretch(intervals: usize, z: f64) -> f64 {
    let free = (intervals / block(intervals)).saturating_sub(1).max(1) as f64;
    // Cornish and Fisher's expansion of its quantile.
    let first = (z.powi(3) + z) / (4.0 * free);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * free * free);
    (z + first + second) / z
}

/// splitmix64, <https://prng.di.unimi.it/splitmix64.c>: the same intervals give the same result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1.
    fn below(&mut self, end: usize) -> usize {
        let scaled = (u128::from(self.next()) * end as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Above 0, at most 1.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// With mean 1.
    fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Confidence = Confidence { share: 0.95, z: 1.959_964 };

    /// How many of 300 pairs of observations have an interval that contains the true difference. `interval` makes the
    /// intervals of one side.
    fn covered(truth: f64, mut side: impl FnMut(&mut Random, bool) -> Vec<Interval>) -> u32 {
        let mut random = Random(7);
        (0..300)
            .map(|_| {
                let (a, b) = (side(&mut random, false), side(&mut random, true));
                let found = difference(&a, &b, 1.0, USUAL);
                u32::from((found.low..=found.high).contains(&truth))
            })
            .sum()
    }

    /// Between 92 and 98.7 percent of 300: 95 percent is within it by chance, 90 and 99.5 are not.
    fn assert_about_95_percent(covered: u32) {
        assert!((276..=296).contains(&covered), "{covered} of 300");
    }

    /// Durations with a long tail, and a number of them that varies.
    #[test]
    fn intervals_of_mean_durations_contain_the_true_difference() {
        let covered = covered(500.0, |random, is_b| {
            (0..40)
                .map(|_| {
                    let per = 20 + random.below(60);
                    let mean = if is_b { 2_500.0 } else { 2_000.0 };
                    let value = (0..per).map(|_| random.exponential() * mean).sum();
                    Interval { value, per: per as f64 }
                })
                .collect()
        });
        assert_about_95_percent(covered);
    }

    /// Phases of a workload: each interval is like the one before.
    #[test]
    fn intervals_of_dependent_times_contain_the_true_difference() {
        let covered = covered(0.0, |random, _| {
            let mut load = 0.0;
            (0..120)
                .map(|_| {
                    load = 0.5 * load + random.exponential() - 1.0;
                    Interval { value: 10.0 + load, per: 1.0 }
                })
                .collect()
        });
        assert_about_95_percent(covered);
    }

    /// Rare events: on average 30 and 15 in 60 intervals.
    #[test]
    fn intervals_of_rare_events_contain_the_true_difference() {
        let covered = covered(-0.25, |random, is_b| {
            let mean = if is_b { 0.25 } else { 0.5 };
            let mut until = random.exponential() / mean;
            (1..=60)
                .map(|end| {
                    let mut events = 0.0;
                    while until < f64::from(end) {
                        events += 1.0;
                        until += random.exponential() / mean;
                    }
                    Interval { value: events, per: 1.0 }
                })
                .collect()
        });
        assert_about_95_percent(covered);
    }

    #[test]
    fn no_event_does_not_prove_a_rate_of_zero() {
        let side = |value| vec![Interval { value, per: 2.0 }; 50];
        let found = difference(&side(0.0), &side(0.0), 1.0, USUAL);
        assert!(found.low < -0.02 && found.high > 0.02, "{found:?}");
        let found = difference(&side(1.0), &side(0.0), 1.0, USUAL);
        assert!((found.a - 0.5).abs() < 1e-9 && found.high < -0.4 && found.high > -0.5, "{found:?}");
    }

    #[test]
    fn the_result_is_the_same_each_time_and_changes_sign_with_the_sides() {
        let mut random = Random(3);
        let mut side =
            |mean: f64| (0..30).map(|_| Interval { value: random.exponential() * mean, per: 1.0 }).collect::<Vec<_>>();
        let (a, b) = (side(1.0), side(3.0));
        let found = difference(&a, &b, 1.0, USUAL);
        assert_eq!(found, difference(&a, &b, 1.0, USUAL));
        let back = difference(&b, &a, 1.0, USUAL);
        assert!((found.low + back.high).abs() < 0.1 && (found.high + back.low).abs() < 0.1, "{found:?} {back:?}");
    }

    #[test]
    fn few_blocks_make_a_wider_interval() {
        assert_eq!([10, 40, 120, 256].map(block), [4, 6, 8, 10]);
        // Student's quantiles: 2.571 with 5 degrees of freedom, 2.064 with 24.
        assert!((stretch(40, 1.96) * 1.96 - 2.571).abs() < 0.05, "{}", stretch(40, 1.96));
        assert!((stretch(256, 1.96) * 1.96 - 2.064).abs() < 0.01, "{}", stretch(256, 1.96));
    }
}
