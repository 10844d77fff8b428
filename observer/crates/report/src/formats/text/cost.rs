//! The tool's overhead, in lines.

use std::fmt::Write as _;

use crate::{
    summary::Summary,
    units::{self, bytes, duration},
};
use observer_observation::{Overhead, ProgramRun, ProgramStats, RingUse, percent};

pub(super) fn write(text: &mut String, summary: &Summary) -> std::fmt::Result {
    let cost = &summary.self_cost;
    if *cost == Overhead::default() {
        return writeln!(text, "overhead   not known: the recording has no end");
    }
    writeln!(
        text,
        "overhead   {} of a CPU in user space, {}, {} in the kernel, {} programs, {} records",
        units::percent(cost.cpu_percent()),
        resident(cost),
        bytes(cost.kernel_bytes),
        cost.programs,
        cost.records
    )?;
    if let Some(ring) = &cost.ring {
        writeln!(text, "ring       {}", ring_use(ring))?;
    }
    programs(text, cost, summary.swapins.seen)
}

/// Resident memory; what it is now is not known of older recordings.
fn resident(cost: &Overhead) -> String {
    let most = bytes(cost.max_resident_bytes);
    cost.resident_bytes.map_or(format!("{most} resident"), |now| format!("{} resident ({most} at most)", bytes(now)))
}

/// How full the ring buffer was.
pub fn ring_use(ring: &RingUse) -> String {
    format!(
        "at most {} full ({} of {}), {} waiting at last",
        units::percent(percent(ring.highest_bytes, ring.size_bytes)),
        bytes(ring.highest_bytes),
        bytes(ring.size_bytes),
        bytes(ring.waiting_bytes)
    )
}

fn programs(text: &mut String, cost: &Overhead, swapins: u64) -> std::fmt::Result {
    match &cost.program_stats {
        None => Ok(()),
        Some(ProgramStats::Refused(why)) => writeln!(text, "programs   run times are not known: {why}"),
        Some(stats @ ProgramStats::Counted(programs)) => {
            let (runs, ns) = stats.sum().unwrap_or_default();
            let each = ns.checked_div(swapins).map_or(String::new(), |ns| format!(", {} a swap-in", duration(ns)));
            let share = units::percent(percent(ns, cost.elapsed_ns));
            writeln!(text, "programs   {share} of a CPU in the kernel{each}; {runs} runs, {}", duration(ns))?;
            programs.iter().filter(|program| program.runs > 0).try_for_each(|program| {
                let ProgramRun { name, runs, run_ns } = program;
                writeln!(text, "  {name:<32} {runs:>12} runs, {} each", duration(run_ns / (*runs).max(1)))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stats: Option<ProgramStats>, swapins: u64) -> String {
        let cost = Overhead { elapsed_ns: 1_000_000, program_stats: stats, ..Overhead::default() };
        let mut text = String::new();
        programs(&mut text, &cost, swapins).unwrap();
        text
    }

    #[test]
    fn programs_are_told_as_far_as_they_are_known() {
        let run = |name: &str, runs, run_ns| ProgramRun { name: name.to_owned(), runs, run_ns };
        assert_eq!(lines(None, 4), "");
        assert!(lines(Some(ProgramStats::Refused("no".to_owned())), 4).ends_with("not known: no\n"));
        let counted = ProgramStats::Counted(vec![run("a", 4, 8_000), run("never", 0, 0)]);
        let text = lines(Some(counted.clone()), 4);
        assert!(text.contains("0.8% of a CPU in the kernel, 2.00 us a swap-in; 4 runs, 8.00 us"), "{text}");
        assert!(text.contains("4 runs, 2.00 us each") && !text.contains("never"), "{text}");
        assert!(!lines(Some(counted), 0).contains("a swap-in"));
    }

    #[test]
    fn what_is_now_is_not_made_up() {
        let cost = Overhead { max_resident_bytes: 9 << 20, ..Overhead::default() };
        assert_eq!(resident(&cost), "9.0 MiB resident");
        let now = Overhead { resident_bytes: Some(8 << 20), ..cost };
        assert_eq!(resident(&now), "8.0 MiB resident (9.0 MiB at most)");
    }

    #[test]
    fn the_ring_in_words() {
        let ring = RingUse { size_bytes: 4 << 20, waiting_bytes: 0, highest_bytes: 1 << 20 };
        assert_eq!(ring_use(&ring), "at most 25.0% full (1.0 MiB of 4.0 MiB), 0 bytes waiting at last");
    }
}
