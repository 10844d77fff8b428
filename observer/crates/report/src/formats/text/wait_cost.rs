//! The cost of waits, and the remarks on it.

use super::line;
use crate::{
    summary::{
        Summary,
        wait_cost::{CostRow, KindCost},
    },
    units::duration,
    words,
};
use observer_engine::wait::WaitKind;

/// Most rows of one table that are printed; JSON has more.
const PRINTED: usize = 3;

/// Writes nothing where no task waited and no budget was given.
pub(super) fn write(text: &mut String, summary: &Summary) -> std::fmt::Result {
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
        line(text, "budget", format_args!("{}: {} waits were longer", duration(budget.ns), budget.over))?;
    }
    for remark in &summary.remarks {
        line(text, "remark", words::remark(remark))?;
    }
    Ok(())
}

fn write_kind(text: &mut String, kind: WaitKind, cost: &KindCost) -> std::fmt::Result {
    let (sums, rates) = (&cost.sums, &cost.rates);
    let mut all = format!("{} in {} waits", duration(sums.waited_ns), sums.waits);
    if let Some(rate) = rates.per_1000_swapins {
        all.push_str(&format!(", {rate:.3} waits per 1000 swap-ins"));
    }
    if let Some(waited) = rates.waited_ns_per_second {
        all.push_str(&format!(", {} per second", duration(waited)));
    }
    if let Some(share) = rates.share_of_swapin_time {
        all.push_str(&format!(", {:.2}% of the time of all swap-ins", 100.0 * share));
    }
    line(text, kind_label(kind), all)?;
    let mut parts = format!(
        "asleep {}, retrying {} ({} failed tries)",
        duration(sums.slept_ns),
        duration(sums.retrying_ns),
        sums.retries
    );
    if let Some(mean) = rates.mean_oversleep_ns {
        parts.push_str(&format!("; mean oversleep {}", duration(mean)));
    }
    if let (Some(p50), Some(p99), Some(max)) = (rates.p50_ticks, rates.p99_ticks, rates.max_ticks) {
        parts.push_str(&format!("; in ticks: p50 {p50:.2}, p99 {p99:.2}, max {max:.2}"));
    }
    line(text, "", parts)
}

const fn kind_label(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Pin => "pin wait cost",
        WaitKind::FolioLock => "lock wait cost",
    }
}

fn row(row: &CostRow) -> String {
    format!("{} {} in {} waits", row.name, duration(row.cost.waited_ns), row.cost.waits)
}
