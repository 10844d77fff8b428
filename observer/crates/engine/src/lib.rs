//! Pure: ordered events in; verdicts, waits, overlaps, distributions and totals out. No clock, no I/O, no async: time is
//! what the events say and what [`Engine::advance`] is told.
//!
//! Memory depends on the faults in progress, the contended entries and the findings kept, not on the length of the run.

pub mod comm;
pub mod event;
mod hash;
pub mod overlap;
mod pending;
pub mod price;
mod quota;
mod report;
pub mod sorter;
pub mod tally;
pub mod totals;
pub mod verdict;
pub mod wait;

pub use report::{Held, Report};

use std::{collections::VecDeque, sync::Arc};

use event::{Change, Entry, Event, Fault, Nanos, SlotCount};
use hash::NumberMap;
use overlap::Overlaps;
use pending::PendingReaders;
use quota::Quota;
use sorter::Sorter;
use tally::Tally;
use verdict::{Finding, Judgement, OTHERS_LISTED, OtherFault, Verdict, judge};
use wait::{Wait, WaitKind, Waits};

/// Events are held back this long, so that records of different CPUs come into order: far longer than a program can
/// take between reading the clock and reserving its record, preemption included. Nanoseconds.
pub const HOLD_BACK: Nanos = 100_000_000;

/// Programs raise a slot's numbers a little before or after they read the clock, and can be preempted in between. So a
/// fault is judged this long after its end, when whatever its numbers speak of has surely taken effect. Nanoseconds.
const BEFORE_JUDGING: Nanos = 10_000_000;

/// Once no fault is open on a slot, what is known of it is kept this long: two faults that close together both read
/// "none open", and the second one is still to be judged. Nanoseconds.
const AFTER_DRAIN: Nanos = 2 * BEFORE_JUDGING;

/// A fault whose end has not come after this time is given up. Nanoseconds.
const FAULT_TOO_OLD: Nanos = 60_000_000_000;

/// Findings, overlaps and waits kept for the report, at most, of each; all are counted.
const KEPT: usize = 10_000;

/// Ended faults that wait for their entry to come to rest, at most.
const FAULTS_HELD: usize = 65_536;

/// Changes kept for one slot, at most; and for all together. A slot is forgotten when its last fault ends, unless just
/// that record is lost.
const CHANGES_HELD: usize = 4_096;
const ALL_CHANGES_HELD: usize = 262_144;

/// See the module.
#[derive(Debug, Default)]
pub struct Engine {
    sorter: Sorter,
    slots: NumberMap<u32, SlotState>,
    changes: usize,
    drained: VecDeque<(Nanos, Entry)>,
    unjudged: VecDeque<Arc<Fault>>,
    pending: PendingReaders,
    open: NumberMap<u32, Fault>,
    ended: Overlaps,
    waits: Waits,
    report: Report,
    quota: Quota,
    tally: Option<Box<Tally>>,
}

/// What happened on one slot while faults were open on it.
#[derive(Debug, Default)]
struct SlotState {
    changes: VecDeque<Change>,
}

impl Engine {
    /// Keeps a [`Tally`] from here on, for a dashboard.
    pub fn start_tally(&mut self) {
        self.tally.get_or_insert_default();
    }

    /// The tally, if there is one.
    pub fn tally(&self) -> Option<&Tally> {
        self.tally.as_deref()
    }

    /// Starts the tally again; what was found so far stays in the report.
    pub fn clear_tally(&mut self) {
        if let Some(tally) = &mut self.tally {
            tally.clear();
        }
    }

    /// Takes an event in. It takes effect when [`Engine::advance`] has come past it.
    pub fn feed(&mut self, event: Event) {
        self.report.events += 1;
        self.sorter.push(event);
        self.report.dropped.late_events = self.sorter.late();
    }

    /// All events up to `now` have been fed: those that can no longer be overtaken take effect.
    pub fn advance(&mut self, now: Nanos) {
        let until = now.saturating_sub(HOLD_BACK);
        self.settle(until);
        self.settle_pending(until);
        for wait in self.waits.advance(until) {
            self.waited(wait);
        }
        self.forget_old_faults(until);
    }

