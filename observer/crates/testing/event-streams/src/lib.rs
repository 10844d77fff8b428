//! An endless, deterministic stream of events for tests and benchmarks, as a busy machine sends them. ABAs and
//! contended pins alternate, each on another entry and with other threads.

use std::collections::VecDeque;

use observer_engine::event::{
    Change, ChangeKind, Entry, Event, Fault, Nanos, Path, Pin, PinResult, SequenceSpan, SlotCount, Task,
};

/// Time between two events, nanoseconds.
pub const STEP: Nanos = 500;

/// Events of one ABA or one contended pin.
const EVENTS: u64 = 6;

/// Entries that are used in turn.
const ENTRIES: u64 = 50_000;

/// Pairs of threads that are used in turn.
const THREAD_PAIRS: u64 = 500;

#[derive(Default)]
pub struct EventStream {
    sequence: u64,
    ready: VecDeque<Event>,
}

impl Iterator for EventStream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.ready.is_empty() {
            let sequence = Sequence { number: self.sequence, from: self.sequence * EVENTS * STEP };
            self.ready.extend(if self.sequence.is_multiple_of(2) { sequence.aba() } else { sequence.contended_pin() });
            self.sequence += 1;
        }
        self.ready.pop_front()
    }
}

/// One ABA or one contended pin.
struct Sequence {
    number: u64,
    from: Nanos,
}

impl Sequence {
    fn at(&self, step: u64) -> Nanos {
        self.from + step * STEP
    }

    /// Number of earlier sequences on this entry.
    fn earlier(&self) -> u32 {
        u32::try_from(self.number / ENTRIES).unwrap_or_default()
    }

    fn fault(&self, role: u32, start: Nanos, end: Nanos, slot: SlotCount) -> Fault {
        let entry = Entry::new(0, self.number % ENTRIES);
        let tid = u32::try_from(self.number % THREAD_PAIRS).unwrap_or_default() * 2 + role;
        let task = Task { tid, pid: 1, comm: "worker".into() };
        Fault {
            entry,
            base: entry,
            nr: 1,
            address: self.number << 12,
            mm: 1,
            task,
            start,
            end,
            slot,
            ..Fault::default()
        }
    }

    /// Each earlier sequence had two faults on this entry.
    fn count(&self, starts: u32, ends: u32) -> SlotCount {
        SlotCount { starts: self.earlier() * 2 + starts, ends: self.earlier() * 2 + ends }
    }

    /// An entry is freed, reallocated and written under a reader.
    fn aba(&self) -> Vec<Event> {
        // Each earlier sequence on this entry raised both sequence numbers by two at most.
        let base = self.earlier() * 2;
        let span = |frees, changes| {
            let span = |count| SequenceSpan { at_read: base, at_end: base + count };
            (span(frees), span(changes))
        };
        let mut victim = self.fault(0, self.at(0), self.at(5), self.count(2, 2));
        (victim.read_start, victim.read_end) = (Some(self.at(0) + 1), Some(self.at(0) + 2));
        (victim.path, victim.installed) = (Path::Direct, true);
        (victim.frees, victim.changes) = span(1, 2);
        let mut other = self.fault(1, self.at(0) + 10, self.at(2), self.count(2, 1));
        (other.read_start, other.path, other.installed) = (Some(self.at(0) + 20), Path::Direct, true);
        (other.frees, other.changes) = span(0, 0);
        let changed = |kind, step, seq| change(kind, self.at(step), base + seq, &other, self.count(2, 1));
        vec![
            Event::Started(Fault { end: self.at(0) + 10, slot: self.count(2, 0), ..other.clone() }),
            changed(ChangeKind::Freed, 1, 1),
            Event::Ended(other.clone()),
            changed(ChangeKind::Allocated, 3, 1),
            changed(ChangeKind::Written, 4, 2),
            Event::Ended(victim),
        ]
    }

    /// A thread waits for a pin that another thread holds.
    fn contended_pin(&self) -> Vec<Event> {
        let mut holder = self.fault(0, self.at(0), self.at(3), self.count(2, 1));
        let (tried, dropped) = (self.at(0) + 1, Some(self.at(2)));
        holder.pin = Some(Pin { tried, result: PinResult::Taken, failures: 0, dropped });
        (holder.read_start, holder.path, holder.installed) = (Some(self.at(0) + 2), Path::Direct, true);
        let mut waiter = self.fault(1, self.at(0) + 10, self.at(5), self.count(2, 2));
        waiter.pin = Some(Pin { tried: self.at(1), result: PinResult::Held, failures: 1, dropped: None });
        let started =
            |step| Event::Started(Fault { end: self.at(step) + 20, slot: self.count(2, 0), ..waiter.clone() });
        vec![
            started(0),
            started(1),
            change(ChangeKind::Freed, self.at(2), 1, &holder, self.count(2, 0)),
            Event::Ended(holder.clone()),
            started(4),
            Event::Ended(waiter.clone()),
        ]
    }
}

/// A change of the entry of the fault that makes it.
fn change(kind: ChangeKind, at: Nanos, seq: u32, by: &Fault, slot: SlotCount) -> Event {
    Event::Changed(Change { kind, entry: by.entry, at, seq, by: by.task.clone(), slot })
}
