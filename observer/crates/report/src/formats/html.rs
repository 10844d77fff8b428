//! One self-contained page: opens anywhere, needs nothing from outside and no scripts, prints well.

mod chart;
mod evidence;
mod markup;
mod tables;

use crate::{
    observed::Reported,
    summary::{Summary, dropped},
    units::{bytes, duration},
    words::seen,
};
use markup::{Markup, escaped};
use observer_observation::exit::Exit;

const STYLE: &str = include_str!("html/style.css");

/// Findings shown with their evidence at most; all are counted.
const FINDINGS: usize = 40;

/// The whole page.
pub fn page(reported: &Reported) -> String {
    let summary = &reported.whole.summary;
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    // Not even by mistake: the page may load nothing.
    page.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n",
    );
    page.write(format_args!(
        "<title>observer: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&summary.host)
    ));
    heading(&mut page, summary);
    verdicts(&mut page, summary);
    page.element("h2", "What was counted");
    tables::counts(&mut page, summary);
    page.element("h2", "How long it took");
    distributions(&mut page, reported);
    findings(&mut page, reported);
    contention(&mut page, summary);
    tables::price(&mut page, summary);
    page.element("h2", "Kernel and hooks");
    tables::kernel(&mut page, summary);
    page.element("h2", "What was not seen");
    tables::dropped(&mut page, summary);
    page.element("h2", "What observing cost");
    tables::cost(&mut page, summary);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

fn heading(page: &mut Markup, summary: &Summary) {
    page.element("h1", &format!("Swap-ins on {}", summary.host));
    page.element("p", &format!("{}: {}", summary.kernel.release, summary.kernel.state));
    let (class, words) = judgement(summary);
    page.write(format_args!("<p class=\"judgement {class}\">{}</p>\n", escaped(&words)));
    for (option, value) in &summary.filters {
        page.element("p", &format!("Filter --{option} {value}: counts are of a part of the host."));
    }
    if let Some(command) = &summary.command {
        page.element("p", &format!("Only the tasks of one command were observed: {}", command.command));
    }
    for text in summary.damage.iter().chain(&summary.notes) {
        page.element("p", &format!("Note: {text}."));
    }
}

/// The one sentence, and how it looks.
fn judgement(summary: &Summary) -> (&'static str, String) {
    let stale = summary.verdicts.stale_install;
    match summary.exit() {
        Exit::StaleInstall => ("bad", format!("{stale} times a task installed a stale page: newer data was lost.")),
        Exit::OverBudget => {
            let over = summary.budget.map_or(0, |budget| budget.over);
            ("bad", format!("No stale install seen, but {over} waits took longer than the budget."))
        }
        Exit::Inconclusive => {
            let lost = dropped::total(&summary.dropped);
            ("unsure", format!("No stale install seen, but {lost} events were lost: this is not conclusive."))
        }
        Exit::CommandFailed => (
            "unsure",
            "No stale install seen, but the command failed and may not have done what was to be watched.".to_owned(),
        ),
        _ if !summary.kernel.degraded.is_empty() => {
            let missing = summary.kernel.degraded.len();
            (
                "unsure",
                format!("No stale install seen, but {missing} hooks are missing on this kernel: see Kernel and hooks."),
            )
        }
        _ => ("good", "No stale install: no read was overtaken by a reallocation and then installed.".to_owned()),
    }
}

fn verdicts(page: &mut Markup, summary: &Summary) {
    let (counts, lost) = (&summary.verdicts, dropped::total(&summary.dropped));
    page.raw("<ul class=\"tiles\">\n");
    for (name, count, meaning) in [
        ("overlap", counts.overlap, "spans with two or more tasks on one entry"),
        ("lock-wait", counts.lock_wait, "waits for a page's lock in the swap cache"),
        ("pin-wait", counts.pin_wait, "waits for another task's pin"),
        ("window", counts.window, "entry freed under a reader"),
        ("reuse", counts.reuse, "freed and reallocated under a reader"),
        ("stale-install", counts.stale_install, "that reader installed its page"),
    ] {
        let count = if count == 0 { seen(count, lost) } else { count.to_string() };
        page.write(format_args!("<li><b>{}</b><span>{name}</span><small>{meaning}</small></li>\n", escaped(&count)));
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
        page.raw(&chart::draw(measure.words(), histogram));
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
        page.element("h3", &format!("{} of entry {} on {}", finding.verdict.name(), finding.entry, part.summary.host));
        page.raw(&evidence::picture(&part.summary, finding));
        page.raw("</article>\n");
    }
    if all.len() > FINDINGS {
        page.element("p", &format!("{} more: --format ndjson has them all.", all.len() - FINDINGS));
    }
}

fn contention(page: &mut Markup, summary: &Summary) {
    if !summary.entries.is_empty() {
        page.element("h2", "Entries most contended");
        let rows = summary.entries.iter().take(20).map(|stats| {
            [
                stats.entry.to_string(),
                stats.worst.name().to_owned(),
                stats.overlaps.to_string(),
                stats.deepest.to_string(),
                duration(stats.longest_ns),
                duration(stats.total_ns),
            ]
        });
        page.table(&["entry", "worst verdict", "overlaps", "deepest", "longest", "all together"], rows);
    }
    if !summary.waits.is_empty() {
        page.element("h2", "Longest waits among the first listed");
        let mut waits: Vec<_> = summary.waits.iter().collect();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.duration()));
        let rows = waits.into_iter().take(20).map(|wait| {
            [
                wait.entry.to_string(),
                wait.kind.name().to_owned(),
                wait.task.to_string(),
                duration(wait.duration()),
                wait.oversleep_ns.map_or_else(|| "not known".to_owned(), duration),
                wait.retries.to_string(),
                wait.holder.as_ref().map_or_else(|| "not seen".to_owned(), |hold| hold.task.to_string()),
            ]
        });
        page.table(&["entry", "for", "who waited", "how long", "of that overslept", "retries", "who held it"], rows);
    }
}

/// A size for people.
fn size(value: u64) -> String {
    bytes(value)
}
