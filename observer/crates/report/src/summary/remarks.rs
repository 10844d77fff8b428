//! What stands out in what waits cost, in words. Pure rules over the totals; each says what it saw and what may be done.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    distributions::{Histograms, Measure},
    price::{PriceRow, PriceSummary},
};
use crate::units::duration;
use observer_engine::wait::WaitKind;

/// So few waits are no pattern.
const FEW: u64 = 10;
/// So many failed tries of shmem are no chance meeting.
const SPINNING: u64 = 1_000;

/// Which rule spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Waits that took longer than the budget given.
    OverBudget,
    /// Losers go on sleeping until the tick is out, though the pin is free.
    TickLongOversleep,
    /// One task held most of what was waited for.
    OneHotHolder,
    /// shmem tries for the pin again and again without sleeping.
    SpinningShmem,
    /// Waits behind a large range that was wanted for another page of it.
    RangeBlocksNeighbours,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The rule.
    pub rule: Rule,
    /// In words.
    pub text: String,
}

/// The longest wait that is put up with, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// As given, nanoseconds.
    pub ns: u64,
    /// Waits that took longer, for pins and on folio locks.
    pub over: u64,
}

impl Budget {
    /// How many waits took longer; the distributions keep three digits.
    pub(crate) fn new(ns: u64, histograms: &Histograms) -> Self {
        let over = |measure| longer_than(histograms.of(measure), ns);
        Self { ns, over: over(Measure::PinWait) + over(Measure::LockWait) }
    }
}

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) price: &'a PriceSummary,
    pub(crate) histograms: &'a Histograms,
    pub(crate) tick_ns: Option<u64>,
    /// Whether this kernel wakes those who lost the pin.
    pub(crate) wakes: bool,
    pub(crate) budget: Option<Budget>,
    pub(crate) swapins: u64,
    pub(crate) shmem_failed: u64,
}

/// All that stands out, the weightiest first.
pub(crate) fn remarks(evidence: Evidence<'_>) -> Vec<Remark> {
    [over_budget, tick_long_oversleep, one_hot_holder, spinning_shmem, range_blocks_neighbours]
        .into_iter()
        .filter_map(|rule| rule(&evidence))
        .collect()
}

fn over_budget(evidence: &Evidence<'_>) -> Option<Remark> {
    let budget = evidence.budget.filter(|budget| budget.over > 0)?;
    let price = evidence.price;
    let all = price.pin.sums.waits + price.folio_lock.sums.waits;
    let longest = price.pin.sums.longest_ns.max(price.folio_lock.sums.longest_ns);
    let text = format!(
        "{} of {all} waits took longer than the budget of {}, the longest {}",
        budget.over,
        duration(budget.ns),
        duration(longest)
    );
    Some(Remark { rule: Rule::OverBudget, text })
}

/// Who sleeps a tick out oversleeps anything from nothing to a tick: half of them at least half a tick.
fn tick_long_oversleep(evidence: &Evidence<'_>) -> Option<Remark> {
    let (oversleeps, tick) = (evidence.histograms.of(Measure::Oversleep), evidence.tick_ns?);
    let long = longer_than(oversleeps, tick / 4);
    if oversleeps.len() < FEW || long * 2 < oversleeps.len() {
        return None;
    }
    let why = if evidence.wakes {
        "this kernel wakes losers, so they waited for a CPU"
    } else {
        "losers sleep a tick out here; kernels from 6.12 on wake them"
    };
    let text = format!(
        "{long} of {} waits went on for more than a quarter of a tick ({}) after the pin was free, half of all for {} or \
         more: {why}",
        oversleeps.len(),
        duration(tick),
        duration(oversleeps.value_at_quantile(0.5)),
    );
    Some(Remark { rule: Rule::TickLongOversleep, text })
}

fn one_hot_holder(evidence: &Evidence<'_>) -> Option<Remark> {
    let (holder, kind, waits, waited_ns) = hottest(&evidence.price.edges)?;
    let all = evidence.price.of(kind).sums;
    if waits < FEW || waited_ns * 2 < all.waited_ns {
        return None;
    }
    let share = 100.0 * waited_ns as f64 / all.waited_ns.max(1) as f64;
    let what = match kind {
        WaitKind::Pin => "pins",
        WaitKind::FolioLock => "locks",
    };
    let text = format!("{share:.0}% of all time waited for {what} was for one task: {holder}, {waits} waits");
    Some(Remark { rule: Rule::OneHotHolder, text })
}

/// The holder that was waited for longest: who, for what, how often, how long.
fn hottest(edges: &[PriceRow]) -> Option<(&str, WaitKind, u64, u64)> {
    let mut holders: Vec<(&str, WaitKind, u64, u64)> = Vec::new();
    for (row, holder) in edges.iter().filter_map(|row| Some((row, row.holder.as_deref()?))) {
        match holders.iter_mut().find(|known| (known.0, known.1) == (holder, row.kind)) {
            Some(known) => {
                known.2 += row.price.waits;
                known.3 += row.price.waited_ns;
            }
            None => holders.push((holder, row.kind, row.price.waits, row.price.waited_ns)),
        }
    }
    holders.into_iter().max_by_key(|holder| holder.3)
}

fn spinning_shmem(evidence: &Evidence<'_>) -> Option<Remark> {
    let (failed, swapins) = (evidence.shmem_failed, evidence.swapins);
    if failed < SPINNING || failed < swapins {
        return None;
    }
    let text = format!(
        "shmem failed to pin {failed} times while {swapins} pages were swapped in: it tries again at once, on a CPU, for \
         as long as another task holds the pin (kernels from 6.14 to 6.19)"
    );
    Some(Remark { rule: Rule::SpinningShmem, text })
}

