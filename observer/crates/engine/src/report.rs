//! What the engine has found, and what it holds.

use super::{
    overlap::Overlap,
    price::Prices,
    totals::{Durations, EngineDropped, EntryTable, VerdictCounts},
    verdict::Finding,
    wait::Wait,
};

/// How many of each the engine holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Held {
    pub events: usize,
    pub faults: usize,
    pub changes: usize,
    pub drains: usize,
    pub waits: usize,
}

/// What the engine has found so far.
#[derive(Debug, Default)]
pub struct Report {
    /// Events taken in.
    pub events: u64,
    /// Counts by verdict.
    pub verdicts: VerdictCounts,
    /// Windows, reuses and stale installs, oldest first.
    pub findings: Vec<Finding>,
    /// Overlaps, oldest first.
    pub overlaps: Vec<Overlap>,
    /// Waits, oldest first.
    pub waits: Vec<Wait>,
    /// Contended entries.
    pub entries: EntryTable,
    /// Durations of overlaps.
    pub overlap_times: Durations,
    /// Durations of pin waits.
    pub wait_times: Durations,
    /// The part of them after the pin was dropped.
    pub oversleep_times: Durations,
    /// Durations of waits on the folio lock.
    pub lock_wait_times: Durations,
    /// The part of them after the holder's read was done and the lock dropped.
    pub lock_oversleep_times: Durations,
    /// Durations of holds of contended pins.
    pub hold_times: Durations,
    /// Pin tries that failed, in all waits.
    pub retries: u64,
    /// Tries of the folio lock that failed, in all waits.
    pub lock_retries: u64,
    /// What waits cost, added up.
    pub prices: Prices,
    /// What the engine knows that it did not see.
    pub dropped: EngineDropped,
}
