//! The cost of waits. Labels are kinds and swap devices, of which a host has few.

use super::{Exposition, Kind, seconds};
use crate::summary::Summary;
use observer_engine::wait::WaitKind;

pub(super) fn write(out: &mut Exposition, summary: &Summary) {
    let cost = &summary.wait_cost;
    let kinds = [WaitKind::Pin, WaitKind::FolioLock].map(|kind| (kind.code(), &cost.of(kind).sums));
    let slept = out.family(
        "observer_wait_in_kernel_seconds",
        Kind::Counter,
        "seconds",
        "Time of waits spent in the kernel after a failed try: asleep, on kernels that sleep.",
    );
    for (kind, sums) in kinds {
        slept.sample(&[("kind", kind)], seconds(sums.slept_ns));
    }
    let retrying = out.family(
        "observer_wait_retrying_seconds",
        Kind::Counter,
        "seconds",
        "Time of waits spent between a failed fault and its next try.",
    );
    for (kind, sums) in kinds {
        retrying.sample(&[("kind", kind)], seconds(sums.retrying_ns));
    }
    let behind = out.family(
        "observer_waits_behind_neighbours",
        Kind::Counter,
        "",
        "Waits for a large folio whose holder swapped it in for another of its pages.",
    );
    for (kind, sums) in kinds {
        behind.count(&[("kind", kind)], sums.neighbours);
    }
    let time =
        out.family("observer_device_wait_seconds", Kind::Counter, "seconds", "Time of waits, by kind and swap device.");
    for row in &cost.devices {
        time.sample(&[("kind", row.kind.code()), ("device", &row.name)], seconds(row.cost.waited_ns));
    }
    let waits = out.family("observer_device_waits", Kind::Counter, "", "Waits, by kind and swap device.");
    for row in &cost.devices {
        waits.count(&[("kind", row.kind.code()), ("device", &row.name)], row.cost.waits);
    }
    if let Some(budget) = summary.budget {
        out.family("observer_wait_budget_seconds", Kind::Gauge, "seconds", "Maximum acceptable wait.")
            .sample(&[], seconds(budget.ns));
        out.family("observer_waits_over_budget", Kind::Counter, "", "Waits that exceeded the maximum.")
            .count(&[], budget.over);
    }
}
