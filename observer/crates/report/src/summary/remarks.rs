//! Rules over the cost of waits. The remark of a rule that applies has the numbers behind it.

use serde::Serialize;

use super::{
    distributions::{Histograms, Measure, count_longer},
    wait_cost::{CostRow, WaitCostSummary},
};
use observer_engine::wait::WaitKind;

/// Fewer waits show no pattern.
const MIN_WAITS: u64 = 10;
/// Fewer failed pin tries of shmem can be chance.
const MIN_SHMEM_FAILURES: u64 = 1_000;

/// A rule that applies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Remark {
    /// Waits exceeded the budget.
    OverBudget { over: u64, waits: u64, budget_ns: u64, longest_ns: u64 },
    /// Most waits go on for more than a quarter of a tick after the pin was released. `woken`: this kernel wakes a task
    /// that waits for a pin, so it waited for a CPU; otherwise it sleeps until the tick ends.
    TickLongOversleep { long: u64, waits: u64, tick_ns: u64, p50_ns: u64, woken: bool },
    /// At least half of the waiting time is for one holder. `share` is of the time of all waits of this kind, 0 to 1.
    OneHotHolder { kind: WaitKind, holder: String, waits: u64, share: f64 },
    /// shmem retries its pin without sleeping.
    SpinningShmem { failed: u64, swapins: u64 },
    /// Waits for a large folio that its holder swapped in for another of its pages.
    RangeBlocksNeighbours { behind: u64, waits: u64 },
}

/// The maximum acceptable wait (`--budget`), and how many waits exceeded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    pub ns: u64,
    /// Pin waits and lock waits that were longer.
    pub over: u64,
}

impl Budget {
    pub(crate) fn new(ns: u64, histograms: &Histograms) -> Self {
        let over = |measure| count_longer(histograms.of(measure), ns);
        Self { ns, over: over(Measure::PinWait) + over(Measure::LockWait) }
    }
}

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) cost: &'a WaitCostSummary,
    pub(crate) histograms: &'a Histograms,
    pub(crate) tick_ns: Option<u64>,
    /// Whether this kernel wakes tasks that wait for a pin.
    pub(crate) wakes: bool,
    pub(crate) budget: Option<Budget>,
    pub(crate) swapins: u64,
    pub(crate) shmem_failed: u64,
}

/// All remarks, the most important first.
pub(crate) fn remarks(evidence: Evidence<'_>) -> Vec<Remark> {
    [over_budget, tick_long_oversleep, one_hot_holder, spinning_shmem, range_blocks_neighbours]
        .into_iter()
        .filter_map(|rule| rule(&evidence))
        .collect()
}

fn over_budget(evidence: &Evidence<'_>) -> Option<Remark> {
    let budget = evidence.budget.filter(|budget| budget.over > 0)?;
    let cost = evidence.cost;
    let longest_ns = cost.pin.sums.longest_ns.max(cost.folio_lock.sums.longest_ns);
    Some(Remark::OverBudget { over: budget.over, waits: cost.waits(), budget_ns: budget.ns, longest_ns })
}

/// The oversleep of tasks that sleep until the tick ends is between 0 and one tick: their median is half a tick.
fn tick_long_oversleep(evidence: &Evidence<'_>) -> Option<Remark> {
    let (oversleeps, tick_ns) = (evidence.histograms.of(Measure::Oversleep), evidence.tick_ns?);
    let (long, waits) = (count_longer(oversleeps, tick_ns / 4), oversleeps.len());
    let applies = waits >= MIN_WAITS && long * 2 >= waits;
    let p50_ns = oversleeps.value_at_quantile(0.5);
    applies.then_some(Remark::TickLongOversleep { long, waits, tick_ns, p50_ns, woken: evidence.wakes })
}

fn one_hot_holder(evidence: &Evidence<'_>) -> Option<Remark> {
    let hottest = hottest(&evidence.cost.edges)?;
    let all_ns = evidence.cost.of(hottest.kind).sums.waited_ns;
    if hottest.waits < MIN_WAITS || hottest.waited_ns * 2 < all_ns {
        return None;
    }
    Some(Remark::OneHotHolder {
        kind: hottest.kind,
        holder: hottest.name.to_owned(),
        waits: hottest.waits,
        share: hottest.waited_ns as f64 / all_ns.max(1) as f64,
    })
}

struct Holder<'a> {
    name: &'a str,
    kind: WaitKind,
    waits: u64,
    waited_ns: u64,
}

/// The holder that was waited for longest.
fn hottest(edges: &[CostRow]) -> Option<Holder<'_>> {
    let mut holders: Vec<Holder<'_>> = Vec::new();
    for (row, name) in edges.iter().filter_map(|row| Some((row, row.holder.as_deref()?))) {
        match holders.iter_mut().find(|known| (known.name, known.kind) == (name, row.kind)) {
            Some(known) => {
                known.waits += row.cost.waits;
                known.waited_ns += row.cost.waited_ns;
            }
            None => {
                holders.push(Holder { name, kind: row.kind, waits: row.cost.waits, waited_ns: row.cost.waited_ns });
            }
        }
    }
    holders.into_iter().max_by_key(|holder| holder.waited_ns)
}

fn spinning_shmem(evidence: &Evidence<'_>) -> Option<Remark> {
    let (failed, swapins) = (evidence.shmem_failed, evidence.swapins);
    (failed >= MIN_SHMEM_FAILURES && failed >= swapins).then_some(Remark::SpinningShmem { failed, swapins })
}

