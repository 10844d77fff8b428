//! Codes as prose: the one place where sentences for people are made. Nothing decides on what these functions return.

mod comparison;
mod dropped;
mod finding;
mod host;
mod kernel;
mod overhead;
mod race;
mod recording;
mod refusal;
mod self_test;
mod waits;

pub(crate) use self::{
    comparison::{caveat, counted},
    host::{fact, host, synchronous_reason},
    race::{race, reachable, vulnerable},
    refusal::{obstacle, refusal_cause, remedies},
};
pub use self::{
    dropped::{cause, seen},
    finding::{Step, description, steps},
    kernel::{
        consequence, gap_consequence, hook_reason, instead, meaning, missing_reason, no_kprobe, state, synchronous,
        trial_refusal,
    },
    overhead::stats_refusal,
    recording::{damage, note},
    refusal::refusal,
    self_test::check,
    waits::{measure, remark, wait_kind},
};

use crate::summary::{Of, Summary, sample::Sampled};

/// What the recordings lack and what else to know, with the host where there are several.
pub(crate) fn damage_and_notes(summary: &Summary) -> Vec<String> {
    fn of_host<T>(summary: &Summary, of: &Of<T>, words: impl Fn(&T) -> String) -> String {
        let words = words(&of.what);
        if summary.is_merged() { format!("{}: {words}", of.host) } else { words }
    }
    let damage = summary.damage.iter().map(|of| of_host(summary, of, damage));
    damage.chain(summary.notes.iter().map(|of| of_host(summary, of, note))).collect()
}

/// What a sample means for the numbers.
pub fn sample(sample: &Sampled) -> String {
    let one_in = sample.one_in;
    format!(
        "--sample 1/{one_in}: counts of swap-ins, faults, pins, locks and verdicts are multiplied by {one_in}; findings, \
         durations and distributions cover the observed entries only"
    )
}
