//! Which of two observations is better, for the measures that people act on.

use serde::Serialize;

use super::bootstrap::{self, Confidence, Interval};
use crate::{
    observed::Observed,
    summary::timeline::{Point, Timeline},
};
use observer_engine::verdict::Verdict;
use observer_kernel::codes;

codes! {
    /// What is judged: less is better. Rates are per swap-in, so the two may have worked differently hard.
    pub enum Judged {
        /// Mean duration of faults that swap in, nanoseconds.
        SwapInTime = "swapin_time_ns",
        /// Time in waits on pins and folio locks, nanoseconds per swap-in.
        Waited = "waited_ns_per_swapin",
        /// Readers whose entry was freed, reused or lost, per million swap-ins.
        Windows = "windows_per_million_swapins",
        /// Per million swap-ins.
        StaleInstalls = "stale_installs_per_million_swapins",
    }
}

codes! {
    /// B, compared with A.
    pub enum Standing {
        Better = "better",
        Worse = "worse",
        /// The interval of the difference has 0 in it.
        NoDifference = "no_difference",
        /// One of the two is too short, or was read too seldom.
        TooFewIntervals = "too_few_intervals",
        TooFewEvents = "too_few_events",
        /// The hooks of one of the two may miss it.
        NotObservable = "not_observable",
    }
}

codes! {
    /// Of all measures together.
    pub enum Conclusion {
        Better = "b_better",
        Worse = "b_worse",
        /// Better by some measures, worse by others.
        Mixed = "mixed",
        NoDifference = "no_difference",
        /// No measure could be judged.
        TooLittle = "too_little_data",
    }
}

/// All measures together are to hold as often as this; each one more often (Bonferroni). `z`: of 98.75 percent.
pub(crate) const CONFIDENCE: f64 = 0.95;
const OF_EACH: Confidence = Confidence { share: 1.0 - (1.0 - CONFIDENCE) / Judged::ALL.len() as f64, z: 2.497_705 };

/// Fewest intervals of each side.
const MIN_INTERVALS: usize = 10;
/// Fewest events of both sides together.
const MIN_EVENTS: u64 = 10;

/// One measure of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judgement {
    pub name: Judged,
    pub result: Standing,
    pub a: f64,
    pub b: f64,
    /// B minus A lies between these; `None`: not enough is known.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Intervals of time that were compared.
    pub intervals_a: usize,
    pub intervals_b: usize,
    /// Timed swap-ins, waits, findings.
    pub events_a: u64,
    pub events_b: u64,
}

/// Whether the selection, if there is one, selects by time only: then swap-ins are those of the same time.
fn is_by_time_only(observed: &Observed) -> bool {
    let selection = observed.summary.selection.as_ref();
    selection.is_none_or(|selected| selected.options.keys().all(|option| ["since", "until"].contains(option)))
}

pub(super) fn judge(a: &Observed, b: &Observed) -> Vec<Judgement> {
    let all = Judged::ALL.into_iter();
    // Durations of swap-ins are not selected.
    let all = all.filter(|measure| *measure != Judged::SwapInTime || (is_by_time_only(a) && is_by_time_only(b)));
    all.map(|measure| of_measure(measure, a, b)).collect()
}

pub(super) fn conclusion(all: &[Judgement]) -> Conclusion {
    let has = |result| all.iter().any(|judgement| judgement.result == result);
    match (has(Standing::Better), has(Standing::Worse)) {
        (true, true) => Conclusion::Mixed,
        (true, false) => Conclusion::Better,
        (false, true) => Conclusion::Worse,
        (false, false) if has(Standing::NoDifference) => Conclusion::NoDifference,
        (false, false) => Conclusion::TooLittle,
    }
}

fn of_measure(name: Judged, a: &Observed, b: &Observed) -> Judgement {
    let hidden = |observed: &Observed| {
        let verdicts = &observed.summary.verdicts.not_observable;
        name.needs().iter().any(|verdict| verdicts.contains_key(verdict))
    };
    judgement(name, &Side::new(name, &a.timelines), &Side::new(name, &b.timelines), hidden(a) || hidden(b))
}

fn judgement(name: Judged, a: &Side, b: &Side, is_hidden: bool) -> Judgement {
    let events = a.events.saturating_add(b.events);
    let value = |side: &Side| side.intervals.iter().map(|interval| interval.value).sum::<f64>();
    let event = if events > 0 { (value(a) + value(b)) / events as f64 } else { 1.0 };
    let found = bootstrap::difference(&a.intervals, &b.intervals, event, OF_EACH);
    let short = a.intervals.len().min(b.intervals.len()) < MIN_INTERVALS;
    let result = match () {
        () if is_hidden => Standing::NotObservable,
        () if short => Standing::TooFewIntervals,
        () if events < MIN_EVENTS => Standing::TooFewEvents,
        () if found.high < 0.0 => Standing::Better,
        () if found.low > 0.0 => Standing::Worse,
        () => Standing::NoDifference,
    };
    let is_judged = matches!(result, Standing::Better | Standing::Worse | Standing::NoDifference);
    Judgement {
        name,
        result,
        a: found.a,
        b: found.b,
        low: is_judged.then_some(found.low),
        high: is_judged.then_some(found.high),
        intervals_a: a.intervals.len(),
        intervals_b: b.intervals.len(),
        events_a: a.events,
        events_b: b.events,
    }
}

