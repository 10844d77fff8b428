//! Overlaps: spans of time in which two or more faults on intersecting ranges are in progress.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map},
    ptr,
    sync::Arc,
};

use serde::Serialize;

use crate::{
    event::{Entry, Fault, Nanos, Task},
    limits::MAX_TASKS,
};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// First entry of the union of the faults' ranges.
    pub entry: Entry,
    /// Length of that union.
    pub nr: u32,
    /// Start of the second fault.
    pub from_ns: Nanos,
    /// End of the last fault but one.
    pub to_ns: Nanos,
    /// The greatest number of faults in progress at once.
    pub depth: u32,
    /// The tasks in order of their faults' start, at most `limits::MAX_TASKS`.
    pub tasks: Vec<Task>,
    pub address_spaces: u32,
}

impl Overlap {
    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

/// Ended faults that have not been evaluated for overlaps yet, by range.
#[derive(Debug, Default)]
pub(crate) struct EndedFaults {
    /// By first entry, start and thread.
    faults: BTreeMap<(u64, Nanos, u32), Arc<Fault>>,
    wide: WideFaults,
}

/// Numbers of faults on more than one entry, by the length of their range: index n has those of up to 2^(n + 1)
/// entries.
#[derive(Debug, Default)]
struct WideFaults([usize; 32]);

impl WideFaults {
    fn add(&mut self, fault: &Fault) {
        if let Some(count) = self.of(fault) {
            *count += 1;
        }
    }

    fn remove(&mut self, fault: &Fault) {
        if let Some(count) = self.of(fault) {
            *count -= 1;
        }
    }

    fn of(&mut self, fault: &Fault) -> Option<&mut usize> {
        self.0.get_mut(fault.nr.checked_sub(1)?.checked_ilog2()? as usize)
    }

    /// An upper bound of the longest range; 0: there is none.
    fn longest(&self) -> u64 {
        self.0.iter().rposition(|count| *count > 0).map_or(0, |power| 2 << power)
    }
}

impl EndedFaults {
    pub(crate) fn len(&self) -> usize {
        self.faults.len()
    }

    /// Adds a fault. Returns false for a duplicate, which is not added.
    pub(crate) fn insert(&mut self, fault: &Arc<Fault>) -> bool {
        let btree_map::Entry::Vacant(place) = self.faults.entry((fault.base.0, fault.start, fault.task.tid)) else {
            return false;
        };
        place.insert(Arc::clone(fault));
        self.wide.add(fault);
        true
    }

    /// How far below an entry the range of a fault on that entry can start. A busy device has hundreds of faults
    /// nearby, nearly all on one entry each: they are searched only as far as the longest range requires.
    fn reach(&self) -> u64 {
        self.wide.longest()
    }

    /// Removes the faults that started by `started_by` and are connected to `entry` by a chain of intersecting ranges.
    pub(crate) fn take_connected(&mut self, entry: Entry, started_by: Nanos) -> Vec<Arc<Fault>> {
        let mut low = entry.0;
        let mut high = entry.0 + 1;
        // Extend the range until it no longer changes: a large folio's range can connect its neighbours.
        loop {
            let near = self.faults.range((low.saturating_sub(self.reach()), 0, 0)..(high, 0, 0));
            let (mut new_low, mut new_high) = (low, high);
            for ((base, ..), fault) in near.filter(|((_, start, _), _)| *start <= started_by) {
                let end = base + u64::from(fault.nr);
                if end > low {
                    new_low = new_low.min(*base);
                    new_high = new_high.max(end);
                }
            }
            if (new_low, new_high) == (low, high) {
                break;
            }
            (low, high) = (new_low, new_high);
        }
        let connected = (low, 0, 0)..(high, 0, 0);
        let taken: Vec<Arc<Fault>> = self
            .faults
            .extract_if(connected, |(_, start, _), _| *start <= started_by)
            .map(|(_, fault)| fault)
            .collect();
        for fault in &taken {
            self.wide.remove(fault);
        }
        taken
    }

