//! The cost of waits, and the remarks on it.

use super::{line, page::Page};
use crate::{
    summary::{
        Summary,
        wait_cost::{CostRow, KindCost},
    },
    units::{counted, duration},
    words,
};
use observer_engine::{cost::WaitCost, wait::WaitKind};

/// Most rows of one table that are printed; JSON has more.
const PRINTED: usize = 3;

/// Writes nothing where no task waited and no budget was given.
pub(super) fn write(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    let cost = &summary.wait_cost;
    for kind in [WaitKind::Pin, WaitKind::FolioLock] {
        if cost.of(kind).sums.waits > 0 {
            write_kind(text, kind, cost.of(kind))?;
        }
    }
    for (label, rows) in [
        ("by command", &cost.commands),
        ("by task", &cost.tasks),
        ("by cgroup", &cost.cgroups),
        ("by device", &cost.devices),
        ("by holder", &cost.command_edges),
    ] {
        if !rows.is_empty() {
            line(text, label, rows.iter().take(PRINTED).map(row).collect::<Vec<_>>().join("; "))?;
        }
    }
    if let Some(budget) = summary.budget {
        let unended = match summary.stalled.over_budget {
            0 => String::new(),
            over => format!(", and by {} in progress", counted(over, "wait")),
        };
        line(
            text,
            "budget",
            format_args!("{}, exceeded by {}{unended}", duration(budget.ns), counted(budget.over, "wait")),
        )?;
    }
    for stalled in summary.stalled.longest.iter().take(PRINTED) {
        line(text, "stalled", words::stalled(stalled, summary.is_merged()))?;
    }
    if summary.stalled.faults > PRINTED as u64 {
        line(text, "stalled", format_args!("{} in all", counted(summary.stalled.faults, "fault")))?;
    }
    for remark in &summary.remarks {
        line(text, "remark", words::remark(remark))?;
    }
    Ok(())
}

fn write_kind(text: &mut Page, kind: WaitKind, cost: &KindCost) -> std::fmt::Result {
    let (sums, rates) = (&cost.sums, &cost.rates);
    let all = [
        Some(in_waits(sums)),
        rates.per_1000_swapins.map(|rate| format!("{rate:.3} waits per 1000 swap-ins")),
        rates.waited_ns_per_second.map(|ns| format!("{} of waiting per second", duration(ns))),
        rates.share_of_swapin_time.map(|share| format!("{:.2}% of the time of all swap-ins", 100.0 * share)),
    ];
    line(text, kind_label(kind), joined(all, ", "))?;
    let (slept, retrying, tries) = (duration(sums.slept_ns), duration(sums.retrying_ns), sums.retries);
    let ticks = rates.p50_ticks.zip(rates.p99_ticks).zip(rates.max_ticks);
    let parts = [
        Some(format!("asleep {slept}, retrying {retrying} ({tries} failed tries)")),
        rates.mean_oversleep_ns.map(|mean| format!("mean oversleep {}", duration(mean))),
        ticks.map(|((p50, p99), max)| format!("in ticks: p50 {p50:.2}, p99 {p99:.2}, max {max:.2}")),
    ];
    line(text, "", joined(parts, "; "))
}

fn joined<const N: usize>(parts: [Option<String>; N], separator: &str) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(separator)
}

const fn kind_label(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Pin => "pin wait cost",
        WaitKind::FolioLock => "lock wait cost",
    }
}

fn row(row: &CostRow) -> String {
    format!("{} {}", row.name, in_waits(&row.cost))
}

fn in_waits(cost: &WaitCost) -> String {
    format!("{} in {}", duration(cost.waited_ns), counted(cost.waits, "wait"))
}
