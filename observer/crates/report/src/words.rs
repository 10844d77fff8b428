//! Codes as prose: the one place where sentences for people are made. Nothing decides on what these functions return.

mod area;
mod comparison;
mod dropped;
mod explain;
mod finding;
mod headline;
mod host;
mod kernel;
mod on_finding;
mod overhead;
mod race;
mod recording;
mod refusal;
mod selection;
mod self_test;
mod waits;

pub(crate) use self::{
    area::in_use,
    comparison::{caveat, conclusion, counted, judged, result},
    finding::{description, steps},
    headline::{advice, answer, time_span},
    host::{fact, host, synchronous_reason},
    kernel::{instead, missing_reason, synchronous},
    on_finding::on_finding,
    overhead::stats_refusal,
    refusal::{obstacle, refusal_cause, remedies},
    selection::{SELECTED, WHOLE, count_of, more_findings, selection},
    self_test::check,
    waits::{remark, stalled, wait_kind},
};
pub use self::{
    dropped::{cause, seen, verdict_count},
    explain::{missing_hook, what_happened, what_to_do},
    headline::label,
    kernel::{gap_consequence, hook_reason, meaning, state},
    race::{contradiction, facts, observed, race, reachable, vulnerable},
    refusal::refusal,
    selection::{query_error, selection_notes, selection_of, wrong_value},
    waits::measure,
};

use observer_engine::report::Unlisted;

use crate::{
    summary::{Of, Summary, sample::Sampled},
    units,
};

/// What the recordings lack and what else to know, with the host where there are several.
pub(crate) fn damage_and_notes(summary: &Summary) -> Vec<String> {
    fn of_host<T>(summary: &Summary, of: &Of<T>, words: impl Fn(&T) -> String) -> String {
        let words = words(&of.what);
        if summary.is_merged() { format!("{}: {words}", of.host) } else { words }
    }
    let damage = summary.damage.iter().map(|of| of_host(summary, of, recording::damage));
    let notes = summary.notes.iter().map(|of| of_host(summary, of, recording::note));
    damage.chain(notes).chain(unlisted(&summary.unlisted)).chain(selection_notes(summary)).collect()
}

/// What is counted and not listed; nothing is lost by it.
fn unlisted(unlisted: &Unlisted) -> impl Iterator<Item = String> {
    let Unlisted { findings, entries } = *unlisted;
    [(findings, "finding"), (entries, "update of contended entries")].into_iter().filter(|(count, _)| *count > 0).map(
        |(count, what)| format!("{} counted and not listed, because the list is full", units::counted(count, what)),
    )
}

/// What a sample means for the numbers.
pub(crate) fn sample(sample: &Sampled) -> String {
    let one_in = sample.one_in;
    format!(
        "--sample 1/{one_in}: counts of swap-ins, faults, pins, locks and verdicts are multiplied by {one_in}; \
         findings, durations and distributions cover the observed entries only"
    )
}
