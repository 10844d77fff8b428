//! The summary as text for a terminal or a log.

mod cost;
mod price;

use std::fmt::Write as _;

pub use self::cost::ring_use;
use super::{
    dropped,
    summary::{Pins, Summary},
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

/// A count, honest about dropped: a plain 0 only where nothing was lost.
pub fn seen(count: u64, lost: u64) -> String {
    if lost == 0 { count.to_string() } else { format!("{count} seen, {lost} events dropped") }
}

fn swap_ins(summary: &Summary) -> String {
    let swap_ins = &summary.swapins;
    let of_a_part = !summary.filters.is_empty() || summary.command.is_some();
    let of_what = if of_a_part { " on the whole host" } else { "" };
    let told = |kernel| format!("; the kernel itself counted {kernel}{of_what}");
    let kernel = swap_ins.kernel.map_or(String::new(), told);
    let lost = swap_ins.lost.filter(|lost| *lost > 0).map_or(String::new(), |lost| format!(", {lost} not seen"));
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

fn seconds(ns: u64) -> String {
    format!("{}.{:09} s", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// A duration with three digits and a unit that fits.
pub fn duration(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    for (size, unit) in UNITS {
        if ns >= size {
            let value = ns as f64 / size as f64;
            let digits = if value >= 100.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            return format!("{value:.digits$} {unit}");
        }
    }
    format!("{ns} ns")
}

/// A share in percent: nothing but 0 is told as 0.
pub fn share(percent: f64) -> String {
    match percent {
        0.0 => "0%".to_owned(),
        small if small < 0.05 => "<0.1%".to_owned(),
        other => format!("{other:.1}%"),
    }
}

/// A size with a unit that fits: nothing but 0 is told as 0.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_plain_only_when_nothing_was_lost() {
        assert_eq!(seen(0, 0), "0");
        assert_eq!(seen(0, 3), "0 seen, 3 events dropped");
    }

    #[test]
    fn no_share_is_told_as_none() {
        assert_eq!([0.0, 0.01, 0.06, 12.34].map(share), ["0%", "<0.1%", "0.1%", "12.3%"]);
    }

    #[test]
    fn sizes_fit_their_unit() {
        assert_eq!([0, 184, 1_536, 5 << 20].map(bytes), ["0 bytes", "184 bytes", "1.5 KiB", "5.0 MiB"]);
    }

    #[test]
    fn durations_fit_their_unit() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 4_000_000, 2_500_000_000].map(duration),
            ["0 ns", "999 ns", "1.00 us", "12.3 us", "4.00 ms", "2.50 s"]
        );
    }
}
