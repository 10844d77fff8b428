//! Swap areas as far as entries show them: a swap type can belong to one area after another.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use serde::Serialize;

use crate::event::{Entry, Nanos};

/// The area that had a swap type from a time on. Which area that was is not known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Area {
    pub swap_type: u8,
    /// Time of the last change of the type's area; 0: there was none.
    pub since_ns: Nanos,
}

/// An entry of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AreaEntry {
    pub entry: Entry,
    /// As [`Area::since_ns`].
    #[serde(rename = "area_since_ns", skip_serializing_if = "is_zero")]
    pub since_ns: Nanos,
}

/// Few areas have had the same type, so the time is left out: every contended event is looked up by these.
impl Hash for Area {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.swap_type.hash(state);
    }
}

impl Hash for AreaEntry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entry.hash(state);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(ns: &Nanos) -> bool {
    *ns == 0
}

impl AreaEntry {
    pub const fn area(&self) -> Area {
        Area { swap_type: self.entry.swap_type(), since_ns: self.since_ns }
    }
}

/// When types went to other areas. It is as long as what its caller adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct AreaChanges(BTreeSet<(u8, Nanos)>);

impl AreaChanges {
    /// From `at` on, entries of the type are of another area than before, or of an unknown one.
    pub(crate) fn add(&mut self, swap_type: u8, at: Nanos) {
        self.0.insert((swap_type, at));
    }

    /// The entry with its area at a time.
    pub(crate) fn of(&self, entry: Entry, at: Nanos) -> AreaEntry {
        if self.0.is_empty() {
            return AreaEntry { entry, since_ns: 0 };
        }
        let swap_type = entry.swap_type();
        let last = self.0.range((swap_type, 0)..=(swap_type, at)).next_back();
        AreaEntry { entry, since_ns: last.map_or(0, |(_, since)| *since) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_belongs_to_the_last_area_that_got_its_type() {
        let mut changes = AreaChanges::default();
        let since = |changes: &AreaChanges, swap_type, at| changes.of(Entry::new(swap_type, 5), at).since_ns;
        assert_eq!(since(&changes, 1, 50), 0);
        changes.add(1, 30);
        changes.add(1, 20);
        changes.add(0, 25);
        let all: Vec<Nanos> = [19, 20, 29, 30, 99].into_iter().map(|at| since(&changes, 1, at)).collect();
        assert_eq!(all, [0, 20, 20, 30, 30]);
        assert_eq!((since(&changes, 0, 24), since(&changes, 0, 25), since(&changes, 2, 99)), (0, 25, 0));
    }
}
