//! The overhead of observing.

use super::{line, page::Page};
use crate::{
    summary::Summary,
    units::{self, bytes, duration, number},
    words,
};
use observer_observation::{Overhead, ProgramRun, ProgramStats, RingUse, percent};

pub(super) fn write(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    let overhead = &summary.overhead;
    if *overhead == Overhead::default() {
        return line(text, "overhead", "unknown: the recording has no end");
    }
    let (cpu, kernel) = (units::percent(overhead.cpu_percent()), bytes(overhead.kernel_bytes));
    let (resident, programs, records) = (resident(overhead), overhead.programs, overhead.records);
    line(
        text,
        "overhead",
        format_args!(
            "{cpu} of a CPU in user space, {resident}, {kernel} in the kernel, {programs} programs, {} records",
            number(records)
        ),
    )?;
    if let Some(ring) = &overhead.ring {
        line(text, "ring buffer", ring_use(ring))?;
    }
    write_programs(text, overhead, summary.swapins.seen)
}

/// Resident memory at the end, which older recordings lack, and its maximum.
fn resident(overhead: &Overhead) -> String {
    let max = bytes(overhead.max_resident_bytes);
    overhead.resident_bytes.map_or(format!("{max} resident"), |now| format!("{} resident (at most {max})", bytes(now)))
}

pub(crate) fn ring_use(ring: &RingUse) -> String {
    format!(
        "at most {} full ({} of {}), unread at exit: {}",
        units::percent(percent(ring.highest_bytes, ring.size_bytes)),
        bytes(ring.highest_bytes),
        bytes(ring.size_bytes),
        bytes(ring.waiting_bytes)
    )
}

fn write_programs(text: &mut Page, overhead: &Overhead, swapins: u64) -> std::fmt::Result {
    match &overhead.program_stats {
        None => Ok(()),
        Some(ProgramStats::Refused(why)) => {
            line(text, "programs", format_args!("run times are unknown: {}", words::stats_refusal(why)))
        }
        Some(stats @ ProgramStats::Counted(programs)) => {
            let (runs, ns) = stats.sum().unwrap_or_default();
            let each = ns.checked_div(swapins).map_or(String::new(), |ns| format!(", {} per swap-in", duration(ns)));
            let share = units::percent(percent(ns, overhead.elapsed_ns));
            let all = format!("{share} of a CPU in the kernel{each}; {} runs, {}", number(runs), duration(ns));
            line(text, "programs", all)?;
            programs.iter().filter(|program| program.runs > 0).try_for_each(|program| {
                let ProgramRun { name, runs, run_ns } = program;
                let each = duration(run_ns / (*runs).max(1));
                line(text, "", format_args!("{name:<32} {:>14} runs, {each} each", number(*runs)))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::StatsRefusal;

    fn lines(stats: Option<ProgramStats>, swapins: u64) -> String {
        let overhead = Overhead { elapsed_ns: 1_000_000, program_stats: stats, ..Overhead::default() };
        let mut text = Page::default();
        write_programs(&mut text, &overhead, swapins).unwrap();
        text.into_text()
    }

    #[test]
    fn run_times_of_programs_are_reported_where_they_are_known() {
        let run = |name: &str, runs, run_ns| ProgramRun { name: name.to_owned(), runs, run_ns };
        assert_eq!(lines(None, 4), "");
        assert!(lines(Some(ProgramStats::Refused(StatsRefusal::NotCounted)), 4).contains("run times are unknown: "));
        let counted = ProgramStats::Counted(vec![run("a", 4, 8_000), run("never", 0, 0)]);
        let text = lines(Some(counted.clone()), 4);
        assert!(text.contains("0.8% of a CPU in the kernel, 2.00 us per swap-in; 4 runs, 8.00 us"), "{text}");
        assert!(text.contains("4 runs, 2.00 us each"), "{text}");
        assert!(!text.contains("never"), "{text}");
        assert!(!lines(Some(counted), 0).contains("per swap-in"));
    }

    #[test]
    fn memory_at_the_end_is_left_out_where_it_is_unknown() {
        let overhead = Overhead { max_resident_bytes: 9 << 20, ..Overhead::default() };
        assert_eq!(resident(&overhead), "9.0 MiB resident");
        let now = Overhead { resident_bytes: Some(8 << 20), ..overhead };
        assert_eq!(resident(&now), "8.0 MiB resident (at most 9.0 MiB)");
    }

    #[test]
    fn the_ring_buffer_is_reported_by_its_maximum_and_its_end() {
        let ring = RingUse { size_bytes: 4 << 20, waiting_bytes: 0, highest_bytes: 1 << 20 };
        assert_eq!(ring_use(&ring), "at most 25.0% full (1.0 MiB of 4.0 MiB), unread at exit: 0 bytes");
    }
}
