//! Overlaps: spans of time in which two or more faults on intersecting ranges are open.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::event::{Entry, Fault, Nanos, Task};

/// One overlap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// First entry concerned.
    pub entry: Entry,
    /// Number of entries concerned.
    pub nr: u32,
    /// When the second fault started.
    pub from_ns: Nanos,
    /// When all but one had ended.
    pub to_ns: Nanos,
    /// Most faults open at once.
    pub depth: u32,
    /// The tasks, at most [`TASKS_LISTED`], in order of their start.
    pub tasks: Vec<Task>,
    /// Address spaces concerned.
    pub spaces: u32,
}

impl Overlap {
    /// Length in nanoseconds.
    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

/// Tasks listed with an overlap at most.
pub const TASKS_LISTED: usize = 16;

/// Longest range: an entry's range can start at most this far before it.
const LONGEST_RANGE: u64 = 512;

/// Ended faults whose overlaps are still to be told, ordered by range.
#[derive(Debug, Default)]
pub struct Overlaps {
    faults: BTreeMap<(u64, Nanos, u32), Arc<Fault>>,
    /// How many of them are on more than one entry.
    wide: usize,
}

impl Overlaps {
    /// Faults held.
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether this fault is held already.
    pub fn contains(&self, fault: &Fault) -> bool {
        self.faults.contains_key(&(fault.base.0, fault.start, fault.task.tid))
    }

    /// Keeps a fault that has ended.
    pub fn insert(&mut self, fault: Arc<Fault>) {
        self.wide += usize::from(fault.nr > 1);
        let replaced = self.faults.insert((fault.base.0, fault.start, fault.task.tid), fault);
        self.wide -= usize::from(replaced.is_some_and(|fault| fault.nr > 1));
    }

    /// How far below an entry a fault may start that holds it. On a busy device there are hundreds of faults that near,
    /// nearly always of one entry each: they are looked through only where one of them may reach.
    const fn reach(&self) -> u64 {
        if self.wide == 0 { 0 } else { LONGEST_RANGE }
    }

    /// Takes out the faults that had started by `started_by` and hang together with `entry` by intersecting ranges.
    pub fn take(&mut self, entry: Entry, started_by: Nanos) -> Vec<Arc<Fault>> {
        let mut low = entry.0;
        let mut high = entry.0 + 1;
        // Grow the range to a fixed point: a large folio's range can tie neighbours in.
        loop {
            let hanging = self.faults.range((low.saturating_sub(self.reach()), 0, 0)..(high, 0, 0));
            let (mut new_low, mut new_high) = (low, high);
            for ((base, ..), fault) in hanging.filter(|((_, start, _), _)| *start <= started_by) {
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
        let hanging = (low, 0, 0)..(high, 0, 0);
        let taken: Vec<Arc<Fault>> =
            self.faults.extract_if(hanging, |(_, start, _), _| *start <= started_by).map(|(_, fault)| fault).collect();
        self.wide -= taken.iter().filter(|fault| fault.nr > 1).count();
        taken
    }

    /// The faults held that conflict with this one and were in progress at the same time, itself left out.
    pub fn beside<'a>(&'a self, fault: &'a Fault) -> impl Iterator<Item = &'a Fault> {
        let low = fault.base.0.saturating_sub(self.reach());
        let high = fault.base.0 + u64::from(fault.nr);
        let near = self.faults.range((low, 0, 0)..(high, 0, 0)).map(|(_, other)| &**other);
        near.filter(|other| other.conflicts(fault) && other.start < fault.end && fault.start < other.end)
            .filter(|other| (other.task.tid, other.start) != (fault.task.tid, fault.start))
    }

    /// Takes out all faults, in groups that hang together.
    pub fn take_all(&mut self) -> Vec<Vec<Arc<Fault>>> {
        let mut groups = Vec::new();
        while let Some(fault) = self.faults.values().next() {
            let base = fault.base;
            groups.push(self.take(base, Nanos::MAX));
        }
        groups
    }
}

/// The overlaps among faults that hang together. Pure.
pub fn overlaps(faults: &[impl Borrow<Fault>]) -> Vec<Overlap> {
    let mut order: Vec<&Fault> = faults.iter().map(Borrow::borrow).collect();
    order.sort_by_key(|fault| (fault.start, fault.task.tid));
    let mut spans = Vec::new();
    let mut open: Vec<&Fault> = Vec::new();
    let mut span: Option<Span<'_>> = None;
    for fault in order {
        close_until(fault.start, &mut open, &mut span, &mut spans);
        open.push(fault);
        let depth = open.iter().filter(|other| other.conflicts(fault)).count();
        if depth > 1 {
            span.get_or_insert_with(|| Span::new(fault.start)).join(&open, fault, depth);
        }
    }
    close_until(Nanos::MAX, &mut open, &mut span, &mut spans);
    spans
}

/// Ends, in order of time, the faults in progress that end by `now`, and the span with the last pair of them.
fn close_until<'a>(now: Nanos, open: &mut Vec<&'a Fault>, span: &mut Option<Span<'a>>, spans: &mut Vec<Overlap>) {
    loop {
        let Some(next) = open.iter().enumerate().min_by_key(|(_, fault)| fault.end).map(|(index, _)| index) else {
            return;
        };
        if open.get(next).is_none_or(|fault| fault.end > now) {
            return;
        }
        let ended = open.swap_remove(next);
        if span.is_some() && !any_conflict(open) {
            spans.extend(span.take().map(|span| span.end(ended.end)));
        }
    }
}

/// Whether any two of the faults conflict.
fn any_conflict(open: &[&Fault]) -> bool {
    match open {
        [] | [_] => false,
        // The common case first: all on one range.
        [first, rest @ ..] => {
            rest.iter().any(|other| other.conflicts(first))
                || rest.iter().enumerate().any(|(i, a)| rest.iter().skip(i + 1).any(|b| a.conflicts(b)))
        }
    }
}

/// An overlap that is not over yet.
struct Span<'a> {
    from: Nanos,
    depth: usize,
    low: u64,
    high: u64,
    members: Vec<&'a Fault>,
}

impl<'a> Span<'a> {
    fn new(from: Nanos) -> Self {
        Self { from, depth: 0, low: u64::MAX, high: 0, members: Vec::new() }
    }

