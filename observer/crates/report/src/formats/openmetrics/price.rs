//! What waits cost. Labels are kinds and swap devices: a host has few of either.

use super::{Kind, Page, seconds};
use crate::summary::Summary;
use observer_engine::wait::WaitKind;

/// All families of it.
pub(super) fn write(page: &mut Page, summary: &Summary) {
    let price = &summary.price;
    let kinds = [WaitKind::Pin, WaitKind::FolioLock].map(|kind| (kind.name(), &price.of(kind).sums));
    let slept = page.family(
        "observer_wait_in_kernel_seconds",
        Kind::Counter,
        "seconds",
        "Time of waits in the kernel after a try had failed: asleep, where this kernel sleeps.",
    );
    for (kind, sums) in kinds {
        slept.sample(&[("kind", kind)], seconds(sums.slept_ns));
    }
    let retrying = page.family(
        "observer_wait_retrying_seconds",
        Kind::Counter,
        "seconds",
        "Time of waits spent on coming back for another try.",
    );
    for (kind, sums) in kinds {
        retrying.sample(&[("kind", kind)], seconds(sums.retrying_ns));
    }
    let behind = page.family(
        "observer_waits_behind_neighbours",
        Kind::Counter,
        "",
        "Waits behind a large folio that was wanted for another page of it.",
    );
    for (kind, sums) in kinds {
        behind.count(&[("kind", kind)], sums.neighbours);
    }
    let devices = page.family(
        "observer_device_wait_seconds",
        Kind::Counter,
        "seconds",
        "Time of waits, by kind and swap device.",
    );
    for row in &price.devices {
        devices.sample(&[("kind", row.kind.name()), ("device", &row.who)], seconds(row.price.waited_ns));
    }
    let waits = page.family("observer_device_waits", Kind::Counter, "", "Waits, by kind and swap device.");
    for row in &price.devices {
        waits.count(&[("kind", row.kind.name()), ("device", &row.who)], row.price.waits);
    }
    if let Some(budget) = summary.budget {
        page.family("observer_wait_budget_seconds", Kind::Gauge, "seconds", "The longest wait that is put up with.")
            .sample(&[], seconds(budget.ns));
        page.family("observer_waits_over_budget", Kind::Counter, "", "Waits that took longer than that.")
            .count(&[], budget.over);
    }
}