    /// The other faults that conflict with this one and were in progress at the same time.
    pub(crate) fn concurrent_with<'a>(&'a self, fault: &'a Fault) -> impl Iterator<Item = &'a Fault> {
        let low = fault.base.0.saturating_sub(self.reach());
        let high = fault.base.0 + u64::from(fault.nr);
        let near = self.faults.range((low, 0, 0)..(high, 0, 0)).map(|(_, other)| &**other);
        near.filter(|other| other.conflicts(fault) && other.start < fault.end && fault.start < other.end)
            .filter(|other| (other.task.tid, other.start) != (fault.task.tid, fault.start))
    }

    /// Removes all faults, in connected groups.
    pub(crate) fn take_all(&mut self) -> Vec<Vec<Arc<Fault>>> {
        let mut groups = Vec::new();
        while let Some(fault) = self.faults.values().next() {
            let base = fault.base;
            groups.push(self.take_connected(base, Nanos::MAX));
        }
        groups
    }
}

/// The overlaps within a connected group of faults.
pub(crate) fn overlaps(faults: &[impl Borrow<Fault>]) -> Vec<Overlap> {
    let mut order: Vec<&Fault> = faults.iter().map(Borrow::borrow).collect();
    order.sort_by_key(|fault| (fault.start, fault.task.tid));
    let mut overlaps = Vec::new();
    let mut in_progress: Vec<&Fault> = Vec::new();
    let mut span: Option<Span<'_>> = None;
    for fault in order {
        end_faults(fault.start, &mut in_progress, &mut span, &mut overlaps);
        in_progress.push(fault);
        let depth = in_progress.iter().filter(|other| other.conflicts(fault)).count();
        if depth > 1 {
            span.get_or_insert_with(|| Span::new(fault.start)).add(&in_progress, fault, depth);
        }
    }
    end_faults(Nanos::MAX, &mut in_progress, &mut span, &mut overlaps);
    overlaps
}

/// Removes, in order of time, the faults that end by `now`. The span ends when no two of the remaining faults conflict.
fn end_faults<'a>(
    now: Nanos,
    in_progress: &mut Vec<&'a Fault>,
    span: &mut Option<Span<'a>>,
    overlaps: &mut Vec<Overlap>,
) {
    loop {
        let next = in_progress.iter().enumerate().min_by_key(|(_, fault)| fault.end).map(|(index, _)| index);
        let Some(next) = next else { return };
        if in_progress.get(next).is_none_or(|fault| fault.end > now) {
            return;
        }
        let ended = in_progress.swap_remove(next);
        if span.is_some() && !any_conflict(in_progress) {
            overlaps.extend(span.take().map(|span| span.end(ended.end)));
        }
    }
}

/// Whether any two of the faults conflict.
fn any_conflict(faults: &[&Fault]) -> bool {
    match faults {
        [] | [_] => false,
        // The common case first: all faults have the same range.
        [first, others @ ..] => {
            others.iter().any(|other| other.conflicts(first))
                || others.iter().enumerate().any(|(i, a)| others.iter().skip(i + 1).any(|b| a.conflicts(b)))
        }
    }
}

/// An overlap in progress.
struct Span<'a> {
    from: Nanos,
    depth: usize,
    low: u64,
    high: u64,
    faults: Vec<&'a Fault>,
}

impl<'a> Span<'a> {
    fn new(from: Nanos) -> Self {
        Self { from, depth: 0, low: u64::MAX, high: 0, faults: Vec::new() }
    }

