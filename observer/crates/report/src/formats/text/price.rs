//! What waits cost, and what stands out, as lines of the summary.

use std::fmt::Write as _;

use crate::{
    summary::{
        Summary,
        price::{KindPrice, PriceRow},
    },
    units::duration,
};
use observer_engine::wait::WaitKind;

/// Rows of a table that are printed; the JSON has more.
const PRINTED: usize = 3;

/// All of it; nothing where nobody waited and no budget was given.
pub(super) fn write(text: &mut String, summary: &Summary) -> std::fmt::Result {
    let price = &summary.price;
    for kind in [WaitKind::Pin, WaitKind::FolioLock] {
        if price.of(kind).sums.waits > 0 {
            write_kind(text, kind, price.of(kind))?;
        }
    }
    for (name, rows) in [
        ("by command", &price.commands),
        ("by task", &price.tasks),
        ("by cgroup", &price.cgroups),
        ("by device", &price.devices),
        ("held by", &price.command_edges),
    ] {
        if !rows.is_empty() {
            writeln!(text, "{name:<14} {}", rows.iter().take(PRINTED).map(row).collect::<Vec<_>>().join("; "))?;
        }
    }
    if let Some(budget) = summary.budget {
        writeln!(text, "budget         {}: {} waits took longer", duration(budget.ns), budget.over)?;
    }
    for remark in &summary.remarks {
        writeln!(text, "remark         {}", remark.text)?;
    }
    Ok(())
}

fn write_kind(text: &mut String, kind: WaitKind, price: &KindPrice) -> std::fmt::Result {
    let (sums, rates) = (&price.sums, &price.rates);
    let name = format!("{} price", kind.name());
    write!(text, "{name:<16} {} in {} waits", duration(sums.waited_ns), sums.waits)?;
    if let Some(rate) = rates.per_1000_swapins {
        write!(text, ", {rate:.3} for 1000 swap-ins")?;
    }
    if let Some(lost) = rates.lost_ns_per_second {
        write!(text, ", {} lost a second", duration(lost))?;
    }
    if let Some(share) = rates.share_of_swapin_time {
        write!(text, ", {:.2}% of all time in swap-ins", 100.0 * share)?;
    }
    writeln!(text)?;
    write!(
        text,
        "{:<16} slept {}, coming back for another try {} ({} tries failed)",
        "",
        duration(sums.slept_ns),
        duration(sums.retrying_ns),
        sums.retries
    )?;
    if let Some(mean) = rates.mean_oversleep_ns {
        write!(text, "; overslept {} a wait", duration(mean))?;
    }
    if let (Some(p50), Some(p99), Some(max)) = (rates.p50_ticks, rates.p99_ticks, rates.max_ticks) {
        write!(text, "; in ticks: p50 {p50:.2}, p99 {p99:.2}, max {max:.2}")?;
    }
    writeln!(text)
}

fn row(row: &PriceRow) -> String {
    format!("{} {} in {} waits", row.who, duration(row.price.waited_ns), row.price.waits)
}
