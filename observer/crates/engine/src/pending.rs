//! Readers under which more happened than has arrived. A program that is stopped between raising a slot's number and
//! reading the clock (preempted, or its virtual CPU taken off the host's) tells its event late, with the late time: such
//! a reader is judged again when it comes.

use std::sync::Arc;

use super::{
    event::{Change, Fault, Nanos},
    verdict::{Finding, Judgement, OtherFault, judge},
};

/// How long after a reader's end what is missing is waited for. Nanoseconds.
const WAITED_FOR: Nanos = 1_000_000_000;

/// Readers in doubt at most; each keeps what is known of its slot.
const READERS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PendingReaders(Vec<Doubt>);

#[derive(Debug)]
struct Doubt {
    reader: Arc<Fault>,
    slot: u32,
    changes: Vec<Change>,
    others: Vec<OtherFault>,
}

impl PendingReaders {
    /// Readers in doubt.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A reader of this slot, what is known to have happened there, and who else was there. False: there is no room.
    pub(super) fn add<'a>(
        &mut self,
        reader: Arc<Fault>,
        slot: u32,
        changes: impl Iterator<Item = &'a Change>,
        others: &[OtherFault],
    ) -> bool {
        let room = self.0.len() < READERS;
        if room {
            self.0.push(Doubt { reader, slot, changes: changes.cloned().collect(), others: others.to_vec() });
        }
        room
    }

    /// Something has arrived that happened on this slot.
    pub(super) fn changed(&mut self, slot: u32, change: &Change) {
        for doubt in self.0.iter_mut().filter(|doubt| doubt.slot == slot && !doubt.changes.contains(change)) {
            doubt.changes.push(change.clone());
        }
    }

    /// Takes out the readers of which everything is known now, and at `now` those that have waited long enough: the finding,
    /// if it is one, and whether all is known.
    pub(super) fn settled(&mut self, now: Nanos) -> Vec<(Option<Finding>, bool)> {
        let mut settled = Vec::new();
        self.0.retain_mut(|doubt| {
            let (finding, whole) = match judge(&doubt.reader, &doubt.changes.iter()) {
                Judgement::Clear => (None, true),
                Judgement::Found(finding) => (Some(finding), true),
                Judgement::Incomplete(finding) => (finding, false),
            };
            let waits = !whole && doubt.reader.end.saturating_add(WAITED_FOR) > now;
            if !waits {
                let others = std::mem::take(&mut doubt.others);
                settled.push((finding.map(|finding| Finding { others, ..*finding }), whole));
            }
            waits
        });
        settled
    }
}
