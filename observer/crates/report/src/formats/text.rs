//! The summary as text for a terminal or a log.

mod cost;
mod price;

use std::fmt::Write as _;

pub use self::cost::ring_use;
use crate::{
    summary::{Summary, counts::Pins, dropped},
    units::{duration, seconds},
    words::seen,
};
use observer_engine::{
    totals::DurationSummary,
    verdict::{Action, Finding},
};

/// Findings printed at most; the JSON has more.
const PRINTED: usize = 20;

/// The whole summary.
pub fn summary(summary: &Summary) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut text, summary);
    text
}

fn write_summary(text: &mut String, summary: &Summary) -> std::fmt::Result {
    let lost = dropped::total(&summary.dropped);
    let lean = if summary.kernel.is_lean() { "; lean hooks" } else { "" };
    writeln!(text, "kernel     {}, {}{lean}", summary.kernel.release, summary.kernel.state)?;
    for (option, value) in &summary.filters {
        writeln!(text, "filter     --{option} {value}: counts are of a part of the host")?;
    }
    if let Some(sample) = &summary.sample {
        writeln!(text, "sample     {}", sample.words())?;
    }
    for what in summary.damage.iter().chain(&summary.notes) {
        writeln!(text, "note       {what}")?;
    }
    writeln!(text, "swap-ins   {}", swap_ins(summary))?;
    let faults = &summary.faults;
    writeln!(
        text,
        "faults    {} started, {} installed their page, {} contended",
        faults.started, faults.installed, faults.streamed
    )?;
    write_pins(text, &summary.pins)?;
    let verdicts = &summary.verdicts;
    for (name, count) in [
        ("overlap", verdicts.overlap),
        ("lock-wait", verdicts.lock_wait),
        ("pin-wait", verdicts.pin_wait),
        ("window", verdicts.window),
        ("reuse", verdicts.reuse),
        ("stale-install", verdicts.stale_install),
    ] {
        writeln!(text, "{name:<14} {}", seen(count, lost))?;
    }
    for (name, distribution) in [
        ("direct swap-in", Some(&summary.distributions.fault_direct)),
        ("cached swap-in", Some(&summary.distributions.fault_cached)),
        ("overlap", Some(&summary.distributions.overlap)),
        ("pin hold", summary.distributions.pin_hold.as_ref()),
        ("pin wait", Some(&summary.distributions.pin_wait)),
        ("oversleep", summary.distributions.oversleep.as_ref()),
        ("lock wait", Some(&summary.distributions.lock_wait)),
        ("lock oversleep", Some(&summary.distributions.lock_oversleep)),
        ("window", Some(&summary.distributions.window)),
    ] {
        match distribution {
            Some(distribution) if distribution.count > 0 => {
                writeln!(text, "{name:<14} {}", distribution_line(distribution))?;
            }
            Some(_) => {}
            None => writeln!(text, "{name:<14} not seen with these hooks")?,
        }
    }
    price::write(text, summary)?;
    for finding in summary.findings.iter().take(PRINTED) {
        writeln!(text, "{}", self::finding(finding))?;
    }
    if summary.findings.len() > PRINTED {
        writeln!(text, "... {} more findings (--json has them)", summary.findings.len() - PRINTED)?;
    }
    for missing in &summary.kernel.degraded {
        writeln!(text, "degraded   no hook for {}: {}; {}", missing.hook, missing.reason, missing.consequence)?;
    }
    for (cause, count) in summary.dropped.iter().filter(|(_, count)| **count > 0) {
        writeln!(text, "lost       {count} {cause}: {}", dropped::remedy(cause))?;
    }
    cost::write(text, summary)
}

