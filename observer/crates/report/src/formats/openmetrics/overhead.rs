//! What observing costs. Labels are modes and the names of programs.

use super::{Exposition, Kind, ServeCost, seconds};
use crate::summary::Summary;
use observer_observation::{Overhead, ProgramStats};

pub(super) fn write(out: &mut Exposition, summary: &Summary, cost: &ServeCost) {
    let overhead = &summary.overhead;
    out.family("observer_elapsed_seconds", Kind::Gauge, "seconds", "Length of the observation.")
        .sample(&[], seconds(overhead.elapsed_ns));
    out.family("observer_overhead_cpu_seconds", Kind::Counter, "seconds", "CPU time of the observer process, by mode.")
        .sample(&[("mode", "user")], seconds(overhead.user_ns))
        .sample(&[("mode", "system")], seconds(overhead.system_ns));
    memory(out, overhead);
    out.family("observer_programs", Kind::Gauge, "", "Programs attached.").count(&[], u64::from(overhead.programs));
    out.family("observer_records", Kind::Counter, "", "Records received from the kernel.").count(&[], overhead.records);
    if let Some(stats) = &overhead.program_stats {
        programs(out, stats);
    }
    out.family("observer_scrapes", Kind::Counter, "", "Scrapes answered so far.").count(&[], cost.scrapes);
    out.family("observer_scrape_seconds", Kind::Counter, "seconds", "Time spent on scrapes.")
        .sample(&[], seconds(cost.scrape_ns));
    out.family("observer_connections_refused", Kind::Counter, "", "Connections refused because there were too many.")
        .count(&[], cost.refused);
}

fn memory(out: &mut Exposition, overhead: &Overhead) {
    out.family(
        "observer_overhead_resident_max_bytes",
        Kind::Gauge,
        "bytes",
        "Largest resident size of the observer process.",
    )
    .count(&[], overhead.max_resident_bytes);
    if let Some(now) = overhead.resident_bytes {
        out.family("observer_overhead_resident_bytes", Kind::Gauge, "bytes", "Resident size of the observer process.")
            .count(&[], now);
    }
    out.family("observer_overhead_kernel_bytes", Kind::Gauge, "bytes", "Kernel memory of the maps.")
        .count(&[], overhead.kernel_bytes);
    if let Some(disturbed) = overhead.disturbed {
        out.family(
            "observer_disturbed",
            Kind::Gauge,
            "",
            "Faults that overlap, and faults whose entry was freed or changed. While it is not 0, the programs record \
             every event and cost more.",
        )
        .count(&[], disturbed.into());
    }
    if let Some(ring) = overhead.ring {
        out.family("observer_ring_size_bytes", Kind::Gauge, "bytes", "Size of the ring buffer.")
            .count(&[], ring.size_bytes);
        out.family("observer_ring_unread_bytes", Kind::Gauge, "bytes", "Unread bytes in the ring buffer.")
            .count(&[], ring.waiting_bytes);
        out.family("observer_ring_unread_max_bytes", Kind::Gauge, "bytes", "Most unread bytes so far.")
            .count(&[], ring.highest_bytes);
    }
}

/// Only with `--program-stats`.
fn programs(out: &mut Exposition, stats: &ProgramStats) {
    let refused = matches!(stats, ProgramStats::Refused(_));
    out.family(
        "observer_program_stats_refused",
        Kind::Gauge,
        "",
        "1 if the kernel refuses to measure run times of programs.",
    )
    .count(&[], u64::from(refused));
    let ProgramStats::Counted(programs) = stats else { return };
    let runs = out.family("observer_program_runs", Kind::Counter, "", "Runs of each program.");
    for program in programs {
        runs.count(&[("program", &program.name)], program.runs);
    }
    let time = out.family("observer_program_run_seconds", Kind::Counter, "seconds", "Run time of each program.");
    for program in programs {
        time.sample(&[("program", &program.name)], seconds(program.run_ns));
    }
}
