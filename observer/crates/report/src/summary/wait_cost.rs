//! What waits cost: sums, the same in proportion, and tables by waiter, holder and device.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::distributions::{Histograms, Measure, sum_ns};
use super::place;
use observer_engine::{
    cost::{WaitCost, WaitCosts},
    wait::WaitKind,
};
use observer_observation::Known;

/// Most rows of one table.
const LISTED: usize = 20;

/// The cost of the waits of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct KindCost {
    #[serde(flatten)]
    pub sums: WaitCost,
    pub rates: Rates,
}

/// Sums in proportion. `None` where the whole is unknown or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Waits per thousand pages swapped in.
    pub per_1000_swapins: Option<f64>,
    /// Time of all waits per second of the observation.
    pub waited_ns_per_second: Option<u64>,
    /// Share of the time of all swap-ins that tasks spent waiting, 0 to 1. As exact as the buckets of the swap-in
    /// durations (1/64).
    pub share_of_swapin_time: Option<f64>,
    /// Share of the time of all waits that tasks spent on their way to the next try, 0 to 1.
    pub retrying_share: Option<f64>,
    /// Of the waits whose holder is known.
    pub mean_oversleep_ns: Option<u64>,
    pub p50_ticks: Option<f64>,
    pub p99_ticks: Option<f64>,
    pub max_ticks: Option<f64>,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostRow {
    pub kind: WaitKind,
    /// The task, command, control group or device; of an edge `holder -> waiter`.
    pub name: String,
    /// The holder of an edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    #[serde(flatten)]
    pub cost: WaitCost,
}

/// The cost of all waits. Each table starts with the row that waited longest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WaitCostSummary {
    pub pin: KindCost,
    pub folio_lock: KindCost,
    pub tasks: Vec<CostRow>,
    pub commands: Vec<CostRow>,
    /// By path of the control group, or its id where the path was not found; 0: no group is known.
    pub cgroups: Vec<CostRow>,
    pub devices: Vec<CostRow>,
    /// From the holder's task to the waiter's.
    pub edges: Vec<CostRow>,
    /// From the holder's command to the waiter's.
    pub command_edges: Vec<CostRow>,
    /// Rows for which a table had no room; the sums include them.
    pub not_listed: u64,
}

/// The wholes for [`Rates`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wholes<'a> {
    /// `None`: the waits are not all those of the swap-ins, nor of their time.
    pub(crate) swapins: Option<u64>,
    /// Length of the observation; of several, their sum; of a selection, that of the selected time. 0: unknown.
    pub(crate) elapsed_ns: u64,
    pub(crate) tick_ns: Option<u64>,
    pub(crate) histograms: &'a Histograms,
}

impl WaitCostSummary {
    pub(crate) fn new(costs: &WaitCosts, known: &Known<'_>, wholes: Wholes<'_>) -> Self {
        let task = |(tid, pid, comm): &(u32, u32, _)| format!("{comm} (pid {pid}, tid {tid})");
        let mut all = Self {
            pin: KindCost { sums: costs.pin, ..KindCost::default() },
            folio_lock: KindCost { sums: costs.folio_lock, ..KindCost::default() },
            tasks: rows(costs.tasks.rows(), task),
            commands: rows(costs.commands.rows(), ToString::to_string),
            cgroups: by_name(costs.cgroups.rows(), |id| known.cgroups.name(*id)),
            devices: by_name(costs.areas.rows(), |area| place::area(known.swaps, area)),
            edges: edges(costs.edges.rows(), task),
            command_edges: edges(costs.command_edges.rows(), ToString::to_string),
            not_listed: costs.not_listed,
        };
        all.update_rates(wholes);
        all
    }

    pub(crate) fn update_rates(&mut self, wholes: Wholes<'_>) {
        for (kind, measure) in [(&mut self.pin, Measure::PinWait), (&mut self.folio_lock, Measure::LockWait)] {
            kind.rates = rates(&kind.sums, wholes, wholes.histograms.of(measure));
        }
    }

    /// Adds the sums and tables of another observation. [`WaitCostSummary::update_rates`] must follow.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { pin, folio_lock, tasks, commands, cgroups, devices, edges, command_edges, not_listed } = other;
        self.pin.sums.add(&pin.sums);
        self.folio_lock.sums.add(&folio_lock.sums);
        self.not_listed += not_listed;
        for (all, more) in [
            (&mut self.tasks, tasks),
            (&mut self.commands, commands),
            (&mut self.cgroups, cgroups),
            (&mut self.devices, devices),
            (&mut self.edges, edges),
            (&mut self.command_edges, command_edges),
        ] {
            add_rows(all, more);
        }
    }

    pub const fn of(&self, kind: WaitKind) -> &KindCost {
        match kind {
            WaitKind::Pin => &self.pin,
            WaitKind::FolioLock => &self.folio_lock,
        }
    }

    /// Waits of both kinds.
    pub(crate) const fn waits(&self) -> u64 {
        self.pin.sums.waits + self.folio_lock.sums.waits
    }
}

fn rows<K>(rows: Vec<(WaitKind, K, WaitCost)>, name: impl Fn(&K) -> String) -> Vec<CostRow> {
    let row = |(kind, key, cost)| CostRow { kind, name: name(&key), holder: None, cost };
    rows.into_iter().take(LISTED).map(row).collect()
}

