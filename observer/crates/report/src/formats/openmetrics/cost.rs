//! What observing costs. Labels are modes and the names of programs: a few.

use super::{Kind, Page, ServeCost, seconds};
use crate::summary::Summary;
use observer_observation::{Overhead, ProgramStats};

/// All families of it.
pub(super) fn write(page: &mut Page, summary: &Summary, own: &ServeCost) {
    let cost = &summary.self_cost;
    page.family("observer_elapsed_seconds", Kind::Gauge, "seconds", "How long it has been observing.")
        .sample(&[], seconds(cost.elapsed_ns));
    page.family("observer_self_cpu_seconds", Kind::Counter, "seconds", "CPU time of the observer itself, by mode.")
        .sample(&[("mode", "user")], seconds(cost.user_ns))
        .sample(&[("mode", "system")], seconds(cost.system_ns));
    memory(page, cost);
    page.family("observer_programs", Kind::Gauge, "", "Programs attached.").count(&[], u64::from(cost.programs));
    page.family("observer_records", Kind::Counter, "", "Records that came from the kernel.").count(&[], cost.records);
    if let Some(stats) = &cost.program_stats {
        programs(page, stats);
    }
    page.family("observer_scrapes", Kind::Counter, "", "Pages like this one made so far.").count(&[], own.scrapes);
    page.family("observer_scrape_seconds", Kind::Counter, "seconds", "Time spent making them.")
        .sample(&[], seconds(own.scrape_ns));
    page.family("observer_connections_refused", Kind::Counter, "", "Connections refused because there were too many.")
        .count(&[], own.refused);
}

fn memory(page: &mut Page, cost: &Overhead) {
    page.family("observer_self_resident_bytes", Kind::Gauge, "bytes", "Largest resident size of the observer.")
        .count(&[], cost.max_resident_bytes);
    if let Some(now) = cost.resident_bytes {
        page.family("observer_self_resident_now_bytes", Kind::Gauge, "bytes", "Resident size of the observer now.")
            .count(&[], now);
    }
    page.family("observer_self_kernel_bytes", Kind::Gauge, "bytes", "Kernel memory of the observer's maps.")
        .count(&[], cost.kernel_bytes);
    if let Some(disturbed) = cost.disturbed {
        page.family("observer_disturbed", Kind::Gauge, "", "Not 0: faults meet, or an entry was freed or has changed under one, so the programs note everything and are dearer.")
            .count(&[], disturbed.into());
    }
    if let Some(ring) = cost.ring {
        page.family("observer_ring_size_bytes", Kind::Gauge, "bytes", "Size of the ring buffer.")
            .count(&[], ring.size_bytes);
        page.family("observer_ring_waiting_bytes", Kind::Gauge, "bytes", "Bytes that wait in the ring buffer.")
            .count(&[], ring.waiting_bytes);
        page.family("observer_ring_highest_bytes", Kind::Gauge, "bytes", "Most bytes that ever waited there.")
            .count(&[], ring.highest_bytes);
    }
}

/// Only where they were asked for; where the kernel refuses, that is said.
fn programs(page: &mut Page, stats: &ProgramStats) {
    let refused = matches!(stats, ProgramStats::Refused(_));
    page.family(
        "observer_program_stats_refused",
        Kind::Gauge,
        "",
        "1: the kernel does not tell run times of programs.",
    )
    .count(&[], u64::from(refused));
    let ProgramStats::Counted(programs) = stats else { return };
    let runs = page.family("observer_program_runs", Kind::Counter, "", "How often each program ran.");
    for program in programs {
        runs.count(&[("program", &program.name)], program.runs);
    }
    let time = page.family("observer_program_run_seconds", Kind::Counter, "seconds", "How long each program ran.");
    for program in programs {
        time.sample(&[("program", &program.name)], seconds(program.run_ns));
    }
}
