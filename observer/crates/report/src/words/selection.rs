//! What is selected of a recording, and what is left out of the lists.

use std::collections::BTreeMap;

use observer_text::Name;

use crate::{
    selection::{
        parse::Wrong,
        query::{Field, QueryError},
    },
    summary::{Summary, counts::by_verdict, listing::Listing, selected::Selected},
    units::{counted, time_of_day},
    words::verdict_count,
};
use observer_engine::verdict::Verdict;

/// Which numbers are those of the selection.
pub(crate) const SELECTED: &str =
    "verdicts, waits, overlaps, pin holds, findings and entries are those of the selection";
/// Which are not.
pub(crate) const WHOLE: &str =
    "swap-ins, faults, contended pins, swap-in durations, dropped events and overhead are those of the whole recording";

/// The options, as they are given.
pub(crate) fn selection(selected: &Selected) -> String {
    selection_of(&selected.options)
}

/// Values by option.
pub fn selection_of(options: &BTreeMap<&'static str, Name>) -> String {
    options.iter().map(|(option, value)| format!("--{option} {value}")).collect::<Vec<_>>().join(" ")
}

/// Why a text is no value of a selection, as a continuation of `wrong value: `.
pub fn wrong_value(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Verdict => "one of overlap, lock-wait, pin-wait, window, reuse, stale-install".to_owned(),
        Wrong::Pid => "the number of a process, from 1".to_owned(),
        Wrong::Entry => "a swap type and an offset in pages, e.g. 0:40".to_owned(),
        Wrong::EmptyComm => "an empty name matches no task".to_owned(),
        Wrong::CommWithZero => "no task's name contains a zero byte".to_owned(),
        Wrong::LongComm { kept } => format!("the kernel keeps 15 bytes of a task's name: use `{kept}`"),
        Wrong::Moment => {
            "an offset from the start (53s, 2min), a time (17:03:11, UTC unless a zone follows) or a date \
                          with time and zone (2026-01-01T17:03:11Z)"
                .to_owned()
        }
        Wrong::WithoutZone { given } => format!("which zone? e.g. {given}Z, {given}+02:00"),
    }
}

/// Why a query asks for nothing, and what it may have.
pub fn query_error(error: &QueryError) -> String {
    let names = |fields: &[Field]| fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ");
    match error {
        QueryError::Empty => "nothing to find: a word, or a field with a value, e.g. verdict:stale-install".to_owned(),
        QueryError::UnknownField { given, fields } => {
            format!("{given}: is no field; fields are {}. For a text with a colon leave out {given}:", names(fields))
        }
        QueryError::NotHere { field, fields } => {
            format!("the rows of this view have no {}; they have {}", field.name(), names(fields))
        }
        QueryError::Wrong { field, wrong } => format!("{}: {}", field.name(), wrong_value(wrong)),
    }
}

/// What else to know about the selection.
pub fn selection_notes(summary: &Summary) -> Vec<String> {
    let Some(selected) = &summary.selection else { return Vec::new() };
    let undecided = selected.undecided;
    let undecided = (undecided > 0).then(|| {
        format!("{undecided} more may belong to the selection: their control group or their swap area is unknown")
    });
    nothing(summary, selected).into_iter().chain(undecided).collect()
}

/// Where no verdict is selected: what there is, and when.
fn nothing(summary: &Summary, selected: &Selected) -> Option<String> {
    let count = |counts| by_verdict(counts).into_iter().map(|(_, count)| count).sum::<u64>();
    if count(&summary.verdicts.counts) > 0 {
        return None;
    }
    let all = by_verdict(&selected.whole.counts).into_iter().filter(|(_, count)| *count > 0);
    let all: Vec<_> = all.map(|(verdict, count)| format!("{verdict} {count}")).collect();
    let has =
        if all.is_empty() { "which has no verdict at all".to_owned() } else { format!("which has {}", all.join(", ")) };
    let when = if selected.is_by_time() { format!("; it lasts {}", spans(summary)) } else { String::new() };
    Some(format!("nothing in the recording matches the selection, {has}{when}"))
}

/// From when to when the observations lasted.
fn spans(summary: &Summary) -> String {
    let spans = summary.sources.iter().map(|source| {
        let start = source.wall_clock.start();
        let end = source.wall_clock.realtime(start.monotonic_ns.saturating_add(source.elapsed_ns));
        format!("from {} to {}", time_of_day(start.realtime_ns), time_of_day(end))
    });
    spans.collect::<Vec<_>>().join(", and ")
}

/// The count of a verdict; of a selection, with that of the whole.
pub(crate) fn count_of(summary: &Summary, verdict: Verdict, count: u64, observable: bool) -> String {
    let dropped = summary.dropped_events();
    let Some(selected) = &summary.selection else { return verdict_count(count, dropped, observable) };
    let of_verdict = |(known, count): (Verdict, u64)| (known == verdict).then_some(count);
    let whole = by_verdict(&selected.whole.counts).into_iter().find_map(of_verdict).unwrap_or(0);
    let all = verdict_count(whole, dropped, observable);
    if whole == 0 && !observable { all } else { format!("{count} of {all}") }
}

/// What a report does not list of the findings that it has; `printed`: how many it prints.
pub(crate) fn more_findings(summary: &Summary, printed: usize) -> Option<String> {
    let unprinted = summary.findings.len().saturating_sub(printed) as u64;
    let more = unprinted + summary.left_out.findings;
    (more > 0).then(|| match summary.listing {
        Listing::Usual => format!("{} (--json has them)", counted(more, "more finding")),
        Listing::Top(_) | Listing::All => format!("{} (--all lists them)", counted(more, "more finding")),
        Listing::Nothing => format!("{}, not listed (--summary)", counted(more, "finding")),
    })
}