/// An area that was switched off and on again is one row, whatever its types were.
fn by_name<K>(all: Vec<(WaitKind, K, WaitCost)>, name: impl Fn(&K) -> String) -> Vec<CostRow> {
    let mut rows = Vec::new();
    let one = |(kind, key, cost): (_, K, _)| CostRow { kind, name: name(&key), holder: None, cost };
    add_rows(&mut rows, &all.into_iter().map(one).collect::<Vec<_>>());
    rows
}

fn edges<K>(rows: Vec<(WaitKind, (K, K), WaitCost)>, name: impl Fn(&K) -> String) -> Vec<CostRow> {
    let row = |(kind, (holder, waiter), cost): (_, (K, K), _)| {
        let holder = name(&holder);
        CostRow { kind, name: format!("{holder} -> {}", name(&waiter)), holder: Some(holder), cost }
    };
    rows.into_iter().take(LISTED).map(row).collect()
}

fn add_rows(all: &mut Vec<CostRow>, more: &[CostRow]) {
    for row in more {
        match all.iter_mut().find(|known| (known.kind, &known.name) == (row.kind, &row.name)) {
            Some(known) => known.cost.add(&row.cost),
            None => all.push(row.clone()),
        }
    }
    all.sort_by(|a, b| b.cost.waited_ns.cmp(&a.cost.waited_ns).then_with(|| (a.kind, &a.name).cmp(&(b.kind, &b.name))));
    all.truncate(LISTED);
}

fn rates(sums: &WaitCost, wholes: Wholes<'_>, waits: &Histogram<u64>) -> Rates {
    let faults = [Measure::FaultDirect, Measure::FaultCached, Measure::FaultNone];
    let in_swapins =
        faults.map(|measure| sum_ns(wholes.histograms.of(measure))).into_iter().fold(0, u64::saturating_add);
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let ticks = |ns: u64| wholes.tick_ns.filter(|_| sums.waits > 0).and_then(|tick| share(ns, tick));
    Rates {
        per_1000_swapins: wholes.swapins.and_then(|swapins| share(sums.waits.saturating_mul(1_000), swapins)),
        waited_ns_per_second: quotient(u128::from(sums.waited_ns) * 1_000_000_000, wholes.elapsed_ns),
        // The whole is a sum of buckets, so it may come out smaller than its part.
        share_of_swapin_time: wholes.swapins.and(share(sums.slept_ns, in_swapins)).map(|share| share.min(1.0)),
        retrying_share: share(sums.retrying_ns, sums.waited_ns),
        mean_oversleep_ns: quotient(sums.overslept_ns.into(), sums.holder_seen),
        p50_ticks: ticks(waits.value_at_quantile(0.5)),
        p99_ticks: ticks(waits.value_at_quantile(0.99)),
        max_ticks: ticks(sums.longest_ns),
    }
}

/// Rounded down; `None` for a divisor of 0.
fn quotient(sum: u128, divisor: u64) -> Option<u64> {
    sum.checked_div(divisor.into()).map(|quotient| u64::try_from(quotient).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::Durations;

    fn row(name: &str, waited_ns: u64) -> CostRow {
        let cost = WaitCost { waits: 1, waited_ns, ..WaitCost::default() };
        CostRow { kind: WaitKind::Pin, name: name.to_owned(), holder: None, cost }
    }

    #[test]
    fn rates_are_missing_where_the_whole_is_unknown() {
        let (histograms, mut waits) = (Histograms::default(), Durations::default());
        waits.add(8_000_000);
        let sums = WaitCost {
            waits: 1,
            waited_ns: 8_000_000,
            longest_ns: 8_000_000,
            slept_ns: 6_000_000,
            retrying_ns: 2_000_000,
            ..WaitCost::default()
        };
        let wholes =
            Wholes { swapins: Some(500), elapsed_ns: 2_000_000_000, tick_ns: Some(4_000_000), histograms: &histograms };
        let of = rates(&sums, wholes, waits.histogram());
        assert_eq!(
            (of.per_1000_swapins, of.waited_ns_per_second, of.retrying_share),
            (Some(2.0), Some(4_000_000), Some(0.25))
        );
        assert_eq!((of.max_ticks, of.share_of_swapin_time, of.mean_oversleep_ns), (Some(2.0), None, None));
        let nothing = Wholes { swapins: Some(0), elapsed_ns: 0, tick_ns: None, histograms: &histograms };
        assert_eq!(rates(&WaitCost::default(), nothing, Durations::default().histogram()), Rates::default());
    }

    #[test]
    fn rows_of_the_same_name_are_added() {
        let mut all = vec![row("a", 10), row("b", 5)];
        add_rows(&mut all, &[row("b", 6), row("c", 1)]);
        let found: Vec<_> = all.iter().map(|row| (row.name.as_str(), row.cost.waited_ns, row.cost.waits)).collect();
        assert_eq!(found, [("b", 11, 2), ("a", 10, 1), ("c", 1, 1)]);
    }

    #[test]
    fn an_area_that_came_back_with_another_type_is_one_row() {
        let cost = |waited_ns| WaitCost { waits: 1, waited_ns, ..WaitCost::default() };
        let areas = [("a", 10), ("b", 5), ("a", 7)].map(|(name, waited_ns)| (WaitKind::Pin, name, cost(waited_ns)));
        let rows = by_name(areas.to_vec(), |name| (*name).to_owned());
        let found: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.cost.waited_ns)).collect();
        assert_eq!(found, [("a", 17), ("b", 5)]);
    }
}
