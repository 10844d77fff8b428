//! The summary as text, for a terminal or a log.

use std::fmt::Write as _;

use self::page::Page;
use crate::{
    paint::{Paint, Tone},
    summary::{
        Summary,
        counts::Pins,
        distributions::Measure,
        headline::{Code, severity},
        place,
    },
    units::{duration, number, offset_between, seconds, time_of_day},
    words,
};
use observer_engine::verdict::{Finding, Verdict};
use observer_observation::DurationSummary;
use observer_text::Name;

mod heading;
mod overhead;
mod page;
mod wait_cost;

pub(crate) use self::overhead::ring_use;

/// Most findings that are printed unless a number is requested; JSON has all that are listed.
const PRINTED: usize = 5;

pub fn summary(summary: &Summary) -> String {
    painted(summary, Paint::Plain)
}

/// With colours, or without.
pub fn painted(summary: &Summary, paint: Paint) -> String {
    let mut text = Page::new(paint);
    // Writing to a String cannot fail.
    let _ = write_summary(&mut text, summary);
    text.into_text()
}

fn line(text: &mut Page, label: &str, rest: impl std::fmt::Display) -> std::fmt::Result {
    text.toned(Tone::Plain, label, rest)
}

/// A verdict that was seen at least once.
const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Overlap | Verdict::LockWait | Verdict::PinWait => Tone::Plain,
        Verdict::Window | Verdict::Reuse => Tone::Caution,
        Verdict::StaleInstall => Tone::Bad,
    }
}

const fn tone_of_answer(code: Code) -> Tone {
    match code {
        Code::DataLoss => Tone::Bad,
        Code::PossibleWindows | Code::Inconclusive => Tone::Caution,
        Code::WaitsOnly | Code::NothingSeen => Tone::Good,
    }
}

/// The answer first, then the evidence that matters most, then the numbers.
fn write_summary(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    heading::write(text, summary)?;
    writeln!(text)?;
    for (verdict, count, observable) in summary.verdicts.all() {
        let tone = if count > 0 { tone(verdict) } else { Tone::Plain };
        text.toned(tone, &verdict.to_string(), words::count_of(summary, verdict, count, observable))?;
    }
    write_findings(text, summary)?;
    writeln!(text)?;
    line(text, "swap-ins", swap_ins(summary))?;
    let faults = &summary.faults;
    let (started, installed, contended) = (faults.started, faults.installed, faults.streamed);
    let (started, installed, contended) = (number(started), number(installed), number(contended));
    line(text, "faults", format_args!("{started} started, {installed} installed their page, {contended} contended"))?;
    write_pins(text, &summary.pins)?;
    write_distributions(text, summary)?;
    wait_cost::write(text, summary)?;
    if let Some(commands) = &summary.on_finding {
        line(text, "on-finding", words::on_finding(commands))?;
    }
    for gap in &summary.kernel.degraded {
        let (meaning, reason) = (words::meaning(gap.meaning), words::missing_reason(&gap.reason));
        let consequence = words::gap_consequence(gap);
        text.toned(Tone::Caution, "degraded", format_args!("no hook for {meaning}: {reason}; {consequence}"))?;
    }
    for (cause, count) in summary.dropped.iter().filter(|(_, count)| **count > 0) {
        let count = number(*count);
        text.toned(Tone::Caution, "dropped", format_args!("{count} {}: {}", cause.code(), words::cause(*cause)))?;
    }
    overhead::write(text, summary)
}

fn write_findings(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    let mut findings: Vec<_> = summary.findings.iter().collect();
    findings.sort_by_key(|finding| severity(finding));
    let printed = summary.listing.most(PRINTED);
    for found in findings.iter().take(printed) {
        let host = if summary.is_merged() { format!(" on {}", found.host) } else { String::new() };
        let at = found.at_unix_ns.filter(|at| *at > 0).map_or_else(String::new, |at| format!(", {}", time_of_day(at)));
        let title = title(found, found.device.as_ref());
        writeln!(text)?;
        text.block(tone(found.verdict), &format!("{title}{host}{at}"), &evidence(found))?;
    }
    if let Some(more) = words::more_findings(summary, printed) {
        writeln!(text, "\n... {more}")?;
    }
    Ok(())
}

fn swap_ins(summary: &Summary) -> String {
    let swap_ins = &summary.swapins;
    let covers_a_part = !summary.filters.is_empty() || summary.command.is_some();
    let whole_host = if covers_a_part { " on the whole host" } else { "" };
    let kernel = |count| format!("; the kernel counted {}{whole_host}", number(count));
    let kernel = swap_ins.kernel.map_or(String::new(), kernel);
    let dropped = swap_ins.dropped.filter(|dropped| *dropped > 0);
    let dropped = dropped.map_or(String::new(), |dropped| format!(", {} dropped", number(dropped)));
    let (seen, direct, cached) = (number(swap_ins.seen), number(swap_ins.direct), number(swap_ins.cached));
    format!("{seen} pages ({direct} direct, {cached} cached){dropped}{kernel}")
}