fn range_blocks_neighbours(evidence: &Evidence<'_>) -> Option<Remark> {
    let cost = evidence.cost;
    let (behind, waits) = (cost.pin.sums.neighbours + cost.folio_lock.sums.neighbours, cost.waits());
    (behind >= MIN_WAITS && behind * 10 >= waits).then_some(Remark::RangeBlocksNeighbours { behind, waits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::cost::WaitCost;
    use observer_observation::Durations;

    const TICK: u64 = 4_000_000;

    fn evidence<'a>(cost: &'a WaitCostSummary, histograms: &'a Histograms) -> Evidence<'a> {
        Evidence { cost, histograms, tick_ns: Some(TICK), wakes: false, budget: None, swapins: 100, shmem_failed: 0 }
    }

    fn with(measure: Measure, values: impl IntoIterator<Item = u64>) -> Histograms {
        let mut durations = Durations::default();
        values.into_iter().for_each(|value| durations.add(value));
        let mut histograms = Histograms::default();
        histograms.set(measure, durations.histogram());
        histograms
    }

    fn waited(waits: u64, waited_ns: u64) -> WaitCostSummary {
        let mut cost = WaitCostSummary::default();
        cost.pin.sums = WaitCost { waits, waited_ns, ..WaitCost::default() };
        cost
    }

    fn edge(holder: &str, waiter: &str, waits: u64, waited_ns: u64) -> CostRow {
        let cost = WaitCost { waits, waited_ns, ..WaitCost::default() };
        CostRow { kind: WaitKind::Pin, name: format!("{holder} -> {waiter}"), holder: Some(holder.to_owned()), cost }
    }

    #[test]
    fn an_empty_observation_has_no_remarks() {
        assert!(remarks(evidence(&WaitCostSummary::default(), &Histograms::default())).is_empty());
    }

    #[test]
    fn oversleep_is_remarked_where_half_of_it_exceeds_a_quarter_of_a_tick() {
        let cost = WaitCostSummary::default();
        let tick = with(Measure::Oversleep, (0..20).map(|n| n * TICK / 20));
        let found = remarks(evidence(&cost, &tick));
        assert!(
            matches!(found[..], [Remark::TickLongOversleep { waits: 20, tick_ns: TICK, woken: false, .. }]),
            "{found:?}"
        );
        let woken = remarks(Evidence { wakes: true, ..evidence(&cost, &tick) });
        assert!(matches!(woken[..], [Remark::TickLongOversleep { woken: true, .. }]), "{woken:?}");
        assert!(remarks(evidence(&cost, &with(Measure::Oversleep, [100_000; 20]))).is_empty(), "short");
        assert!(remarks(evidence(&cost, &with(Measure::Oversleep, [TICK; 9]))).is_empty(), "too few");
        assert!(remarks(Evidence { tick_ns: None, ..evidence(&cost, &tick) }).is_empty(), "tick not known");
    }

    #[test]
    fn a_holder_is_hot_when_at_least_half_of_the_time_was_waited_for_it() {
        let histograms = Histograms::default();
        let mut cost = waited(20, 100);
        cost.edges =
            vec![edge("a -> z (tid 1)", "b", 6, 30), edge("a -> z (tid 1)", "c", 6, 30), edge("d", "b", 8, 40)];
        let holder = "a -> z (tid 1)".to_owned();
        let hot = Remark::OneHotHolder { kind: WaitKind::Pin, holder, waits: 12, share: 0.6 };
        assert_eq!(remarks(evidence(&cost, &histograms)), [hot]);
        cost.pin.sums.waited_ns = 200;
        assert!(remarks(evidence(&cost, &histograms)).is_empty());
    }

    #[test]
    fn shmem_spins_when_its_pins_fail_at_least_as_often_as_pages_are_swapped_in() {
        let (cost, histograms) = (WaitCostSummary::default(), Histograms::default());
        let with = |shmem_failed, swapins| remarks(Evidence { swapins, shmem_failed, ..evidence(&cost, &histograms) });
        assert_eq!(with(5_000, 100), [Remark::SpinningShmem { failed: 5_000, swapins: 100 }]);
        assert!(with(999, 100).is_empty());
        assert!(with(5_000, 5_001).is_empty());
    }

    #[test]
    fn a_tenth_of_the_waits_behind_neighbours_is_remarked() {
        let histograms = Histograms::default();
        let mut cost = waited(100, 1);
        cost.pin.sums.neighbours = 10;
        let blocked = Remark::RangeBlocksNeighbours { behind: 10, waits: 100 };
        assert_eq!(remarks(evidence(&cost, &histograms)), [blocked]);
        cost.pin.sums.neighbours = 9;
        assert!(remarks(evidence(&cost, &histograms)).is_empty());
    }

    #[test]
    fn only_longer_waits_exceed_the_budget() {
        let histograms = with(Measure::PinWait, [900_000, 1_000_000, 1_100_000, 5_000_000]);
        let budget = Budget::new(1_000_000, &histograms);
        assert_eq!(budget.over, 2);
        let cost = waited(4, 8_000_000);
        let found = remarks(Evidence { budget: Some(budget), ..evidence(&cost, &histograms) });
        assert!(matches!(found[..], [Remark::OverBudget { over: 2, waits: 4, budget_ns: 1_000_000, .. }]), "{found:?}");
        let kept = Budget::new(6_000_000, &histograms);
        assert!(remarks(Evidence { budget: Some(kept), ..evidence(&cost, &histograms) }).is_empty());
    }
}
