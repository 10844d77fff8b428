//! A stream of events without end, as a busy machine would send it: ABA stories and pin stories by turns, each on an entry
//! and with threads of its own, one event every half microsecond.

use observer_engine::event::{
    Change, ChangeKind, Entry, Event, Fault, Nanos, Path, Pin, PinResult, Seen, SlotCount, Task,
};

/// Time between two events, nanoseconds.
pub const STEP: Nanos = 500;

/// See the module.
#[derive(Default)]
pub struct Stream {
    story: u64,
    ready: std::collections::VecDeque<Event>,
}

impl Iterator for Stream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.ready.is_empty() {
            let from = self.story * 6 * STEP;
            self.ready.extend(if self.story.is_multiple_of(2) { aba(self.story, from) } else { pin(self.story, from) });
            self.story += 1;
        }
        self.ready.pop_front()
    }
}

fn fault(story: u64, role: u32, start: Nanos, end: Nanos, slot: SlotCount) -> Fault {
    let entry = Entry::new(0, story % 50_000);
    // Threads come back after a while, as they do on a machine.
    let tid = u32::try_from(story % 500).unwrap_or_default() * 2 + role;
    let task = Task { tid, pid: 1, comm: "worker".into() };
    Fault { entry, base: entry, nr: 1, address: story << 12, mm: 1, task, start, end, slot, ..Fault::default() }
}

fn count(story: u64, opens: u32, closes: u32) -> SlotCount {
    // Two faults of every earlier story on this entry.
    let before = u32::try_from(story / 50_000).unwrap_or_default() * 2;
    SlotCount { opens: before + opens, closes: before + closes }
}

/// A reader is overtaken: six events.
fn aba(story: u64, from: Nanos) -> Vec<Event> {
    let at = |step: u64| from + step * STEP;
    let mut victim = fault(story, 0, at(0), at(5), count(story, 2, 2));
    (victim.read_start, victim.read_end, victim.path, victim.installed) =
        (Some(at(0) + 1), Some(at(0) + 2), Path::Direct, true);
    let base = u32::try_from(story / 50_000).unwrap_or_default() * 2;
    victim.frees = Seen { at_read: base, at_end: base + 1 };
    victim.changes = Seen { at_read: base, at_end: base + 2 };
    let mut other = fault(story, 1, at(0) + 10, at(2), count(story, 2, 1));
    (other.read_start, other.path, other.installed) = (Some(at(0) + 20), Path::Direct, true);
    (other.frees, other.changes) = (Seen { at_read: base, at_end: base }, Seen { at_read: base, at_end: base });
    let change = |kind, step, seq| {
        let (by, slot) = (other.task.clone(), count(story, 2, 1));
        Event::Changed(Change { kind, entry: victim.entry, at: at(step), seq: base + seq, by, slot })
    };
    let opened = Event::Started(Fault { end: at(0) + 10, slot: count(story, 2, 0), ..other.clone() });
    vec![
        opened,
        change(ChangeKind::Freed, 1, 1),
        Event::Ended(other.clone()),
        change(ChangeKind::Allocated, 3, 1),
        change(ChangeKind::Written, 4, 2),
        Event::Ended(victim),
    ]
}

/// Two threads lose a pin: six events.
fn pin(story: u64, from: Nanos) -> Vec<Event> {
    let at = |step: u64| from + step * STEP;
    let mut holder = fault(story, 0, at(0), at(3), count(story, 2, 1));
    holder.pin = Some(Pin { tried: at(0) + 1, result: PinResult::Taken, fails: 0, dropped: Some(at(2)) });
    (holder.read_start, holder.path, holder.installed) = (Some(at(0) + 2), Path::Direct, true);
    let mut loser = fault(story, 1, at(0) + 10, at(5), count(story, 2, 2));
    loser.pin = Some(Pin { tried: at(1), result: PinResult::Held, fails: 1, dropped: None });
    let opened =
        |step, fault: &Fault| Event::Started(Fault { end: at(step) + 20, slot: count(story, 2, 0), ..fault.clone() });
    let freed = |seq| {
        let (by, slot) = (holder.task.clone(), count(story, 2, 0));
        Event::Changed(Change { kind: ChangeKind::Freed, entry: holder.entry, at: at(2), seq, by, slot })
    };
    vec![
        opened(0, &loser),
        opened(1, &loser),
        freed(1),
        Event::Ended(holder.clone()),
        opened(4, &loser),
        Event::Ended(loser),
    ]
}