    /// Adds a fault that has just started and conflicts with `depth` of those in progress, itself included.
    fn add(&mut self, in_progress: &[&'a Fault], fault: &'a Fault, depth: usize) {
        self.depth = self.depth.max(depth);
        for member in in_progress.iter().filter(|other| other.conflicts(fault)) {
            self.low = self.low.min(member.base.0);
            self.high = self.high.max(member.base.0 + u64::from(member.nr));
            if !self.faults.iter().any(|known| ptr::eq(*known, *member)) {
                self.faults.push(member);
            }
        }
    }

    fn end(self, to: Nanos) -> Overlap {
        let mut spaces: Vec<u64> = self.faults.iter().map(|fault| fault.mm).collect();
        spaces.sort_unstable();
        spaces.dedup();
        Overlap {
            entry: Entry(self.low),
            nr: u32::try_from(self.high.saturating_sub(self.low)).unwrap_or(u32::MAX),
            from_ns: self.from,
            to_ns: to,
            depth: u32::try_from(self.depth).unwrap_or(u32::MAX),
            tasks: self.faults.iter().take(MAX_TASKS).map(|fault| fault.task.clone()).collect(),
            address_spaces: u32::try_from(spaces.len()).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(tid: u32, base: u64, nr: u32, start: Nanos, end: Nanos) -> Fault {
        let task = Task { tid, pid: 1, comm: format!("t{tid}").into() };
        Fault { entry: Entry(base), base: Entry(base), nr, task, start, end, ..Fault::default() }
    }

    /// Start, end, depth and number of tasks of each overlap.
    fn spans(faults: &[impl Borrow<Fault>]) -> Vec<(Nanos, Nanos, u32, usize)> {
        overlaps(faults).iter().map(|o| (o.from_ns, o.to_ns, o.depth, o.tasks.len())).collect()
    }

    #[test]
    fn consecutive_faults_do_not_overlap() {
        assert_eq!(spans(&[fault(1, 5, 1, 0, 10), fault(2, 5, 1, 10, 20)]), []);
    }

    #[test]
    fn an_overlap_lasts_from_the_second_start_to_the_last_end_but_one() {
        let faults = [fault(1, 5, 1, 0, 30), fault(2, 5, 1, 10, 40), fault(3, 5, 1, 20, 25)];
        assert_eq!(spans(&faults), [(10, 30, 3, 3)]);
    }

    #[test]
    fn one_long_fault_can_be_in_two_overlaps() {
        let faults = [fault(1, 5, 1, 0, 100), fault(2, 5, 1, 10, 20), fault(3, 5, 1, 50, 60)];
        assert_eq!(spans(&faults), [(10, 20, 2, 2), (50, 60, 2, 2)]);
    }

    /// A PMD has 512 entries with pages of 4 KiB, 2 048 with 16 KiB, 8 192 with 64 KiB.
    #[test]
    fn the_longest_range_decides_how_far_overlaps_look_back() {
        for nr in [2, 16, 512, 2_048, 8_192] {
            let mut ended = EndedFaults::default();
            assert!(ended.insert(&Arc::new(fault(1, 0, nr, 0, 30))));
            assert!(ended.insert(&Arc::new(fault(2, u64::from(nr) - 1, 1, 10, 40))));
            assert_eq!(ended.reach(), u64::from(nr));
            let last = fault(3, u64::from(nr) - 1, 1, 20, 50);
            assert_eq!(ended.concurrent_with(&last).count(), 2, "{nr} entries");
            let group = ended.take_connected(Entry(u64::from(nr) - 1), 100);
            assert_eq!((group.len(), ended.len(), ended.reach()), (2, 0, 0), "{nr} entries");
        }
    }

    #[test]
    fn faults_conflict_when_their_ranges_intersect() {
        let mut ended = EndedFaults::default();
        for fault in [fault(1, 0, 16, 0, 30), fault(2, 5, 1, 10, 40), fault(3, 16, 1, 0, 40)] {
            assert!(ended.insert(&Arc::new(fault)));
        }
        let group = ended.take_connected(Entry(5), 100);
        assert_eq!((group.len(), ended.len()), (2, 1));
        assert_eq!(ended.reach(), 0, "no wide fault is left");
        assert_eq!(spans(&group), [(10, 30, 2, 2)]);
    }
}
