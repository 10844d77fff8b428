//! The states of swap entries over time. They are known only while a fault on the entry is in progress: what happens to an
//! entry without one is not recorded.

use std::collections::BTreeMap;

use observer_engine::event::{Change, ChangeKind, Fault, Nanos, Task};

use super::Span;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As the first of the faults found it.
    InUse,
    Free,
    /// Given to a page that is being swapped out.
    Allocated,
    BeingWritten,
    /// Holds what was written last.
    Written,
}

impl State {
    const fn after(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Freed => Self::Free,
            ChangeKind::Allocated => Self::Allocated,
            ChangeKind::WriteStarted => Self::BeingWritten,
            ChangeKind::Written => Self::Written,
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Free => "free",
            Self::Allocated => "allocated",
            Self::BeingWritten => "being written",
            Self::Written => "written",
        }
    }
}

/// A state, when it held, and the task that brought it about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) state: State,
    pub(super) span: Span,
    pub(super) by: Option<Task>,
}

/// Faults and changes by entry, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_entry: BTreeMap<u64, Seen>,
    /// Faults on ranges: first entry, number of entries, and time.
    ranges: Vec<(u64, u64, Span)>,
    kept: usize,
}

#[derive(Debug, Default)]
struct Seen {
    faults: Vec<Span>,
    changes: Vec<(Nanos, ChangeKind, Task)>,
}

/// Most faults and changes that are kept.
const MAX_KEPT: usize = 500_000;

impl Entries {
    /// False: there was no room.
    pub(super) fn add_fault(&mut self, fault: &Fault) -> bool {
        let span = (fault.start, fault.end.max(fault.start));
        let is_kept = self.keep();
        if is_kept {
            self.by_entry.entry(fault.entry.0).or_default().faults.push(span);
            if fault.nr > 1 {
                self.ranges.push((fault.base.0, fault.nr.into(), span));
            }
        }
        is_kept
    }

    /// False: there was no room.
    pub(super) fn add_change(&mut self, change: &Change) -> bool {
        let is_kept = self.keep();
        if is_kept {
            let seen = self.by_entry.entry(change.entry.0).or_default();
            seen.changes.push((change.at, change.kind, change.by.clone()));
        }
        is_kept
    }

    fn keep(&mut self) -> bool {
        let room = self.kept < MAX_KEPT;
        self.kept += usize::from(room);
        room
    }

    /// The states of each entry that changed, in the order of time.
    pub(super) fn states(mut self) -> impl Iterator<Item = (u64, Vec<Held>)> {
        for (first, nr, span) in self.ranges {
            for (_, seen) in self.by_entry.range_mut(first..first.saturating_add(nr)) {
                seen.faults.push(span);
            }
        }
        self.by_entry
            .into_iter()
            .filter(|(_, seen)| !seen.changes.is_empty())
            .map(|(entry, seen)| (entry, states(seen)))
    }
}

fn states(mut seen: Seen) -> Vec<Held> {
    seen.changes.sort_by_key(|(at, ..)| *at);
    // A change is observed even if the end of the fault that it happened under is not.
    let points = seen.changes.iter().map(|(at, ..)| (*at, *at));
    let sessions = joined(seen.faults.iter().copied().chain(points).collect());
    let mut changes = seen.changes.into_iter().peekable();
    let mut all = Vec::new();
    for (start, end) in sessions {
        let mut held = Held { state: State::InUse, span: (start, end), by: None };
        let mut has_changes = false;
        while let Some((at, kind, by)) = changes.next_if(|(at, ..)| *at <= end) {
            has_changes = true;
            held.span.1 = at;
            all.extend((held.state != State::InUse || held.span.0 < at).then_some(held));
            held = Held { state: State::after(kind), span: (at, end), by: Some(by) };
        }
        // Most faults change nothing.
        all.extend(has_changes.then_some(held));
    }
    all
}

/// Spans that meet are one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for (start, end) in spans {
        match joined.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::event::Entry;

    fn task(tid: u32) -> Task {
        Task { tid, ..Task::default() }
    }

    fn fault(offset: u64, nr: u32, start: Nanos, end: Nanos) -> Fault {
        let entry = Entry::new(0, offset);
        Fault { entry, base: entry, nr, start, end, ..Fault::default() }
    }

    fn change(offset: u64, kind: ChangeKind, at: Nanos) -> Change {
        let slot = observer_engine::event::SlotCount::default();
        Change { kind, entry: Entry::new(0, offset), at, seq: 0, by: task(9), slot }
    }

    fn shown(entries: Entries) -> Vec<(u64, Vec<(&'static str, Span)>)> {
        let shown = |held: Vec<Held>| held.into_iter().map(|held| (held.state.words(), held.span)).collect();
        entries.states().map(|(entry, held)| (Entry(entry).offset(), shown(held))).collect()
    }

    #[test]
    fn states_last_from_change_to_change_while_a_fault_is_in_progress() {
        let mut entries = Entries::default();
        // In the order of arrival: faults are reported at their ends.
        for (kind, at) in [(ChangeKind::Freed, 20), (ChangeKind::WriteStarted, 40), (ChangeKind::Allocated, 30)] {
            entries.add_change(&change(5, kind, at));
        }
        entries.add_change(&change(5, ChangeKind::Written, 45));
        entries.add_fault(&fault(5, 1, 12, 25));
        entries.add_fault(&fault(5, 1, 10, 60));
        // Later, after a time without faults.
        entries.add_fault(&fault(5, 1, 100, 120));
        entries.add_change(&change(5, ChangeKind::Freed, 110));
        // Nothing changed.
        entries.add_fault(&fault(5, 1, 200, 220));
        entries.add_fault(&fault(6, 1, 200, 220));
        let expected = vec![
            ("in use", (10, 20)),
            ("free", (20, 30)),
            ("allocated", (30, 40)),
            ("being written", (40, 45)),
            ("written", (45, 60)),
            ("in use", (100, 110)),
            ("free", (110, 120)),
        ];
        assert_eq!(shown(entries), [(5, expected)]);
    }

    #[test]
    fn a_change_without_a_fault_is_a_moment() {
        let mut entries = Entries::default();
        entries.add_change(&change(5, ChangeKind::Freed, 20));
        assert_eq!(shown(entries), [(5, vec![("free", (20, 20))])]);
    }

    #[test]
    fn a_fault_on_a_range_covers_its_entries() {
        let mut entries = Entries::default();
        entries.add_fault(&fault(16, 4, 10, 50));
        entries.add_change(&change(18, ChangeKind::Freed, 30));
        entries.add_change(&change(20, ChangeKind::Freed, 30));
        let expected = [(18, vec![("in use", (10, 30)), ("free", (30, 50))]), (20, vec![("free", (30, 30))])];
        assert_eq!(shown(entries), expected);
    }
}
