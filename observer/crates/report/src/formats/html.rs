//! One self-contained page: it loads nothing, runs no scripts, and prints well.

use self::markup::{Markup, escaped};
use crate::{
    observed::Reported,
    summary::{Summary, place},
    units::{counted, duration},
    words::{self, verdict_count},
};
use observer_engine::verdict::Verdict;
use observer_observation::exit::Exit;

mod chart;
mod evidence;
mod markup;
mod tables;

const STYLE: &str = include_str!("html/style.css");

/// Most findings that are shown with their evidence. All are counted.
const FINDINGS: usize = 40;
/// Rows of each table of contention.
const CONTENTION: usize = 20;

pub(super) fn document(reported: &Reported) -> String {
    let summary = &reported.whole.summary;
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw(
        "<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n",
    );
    page.write(format_args!(
        "<title>observer: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&summary.host.to_string())
    ));
    heading(&mut page, summary);
    verdicts(&mut page, summary);
    page.element("h2", "Counts");
    tables::counts(&mut page, summary);
    page.element("h2", "Durations");
    distributions(&mut page, reported);
    findings(&mut page, reported);
    contention(&mut page, summary);
    tables::wait_cost(&mut page, summary);
    page.element("h2", "Kernel and hooks");
    tables::kernel(&mut page, summary);
    page.element("h2", "Dropped events");
    tables::dropped(&mut page, summary);
    page.element("h2", "Overhead");
    tables::overhead(&mut page, summary);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

fn heading(page: &mut Markup, summary: &Summary) {
    page.element("h1", &format!("Swap-ins on {}", summary.host));
    for source in &summary.sources {
        let host = if summary.is_merged() { format!("{}: ", source.host) } else { String::new() };
        page.element("p", &format!("{host}{}: {}", source.release, words::state(source.state)));
    }
    let (class, words) = conclusion(summary);
    page.write(format_args!("<p class=\"conclusion {class}\">{}</p>\n", escaped(&words)));
    for (option, value) in &summary.filters {
        page.element("p", &format!("Filter --{option} {value}: counts cover a part of the host."));
    }
    if let Some(sample) = &summary.sample {
        page.element("p", &format!("Sample {}.", words::sample(sample)));
    }
    if let Some(command) = &summary.command {
        page.element("p", &format!("Only the tasks of one command were observed: {}", command.command));
    }
    for text in words::damage_and_notes(summary) {
        page.element("p", &format!("Note: {text}."));
    }
}

/// The class of the conclusion, which colours it, and the conclusion.
fn conclusion(summary: &Summary) -> (&'static str, String) {
    let stale = summary.verdicts.counts.stale_install;
    match summary.exit() {
        Exit::StaleInstall => ("bad", format!("Data loss: {} over newer content.", counted(stale, "stale install"))),
        Exit::OverBudget => {
            let over = summary.budget.map_or(0, |budget| budget.over) + summary.stalled.over_budget;
            ("bad", format!("No stale install seen, but the budget was exceeded by {}.", counted(over, "wait")))
        }
        Exit::Inconclusive if !summary.verdicts.not_observable.is_empty() => {
            let hidden: Vec<_> = summary.verdicts.not_observable.keys().map(Verdict::to_string).collect();
            let hidden = hidden.join(", ");
            ("unsure", format!("No stale install seen, but not observable here: {hidden}. See \"Kernel and hooks\"."))
        }
        Exit::Inconclusive if summary.gaps() > 0 => (
            "unsure",
            "No stale install seen, but the chosen devices were not observed all the time. See the notes.".to_owned(),
        ),
        Exit::Inconclusive => {
            let dropped = counted(summary.dropped_events(), "dropped event");
            ("unsure", format!("No stale install seen, but with {dropped} this is inconclusive."))
        }
        Exit::CommandFailed => (
            "unsure",
            "No stale install seen, but the command failed, so it may not have caused the expected load.".to_owned(),
        ),
        _ if !summary.kernel.degraded.is_empty() => {
            let missing = counted(summary.kernel.degraded.len() as u64, "hook");
            ("unsure", format!("No stale install seen, but without {missing}: see \"Kernel and hooks\"."))
        }
        _ => ("good", "No stale install: no page was installed whose entry had been reallocated.".to_owned()),
    }
}

fn verdicts(page: &mut Markup, summary: &Summary) {
    let dropped = summary.dropped_events();
    page.raw("<ul class=\"tiles\">\n");
    for (verdict, count, observable) in summary.verdicts.all() {
        let meaning = match verdict {
            Verdict::Overlap => "two or more faults on one entry at once",
            Verdict::LockWait => "waits on a folio lock in the swap cache",
            Verdict::PinWait => "waits for a pin that another task holds",
            Verdict::Window => "entry freed under a reader",
            Verdict::Reuse => "entry freed and reallocated under a reader",
            Verdict::StaleInstall => "that reader installed its page",
        };
        let count = if count == 0 { verdict_count(count, dropped, observable) } else { count.to_string() };
        page.write(format_args!("<li><b>{}</b><span>{verdict}</span><small>{meaning}</small></li>\n", escaped(&count)));
    }
    page.raw("</ul>\n");
}

fn distributions(page: &mut Markup, reported: &Reported) {
    let filled: Vec<_> = reported.whole.histograms.filled().collect();
    if filled.is_empty() {
        page.element("p", "Nothing was timed.");
        return;
    }
    tables::percentiles(page, &filled);
    page.raw("<div class=\"charts\">\n");
    for (measure, histogram) in filled {
        page.raw(&chart::draw(words::measure(measure), histogram));
    }
    page.raw("</div>\n");
}

fn findings(page: &mut Markup, reported: &Reported) {
    let all: Vec<_> = reported
        .parts
        .iter()
        .flat_map(|part| part.summary.findings.iter().map(move |finding| (part, finding)))
        .collect();
    page.element("h2", &format!("Findings: {}", all.len()));
    if all.is_empty() {
        page.element("p", "No entry was freed or reallocated under a reader.");
    }
    for (part, finding) in all.iter().take(FINDINGS) {
        page.raw("<article>\n");
        page.element(
            "h3",
            &format!(
                "{} of entry {} on {}",
                finding.verdict,
                place::entry(finding.entry, finding.device.as_ref()),
                part.summary.host
            ),
        );
        page.raw(&evidence::picture(&part.summary, finding));
        page.raw("</article>\n");
    }
    if all.len() > FINDINGS {
        page.element("p", &format!("{} more: --format ndjson has all.", all.len() - FINDINGS));
    }
}

fn contention(page: &mut Markup, summary: &Summary) {
    if !summary.entries.is_empty() {
        page.element("h2", "Most contended entries");
        let rows = summary.entries.iter().take(CONTENTION).map(|stats| {
            [
                place::entry(stats.of.entry, stats.device.as_ref()),
                stats.worst.to_string(),
                stats.overlaps.to_string(),
                stats.deepest.to_string(),
                duration(stats.longest_ns),
                duration(stats.total_ns),
            ]
        });
        page.table(&["entry", "worst verdict", "overlaps", "deepest", "longest", "total"], rows);
    }
    if !summary.waits.is_empty() {
        page.element("h2", "Longest of the listed waits");
        let mut waits: Vec<_> = summary.waits.iter().collect();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.duration()));
        let rows = waits.into_iter().take(CONTENTION).map(|wait| {
            [
                place::entry(wait.entry, wait.device.as_ref()),
                words::wait_kind(wait.kind).to_owned(),
                wait.task.to_string(),
                duration(wait.duration()),
                wait.oversleep_ns.map_or_else(|| "unknown".to_owned(), duration),
                wait.retries.to_string(),
                wait.holder.as_ref().map_or_else(|| "unknown".to_owned(), |hold| hold.task.to_string()),
            ]
        });
        page.table(&["entry", "wait for", "task", "duration", "oversleep", "retries", "holder"], rows);
    }
}
