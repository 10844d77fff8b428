//! Readers that wait for missing changes. A program can be interrupted between incrementing a slot's sequence number
//! and reading the clock, by preemption or because the host takes its virtual CPU away. Its event then arrives late,
//! with the late time, and the reader is judged again.

use std::{mem, sync::Arc};

use crate::{
    event::{Change, Fault, Nanos},
    limits::{MAX_PENDING_READERS, PENDING_TIMEOUT},
    verdict::{Finding, Judgement, OtherFault, judge},
};

#[derive(Debug, Default)]
pub(crate) struct PendingReaders(Vec<PendingReader>);

#[derive(Debug)]
struct PendingReader {
    fault: Arc<Fault>,
    slot: u32,
    changes: Vec<Change>,
    others: Vec<OtherFault>,
}

impl PendingReaders {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a reader with the changes of its slot that have arrived. Returns false if there is no room.
    pub(crate) fn add<'a>(
        &mut self,
        fault: Arc<Fault>,
        slot: u32,
        changes: impl Iterator<Item = &'a Change>,
        others: &[OtherFault],
    ) -> bool {
        let room = self.0.len() < MAX_PENDING_READERS;
        if room {
            self.0.push(PendingReader { fault, slot, changes: changes.cloned().collect(), others: others.to_vec() });
        }
        room
    }

    /// Adds a change to the readers of its slot.
    pub(crate) fn add_change(&mut self, slot: u32, change: &Change) {
        for reader in self.0.iter_mut().filter(|reader| reader.slot == slot && !reader.changes.contains(change)) {
            reader.changes.push(change.clone());
        }
    }

    /// Removes the readers whose changes are complete, and those that have waited for [`PENDING_TIMEOUT`]. Returns for
    /// each the finding, if there is one, and whether its changes are complete.
    pub(crate) fn take_settled(&mut self, now: Nanos) -> Vec<(Option<Finding>, bool)> {
        let mut settled = Vec::new();
        self.0.retain_mut(|reader| {
            let (finding, complete) = match judge(&reader.fault, &reader.changes.iter()) {
                Judgement::Clear => (None, true),
                Judgement::Found(finding) => (Some(finding), true),
                Judgement::Incomplete(finding) => (finding, false),
            };
            let waits = !complete && reader.fault.end.saturating_add(PENDING_TIMEOUT) > now;
            if !waits {
                let others = mem::take(&mut reader.others);
                settled.push((finding.map(|finding| Finding { others, ..*finding }), complete));
            }
            waits
        });
        settled
    }
}