fn range_blocks_neighbours(evidence: &Evidence<'_>) -> Option<Remark> {
    let price = evidence.price;
    let (behind, all) = (
        price.pin.sums.neighbours + price.folio_lock.sums.neighbours,
        price.pin.sums.waits + price.folio_lock.sums.waits,
    );
    if behind < FEW || behind * 10 < all {
        return None;
    }
    let text = format!(
        "{behind} of {all} waits were behind a large folio that another page of the same range was wanted for: \
         smaller folios on swap-in (/sys/kernel/mm/transparent_hugepage/hugepages-*) would not have met"
    );
    Some(Remark { rule: Rule::RangeBlocksNeighbours, text })
}

fn longer_than(histogram: &Histogram<u64>, ns: u64) -> u64 {
    let longer = histogram.iter_recorded().filter(|value| histogram.lowest_equivalent(value.value_iterated_to()) > ns);
    longer.map(|value| value.count_at_value()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::{price::Price, totals::Durations};

    const TICK: u64 = 4_000_000;

    fn evidence<'a>(price: &'a PriceSummary, histograms: &'a Histograms) -> Evidence<'a> {
        Evidence { price, histograms, tick_ns: Some(TICK), wakes: false, budget: None, swapins: 100, shmem_failed: 0 }
    }

    fn told(evidence: Evidence<'_>) -> Vec<Rule> {
        remarks(evidence).into_iter().map(|remark| remark.rule).collect()
    }

    fn with(measure: Measure, values: impl IntoIterator<Item = u64>) -> Histograms {
        let mut durations = Durations::default();
        values.into_iter().for_each(|value| durations.add(value));
        let mut histograms = Histograms::default();
        histograms.set(measure, durations.histogram());
        histograms
    }

    fn waited(waits: u64, waited_ns: u64) -> PriceSummary {
        let mut price = PriceSummary::default();
        price.pin.sums = Price { waits, waited_ns, ..Price::default() };
        price
    }

    fn edge(holder: &str, waiter: &str, waits: u64, waited_ns: u64) -> PriceRow {
        let price = Price { waits, waited_ns, ..Price::default() };
        PriceRow { kind: WaitKind::Pin, who: format!("{holder} -> {waiter}"), holder: Some(holder.to_owned()), price }
    }

    #[test]
    fn nothing_stands_out_where_nothing_happened() {
        assert!(told(evidence(&PriceSummary::default(), &Histograms::default())).is_empty());
    }

    #[test]
    fn oversleeps_of_a_tick_are_told_from_those_of_a_wake_up() {
        let price = PriceSummary::default();
        let tick = with(Measure::Oversleep, (0..20).map(|n| n * TICK / 20));
        assert_eq!(told(evidence(&price, &tick)), [Rule::TickLongOversleep]);
        let woken = remarks(Evidence { wakes: true, ..evidence(&price, &tick) });
        assert!(woken[0].text.contains("for a CPU"), "{woken:?}");
        assert!(told(evidence(&price, &with(Measure::Oversleep, [100_000; 20]))).is_empty(), "woken");
        assert!(told(evidence(&price, &with(Measure::Oversleep, [TICK; 9]))).is_empty(), "too few");
        assert!(told(Evidence { tick_ns: None, ..evidence(&price, &tick) }).is_empty(), "tick not known");
    }

    #[test]
    fn a_holder_is_hot_when_most_time_was_waited_for_it() {
        let histograms = Histograms::default();
        let mut price = waited(20, 100);
        price.edges =
            vec![edge("a -> z (tid 1)", "b", 6, 30), edge("a -> z (tid 1)", "c", 6, 30), edge("d", "b", 8, 40)];
        let remarks = remarks(evidence(&price, &histograms));
        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].text.contains("60%") && remarks[0].text.contains("a -> z (tid 1), 12 waits"), "{remarks:?}");
        price.pin.sums.waited_ns = 200;
        assert!(told(evidence(&price, &histograms)).is_empty());
    }

    #[test]
    fn shmem_spins_when_it_fails_more_often_than_pages_come_in() {
        let (price, histograms) = (PriceSummary::default(), Histograms::default());
        let with = |shmem_failed, swapins| Evidence { swapins, shmem_failed, ..evidence(&price, &histograms) };
        assert_eq!(told(with(5_000, 100)), [Rule::SpinningShmem]);
        assert!(told(with(999, 100)).is_empty() && told(with(5_000, 5_001)).is_empty());
    }

    #[test]
    fn a_tenth_of_the_waits_behind_neighbours_is_told() {
        let histograms = Histograms::default();
        let mut price = waited(100, 1);
        price.pin.sums.neighbours = 10;
        assert_eq!(told(evidence(&price, &histograms)), [Rule::RangeBlocksNeighbours]);
        price.pin.sums.neighbours = 9;
        assert!(told(evidence(&price, &histograms)).is_empty());
    }

    #[test]
    fn the_budget_is_exceeded_by_what_is_longer() {
        let histograms = with(Measure::PinWait, [900_000, 1_000_000, 1_100_000, 5_000_000]);
        let budget = Budget::new(1_000_000, &histograms);
        assert_eq!(budget.over, 2);
        let price = waited(4, 8_000_000);
        assert_eq!(told(Evidence { budget: Some(budget), ..evidence(&price, &histograms) }), [Rule::OverBudget]);
        let kept = Budget::new(6_000_000, &histograms);
        assert!(told(Evidence { budget: Some(kept), ..evidence(&price, &histograms) }).is_empty());
    }
}