    /// A fault starts that conflicts with some of the open ones.
    fn join(&mut self, open: &[&'a Fault], fault: &'a Fault, depth: usize) {
        self.depth = self.depth.max(depth);
        for member in open.iter().filter(|other| other.conflicts(fault)) {
            self.low = self.low.min(member.base.0);
            self.high = self.high.max(member.base.0 + u64::from(member.nr));
            if !self.members.iter().any(|known| std::ptr::eq(*known, *member)) {
                self.members.push(member);
            }
        }
    }

    fn end(self, to: Nanos) -> Overlap {
        let mut spaces: Vec<u64> = self.members.iter().map(|fault| fault.mm).collect();
        spaces.sort_unstable();
        spaces.dedup();
        Overlap {
            entry: Entry(self.low),
            nr: u32::try_from(self.high.saturating_sub(self.low)).unwrap_or(u32::MAX),
            from_ns: self.from,
            to_ns: to,
            depth: u32::try_from(self.depth).unwrap_or(u32::MAX),
            tasks: self.members.iter().take(TASKS_LISTED).map(|fault| fault.task.clone()).collect(),
            spaces: u32::try_from(spaces.len()).unwrap_or(u32::MAX),
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

    fn told(faults: &[impl Borrow<Fault>]) -> Vec<(Nanos, Nanos, u32, usize)> {
        overlaps(faults).iter().map(|o| (o.from_ns, o.to_ns, o.depth, o.tasks.len())).collect()
    }

    #[test]
    fn one_fault_after_another_is_no_overlap() {
        assert_eq!(told(&[fault(1, 5, 1, 0, 10), fault(2, 5, 1, 10, 20)]), []);
    }

    #[test]
    fn depth_and_duration() {
        let faults = [fault(1, 5, 1, 0, 30), fault(2, 5, 1, 10, 40), fault(3, 5, 1, 20, 25)];
        assert_eq!(told(&faults), [(10, 30, 3, 3)]);
    }

    #[test]
    fn two_spans_under_one_long_fault() {
        let faults = [fault(1, 5, 1, 0, 100), fault(2, 5, 1, 10, 20), fault(3, 5, 1, 50, 60)];
        assert_eq!(told(&faults), [(10, 20, 2, 2), (50, 60, 2, 2)]);
    }

    #[test]
    fn ranges_conflict_when_they_intersect_and_not_by_key() {
        let mut overlaps_of = Overlaps::default();
        for f in [fault(1, 0, 16, 0, 30), fault(2, 5, 1, 10, 40), fault(3, 16, 1, 0, 40)] {
            overlaps_of.insert(Arc::new(f));
        }
        let group = overlaps_of.take(Entry(5), 100);
        assert_eq!((group.len(), overlaps_of.len()), (2, 1));
        assert_eq!(overlaps_of.reach(), 0, "the one on sixteen entries has gone");
        assert_eq!(told(&group), [(10, 30, 2, 2)]);
    }
}
