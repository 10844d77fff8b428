//! The table of contended entries.

use std::cmp::Reverse;

use serde::Serialize;

use crate::{areas::AreaEntry, event::Nanos, hash::NumberMap, limits::MAX_ENTRIES, overlap::Overlap, verdict::Verdict};

/// Contention of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryStats {
    #[serde(flatten)]
    pub of: AreaEntry,
    pub overlaps: u64,
    /// Depth of the deepest overlap.
    pub deepest: u32,
    /// Duration of the longest overlap.
    pub longest_ns: Nanos,
    /// Duration of all overlaps.
    pub total_ns: Nanos,
    /// The highest verdict.
    pub worst: Verdict,
}

/// Contended entries, at most `limits::MAX_ENTRIES`.
#[derive(Debug, Default)]
pub struct EntryTable {
    entries: NumberMap<AreaEntry, EntryStats>,
    not_listed: u64,
}

impl EntryTable {
    pub(crate) fn add_overlap(&mut self, overlap: &Overlap, entry: AreaEntry) {
        if let Some(stats) = self.stats(entry) {
            stats.overlaps += 1;
            stats.deepest = stats.deepest.max(overlap.depth);
            stats.longest_ns = stats.longest_ns.max(overlap.duration());
            stats.total_ns += overlap.duration();
        }
    }

    pub(crate) fn add_verdict(&mut self, entry: AreaEntry, verdict: Verdict) {
        if let Some(stats) = self.stats(entry) {
            stats.worst = stats.worst.max(verdict);
        }
    }

    fn stats(&mut self, entry: AreaEntry) -> Option<&mut EntryStats> {
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&entry) {
            self.not_listed += 1;
            return None;
        }
        Some(self.entries.entry(entry).or_insert(EntryStats {
            of: entry,
            overlaps: 0,
            deepest: 0,
            longest_ns: 0,
            total_ns: 0,
            worst: Verdict::Overlap,
        }))
    }

    /// Updates of entries for which the table had no room.
    pub(crate) fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// The worst `n` entries: by verdict, then by overlapped time, then by entry, so that the order is stable.
    pub fn worst(&self, n: usize) -> Vec<EntryStats> {
        let mut all: Vec<&EntryStats> = self.entries.values().collect();
        all.sort_by_key(|stats| (Reverse((stats.worst, stats.total_ns)), stats.of));
        all.into_iter().take(n).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Entry;

    const fn of(entry: Entry) -> AreaEntry {
        AreaEntry { entry, since_ns: 0 }
    }

    fn overlap(offset: u64, to_ns: Nanos) -> Overlap {
        Overlap {
            entry: Entry::new(0, offset),
            nr: 1,
            from_ns: 0,
            to_ns,
            depth: 2,
            tasks: Vec::new(),
            address_spaces: 1,
        }
    }

    #[test]
    fn entries_are_ordered_by_verdict_then_time_then_entry() {
        let mut table = EntryTable::default();
        for overlap in [overlap(1, 10), overlap(2, 30), overlap(3, 30), overlap(4, 5)] {
            table.add_overlap(&overlap, of(overlap.entry));
        }
        table.add_verdict(of(Entry::new(0, 4)), Verdict::Window);
        let order: Vec<u64> = table.worst(9).iter().map(|stats| stats.of.entry.offset()).collect();
        assert_eq!(order, [4, 2, 3, 1]);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut table = EntryTable::default();
        for offset in 0..MAX_ENTRIES as u64 + 5 {
            table.add_overlap(&overlap(offset, 1), of(Entry::new(0, offset)));
        }
        table.add_overlap(&overlap(0, 1), of(Entry::new(0, 0)));
        assert_eq!((table.entries.len(), table.not_listed()), (MAX_ENTRIES, 5));
    }
}
