//! One self-contained page: it loads nothing, runs no scripts, and prints well.

use self::{
    contents::Body,
    markup::{
        Column::{Number, Text},
        Markup, escaped,
    },
};
use crate::{
    observed::{Observed, Reported},
    summary::{
        Summary,
        headline::{Code, severity},
        place::{self, Placed},
    },
    units::{counted, duration, number, time_of_day},
    words,
};
use observer_engine::verdict::{Finding, Verdict};
use observer_observation::exit::Exit;

mod chart;
mod contents;
mod evidence;
mod markup;
mod tables;
mod timeline;

const STYLE: &str = include_str!("html/style.css");

/// Findings that are shown at once, the most severe ones.
const OPEN: usize = 20;
/// Most findings that the page has unless a number is requested; those beyond [`OPEN`] are folded. All are counted.
const SHOWN: usize = 100;
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
    let (contents, sections) = sections(reported).finish();
    page.raw(&contents);
    page.raw(&sections);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

/// What follows the answer.
fn sections(reported: &Reported) -> Body {
    let summary = &reported.whole.summary;
    let mut body = Body::default();
    timeline::draw(body.section("timeline", "Timeline"), &reported.whole);
    findings(&mut body, reported);
    tables::counts(body.section("counts", "Counts"), summary);
    distributions(body.section("durations", "Durations"), reported);
    contention(&mut body, summary);
    tables::wait_cost(&mut body, summary);
    tables::kernel(body.section("kernel", "Kernel and hooks"), summary);
    tables::dropped(body.section("dropped", "Dropped events"), summary);
    tables::overhead(body.section("overhead", "Overhead"), summary);
    body
}

fn heading(page: &mut Markup, summary: &Summary) {
    page.element("h1", &format!("Swap-ins on {}", summary.host));
    page.write(format_args!("<p class=\"conclusion {}\">{}</p>\n", class(summary), escaped(&words::answer(summary))));
    if let Some(advice) = words::advice(summary) {
        page.element("p", &advice);
    }
    for source in &summary.sources {
        let host = if summary.is_merged() { format!("{}: ", source.host) } else { String::new() };
        let (release, state) = (&source.release, words::state(source.state));
        page.element("p", &format!("{host}{release}: {state}. Observed {}.", words::time_span(source)));
    }
    page.raw("<dl>\n");
    for (fact, _, words) in words::facts(summary) {
        page.element("dt", fact);
        page.element("dd", &words);
    }
    page.raw("</dl>\n");
    for (option, value) in &summary.filters {
        page.element("p", &format!("Filter --{option} {value}: counts cover a part of the host."));
    }
    if let Some(sample) = &summary.sample {
        page.element("p", &format!("Sample {}.", words::sample(sample)));
    }
    if let Some(selected) = &summary.selection {
        let options = words::selection(selected);
        page.element("p", &format!("Selection {options}: {}; {}.", words::SELECTED, words::WHOLE));
    }
    if let Some(command) = &summary.command {
        page.element("p", &format!("Only the tasks of one command were observed: {}", command.command));
    }
    for text in words::damage_and_notes(summary) {
        page.element("p", &format!("Note: {text}."));
    }
}

/// The class of the answer, which colours it.
fn class(summary: &Summary) -> &'static str {
    match summary.headline.code {
        Code::DataLoss => "bad",
        Code::WaitsOnly if summary.exit() == Exit::OverBudget => "bad",
        Code::NothingSeen if summary.swapins.seen == 0 => "unsure",
        Code::PossibleWindows | Code::Inconclusive => "unsure",
        Code::WaitsOnly | Code::NothingSeen => "good",
    }
}

fn verdicts(page: &mut Markup, summary: &Summary) {
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
        let is_plain = count > 0 && summary.selection.is_none();
        let count = if is_plain { number(count) } else { words::count_of(summary, verdict, count, observable) };
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

fn findings(body: &mut Body, reported: &Reported) {
    let mut all: Vec<_> = reported
        .parts
        .iter()
        .flat_map(|part| part.summary.findings.iter().map(move |finding| (part, finding)))
        .collect();
    all.sort_by_key(|(_, finding)| severity(finding));
    let summary = &reported.whole.summary;
    let listed = all.len() as u64 + summary.left_out.findings;
    let selected = if summary.selection.is_some() { " selected" } else { "" };
    let page = body.section("findings", &format!("Findings: {}{selected}", number(listed)));
    if listed == 0 && summary.selection.is_none() {
        page.element("p", "No entry was freed or reallocated under a reader.");
    }
    let shown = summary.listing.most(SHOWN).min(all.len());
    let (open, folded) = all.get(..shown).unwrap_or_default().split_at(shown.min(OPEN));
    let mut numbers = 1..;
    let mut one = |page: &mut Markup, part: &Observed, found: &Placed<Finding>| {
        finding(page, numbers.next().unwrap_or(0), part, found);
    };
    for (part, found) in open {
        one(page, part, found);
    }
    if !folded.is_empty() {
        page.write(format_args!("<details>\n<summary>{}</summary>\n", counted(folded.len() as u64, "more finding")));
        for (part, found) in folded {
            one(page, part, found);
        }
        page.raw("</details>\n");
    }
    if let Some(more) = words::more_findings(summary, shown) {
        page.element("p", &format!("{more}."));
    }
}

/// `number`: its place on the page, for links to it.
fn finding(page: &mut Markup, number: u64, part: &Observed, finding: &Placed<Finding>) {
    page.raw("<article>\n");
    let entry = place::entry(finding.entry, finding.device.as_ref());
    let title = format!("{} of entry {entry} on {}", finding.verdict, finding.host);
    page.write(format_args!("<h3 id=\"finding-{number}\">{}</h3>\n", escaped(&title)));
    if let Some(at) = finding.at_unix_ns.filter(|at| *at > 0) {
        page.element("p", &time_of_day(at));
    }
    page.raw(&evidence::picture(&part.summary, finding));
    page.raw("</article>\n");
}

fn contention(body: &mut Body, summary: &Summary) {
    if !summary.entries.is_empty() {
        let page = body.section("entries", "Most contended entries");
        let rows = summary.entries.iter().take(CONTENTION).map(|stats| {
            [
                place::entry(stats.of.entry, stats.device.as_ref()),
                stats.worst.to_string(),
                number(stats.overlaps),
                stats.deepest.to_string(),
                duration(stats.longest_ns),
                duration(stats.total_ns),
            ]
        });
        let columns = [
            Text("entry"),
            Text("worst verdict"),
            Number("overlaps"),
            Number("deepest"),
            Number("longest"),
            Number("total"),
        ];
        page.table(columns, rows);
    }
    if !summary.waits.is_empty() {
        let page = body.section("waits", "Longest of the listed waits");
        let mut waits: Vec<_> = summary.waits.iter().collect();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.duration()));
        let rows = waits.into_iter().take(CONTENTION).map(|wait| {
            [
                place::entry(wait.entry, wait.device.as_ref()),
                words::wait_kind(wait.kind).to_owned(),
                wait.task.to_string(),
                duration(wait.duration()),
                wait.oversleep_ns.map_or_else(|| "unknown".to_owned(), duration),
                number(wait.retries.into()),
                wait.holder.as_ref().map_or_else(|| "unknown".to_owned(), |hold| hold.task.to_string()),
            ]
        });
        let columns = [
            Text("entry"),
            Text("wait for"),
            Text("task"),
            Number("duration"),
            Number("oversleep"),
            Number("retries"),
            Text("holder"),
        ];
        page.table(columns, rows);
    }
}
