//! What waits cost, in terms that people act on: per thousand swap-ins, per second, of all time in swap-ins; by whom.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::distributions::{Histograms, Measure, sum_ns};
use observer_engine::{
    price::{Price, Prices},
    wait::WaitKind,
};
use observer_observation::Swap;

/// Rows of one table that are listed at most.
const LISTED: usize = 20;

/// Waits of one kind, and what they mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct KindPrice {
    /// The sums.
    #[serde(flatten)]
    pub sums: Price,
    /// The same in proportion; missing where there is nothing to set it against.
    pub rates: Rates,
}

/// Sums in proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Waits per thousand pages swapped in.
    pub per_1000_swapins: Option<f64>,
    /// Time lost in waits per second of the observation, nanoseconds, of all tasks together.
    pub lost_ns_per_second: Option<u64>,
    /// Of all time that tasks spent in swap-ins: the share that they waited there, 0 to 1. As exact as the buckets of the
    /// swap-ins' durations (1/64).
    pub share_of_swapin_time: Option<f64>,
    /// Of the waits' time: the share in which the task was coming back for another try, 0 to 1.
    pub retrying_share: Option<f64>,
    /// Of the time of waits whose holder was seen: overslept, nanoseconds a wait.
    pub mean_oversleep_ns: Option<u64>,
    /// The 50th percentile in ticks.
    pub p50_ticks: Option<f64>,
    /// The 99th percentile in ticks.
    pub p99_ticks: Option<f64>,
    /// The longest in ticks.
    pub max_ticks: Option<f64>,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PriceRow {
    /// What was waited for.
    pub kind: WaitKind,
    /// Who; of an edge: `holder -> waiter`.
    pub who: String,
    /// Of an edge: the holder alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// What it paid.
    #[serde(flatten)]
    pub price: Price,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PriceSummary {
    /// Waits for pins.
    pub pin: KindPrice,
    /// Waits on folio locks.
    pub folio_lock: KindPrice,
    /// By task, the dearest first; so are all tables.
    pub tasks: Vec<PriceRow>,
    /// By command.
    pub commands: Vec<PriceRow>,
    /// By control group (its id; 0: not known).
    pub cgroups: Vec<PriceRow>,
    /// By swap device.
    pub devices: Vec<PriceRow>,
    /// From holder to waiter.
    pub edges: Vec<PriceRow>,
    /// From the holder's command to the waiter's.
    pub command_edges: Vec<PriceRow>,
    /// Rows that found no room in a table. The sums hold them.
    pub not_listed: u64,
}

/// What sums are set against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Against<'a> {
    pub(crate) swapins: u64,
    /// Length of the observation; of several: together. Nanoseconds.
    pub(crate) elapsed_ns: u64,
    pub(crate) tick_ns: Option<u64>,
    pub(crate) histograms: &'a Histograms,
}

impl PriceSummary {
    /// Of one observation.
    pub(crate) fn new(prices: &Prices, swaps: &[Swap], against: Against<'_>) -> Self {
        let device = |kind: &u8| {
            let known = swaps.iter().find(|swap| swap.kind == u32::from(*kind));
            known.map_or_else(|| format!("type {kind}"), |swap| swap.path.clone())
        };
        let task = |(tid, pid, comm): &(u32, u32, _)| format!("{comm} (pid {pid}, tid {tid})");
        let mut all = Self {
            pin: KindPrice { sums: prices.pin, ..KindPrice::default() },
            folio_lock: KindPrice { sums: prices.folio_lock, ..KindPrice::default() },
            tasks: rows(prices.tasks.rows(), task),
            commands: rows(prices.commands.rows(), ToString::to_string),
            cgroups: rows(prices.cgroups.rows(), ToString::to_string),
            devices: rows(prices.devices.rows(), device),
            edges: edges(prices.edges.rows(), task),
            command_edges: edges(prices.command_edges.rows(), ToString::to_string),
            not_listed: prices.not_listed,
        };
        all.set_against(against);
        all
    }

    /// Works the rates out again.
    pub(crate) fn set_against(&mut self, against: Against<'_>) {
        for (kind, measure) in [(&mut self.pin, Measure::PinWait), (&mut self.folio_lock, Measure::LockWait)] {
            kind.rates = rates(&kind.sums, against, against.histograms.of(measure));
        }
    }

    /// Adds another observation's sums and tables; the rates are then to be worked out again.
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

    /// The price of a kind.
    pub const fn of(&self, kind: WaitKind) -> &KindPrice {
        match kind {
            WaitKind::Pin => &self.pin,
            WaitKind::FolioLock => &self.folio_lock,
        }
    }
}