/// The intervals of one side.
struct Side {
    intervals: Vec<Interval>,
    /// As they were observed, not scaled to all entries.
    events: u64,
}

impl Side {
    fn new(measure: Judged, timelines: &[Timeline]) -> Self {
        let mut side = Self { intervals: Vec::new(), events: 0 };
        for timeline in timelines {
            let readings = if measure == Judged::SwapInTime { timeline.time_readings } else { timeline.readings };
            for point in timeline.independent(readings) {
                let (value, per) = measure.of(&point, timeline.one_in);
                side.intervals.extend((per > 0.0 || value > 0.0).then_some(Interval { value, per }));
                let scale = if measure == Judged::SwapInTime { 1 } else { timeline.one_in.max(1) };
                side.events = side.events.saturating_add(measure.events(&point) / scale);
            }
        }
        side
    }
}

impl Judged {
    const fn needs(self) -> &'static [Verdict] {
        match self {
            Self::SwapInTime => &[],
            Self::Waited => &[Verdict::PinWait, Verdict::LockWait],
            Self::Windows => &[Verdict::Window, Verdict::Reuse, Verdict::StaleInstall],
            Self::StaleInstalls => &[Verdict::StaleInstall],
        }
    }

    /// What is counted and per what. Counts of a point are scaled to all entries, times are not.
    fn of(self, point: &Point, one_in: u64) -> (f64, f64) {
        let (counted, happened) = (&point.counted, &point.happened);
        let swapins = counted.swapins as f64;
        match self {
            Self::SwapInTime => (counted.timed_ns as f64, counted.timed as f64),
            Self::Waited => (happened.waited_ns as f64 * one_in as f64, swapins),
            Self::Windows => ((point.windows() + point.stale_installs()) as f64, swapins / 1e6),
            Self::StaleInstalls => (point.stale_installs() as f64, swapins / 1e6),
        }
    }

    fn events(self, point: &Point) -> u64 {
        match self {
            Self::SwapInTime => point.counted.timed,
            Self::Waited => point.happened.verdicts.pin_wait + point.happened.verdicts.lock_wait,
            Self::Windows => point.windows() + point.stale_installs(),
            Self::StaleInstalls => point.stale_installs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::bootstrap::Random;

    fn side(count: usize, mean: f64, random: &mut Random) -> Side {
        let value = |random: &mut Random| mean * (0.8 + 0.4 * random.unit());
        let intervals: Vec<_> = (0..count).map(|_| Interval { value: 100.0 * value(random), per: 100.0 }).collect();
        Side { intervals, events: 100 * count as u64 }
    }

    fn result(a: &Side, b: &Side) -> Standing {
        judgement(Judged::SwapInTime, a, b, false).result
    }

    #[test]
    fn less_is_better_if_there_are_enough_intervals_and_events() {
        let mut random = Random(5);
        let (slow, fast) = (side(40, 1_500.0, &mut random), side(40, 1_000.0, &mut random));
        assert_eq!(result(&slow, &fast), Standing::Better);
        assert_eq!(result(&fast, &slow), Standing::Worse);
        assert_eq!(result(&fast, &fast), Standing::NoDifference);
        let short = side(MIN_INTERVALS - 1, 10.0, &mut random);
        assert_eq!(result(&slow, &short), Standing::TooFewIntervals);
        let rare = |value: f64, events| Side { intervals: vec![Interval { value, per: 1.0 }; 40], events };
        assert_eq!(result(&rare(0.1, 4), &rare(0.1, 4)), Standing::TooFewEvents);
        assert_eq!(judgement(Judged::StaleInstalls, &slow, &fast, true).result, Standing::NotObservable);
        let found = judgement(Judged::SwapInTime, &slow, &fast, false);
        assert!(found.low.unwrap() > -650.0 && found.high.unwrap() < -380.0, "{found:?}");
    }

    #[test]
    fn the_conclusion_needs_a_measure_that_was_judged() {
        let of = |results: &[Standing]| {
            let mut random = Random(5);
            let any = judgement(Judged::Waited, &side(20, 1.0, &mut random), &side(20, 1.0, &mut random), false);
            conclusion(&results.iter().map(|result| Judgement { result: *result, ..any }).collect::<Vec<_>>())
        };
        assert_eq!(of(&[Standing::Better, Standing::NoDifference, Standing::TooFewEvents]), Conclusion::Better);
        assert_eq!(of(&[Standing::Better, Standing::Worse]), Conclusion::Mixed);
        assert_eq!(of(&[Standing::Worse, Standing::NotObservable]), Conclusion::Worse);
        assert_eq!(of(&[Standing::TooFewEvents, Standing::NoDifference]), Conclusion::NoDifference);
        assert_eq!(of(&[Standing::TooFewEvents, Standing::TooFewIntervals]), Conclusion::TooLittle);
    }

    /// Equal observations are called different in at most 1 of 20 comparisons of one measure; here of 80, fewer than 4.
    #[test]
    fn equal_observations_are_seldom_called_different() {
        let mut random = Random(11);
        let different = (0..80)
            .filter(|_| {
                let (a, b) = (side(30, 1_000.0, &mut random), side(30, 1_000.0, &mut random));
                result(&a, &b) != Standing::NoDifference
            })
            .count();
        assert!(different < 4, "{different} of 80");
    }
}