fn write_pins(text: &mut Page, pins: &Pins) -> std::fmt::Result {
    let (Some(eexist), Some(enoent), Some(failed), Some(outside)) =
        (pins.eexist, pins.enoent, pins.outside_failed, &pins.outside)
    else {
        let failed = number(pins.failed);
        let unseen = "their errors, and failed tries outside page faults, are not observed";
        return line(text, "pins contended", format_args!("{failed} by page faults; {unseen}"));
    };
    if eexist + enoent + failed == 0 {
        return Ok(());
    }
    line(
        text,
        "pins contended",
        format_args!(
            "{} found the pin held, {} the entry gone; {} outside page faults (read-ahead {}, shmem {}, zswap {}, other \
             {})",
            number(eexist),
            number(enoent),
            number(failed),
            number(outside.readahead),
            number(outside.shmem),
            number(outside.zswap),
            number(outside.other)
        ),
    )
}

fn write_distributions(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    // Early returns are too short to be of interest.
    let measures = summary.distributions.iter().filter(|(measure, _)| *measure != Measure::FaultNone);
    for (measure, distribution) in measures {
        match distribution {
            Some(distribution) if distribution.count > 0 => {
                line(text, words::measure(measure), percentiles(distribution))?;
            }
            Some(_) => {}
            None => line(text, words::measure(measure), "not observed with these hooks")?,
        }
    }
    Ok(())
}

fn percentiles(d: &DurationSummary) -> String {
    format!(
        "n {}  p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
        number(d.count),
        duration(d.p50_ns),
        duration(d.p90_ns),
        duration(d.p99_ns),
        duration(d.p999_ns),
        duration(d.max_ns)
    )
}

/// One finding on a device: a line for the reader, and one for each step, with its time from the start of the read.
pub fn finding(finding: &Finding, device: Option<&Name>) -> String {
    format!("{}\n{}", title(finding, device), evidence(finding))
}

fn title(finding: &Finding, device: Option<&Name>) -> String {
    let Finding { verdict, entry, address, reader, .. } = finding;
    format!("{verdict} of entry {} at {address:#x} by {reader}", place::entry(*entry, device))
}

fn evidence(finding: &Finding) -> String {
    let start = finding.read_start_ns;
    let mut text = format!("    its read starts at {} (monotonic clock)", seconds(start));
    for step in words::steps(finding) {
        let at = step.at_ns.map_or_else(|| "?".to_owned(), |at| offset_between(start, at));
        // Writing to a String cannot fail.
        let _ = match step.task {
            Some(task) => write!(text, "\n  {at:>12}  {task} {}", step.what),
            None => write!(text, "\n  {at:>12}  {}", step.what),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use observer_observation::Engine;
    use observer_observation::{CgroupPaths, Context, EndReason, FinalState, History, Outcome, Sample, WallClock};

    fn sampled(one_in: u32) -> Summary {
        let mut sample = Sample::default();
        let counters = &mut sample.snapshot.counters;
        (counters.read_direct, counters.read_cached) = (5, 2);
        Summary::new(&Outcome {
            context: Context { sample_one_in: one_in, ..Context::default() },
            engine: Engine::default(),
            sample,
            wall_clock: WallClock::default(),
            cgroups: CgroupPaths::default(),
            history: History::default(),
            ending: FinalState::unknown(EndReason::Duration),
            damage: Vec::new(),
            notes: Vec::new(),
        })
    }

    #[test]
    fn a_sample_is_reported_with_its_factor() {
        let scaled = sampled(4);
        assert_eq!((scaled.swapins.seen, scaled.swapins.direct, scaled.swapins.cached), (28, 20, 8));
        let text = summary(&scaled);
        assert!(text.contains("sample          --sample 1/4: counts of swap-ins"), "{text}");
    }

    #[test]
    fn no_sample_is_reported_where_every_entry_was_observed() {
        for one_in in [0, 1] {
            let whole = sampled(one_in);
            assert_eq!((whole.swapins.seen, whole.sample.clone()), (7, None));
            assert!(!summary(&whole).contains("sample"));
        }
    }

    #[test]
    fn a_finding_lists_its_steps_by_time() {
        let text = finding(&fixtures::stale(), None);
        let expected = "stale-install of entry 0:40 at 0x7f0a007ee000 by victim (pid 99, tid 106)
    its read starts at 6.260810150 s (monotonic clock)
             0  victim (pid 99, tid 106) starts to read the entry
    +31.000 us  victim (pid 99, tid 106) completes the read
     +4.192 ms  observer (pid 99, tid 99) frees the entry
     +5.801 ms  observer (pid 99, tid 99) reallocates the entry for another page
     +6.236 ms  observer (pid 99, tid 99) writes that page to the entry
    +21.408 ms  victim (pid 99, tid 106) installs its page, which is stale";
        assert_eq!(text, expected);
    }
}
