//! The engine: takes events in and keeps the report up to date.

use std::{collections::VecDeque, mem, sync::Arc};

use crate::{
    areas::AreaChanges,
    distributions::Durations,
    event::{Change, Entry, Event, Fault, Nanos, SlotCount},
    hash::NumberMap,
    limits::{IDLE_DELAY, JUDGE_DELAY, MAX_ENDED_FAULTS, MAX_FAULTS_IN_PROGRESS, MAX_OTHERS, REORDER_DELAY},
    overlap::{EndedFaults, overlaps},
    pending::PendingReaders,
    reorder::ReorderBuffer,
    report::Report,
    reported::{Reported, takes_part},
    slots::{SlotChanges, slot_of},
    tally::Tally,
    verdict::{Finding, Judgement, OtherFault, judge},
    wait::{Hold, SlotContext, Wait, WaitKind, Waits},
};

/// Turns events in order of time into a [`Report`]; `D` keeps the distributions.
#[derive(Debug, Default)]
pub struct Engine<D> {
    reorder: ReorderBuffer,
    changes: SlotChanges,
    /// Times at which slots became idle, each with an entry of the slot.
    idle: VecDeque<(Nanos, Entry)>,
    /// Unprotected readers that have ended and are not judged yet.
    unjudged: VecDeque<Arc<Fault>>,
    pending: PendingReaders,
    /// Faults in progress, by thread.
    in_progress: NumberMap<u32, Fault>,
    ended: EndedFaults,
    waits: Waits,
    areas: AreaChanges,
    report: Report<D>,
    /// Findings since the last [`Engine::take_findings`]; `None`: they are not kept.
    findings: Option<Vec<Finding>>,
    tally: Option<Box<Tally<D>>>,
    /// What was reported and not taken; `None`: no caller selects.
    reported: Option<Vec<Reported>>,
}

/// Numbers of items that the engine holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    pub events: usize,
    pub faults: usize,
    pub changes: usize,
    pub idle_slots: usize,
    pub waits: usize,
}

impl<D: Durations> Engine<D> {
    /// Keeps a [`Tally`] from now on, for a dashboard.
    pub fn start_tally(&mut self) {
        self.tally.get_or_insert_default();
    }

    pub fn tally(&self) -> Option<&Tally<D>> {
        self.tally.as_deref()
    }

    /// Resets the tally. The report is not affected.
    pub fn clear_tally(&mut self) {
        if let Some(tally) = &mut self.tally {
            tally.clear();
        }
    }

    /// From now on keeps what is reported until [`Engine::take_reported`], for a caller that selects from it. The report
    /// has everything, and the tally has what the caller adds to it.
    pub fn keep_reported(&mut self) {
        self.reported.get_or_insert_default();
    }

    /// What was reported since the last call, in the order in which it was reported.
    pub fn take_reported(&mut self) -> Vec<Reported> {
        self.reported.as_mut().map(mem::take).unwrap_or_default()
    }

    /// Adds to the tally, if one is kept.
    pub fn add_to_tally(&mut self, reported: &Reported) {
        if let Some(tally) = &mut self.tally {
            tally.add(reported);
        }
    }

    /// Keeps each finding from now on until [`Engine::take_findings`] is called, which must be called again and again.
    pub fn keep_findings(&mut self) {
        self.findings.get_or_insert_default();
    }

