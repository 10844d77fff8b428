//! An observation of a sample of the entries (`--sample 1/N`, docs/decisions/sample.md).

use serde::Serialize;

use observer_engine::report::VerdictCounts;

/// The objects of the summary whose counts are estimates.
const SCALED: [&str; 5] = ["swapins", "faults", "pins", "locks", "verdicts"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// One entry in this many was observed.
    pub one_in: u32,
    /// The objects whose counts by entry are multiplied by `one_in`. Everything else covers the observed entries only.
    pub scaled: [&'static str; SCALED.len()],
    /// The verdicts before they were multiplied: as many as there is evidence for.
    pub found: VerdictCounts,
}

impl Sampled {
    pub(crate) const fn new(one_in: u32, found: VerdictCounts) -> Self {
        Self { one_in, scaled: SCALED, found }
    }
}