    /// No more events will come.
    pub fn finish(&mut self) {
        self.settle(Nanos::MAX);
        self.judge_until(Nanos::MAX);
        self.settle_pending(Nanos::MAX);
        // Waits come last: a holder may be among the faults that no drain has told yet.
        for group in self.ended.take_all() {
            self.tell(&group);
        }
        for wait in self.waits.advance(Nanos::MAX) {
            self.waited(wait);
        }
        self.report.dropped.faults_without_end += self.open.len() as u64;
        self.open.clear();
        self.slots.clear();
        self.changes = 0;
        self.drained.clear();
    }

    /// How much is held in memory now, whatever the length of the run.
    pub fn held(&self) -> Held {
        Held {
            events: self.sorter.len(),
            faults: self.open.len() + self.ended.len() + self.unjudged.len() + self.pending.len(),
            changes: self.changes,
            drains: self.drained.len(),
            waits: self.waits.len(),
        }
    }

    /// What was found so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Faults known to be open now, in no order.
    pub fn faults_in_progress(&self) -> impl Iterator<Item = &Fault> {
        self.open.values()
    }

    fn settle(&mut self, until: Nanos) {
        while let Some(event) = self.sorter.pop(until) {
            self.rest(event.at());
            self.apply(event);
        }
        self.rest(until);
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Started(fault) => {
                self.open.insert(fault.task.tid, fault);
            }
            Event::Changed(change) => self.changed(change),
            Event::Ended(fault) => self.closed(fault),
        }
    }

    fn changed(&mut self, change: Change) {
        let (entry, at, slot) = (change.entry, change.at, change.slot);
        // A reader that would need what is dropped here will find the gap and be counted as incomplete.
        if self.changes >= ALL_CHANGES_HELD {
            self.slots.clear();
            self.changes = 0;
        }
        self.pending.changed(slot_of(entry), &change);
        let state = self.slots.entry(slot_of(entry)).or_default();
        // Told twice: its number must not stand in for one that is missing.
        if state.changes.iter().rev().take_while(|known| known.at >= at).any(|known| *known == change) {
            return;
        }
        if state.changes.len() >= CHANGES_HELD && state.changes.pop_front().is_some() {
            self.changes -= 1;
        }
        state.changes.push_back(change);
        self.changes += 1;
        self.note_drain(at, entry, slot);
    }

    fn closed(&mut self, fault: Fault) {
        if self.ended.contains(&fault) {
            return;
        }
        self.open.remove(&fault.task.tid);
        if self.waits.concerns(&fault) {
            let around = wait::Around::of(&fault, self.slots.get(&slot_of(fault.entry)).map(|state| &state.changes));
            self.waits.fault(&fault, around);
        }
        // Told now: on an entry that never comes to rest, waits are given out before its faults are.
        self.waits.holders(std::slice::from_ref(&fault));
        self.note_drain(fault.end, fault.entry, fault.slot);
        if self.ended.len() >= FAULTS_HELD {
            self.report.dropped.overlaps_cut += self.ended.len() as u64;
            for group in self.ended.take_all() {
                self.tell(&group);
            }
        }
        let fault = Arc::new(fault);
        if fault.may_be_overtaken() {
            self.unjudged.push_back(Arc::clone(&fault));
        }
        self.ended.insert(fault);
    }

    /// Judges the faults that ended by `end`.
    fn judge_until(&mut self, end: Nanos) {
        while let Some(fault) = self.unjudged.pop_front_if(|fault| fault.end <= end) {
            let slot = slot_of(fault.entry);
            let changes = self.slots.get(&slot).map(|state| &state.changes).into_iter().flatten();
            let (finding, whole) = match judge(&fault, &changes) {
                Judgement::Clear => continue,
                Judgement::Found(finding) => (Some(finding), true),
                Judgement::Incomplete(finding) => (finding, false),
            };
            let others = self.others(&fault);
            if whole || !self.pending.add(fault, slot, changes, &others) {
                self.judged(finding.map(|finding| Finding { others, ..*finding }), whole);
            }
        }
    }

    fn settle_pending(&mut self, now: Nanos) {
        for (finding, whole) in self.pending.settled(now) {
            self.judged(finding, whole);
        }
    }

    /// Of a reader: the finding, if it is one, and whether all that happened under it is known.
    fn judged(&mut self, finding: Option<Finding>, whole: bool) {
        self.report.dropped.incomplete_readers += u64::from(!whole);
        if let Some(finding) = finding {
            self.found(finding);
        }
    }

    fn note_drain(&mut self, at: Nanos, entry: Entry, slot: SlotCount) {
        if slot.is_drained() {
            self.drained.push_back((at, entry));
        }
    }

    /// Entries on which no fault has been open for long enough at `now`: what is known of them is told and forgotten.
    fn rest(&mut self, now: Nanos) {
        self.judge_until(now.saturating_sub(BEFORE_JUDGING));
        while let Some((at, entry)) = self.drained.front().copied() {
            if at.saturating_add(AFTER_DRAIN) > now {
                return;
            }
            self.drained.pop_front();
            if let Some(state) = self.slots.get_mut(&slot_of(entry)) {
                let before = state.changes.len();
                state.changes.retain(|change| change.at > at);
                self.changes -= before - state.changes.len();
                if state.changes.is_empty() {
                    self.slots.remove(&slot_of(entry));
                }
            }
            // Faults that started after the drain belong to the next story, which may not be over.
            let group = self.ended.take(entry, at);
            if !group.is_empty() {
                self.tell(&group);
            }
        }
    }

    /// Faults that hang together have all ended.
    fn tell(&mut self, group: &[Arc<Fault>]) {
        self.waits.holders(group);
        for hold in group.iter().filter_map(|fault| wait::hold(fault, WaitKind::Pin)) {
            self.report.hold_times.add(hold.dropped_ns.saturating_sub(hold.taken_ns));
            if let Some(tally) = &mut self.tally {
                tally.hold(&hold);
            }
        }
        for overlap in overlap::overlaps(group) {
            if let Some(tally) = &mut self.tally {
                tally.overlap(&overlap, group);
            }
            self.report.verdicts.add(Verdict::Overlap);
            self.report.overlap_times.add(overlap.duration());
            self.report.entries.overlap(&overlap);
            keep(&mut self.report.overlaps, overlap);
        }
        self.report.dropped.entries_not_listed = self.report.entries.not_listed();
    }

    fn waited(&mut self, wait: Wait) {
        if let Some(tally) = &mut self.tally {
            tally.wait(&wait);
        }
        let report = &mut self.report;
        report.prices.wait(&wait);
        let (times, oversleep_times, retries) = match wait.kind {
            WaitKind::Pin => (&mut report.wait_times, &mut report.oversleep_times, &mut report.retries),
            WaitKind::FolioLock => {
                (&mut report.lock_wait_times, &mut report.lock_oversleep_times, &mut report.lock_retries)
            }
        };
        times.add(wait.duration());
        *retries += u64::from(wait.retries);
        if let Some(oversleep) = wait.oversleep_ns {
            oversleep_times.add(oversleep);
        }
        report.verdicts.add(wait.verdict());
        report.entries.verdict(wait.entry, wait.verdict());
        keep(&mut report.waits, wait);
    }

    /// What other tasks did on the entry of a finding's reader meanwhile, as far as it is held.
    fn others(&self, reader: &Fault) -> Vec<OtherFault> {
        let mut others: Vec<OtherFault> = self.ended.beside(reader).map(OtherFault::from).collect();
        others.sort_by_key(|other| (other.start_ns, other.task.tid));
        others.truncate(OTHERS_LISTED);
        others
    }

    fn found(&mut self, finding: Finding) {
        if let Some(tally) = &mut self.tally {
            tally.finding(&finding);
        }
        self.report.verdicts.add(finding.verdict);
        self.report.entries.verdict(finding.entry, finding.verdict);
        if self.quota.take(finding.verdict) {
            self.report.findings.push(finding);
        } else {
            self.report.dropped.findings_not_listed += 1;
        }
    }

    fn forget_old_faults(&mut self, now: Nanos) {
        let oldest = now.saturating_sub(FAULT_TOO_OLD);
        let before = self.open.len();
        self.open.retain(|_, fault| fault.start >= oldest);
        self.report.dropped.faults_without_end += (before - self.open.len()) as u64;
    }
}

/// Keeps an item if there is room.
fn keep<T>(list: &mut Vec<T>, item: T) {
    if list.len() < KEPT {
        list.push(item);
    }
}

/// The filter slot of an entry, as the programs compute it.
fn slot_of(entry: Entry) -> u32 {
    observer_ebpf::slot::index(entry.0)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