fn rows<K>(rows: Vec<(WaitKind, K, Price)>, who: impl Fn(&K) -> String) -> Vec<PriceRow> {
    let row = |(kind, key, price)| PriceRow { kind, who: who(&key), holder: None, price };
    rows.into_iter().take(LISTED).map(row).collect()
}

fn edges<K>(rows: Vec<(WaitKind, (K, K), Price)>, name: impl Fn(&K) -> String) -> Vec<PriceRow> {
    let row = |(kind, (holder, waiter), price): (_, (K, K), _)| {
        let holder = name(&holder);
        PriceRow { kind, who: format!("{holder} -> {}", name(&waiter)), holder: Some(holder), price }
    };
    rows.into_iter().take(LISTED).map(row).collect()
}

fn add_rows(all: &mut Vec<PriceRow>, more: &[PriceRow]) {
    for row in more {
        match all.iter_mut().find(|known| (known.kind, &known.who) == (row.kind, &row.who)) {
            Some(known) => known.price.add(&row.price),
            None => all.push(row.clone()),
        }
    }
    all.sort_by(|a, b| b.price.waited_ns.cmp(&a.price.waited_ns).then_with(|| (a.kind, &a.who).cmp(&(b.kind, &b.who))));
    all.truncate(LISTED);
}

fn rates(sums: &Price, against: Against<'_>, waits: &Histogram<u64>) -> Rates {
    let faults = [Measure::FaultDirect, Measure::FaultCached, Measure::FaultNone];
    let in_swapins =
        faults.map(|measure| sum_ns(against.histograms.of(measure))).into_iter().fold(0, u64::saturating_add);
    let some = sums.waits > 0;
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let ticks = |ns: u64| against.tick_ns.filter(|_| some).and_then(|tick| share(ns, tick));
    Rates {
        per_1000_swapins: share(sums.waits.saturating_mul(1_000), against.swapins),
        lost_ns_per_second: of_each(u128::from(sums.waited_ns) * 1_000_000_000, against.elapsed_ns),
        // Both are measured by the same programs, one of them in buckets: never more than all.
        share_of_swapin_time: share(sums.slept_ns, in_swapins).map(|share| share.min(1.0)),
        retrying_share: share(sums.retrying_ns, sums.waited_ns),
        mean_oversleep_ns: of_each(sums.overslept_ns.into(), sums.holder_seen),
        p50_ticks: ticks(waits.value_at_quantile(0.5)),
        p99_ticks: ticks(waits.value_at_quantile(0.99)),
        max_ticks: ticks(sums.longest_ns),
    }
}

/// A whole number of each, rounded down; `None` of none.
fn of_each(sum: u128, count: u64) -> Option<u64> {
    sum.checked_div(count.into()).map(|each| u64::try_from(each).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::totals::Durations;

    fn row(who: &str, waited_ns: u64) -> PriceRow {
        let price = Price { waits: 1, waited_ns, ..Price::default() };
        PriceRow { kind: WaitKind::Pin, who: who.to_owned(), holder: None, price }
    }

    #[test]
    fn rates_are_of_what_there_is() {
        let (histograms, mut waits) = (Histograms::default(), Durations::default());
        waits.add(8_000_000);
        let sums = Price {
            waits: 1,
            waited_ns: 8_000_000,
            longest_ns: 8_000_000,
            slept_ns: 6_000_000,
            retrying_ns: 2_000_000,
            ..Price::default()
        };
        let against =
            Against { swapins: 500, elapsed_ns: 2_000_000_000, tick_ns: Some(4_000_000), histograms: &histograms };
        let of = rates(&sums, against, waits.histogram());
        assert_eq!(
            (of.per_1000_swapins, of.lost_ns_per_second, of.retrying_share),
            (Some(2.0), Some(4_000_000), Some(0.25))
        );
        assert_eq!((of.max_ticks, of.share_of_swapin_time, of.mean_oversleep_ns), (Some(2.0), None, None));
        let nothing = Against { swapins: 0, elapsed_ns: 0, tick_ns: None, histograms: &histograms };
        assert_eq!(rates(&Price::default(), nothing, Durations::default().histogram()), Rates::default());
    }

    #[test]
    fn tables_of_several_add_up_by_who() {
        let mut all = vec![row("a", 10), row("b", 5)];
        add_rows(&mut all, &[row("b", 6), row("c", 1)]);
        let told: Vec<_> = all.iter().map(|row| (row.who.as_str(), row.price.waited_ns, row.price.waits)).collect();
        assert_eq!(told, [("b", 11, 2), ("a", 10, 1), ("c", 1, 1)]);
    }
}
