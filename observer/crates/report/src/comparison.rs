//! The comparison of two observations: counts as rates, distributions with their ratio.

use std::collections::BTreeMap;

use observer_text::Name;
use serde::Serialize;

use self::judgement::{Conclusion, Judgement};
use crate::{
    observed::Observed,
    summary::{Summary, distributions::Measure},
};
use observer_engine::verdict::Verdict;
use observer_kernel::{codes, plan::State};
use observer_observation::{Damage, DurationSummary};

mod bootstrap;
pub mod judgement;

/// Raised when a key of the JSON object is removed or changes its meaning.
const SCHEMA: &str = "observer-diff/1";

codes! {
    /// What is counted on both sides.
    pub enum Counted {
        SwapIns = "swap_ins",
        Direct = "direct",
        Cached = "cached",
        Faults = "faults",
        /// Contended faults.
        Contended = "contended",
        PinsContended = "pins_contended",
        PinRetries = "pin_retries",
        Overlap = "overlap",
        LockWait = "lock_wait",
        PinWait = "pin_wait",
        /// Time of all waits, microseconds.
        Waited = "waited_us",
        /// Oversleep of all waits, microseconds.
        Overslept = "overslept_us",
        Window = "window",
        Reuse = "reuse",
        StaleInstall = "stale_install",
    }
}

impl Counted {
    /// Whether a selection selects what is counted, rather than a part of what the kernel counted.
    const fn is_selected(self) -> bool {
        match self {
            Self::Overlap
            | Self::LockWait
            | Self::PinWait
            | Self::Waited
            | Self::Overslept
            | Self::Window
            | Self::Reuse
            | Self::StaleInstall => true,
            Self::SwapIns
            | Self::Direct
            | Self::Cached
            | Self::Faults
            | Self::Contended
            | Self::PinsContended
            | Self::PinRetries => false,
        }
    }
}

/// A count of both sides. Rates are `None` where the length of the observation is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Count {
    pub name: Counted,
    pub a: u64,
    pub b: u64,
    pub a_per_s: Option<f64>,
    pub b_per_s: Option<f64>,
    /// The rate of B divided by that of A; `None` where that of A is 0.
    pub ratio: Option<f64>,
}

/// A distribution of both sides. Ratios are B divided by A.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    pub name: Measure,
    pub a: DurationSummary,
    pub b: DurationSummary,
    pub p50_ratio: Option<f64>,
    pub p99_ratio: Option<f64>,
}

/// One of the two observations.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub host: Name,
    pub release: String,
    pub state: State,
    pub elapsed_ns: u64,
    /// Dropped events of all causes.
    pub dropped: u64,
}

codes! {
    pub enum Side {
        A = "a",
        B = "b",
    }
}

/// What makes the two hard to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Caveat {
    DroppedEvents {
        side: Side,
        events: u64,
    },
    NotObservable {
        side: Side,
        verdicts: Vec<Verdict>,
    },
    LeanHooks {
        side: Side,
    },
    Sampled {
        side: Side,
        one_in: u32,
    },
    Damaged {
        side: Side,
        damage: Damage,
    },
    FiltersDiffer,
    HooksDiffer,
    DelayInjectionDiffers,
    /// Counts and durations that cover the whole recordings are left out.
    Selected {
        options: BTreeMap<&'static str, Name>,
        undecided: u64,
    },
}

#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    pub schema: &'static str,
    pub a: Compared,
    pub b: Compared,
    /// Which of the two is better.
    pub conclusion: Conclusion,
    /// How often the intervals of all measures together contain the true differences, 0 to 1.
    pub confidence: f64,
    pub judgements: Vec<Judgement>,
    pub counts: Vec<Count>,
    /// Distributions that are not empty on both sides.
    pub times: Vec<Times>,
    pub caveats: Vec<Caveat>,
}

impl Diff {
    pub fn new(a: &Observed, b: &Observed) -> Self {
        let (side_a, side_b) = (compared(&a.summary), compared(&b.summary));
        let lengths = (side_a.elapsed_ns, side_b.elapsed_ns);
        let (counts_a, counts_b) = (counts(&a.summary), counts(&b.summary));
        let times = a.histograms.iter().zip(b.histograms.iter());
        // Without a selection everything is compared.
        let is_whole = a.summary.selection.is_none();
        let counts = counts_a.into_iter().zip(counts_b).filter(|((name, _), _)| is_whole || name.is_selected());
        let judgements = judgement::judge(a, b);
        Self {
            schema: SCHEMA,
            conclusion: judgement::conclusion(&judgements),
            confidence: judgement::CONFIDENCE,
            judgements,
            counts: counts.map(|((name, a), (_, b))| count(name, a, b, lengths)).collect(),
            times: times
                .filter(|((_, a), (_, b))| !a.is_empty() || !b.is_empty())
                .filter(|((measure, _), _)| is_whole || measure.is_selected())
                .map(|((measure, a), (_, b))| timed(measure, DurationSummary::of(a), DurationSummary::of(b)))
                .collect(),
            caveats: caveats(&a.summary, &b.summary),
            a: side_a,
            b: side_b,
        }
    }
}

