//! The results of the engine.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    areas::AreaEntry,
    cost::WaitCosts,
    distributions::{Distributions, Durations},
    entries::EntryTable,
    event::Nanos,
    limits::MAX_LISTED,
    overlap::Overlap,
    reported::Reported,
    series::{Happened, Series},
    verdict::{Finding, Verdict},
    wait::{Hold, Wait, WaitKind},
};

/// What the engine has found so far. Lists are bounded by `limits::MAX_LISTED`; counts and sums are not.
#[derive(Debug, Default)]
pub struct Report<D> {
    /// Events fed.
    pub events: u64,
    pub verdicts: VerdictCounts,
    /// When what has the verdict ended last.
    pub last_ns: BTreeMap<Verdict, Nanos>,
    /// Windows, reuses and stale installs, oldest first.
    pub findings: Vec<Finding>,
    /// Oldest first.
    pub overlaps: Vec<Overlap>,
    /// Oldest first.
    pub waits: Vec<Wait>,
    /// Pin waits that have not ended and are long already, longest first; in none of the other lists and counts.
    pub long_waits: Vec<Wait>,
    pub entries: EntryTable,
    pub distributions: Distributions<D>,
    /// Failed pin tries in all pin waits.
    pub pin_retries: u64,
    /// Failed tries of the folio lock in all lock waits.
    pub lock_retries: u64,
    pub wait_costs: WaitCosts,
    pub dropped: EngineDropped,
    pub unlisted: Unlisted,
    /// What happened when.
    pub series: Series<Happened>,
    room: FindingRoom,
}

impl<D: Durations> Report<D> {
    /// Adds what another report counts: a report of a selection.
    pub fn add(&mut self, reported: Reported) {
        match reported {
            Reported::Finding { finding, of } => self.add_finding(*finding, of),
            Reported::Overlap { overlap, of, .. } => self.add_overlap(overlap, of),
            Reported::Wait { wait, of } => self.add_wait(*wait, of),
            Reported::PinHold { hold, .. } => self.add_pin_hold(&hold),
        }
        self.unlisted.entries = self.entries.not_listed();
    }

    pub(crate) fn add_finding(&mut self, finding: Finding, entry: AreaEntry) {
        self.add_verdict(finding.verdict, finding.end_ns, &Happened::verdict(finding.verdict));
        self.entries.add_verdict(entry, finding.verdict);
        if self.room.take(finding.verdict) {
            self.findings.push(finding);
        } else {
            self.unlisted.findings += 1;
        }
    }

    pub(crate) fn add_overlap(&mut self, overlap: Overlap, entry: AreaEntry) {
        self.add_verdict(Verdict::Overlap, overlap.to_ns, &Happened::verdict(Verdict::Overlap));
        self.distributions.overlap.add(overlap.duration());
        self.entries.add_overlap(&overlap, entry);
        push_bounded(&mut self.overlaps, overlap);
    }

    fn add_verdict(&mut self, verdict: Verdict, at: Nanos, happened: &Happened) {
        self.verdicts.add(verdict);
        self.series.add(at, happened);
        let last = self.last_ns.entry(verdict).or_default();
        *last = at.max(*last);
    }

    pub(crate) fn add_pin_hold(&mut self, hold: &Hold) {
        self.distributions.pin_hold.add(hold.duration());
    }

    pub(crate) fn add_wait(&mut self, wait: Wait, entry: AreaEntry) {
        self.wait_costs.add(&wait, entry.area());
        self.distributions.add_wait(&wait);
        match wait.kind {
            WaitKind::Pin => self.pin_retries += u64::from(wait.retries),
            WaitKind::FolioLock => self.lock_retries += u64::from(wait.retries),
        }
        let overslept_ns = wait.oversleep_ns.unwrap_or(0);
        let happened = Happened { waited_ns: wait.duration(), overslept_ns, ..Happened::verdict(wait.verdict()) };
        self.add_verdict(wait.verdict(), wait.to_ns, &happened);
        self.entries.add_verdict(entry, wait.verdict());
        push_bounded(&mut self.waits, wait);
    }
}

fn push_bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() < MAX_LISTED {
        list.push(item);
    }
}

/// Counts by verdict. Each overlap and each wait counts; a reader counts once, at its highest verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerdictCounts {
    pub overlap: u64,
    pub lock_wait: u64,
    pub pin_wait: u64,
    pub window: u64,
    pub reuse: u64,
    pub stale_install: u64,
}

impl VerdictCounts {
    /// Adds other counts.
    pub(crate) fn append(&mut self, other: &Self) {
        let Self { overlap, lock_wait, pin_wait, window, reuse, stale_install } = other;
        self.overlap += overlap;
        self.lock_wait += lock_wait;
        self.pin_wait += pin_wait;
        self.window += window;
        self.reuse += reuse;
        self.stale_install += stale_install;
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Overlap => self.overlap += 1,
            Verdict::LockWait => self.lock_wait += 1,
            Verdict::PinWait => self.pin_wait += 1,
            Verdict::Window => self.window += 1,
            Verdict::Reuse => self.reuse += 1,
            Verdict::StaleInstall => self.stale_install += 1,
        }
    }
}

/// What the engine did not see, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineDropped {
    /// Events that arrived more than [`REORDER_DELAY`](crate::limits::REORDER_DELAY) late.
    pub late_events: u64,
    /// Readers with changes under their read that did not arrive.
    pub incomplete_readers: u64,
    /// Faults that started and whose end did not arrive.
    pub faults_without_end: u64,
    /// Changes deleted while they could still be evidence about a reader, because there were too many.
    pub changes_dropped: u64,
    /// Faults evaluated for overlaps early, because their entry never became idle.
    pub overlaps_cut: u64,
}

/// What is counted but not listed, because the list was full. Nothing is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unlisted {
    pub findings: u64,
    /// Updates of the table of entries.
    pub entries: u64,
}

impl EngineDropped {
    pub fn total(&self) -> u64 {
        let Self { late_events, incomplete_readers, faults_without_end, changes_dropped, overlaps_cut } = *self;
        late_events + incomplete_readers + faults_without_end + changes_dropped + overlaps_cut
    }
}

/// Findings in the list. Windows and reuses are far more frequent than stale installs and fill the list within an hour,
/// so stale installs have room of the same size to themselves.
#[derive(Debug, Default)]
struct FindingRoom {
    windows_and_reuses: usize,
    stale_installs: usize,
}

impl FindingRoom {
    /// Takes a place in the list; false if there is none left.
    fn take(&mut self, verdict: Verdict) -> bool {
        let taken = match verdict {
            Verdict::StaleInstall => &mut self.stale_installs,
            _ => &mut self.windows_and_reuses,
        };
        let room = *taken < MAX_LISTED;
        *taken += usize::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_reuses_leave_room_for_stale_installs() {
        let mut room = FindingRoom::default();
        let mut taken = |verdict, times: usize| (0..times).filter(|_| room.take(verdict)).count();
        assert_eq!(taken(Verdict::Window, MAX_LISTED - 1), MAX_LISTED - 1);
        assert_eq!(taken(Verdict::Reuse, 2), 1, "both share their room");
        assert_eq!(taken(Verdict::StaleInstall, MAX_LISTED + 1), MAX_LISTED);
        assert_eq!(taken(Verdict::Window, 1), 0);
    }
}
