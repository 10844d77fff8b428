//! Counts of an observation that saw one entry in so many, made into estimates of all (docs/decisions/sample.md).

use serde::Serialize;

use observer_engine::totals::VerdictCounts;

/// What is multiplied, by its names in JSON.
const SCALED: [&str; 5] = ["swapins", "faults", "pins", "locks", "verdicts"];

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// Of so many entries one was observed.
    pub one_in: u32,
    /// What is multiplied by that, so an estimate. Everything else is of the entries observed: findings, distributions,
    /// times, prices, entries, dropped.
    pub scaled: [&'static str; SCALED.len()],
    /// The verdicts as they were found: the evidence for them is in the lists.
    pub found: VerdictCounts,
}

impl Sampled {
    /// `None`: every entry was observed.
    pub(crate) fn of(one_in: u32) -> Option<Self> {
        (one_in > 1).then_some(Self { one_in, scaled: SCALED, found: VerdictCounts::default() })
    }

    /// For people.
    pub fn words(&self) -> String {
        format!(
            "--sample 1/{}: counts of swap-ins, faults, pins, locks and verdicts are multiplied by {}; findings, times and \
             distributions are of the entries observed",
            self.one_in, self.one_in
        )
    }
}
