//! Totals, distributions and the tables of the engine.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    event::{Entry, Nanos},
    hash::NumberMap,
    overlap::Overlap,
    verdict::Verdict,
};

/// How many of each verdict. Overlaps and waits are counted one by one; a reader counts once, at its highest rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerdictCounts {
    /// Overlaps.
    pub overlap: u64,
    /// Waits on the folio lock.
    pub lock_wait: u64,
    /// Pin waits.
    pub pin_wait: u64,
    /// Readers whose entry was freed under them, and no more.
    pub window: u64,
    /// Readers whose entry was freed and reallocated, and that did not install.
    pub reuse: u64,
    /// Readers that installed a stale page.
    pub stale_install: u64,
}

impl VerdictCounts {
    /// Counts one verdict.
    pub fn add(&mut self, verdict: Verdict) {
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

/// What the engine knows that it did not see. Part of the dropped that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineDropped {
    /// Events that arrived too late to be put in order.
    pub late_events: u64,
    /// Readers under which more happened than arrived.
    pub incomplete_readers: u64,
    /// Faults opened whose end never came.
    pub faults_without_end: u64,
    /// Faults dropped from the search for overlaps because an entry never came to rest.
    pub overlaps_cut: u64,
    /// Entries left out of the table because it was full.
    pub entries_not_listed: u64,
    /// Findings counted but not kept because the list was full.
    pub findings_not_listed: u64,
}

/// A distribution of durations in nanoseconds, three significant digits, up to an hour. Grows with the longest of them.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

impl Default for Durations {
    #[expect(clippy::expect_used, reason = "a constant within the crate's documented bounds; a test makes one")]
    fn default() -> Self {
        Self(Histogram::new(3).expect("legal precision"))
    }
}

impl Durations {
    /// Enters a duration. What is longer than an hour counts as an hour.
    pub fn add(&mut self, ns: Nanos) {
        const HOUR: u64 = 3_600_000_000_000;
        // Room for an hour is 300 kB: there is always that much.
        let _ = self.0.record(ns.min(HOUR));
    }

    /// Enters all that another one holds.
    pub fn append(&mut self, other: &Self) {
        // Of the same precision, and growing: there is always room.
        let _ = self.0.add(&other.0);
    }

    /// The histogram.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Count and percentiles.
    pub fn summary(&self) -> DurationSummary {
        DurationSummary::of(&self.0)
    }
}

/// Count and percentiles of a distribution, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DurationSummary {
    pub count: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
}

impl DurationSummary {
    /// Of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: if histogram.is_empty() { 0 } else { histogram.max() },
        }
    }
}

/// What is known of one contended entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryStats {
    /// The entry.
    pub entry: Entry,
    /// Overlaps.
    pub overlaps: u64,
    /// Deepest of them.
    pub deepest: u32,
    /// Longest of them, nanoseconds.
    pub longest_ns: Nanos,
    /// All of them together, nanoseconds.
    pub total_ns: Nanos,
    /// Worst verdict.
    pub worst: Verdict,
}

/// Contended entries, a bounded number.
#[derive(Debug, Default)]
pub struct EntryTable {
    entries: NumberMap<Entry, EntryStats>,
    not_listed: u64,
}

/// Entries kept at most.
const ENTRIES: usize = 65_536;

impl EngineDropped {
    /// All of them together.
    pub fn total(&self) -> u64 {
        let Self {
            late_events,
            incomplete_readers,
            faults_without_end,
            overlaps_cut,
            entries_not_listed,
            findings_not_listed,
        } = *self;
        late_events + incomplete_readers + faults_without_end + overlaps_cut + entries_not_listed + findings_not_listed
    }
}

impl EntryTable {
    /// Notes an overlap.
    pub fn overlap(&mut self, overlap: &Overlap) {
        if let Some(stats) = self.stats(overlap.entry) {
            stats.overlaps += 1;
            stats.deepest = stats.deepest.max(overlap.depth);
            stats.longest_ns = stats.longest_ns.max(overlap.duration());
            stats.total_ns += overlap.duration();
        }
    }

    /// Notes a verdict.
    pub fn verdict(&mut self, entry: Entry, verdict: Verdict) {
        if let Some(stats) = self.stats(entry) {
            stats.worst = stats.worst.max(verdict);
        }
    }

    fn stats(&mut self, entry: Entry) -> Option<&mut EntryStats> {
        if self.entries.len() >= ENTRIES && !self.entries.contains_key(&entry) {
            self.not_listed += 1;
            return None;
        }
        Some(self.entries.entry(entry).or_insert(EntryStats {
            entry,
            overlaps: 0,
            deepest: 0,
            longest_ns: 0,
            total_ns: 0,
            worst: Verdict::Overlap,
        }))
    }

    /// Entries that did not fit.
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// The worst `n` entries: by verdict, then by time overlapped, then by entry, so that the order is stable.
    pub fn worst(&self, n: usize) -> Vec<EntryStats> {
        let mut all: Vec<&EntryStats> = self.entries.values().collect();
        all.sort_by_key(|stats| (std::cmp::Reverse((stats.worst, stats.total_ns)), stats.entry));
        all.into_iter().take(n).cloned().collect()
    }

    /// Number of contended entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits() {
        let mut durations = Durations::default();
        for ns in [1_000, 2_000, 3_000_000] {
            durations.add(ns);
        }
        let summary = durations.summary();
        assert_eq!((summary.count, summary.p50_ns / 10), (3, 200));
        assert!(summary.max_ns.abs_diff(3_000_000) < 3_000);
        assert_eq!(Durations::default().summary(), DurationSummary::default());
    }

    #[test]
    fn the_entry_table_is_ordered_by_verdict_then_time_then_entry() {
        let overlap = |offset, to_ns| Overlap {
            entry: Entry::new(0, offset),
            nr: 1,
            from_ns: 0,
            to_ns,
            depth: 2,
            tasks: Vec::new(),
            spaces: 1,
        };
        let mut table = EntryTable::default();
        for overlap in [overlap(1, 10), overlap(2, 30), overlap(3, 30), overlap(4, 5)] {
            table.overlap(&overlap);
        }
        table.verdict(Entry::new(0, 4), Verdict::Window);
        let order: Vec<u64> = table.worst(9).iter().map(|stats| stats.entry.offset()).collect();
        assert_eq!(order, [4, 2, 3, 1]);
    }
}