fn compared(summary: &Summary) -> Compared {
    Compared {
        host: summary.host.clone(),
        release: summary.kernel.release.clone(),
        state: summary.kernel.state,
        // The rates of merged observations are means, so their lengths add up like their counts.
        elapsed_ns: summary.covered_ns(),
        dropped: summary.dropped_events(),
    }
}

fn counts(summary: &Summary) -> [(Counted, u64); Counted::ALL.len()] {
    let (ins, faults, verdicts) = (&summary.swapins, &summary.faults, &summary.verdicts.counts);
    let (pin, lock) = (&summary.wait_cost.pin.sums, &summary.wait_cost.folio_lock.sums);
    Counted::ALL.map(|counted| {
        let count = match counted {
            Counted::SwapIns => ins.seen,
            Counted::Direct => ins.direct,
            Counted::Cached => ins.cached,
            Counted::Faults => faults.started,
            Counted::Contended => faults.streamed,
            Counted::PinsContended => summary.pins.failed,
            Counted::PinRetries => summary.pins.retries,
            Counted::Overlap => verdicts.overlap,
            Counted::LockWait => verdicts.lock_wait,
            Counted::PinWait => verdicts.pin_wait,
            Counted::Waited => pin.waited_ns.saturating_add(lock.waited_ns) / 1_000,
            Counted::Overslept => pin.overslept_ns.saturating_add(lock.overslept_ns) / 1_000,
            Counted::Window => verdicts.window,
            Counted::Reuse => verdicts.reuse,
            Counted::StaleInstall => verdicts.stale_install,
        };
        (counted, count)
    })
}

fn count(name: Counted, a: u64, b: u64, lengths: (u64, u64)) -> Count {
    let rate = |count: u64, ns: u64| (ns > 0).then(|| count as f64 * 1e9 / ns as f64);
    let (a_per_s, b_per_s) = (rate(a, lengths.0), rate(b, lengths.1));
    let ratio = a_per_s.zip(b_per_s).and_then(|(a, b)| ratio(a, b));
    Count { name, a, b, a_per_s, b_per_s, ratio }
}

fn timed(name: Measure, a: DurationSummary, b: DurationSummary) -> Times {
    let of = |a: u64, b: u64| ratio(a as f64, b as f64);
    let both = a.count > 0 && b.count > 0;
    Times {
        name,
        a,
        b,
        p50_ratio: of(a.p50_ns, b.p50_ns).filter(|_| both),
        p99_ratio: of(a.p99_ns, b.p99_ns).filter(|_| both),
    }
}

fn ratio(a: f64, b: f64) -> Option<f64> {
    (a > 0.0).then(|| b / a)
}

fn caveats(a: &Summary, b: &Summary) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    for (side, summary) in [(Side::A, a), (Side::B, b)] {
        let events = summary.dropped_events();
        if events > 0 {
            caveats.push(Caveat::DroppedEvents { side, events });
        }
        let verdicts: Vec<_> = summary.verdicts.not_observable.keys().copied().collect();
        if !verdicts.is_empty() {
            caveats.push(Caveat::NotObservable { side, verdicts });
        }
        if summary.kernel.is_lean() {
            caveats.push(Caveat::LeanHooks { side });
        }
        caveats.extend(summary.sample.as_ref().map(|sample| Caveat::Sampled { side, one_in: sample.one_in }));
        caveats.extend(summary.damage.iter().map(|of| Caveat::Damaged { side, damage: of.what.clone() }));
    }
    if let (Some(of_a), Some(of_b)) = (&a.selection, &b.selection) {
        let mut all = of_a.clone();
        all.add(of_b);
        caveats.push(Caveat::Selected { options: all.options, undecided: all.undecided });
    }
    if a.filters != b.filters || a.command.is_some() != b.command.is_some() {
        caveats.push(Caveat::FiltersDiffer);
    }
    if a.hooked() != b.hooked() {
        caveats.push(Caveat::HooksDiffer);
    }
    if a.widen.map(|widen| widen.ns) != b.widen.map(|widen| widen.ns) {
        caveats.push(Caveat::DelayInjectionDiffers);
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_compared_as_rates() {
        let count = |a, b, lengths| count(Counted::Faults, a, b, lengths);
        let rates = count(100, 100, (1_000_000_000, 4_000_000_000));
        assert_eq!((rates.a_per_s, rates.b_per_s, rates.ratio), (Some(100.0), Some(25.0), Some(0.25)));
        assert_eq!(count(0, 5, (1, 1)).ratio, None);
        assert_eq!(count(1, 5, (0, 1)).ratio, None);
    }
}