    /// The findings since the last call, each once and with its final verdict, whether or not the report has room for
    /// them.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.findings.as_mut().map(mem::take).unwrap_or_default()
    }

    /// Whether there are events or readers that the next [`Engine::advance`] may turn into a finding.
    pub fn awaits_judgement(&self) -> bool {
        self.reorder.len() > 0 || !self.unjudged.is_empty() || self.pending.len() > 0
    }

    /// From `at` on, entries of the swap type are of another swap area than before, or of an unknown one. Must precede
    /// an [`Engine::advance`] to [`REORDER_DELAY`] after `at`: what has been reported stays with its area.
    pub fn change_area(&mut self, swap_type: u8, at: Nanos) {
        self.areas.add(swap_type, at);
    }

    /// Takes an event in. It takes effect once [`Engine::advance`] has passed it.
    pub fn feed(&mut self, event: Event) {
        self.report.events += 1;
        self.reorder.push(event);
        self.report.dropped.late_events = self.reorder.late();
    }

    /// Applies the events that no later one can precede. All events up to `now` must have been fed.
    pub fn advance(&mut self, now: Nanos) {
        let until = now.saturating_sub(REORDER_DELAY);
        self.apply_until(until);
        self.report_pending(until);
        for wait in self.waits.take_ended(until) {
            self.report_wait(wait);
        }
        self.report.long_waits = self.waits.long();
    }

    /// Applies all remaining events. No event may be fed after this.
    pub fn finish(&mut self) {
        self.apply_until(Nanos::MAX);
        self.judge_until(Nanos::MAX);
        self.report_pending(Nanos::MAX);
        // Waits come last: the holder may be among the faults that are still held for their entry to become idle.
        for group in self.ended.take_all() {
            self.report_group(&group);
        }
        for wait in self.waits.take_ended(Nanos::MAX) {
            self.report_wait(wait);
        }
        self.report.long_waits.clear();
        self.report.dropped.faults_without_end += self.in_progress.len() as u64;
        self.in_progress.clear();
        self.changes.clear();
        self.idle.clear();
    }

    pub fn footprint(&self) -> Footprint {
        Footprint {
            events: self.reorder.len(),
            faults: self.in_progress.len() + self.ended.len() + self.unjudged.len() + self.pending.len(),
            changes: self.changes.len(),
            idle_slots: self.idle.len(),
            waits: self.waits.len(),
        }
    }

    pub fn report(&self) -> &Report<D> {
        &self.report
    }

    /// Contended faults in progress, in no particular order.
    pub fn faults_in_progress(&self) -> impl Iterator<Item = &Fault> {
        self.in_progress.values()
    }

    fn apply_until(&mut self, until: Nanos) {
        while let Some(event) = self.reorder.pop(until) {
            self.settle(event.at());
            self.apply(event);
        }
        self.settle(until);
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Started(fault) => self.start_fault(fault),
            Event::Changed(change) => self.add_change(change),
            Event::Ended(fault) => self.end_fault(fault),
        }
    }

    /// However long a fault takes, it is in progress until its end arrives, or its task starts another one.
    fn start_fault(&mut self, fault: Fault) {
        let start = fault.start;
        if self.in_progress.insert(fault.task.tid, fault).is_some_and(|replaced| replaced.start != start) {
            self.report.dropped.faults_without_end += 1;
        }
        if self.in_progress.len() > MAX_FAULTS_IN_PROGRESS
            && let Some(oldest) = self.in_progress.values().min_by_key(|fault| (fault.start, fault.task.tid))
        {
            let oldest = oldest.task.tid;
            self.in_progress.remove(&oldest);
            self.report.dropped.faults_without_end += 1;
        }
    }

    fn add_change(&mut self, change: Change) {
        let (entry, at, slot) = (change.entry, change.at, change.slot);
        self.changes.make_room();
        self.pending.add_change(slot_of(entry), &change);
        if self.changes.add(change) {
            self.note_idle(at, entry, slot);
        }
        self.report.dropped.changes_dropped = self.changes.dropped();
    }

    fn end_fault(&mut self, fault: Fault) {
        if self.ended.len() >= MAX_ENDED_FAULTS {
            self.report.dropped.overlaps_cut += self.ended.len() as u64;
            for group in self.ended.take_all() {
                self.report_group(&group);
            }
        }
        let fault = Arc::new(fault);
        if !self.ended.insert(&fault) {
            return;
        }
        self.in_progress.remove(&fault.task.tid);
        if self.waits.are_affected_by(&fault) {
            let context = SlotContext::of(&fault, self.changes.of(slot_of(fault.entry)));
            self.waits.add_fault(&fault, context);
        }
        self.waits.note_end(&fault);
        // On an entry that never becomes idle, waits are reported before the fault's group is.
        self.waits.attribute(&fault);
        self.note_idle(fault.end, fault.entry, fault.slot);
        if fault.is_unprotected() {
            self.unjudged.push_back(fault);
        }
    }

    fn note_idle(&mut self, at: Nanos, entry: Entry, slot: SlotCount) {
        if slot.is_idle() {
            self.idle.push_back((at, entry));
        }
    }

    /// Judges the readers, and reports and forgets the entries, that nothing can affect any more at `now`.
    fn settle(&mut self, now: Nanos) {
        self.judge_until(now.saturating_sub(JUDGE_DELAY));
        while let Some((at, entry)) = self.idle.front().copied() {
            if at.saturating_add(IDLE_DELAY) > now {
                return;
            }
            self.idle.pop_front();
            self.changes.delete_until(slot_of(entry), at);
            // Faults that started after the slot was idle belong to the next group, which may still be in progress.
            let group = self.ended.take_connected(entry, at);
            if !group.is_empty() {
                self.report_group(&group);
            }
        }
    }

    /// Judges the faults that ended by `end`.
    fn judge_until(&mut self, end: Nanos) {
        while let Some(fault) = self.unjudged.pop_front_if(|fault| fault.end <= end) {
            let slot = slot_of(fault.entry);
            let (finding, complete) = match judge(&fault, &self.changes.of(slot)) {
                Judgement::Clear => continue,
                Judgement::Found(finding) => (Some(finding), true),
                Judgement::Incomplete(finding) => (finding, false),
            };
            let others = self.others(&fault);
            if complete || !self.pending.add(fault, slot, self.changes.of(slot), &others) {
                self.report_reader(finding.map(|finding| Finding { others, ..*finding }), complete);
            }
        }
    }

    /// The faults of other tasks that are still held and were in progress together with the reader's.
    fn others(&self, reader: &Fault) -> Vec<OtherFault> {
        let mut others: Vec<OtherFault> = self.ended.concurrent_with(reader).map(OtherFault::from).collect();
        others.sort_by_key(|other| (other.start_ns, other.task.tid));
        others.truncate(MAX_OTHERS);
        others
    }

    fn report_pending(&mut self, now: Nanos) {
        for (finding, complete) in self.pending.take_settled(now) {
            self.report_reader(finding, complete);
        }
    }

    fn report_reader(&mut self, finding: Option<Finding>, complete: bool) {
        self.report.dropped.incomplete_readers += u64::from(!complete);
        if let Some(finding) = finding {
            let entry = self.areas.of(finding.entry, finding.start_ns);
            if let Some(reported) = &mut self.reported {
                reported.push(Reported::Finding { finding: Box::new(finding.clone()), of: entry });
            } else if let Some(tally) = &mut self.tally {
                tally.add_finding(&finding, entry);
            }
            if let Some(findings) = &mut self.findings {
                findings.push(finding.clone());
            }
            self.report.add_finding(finding, entry);
        }
    }

    /// Reports the pin holds and overlaps of a connected group of faults, all of which have ended.
    fn report_group(&mut self, group: &[Arc<Fault>]) {
        for fault in group {
            self.waits.attribute(fault);
        }
        for (fault, hold) in group.iter().filter_map(|fault| Some((fault, Hold::of(fault, WaitKind::Pin)?))) {
            self.report.add_pin_hold(&hold);
            if let Some(reported) = &mut self.reported {
                reported.push(Reported::PinHold { hold, fault: Arc::clone(fault) });
            } else if let Some(tally) = &mut self.tally {
                tally.add_pin_hold(&hold);
            }
        }
        for overlap in overlaps(group) {
            let entry = self.areas.of(overlap.entry, overlap.from_ns);
            if let Some(reported) = &mut self.reported {
                let faults = group.iter().filter(|fault| takes_part(fault, &overlap)).cloned().collect();
                reported.push(Reported::Overlap { overlap: overlap.clone(), of: entry, faults });
            } else if let Some(tally) = &mut self.tally {
                tally.add_overlap(&overlap, entry, group);
            }
            self.report.add_overlap(overlap, entry);
        }
        self.report.unlisted.entries = self.report.entries.not_listed();
    }

    fn report_wait(&mut self, wait: Wait) {
        let entry = self.areas.of(wait.entry, wait.from_ns);
        if let Some(reported) = &mut self.reported {
            reported.push(Reported::Wait { wait: Box::new(wait.clone()), of: entry });
        } else if let Some(tally) = &mut self.tally {
            tally.add_wait(&wait, entry);
        }
        self.report.add_wait(wait, entry);
    }
}

#[cfg(test)]
mod tests;
