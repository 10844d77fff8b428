//! Changes on filter slots with faults in progress.

use std::collections::VecDeque;

use observer_ebpf::slot;

use crate::{
    event::{Change, Entry, Nanos},
    hash::NumberMap,
    limits::{MAX_CHANGES, MAX_SLOT_CHANGES},
};

/// The filter slot of an entry, computed as the programs do.
pub(crate) fn slot_of(entry: Entry) -> u32 {
    slot::index(entry.0)
}

#[derive(Debug, Default)]
pub(crate) struct SlotChanges {
    slots: NumberMap<u32, VecDeque<Change>>,
    len: usize,
    /// Changes that were deleted while they could still be evidence, because there were too many.
    dropped: u64,
}

impl SlotChanges {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The changes of a slot, in the order in which they were added.
    pub(crate) fn of(&self, slot: u32) -> impl Iterator<Item = &Change> + Clone {
        self.slots.get(&slot).into_iter().flatten()
    }

    /// Adds a change, unless it is a duplicate: the number of a duplicate must not stand in for a missing one. Returns
    /// whether it was added.
    pub(crate) fn add(&mut self, change: Change) -> bool {
        let changes = self.slots.entry(slot_of(change.entry)).or_default();
        if changes.iter().rev().take_while(|known| known.at >= change.at).any(|known| *known == change) {
            return false;
        }
        if changes.len() >= MAX_SLOT_CHANGES && changes.pop_front().is_some() {
            self.len -= 1;
            self.dropped += 1;
        }
        changes.push_back(change);
        self.len += 1;
        true
    }

    /// Deletes the older half of all changes if there is no room for another one. A reader under which a deleted change
    /// happened is incomplete, because its sequence numbers have a gap; what a reader in transit is judged by happened
    /// before its read, and only the count shows that it may be missing.
    pub(crate) fn make_room(&mut self) {
        if self.len < MAX_CHANGES {
            return;
        }
        let mut times: Vec<Nanos> = self.slots.values().flatten().map(|change| change.at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let (median, before) = (*median, self.len);
        self.slots.retain(|_, changes| {
            changes.retain(|change| change.at > median);
            !changes.is_empty()
        });
        self.len = self.slots.values().map(VecDeque::len).sum();
        self.dropped += (before - self.len) as u64;
    }

    /// Changes that were deleted while they could still be evidence.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Deletes the changes of a slot up to a time.
    pub(crate) fn delete_until(&mut self, slot: u32, at: Nanos) {
        if let Some(changes) = self.slots.get_mut(&slot) {
            let before = changes.len();
            changes.retain(|change| change.at > at);
            self.len -= before - changes.len();
            if changes.is_empty() {
                self.slots.remove(&slot);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ChangeKind, SlotCount, Task};

    fn change(offset: u64, at: Nanos) -> Change {
        let (entry, by, slot) = (Entry::new(0, offset), Task::default(), SlotCount::default());
        Change { kind: ChangeKind::Freed, entry, at, seq: 0, by, slot }
    }

    #[test]
    fn duplicates_are_not_added() {
        let mut changes = SlotChanges::default();
        assert!(changes.add(change(7, 10)));
        assert!(changes.add(change(7, 20)));
        assert!(!changes.add(change(7, 10)));
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn changes_of_one_slot_are_bounded() {
        let mut changes = SlotChanges::default();
        for at in 0..MAX_SLOT_CHANGES as Nanos + 5 {
            changes.add(change(7, at));
        }
        assert_eq!((changes.len(), changes.dropped()), (MAX_SLOT_CHANGES, 5));
        assert_eq!(changes.of(slot_of(Entry::new(0, 7))).next().map(|change| change.at), Some(5));
    }

    #[test]
    fn changes_of_all_slots_are_bounded() {
        let mut changes = SlotChanges::default();
        for at in 0..MAX_CHANGES as Nanos + 5 {
            changes.make_room();
            changes.add(change(at, at));
        }
        let half = MAX_CHANGES / 2;
        assert_eq!((changes.len(), changes.dropped()), (half - 1 + 5, half as u64 + 1));
        let is_known = |offset: u64| changes.of(slot_of(Entry::new(0, offset))).any(|known| known.at == offset);
        assert!(!is_known(half as u64) && is_known(half as u64 + 1), "the older half is deleted");
    }

    #[test]
    fn changes_are_deleted_up_to_a_time() {
        let mut changes = SlotChanges::default();
        for at in [10, 20, 30] {
            changes.add(change(7, at));
        }
        let slot = slot_of(Entry::new(0, 7));
        changes.delete_until(slot, 20);
        assert_eq!(changes.of(slot).map(|change| change.at).collect::<Vec<_>>(), [30]);
        changes.delete_until(slot, 30);
        assert_eq!((changes.len(), changes.slots.len()), (0, 0));
    }
}
