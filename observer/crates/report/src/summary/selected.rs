//! The part of the observations that a summary covers.

use std::{collections::BTreeMap, ops::Range};

use observer_engine::event::Nanos;
use observer_text::{Name, joined};
use serde::Serialize;

use super::{Summary, verdicts::Verdicts};

/// The keys of the summary that cover the whole observations whatever is selected. Everything else that is counted or
/// listed covers the selection.
const WHOLE_KEYS: [&str; 11] = [
    "swapins",
    "swapouts",
    "faults",
    "pins",
    "locks",
    "stalled",
    "dropped",
    "overhead",
    "distributions.fault_direct",
    "distributions.fault_cached",
    "distributions.fault_none",
];

/// A selection, and what there is without it.
#[derive(Clone, Debug, Serialize)]
pub struct Selected {
    /// The values by option.
    pub options: BTreeMap<&'static str, Name>,
    /// Length of the part of the observations that is selected by time; `None`: unknown.
    pub covered_ns: Option<Nanos>,
    /// When that part is, by `CLOCK_MONOTONIC`; `None`: all of the time, or unknown.
    #[serde(skip)]
    pub(crate) time: Option<Range<Nanos>>,
    /// What may belong to the selection and is not counted in it, because its control group or swap area is unknown.
    pub undecided: u64,
    /// The verdicts of the whole observations.
    pub whole: Verdicts,
    /// The summary of the whole observations.
    #[serde(skip)]
    pub(crate) all: Option<Box<Summary>>,
    pub whole_keys: [&'static str; WHOLE_KEYS.len()],
}

impl Default for Selected {
    fn default() -> Self {
        Self {
            options: BTreeMap::new(),
            covered_ns: None,
            time: None,
            undecided: 0,
            whole: Verdicts::default(),
            all: None,
            whole_keys: WHOLE_KEYS,
        }
    }
}

impl Selected {
    /// Adds what the same selection gives in another observation.
    pub(crate) fn add(&mut self, other: &Self) {
        for (option, value) in &other.options {
            // The dates of a time of day can differ.
            match self.options.get_mut(option) {
                Some(known) if known != value => *known = joined([&*known, value], ", "),
                Some(_) => {}
                None => drop(self.options.insert(option, value.clone())),
            }
        }
        self.covered_ns = self.covered_ns.zip(other.covered_ns).map(|(a, b)| a.saturating_add(b));
        // Each observation has its own.
        self.time = None;
        self.undecided += other.undecided;
        self.whole.add(&other.whole);
    }

    /// Whether times limit it.
    pub(crate) fn is_by_time(&self) -> bool {
        ["since", "until"].iter().any(|option| self.options.contains_key(option))
    }
}
