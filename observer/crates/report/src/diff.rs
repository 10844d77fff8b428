//! Two observations side by side: counts as rates, distributions with their ratio, one drawn over the other.

mod overlay;
mod page;

use serde::Serialize;

pub use page::page;

use crate::{
    observed::Observed,
    summary::{Source, distributions::Measure, dropped},
};
use observer_engine::totals::DurationSummary;

/// Version of the JSON object.
pub const SCHEMA: &str = "observer-diff/1";

/// A count on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Count {
    /// What.
    pub name: &'static str,
    /// How many in the first.
    pub a: u64,
    /// How many in the second.
    pub b: u64,
    /// A second, in the first; `None`: how long it was is not known.
    pub a_per_s: Option<f64>,
    /// A second, in the second.
    pub b_per_s: Option<f64>,
    /// How many times the first's rate the second's is; `None`: there is none.
    pub ratio: Option<f64>,
}

/// A distribution on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    /// What was timed.
    pub name: &'static str,
    /// In the first.
    pub a: DurationSummary,
    /// In the second.
    pub b: DurationSummary,
    /// How many times the first's median the second's is.
    pub p50_ratio: Option<f64>,
    /// The same of the 99th percentile.
    pub p99_ratio: Option<f64>,
}

/// One side in words.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Host.
    pub host: String,
    /// Kernel.
    pub release: String,
    /// What it does about the race.
    pub state: String,
    /// Length, nanoseconds.
    pub elapsed_ns: u64,
    /// Events lost.
    pub lost: u64,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// Version of this object.
    pub schema: &'static str,
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Counts.
    pub counts: Vec<Count>,
    /// Distributions that hold anything on either side.
    pub times: Vec<Times>,
    /// What makes the two hard to compare.
    pub caveats: Vec<String>,
}

impl Diff {
    /// Compares.
    pub fn new(a: &Observed, b: &Observed) -> Self {
        let (side_a, side_b) = (side(a), side(b));
        let lengths = (side_a.elapsed_ns, side_b.elapsed_ns);
        let counts = counts(a).into_iter().zip(counts(b));
        let times = a.histograms.iter().zip(b.histograms.iter());
        Self {
            schema: SCHEMA,
            counts: counts.map(|((name, a), (_, b))| count(name, a, b, lengths)).collect(),
            times: times
                .filter(|((_, a), (_, b))| !a.is_empty() || !b.is_empty())
                .map(|((measure, a), (_, b))| timed(measure, DurationSummary::of(a), DurationSummary::of(b)))
                .collect(),
            caveats: caveats(a, b),
            a: side_a,
            b: side_b,
        }
    }
}

fn side(one: &Observed) -> Side {
    let summary = &one.summary;
    Side {
        host: summary.host.clone(),
        release: summary.kernel.release.clone(),
        state: summary.kernel.state.clone(),
        // Of several at once the rates are of all of them together: their times add as well.
        elapsed_ns: summary.sources.iter().map(|Source { elapsed_ns, .. }| elapsed_ns).sum(),
        lost: dropped::total(&summary.dropped),
    }
}

fn counts(one: &Observed) -> [(&'static str, u64); 15] {
    let summary = &one.summary;
    let (ins, faults, verdicts) = (&summary.swapins, &summary.faults, &summary.verdicts);
    let (pin, lock) = (&summary.price.pin.sums, &summary.price.folio_lock.sums);
    [
        ("swap-ins", ins.seen),
        ("direct", ins.direct),
        ("cached", ins.cached),
        ("faults", faults.started),
        ("contended", faults.streamed),
        ("pins contended", summary.pins.failed),
        ("pin retries", summary.pins.retries),
        ("overlap", verdicts.overlap),
        ("lock-wait", verdicts.lock_wait),
        ("pin-wait", verdicts.pin_wait),
        ("us waited", pin.waited_ns.saturating_add(lock.waited_ns) / 1_000),
        ("us overslept", pin.overslept_ns.saturating_add(lock.overslept_ns) / 1_000),
        ("window", verdicts.window),
        ("reuse", verdicts.reuse),
        ("stale-install", verdicts.stale_install),
    ]
}

fn count(name: &'static str, a: u64, b: u64, lengths: (u64, u64)) -> Count {
    let rate = |count: u64, ns: u64| (ns > 0).then(|| count as f64 * 1e9 / ns as f64);
    let (a_per_s, b_per_s) = (rate(a, lengths.0), rate(b, lengths.1));
    let ratio = a_per_s.zip(b_per_s).and_then(|(a, b)| ratio(a, b));
    Count { name, a, b, a_per_s, b_per_s, ratio }
}

fn timed(measure: Measure, a: DurationSummary, b: DurationSummary) -> Times {
    let of = |a: u64, b: u64| ratio(a as f64, b as f64);
    let both = a.count > 0 && b.count > 0;
    Times {
        name: measure.name(),
        a,
        b,
        p50_ratio: of(a.p50_ns, b.p50_ns).filter(|_| both),
        p99_ratio: of(a.p99_ns, b.p99_ns).filter(|_| both),
    }
}

/// How many times `a` is `b`; nothing is no multiple of nothing.
fn ratio(a: f64, b: f64) -> Option<f64> {
    (a > 0.0).then(|| b / a)
}

fn caveats(a: &Observed, b: &Observed) -> Vec<String> {
    let (a, b) = (&a.summary, &b.summary);
    let mut caveats = Vec::new();
    for (name, side) in [("A", a), ("B", b)] {
        let lost = dropped::total(&side.dropped);
        if lost > 0 {
            caveats.push(format!("{name} lost {lost} events: its counts are lower bounds"));
        }
        if side.kernel.is_lean() {
            caveats.push(format!("{name} was observed with lean hooks: what they do not see is missing, not 0"));
        }
        if let Some(sample) = &side.sample {
            let one_in = sample.one_in;
            let what = "its counts are multiplied, its distributions and findings are of the sample";
            caveats.push(format!("{name} observed one swap entry in {one_in}: {what}"));
        }
        caveats.extend(side.damage.iter().map(|what| format!("{name}: {what}")));
    }
    if a.filters != b.filters || a.command.is_some() != b.command.is_some() {
        caveats.push("the two were filtered differently: they saw different parts of their hosts".to_owned());
    }
    if a.kernel.backend != b.kernel.backend {
        caveats.push("the two kernels were hooked differently: timings include a different overhead".to_owned());
    }
    if a.widen.map(|widen| widen.ns) != b.widen.map(|widen| widen.ns) {
        caveats.push("a delay_injection delayed reads in one of them, or by another time".to_owned());
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_compared_as_rates() {
        let count = count("x", 100, 100, (1_000_000_000, 4_000_000_000));
        assert_eq!((count.a_per_s, count.b_per_s, count.ratio), (Some(100.0), Some(25.0), Some(0.25)));
        assert_eq!(super::count("x", 0, 5, (1, 1)).ratio, None);
        assert_eq!(super::count("x", 1, 5, (0, 1)).ratio, None);
    }
}