fn write_pins(text: &mut String, pins: &Pins) -> std::fmt::Result {
    let (Some(eexist), Some(enoent), Some(failed), Some(outside)) =
        (pins.eexist, pins.enoent, pins.outside_failed, &pins.outside)
    else {
        return writeln!(
            text,
            "pins contended  {} by page faults; with which error, and by others, is not seen",
            pins.failed
        );
    };
    if eexist + enoent + failed == 0 {
        return Ok(());
    }
    writeln!(
        text,
        "pins contended  {eexist} to a live holder, {enoent} entry gone; outside page faults {failed} (read-ahead {}, shmem {}, \
         zswap {}, other {})",
        outside.readahead, outside.shmem, outside.zswap, outside.other
    )
}

fn swap_ins(summary: &Summary) -> String {
    let swap_ins = &summary.swapins;
    let of_a_part = !summary.filters.is_empty() || summary.command.is_some();
    let of_what = if of_a_part { " on the whole host" } else { "" };
    let told = |kernel| format!("; the kernel itself counted {kernel}{of_what}");
    let kernel = swap_ins.kernel.map_or(String::new(), told);
    let lost = swap_ins.dropped.filter(|lost| *lost > 0).map_or(String::new(), |lost| format!(", {lost} not seen"));
    format!("{} pages ({} direct, {} cached){lost}{kernel}", swap_ins.seen, swap_ins.direct, swap_ins.cached)
}

fn distribution_line(d: &DurationSummary) -> String {
    format!(
        "n {}  p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
        d.count,
        duration(d.p50_ns),
        duration(d.p90_ns),
        duration(d.p99_ns),
        duration(d.p999_ns),
        duration(d.max_ns)
    )
}

/// One finding on a few lines: who, where, and what happened when, counted from the start of the read.
pub fn finding(finding: &Finding) -> String {
    let after = |at: u64| format!("+{}", duration(at.saturating_sub(finding.read_start_ns)));
    let action = |what: &str, action: &Option<Action>| {
        action
            .as_ref()
            .map_or(String::new(), |action| format!("\n    {:>9}  {what} by {}", after(action.at_ns), action.by))
    };
    let end = match (finding.installed, finding.read_during_write) {
        (true, false) => "the reader installs what it read",
        (true, true) => "the reader installs what it read in the middle of that write",
        (false, _) => "the reader gives up its page",
    };
    format!(
        "{} of entry {} at {:#x} by {}\n    at {}  its read starts (monotonic clock){}{}{}{}\n    {:>9}  {end}",
        finding.verdict.name(),
        finding.entry,
        finding.address,
        finding.reader,
        seconds(finding.read_start_ns),
        finding.read_end_ns.map_or(String::new(), |at| format!("\n    {:>9}  the read is back", after(at))),
        action("entry freed", &finding.freed),
        action("reallocated", &finding.allocated),
        action("written", &finding.written),
        after(finding.end_ns),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::Engine;
    use observer_observation::{Context, EndReason, FinalState, Outcome, Sample};

    fn sampled(one_in: u32) -> Summary {
        let mut sample = Sample::default();
        let counters = &mut sample.snapshot.counters;
        (counters.read_direct, counters.read_cached) = (5, 2);
        Summary::new(&Outcome {
            context: Context { sample_one_in: one_in, ..Context::default() },
            engine: Engine::default(),
            sample,
            ending: FinalState::unknown(EndReason::Duration),
            damage: Vec::new(),
            notes: Vec::new(),
        })
    }

    #[test]
    fn a_sample_is_reported_with_its_factor() {
        let scaled = sampled(4);
        assert_eq!((scaled.swapins.seen, scaled.swapins.direct, scaled.swapins.cached), (28, 20, 8));
        assert!(summary(&scaled).contains("sample     --sample 1/4: counts of swap-ins"), "{}", summary(&scaled));
    }

    #[test]
    fn no_sample_is_reported_where_every_entry_was_observed() {
        for one_in in [0, 1] {
            let whole = sampled(one_in);
            assert_eq!((whole.swapins.seen, whole.sample.clone()), (7, None));
            assert!(!summary(&whole).contains("sample"));
        }
    }
}
