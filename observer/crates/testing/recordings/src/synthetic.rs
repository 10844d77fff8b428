//! A simulated swap device: tasks fault, pin, free, allocate and write, and the programs' events follow. The same seed
//! gives the same inputs.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use observer_engine::event::{
    Change, ChangeKind, Entry, Event, Fault, Nanos, Path, Pin, PinResult, SequenceSpan, SlotCount, Task,
};
use observer_observation::Input;

/// Time of the first event, nanoseconds.
pub const START: Nanos = 5_000_000_000;
/// Time between two `Advance` inputs, nanoseconds.
const TICK: Nanos = 100_000_000;

const FIRST_TID: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Op {
    Start,
    Pin(bool),
    Read,
    ReadEnd,
    Drop,
    /// The fault frees its entry.
    Free,
    Allocate,
    WriteStart,
    Write,
    End,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    count: SlotCount,
    frees: u32,
    changes: u32,
}

pub struct Synthetic {
    random: u64,
    ops: BinaryHeap<Reverse<(Nanos, usize, usize, Op)>>,
    faults: HashMap<usize, Fault>,
    slots: HashMap<u32, Slot>,
    ids: usize,
    next_story: Nanos,
    next_tick: Nanos,
    between: Nanos,
    out: std::collections::VecDeque<Input>,
    entries: u64,
    /// The time up to which each task is in a page fault.
    busy: Vec<Nanos>,
}

impl Synthetic {
    /// Produces about this many events per second, on this many entries.
    pub fn new(seed: u64, events_per_second: u64, entries: u64) -> Self {
        // A story has about 5.3 events on average.
        let between = 5_300_000_000 / events_per_second;
        Self {
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            ops: BinaryHeap::new(),
            faults: HashMap::new(),
            slots: HashMap::new(),
            ids: 0,
            next_story: START,
            next_tick: START + TICK,
            between,
            out: std::collections::VecDeque::new(),
            entries,
            busy: Vec::new(),
        }
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.random() >> 16) % bound
    }

    fn at(&mut self, at: Nanos, id: usize, op: Op) {
        self.ids += 1;
        if matches!(op, Op::End | Op::Write)
            && let Some(fault) = self.faults.get(&id)
            && let Some(busy) = self.busy.get_mut((fault.task.tid - FIRST_TID) as usize)
        {
            *busy = at;
        }
        self.ops.push(Reverse((at, self.ids, id, op)));
    }

    /// A task that is in no page fault at this time, or a new one.
    fn task(&mut self, from: Nanos) -> Task {
        let known = self.busy.len();
        let start = usize::try_from(self.below(48)).unwrap_or(0);
        let free = (0..known).map(|step| (start + step) % known).find(|index| self.busy.get(*index) <= Some(&from));
        let index = free.filter(|_| known >= 8).unwrap_or(known);
        if index == known {
            self.busy.push(0);
        }
        if let Some(busy) = self.busy.get_mut(index) {
            *busy = Nanos::MAX;
        }
        let number = u32::try_from(index).unwrap_or(0);
        let comm = match number % 4 {
            0 => "redis-server",
            1 => "java",
            2 => "postgres",
            _ => "stress",
        };
        Task { tid: FIRST_TID + number, pid: FIRST_TID + number % 4, comm: comm.into() }
    }

    fn fault(&mut self, from: Nanos, entry: Entry, address: u64, path: Path) -> usize {
        self.ids += 1;
        let task = self.task(from);
        let (mm, cgroup) = (1 + u64::from(task.pid % 4), 40 + u64::from(task.pid % 2));
        let fault = Fault { entry, base: entry, nr: 1, address, mm, cgroup, task, path, ..Fault::default() };
        self.faults.insert(self.ids, fault);
        self.ids
    }

    fn installs(&mut self, id: usize) {
        if let Some(fault) = self.faults.get_mut(&id) {
            fault.installed = true;
        }
    }

    /// Two or three tasks fault on one page. In one story of 50 a slow reader is overtaken.
    fn story(&mut self, from: Nanos) {
        let entry = Entry::new(0, self.below(self.entries));
        let address = 0x7f00_0000_0000 + entry.offset() * 4096 + self.below(4096);
        match self.below(50) {
            0 => self.overtaken(from, entry, address),
            1..=24 => self.pinned(from, entry, address),
            _ => self.crowd(from, entry, address),
        }
    }

    fn overtaken(&mut self, from: Nanos, entry: Entry, address: u64) {
        let slow = self.fault(from, entry, address, Path::Direct);
        let fast = self.fault(from, entry, address, Path::Direct);
        let read = 3_000 + self.below(5_000);
        self.at(from, slow, Op::Start);
        self.at(from + 300, slow, Op::Read);
        self.at(from + 500, fast, Op::Start);
        self.at(from + 700, fast, Op::Read);
        self.at(from + read, slow, Op::ReadEnd);
        self.at(from + read + 200, fast, Op::ReadEnd);
        self.at(from + read + 900, fast, Op::Free);
        self.at(from + read + 1_000, fast, Op::End);
        let fate = self.below(3);
        if fate > 0 {
            // Only the task that swaps the page out again; its fault never starts.
            let swapper = self.fault(from, entry, address, Path::None);
            self.at(from + read + 40_000, swapper, Op::Allocate);
            self.at(from + read + 45_000, swapper, Op::WriteStart);
            self.at(from + read + 50_000, swapper, Op::Write);
        }
        let late = from + read + 400_000 + self.below(1_000_000);
        if fate == 2 {
            self.installs(slow);
            self.at(late - 500, slow, Op::Free);
        }
        self.at(late, slow, Op::End);
    }

    fn pinned(&mut self, from: Nanos, entry: Entry, address: u64) {
        let holder = self.fault(from, entry, address, Path::Direct);
        let loser = self.fault(from, entry, address, Path::None);
        let read = 2_000 + self.below(9_000);
        self.at(from, holder, Op::Start);
        self.at(from + 150, holder, Op::Pin(true));
        self.at(from + 300, holder, Op::Read);
        let late = 400 + self.below(1_500);
        self.at(from + late, loser, Op::Start);
        self.at(from + late + 130, loser, Op::Pin(false));
        self.at(from + read, holder, Op::ReadEnd);
        self.installs(holder);
        self.at(from + read + 800, holder, Op::Free);
        self.at(from + read + 1_000, holder, Op::Drop);
        self.at(from + read + 1_300, holder, Op::End);
        let sleep = self.below(4_000_000);
        self.at(from + read + 1_000 + sleep, loser, Op::End);
    }

    fn crowd(&mut self, from: Nanos, entry: Entry, address: u64) {
        let tasks = 2 + self.below(2);
        for number in 0..tasks {
            let fault = self.fault(from, entry, address + number * 8, Path::Cached);
            let start = from + number * 700 + self.below(600);
            self.at(start, fault, Op::Start);
            let late = self.below(100);
            self.at(start + 200 + late, fault, Op::Read);
            if number == 0 {
                self.installs(fault);
            }
            let read = 4_000 + self.below(20_000);
            self.at(start + read, fault, Op::ReadEnd);
            self.at(start + read + 600, fault, Op::End);
        }
    }

    fn slot(&mut self, entry: Entry) -> &mut Slot {
        self.slots.entry(observer_ebpf::slot::index(entry.0)).or_default()
    }

    fn apply(&mut self, at: Nanos, id: usize, op: Op) {
        let Some(mut fault) = self.faults.remove(&id) else { return };
        let entry = fault.entry;
        match op {
            Op::Start => self.start(at, &mut fault),
            Op::Pin(taken) => {
                let (result, fails) = if taken { (PinResult::Taken, 0) } else { (PinResult::Held, 1) };
                fault.pin = Some(Pin { tried: at, result, failures: fails, dropped: None });
            }
            Op::Read => {
                let slot = *self.slot(entry);
                fault.read_start = Some(at);
                fault.frees.at_read = slot.frees;
                fault.changes.at_read = slot.changes;
            }
            Op::ReadEnd => fault.read_end = Some(at),
            Op::Drop => {
                if let Some(pin) = &mut fault.pin {
                    pin.dropped = Some(at);
                }
            }
            Op::Free => {
                let slot = *self.slot(entry);
                (fault.frees.at_end, fault.changes.at_end) = (slot.frees, slot.changes);
                fault.freed = Some(at);
                self.change(ChangeKind::Freed, at, &fault);
            }
            Op::Allocate => self.change(ChangeKind::Allocated, at, &fault),
            Op::WriteStart => self.change(ChangeKind::WriteStarted, at, &fault),
            Op::Write => {
                self.change(ChangeKind::Written, at, &fault);
                return;
            }
            Op::End => {
                self.end(at, &mut fault);
                return;
            }
        }
        self.faults.insert(id, fault);
    }

    fn start(&mut self, at: Nanos, fault: &mut Fault) {
        let slot = self.slot(fault.entry);
        slot.count.starts += 1;
        let slot = *slot;
        fault.start = at;
        fault.end = at;
        fault.slot = slot.count;
        fault.frees = SequenceSpan { at_read: slot.frees, at_end: slot.frees };
        fault.changes = SequenceSpan { at_read: slot.changes, at_end: slot.changes };
        if slot.count.starts - slot.count.ends > 1 {
            self.out.push_back(Input::Event(Event::Started(Fault {
                path: Path::None,
                installed: false,
                ..fault.clone()
            })));
        }
    }

    fn end(&mut self, at: Nanos, fault: &mut Fault) {
        let slot = self.slot(fault.entry);
        slot.count.ends += 1;
        let slot = *slot;
        fault.end = at;
        fault.slot = slot.count;
        if fault.freed.is_none() {
            (fault.frees.at_end, fault.changes.at_end) = (slot.frees, slot.changes);
        }
        self.out.push_back(Input::Event(Event::Ended(fault.clone())));
    }

    fn change(&mut self, kind: ChangeKind, at: Nanos, by: &Fault) {
        let slot = self.slot(by.entry);
        let seq = if kind == ChangeKind::Freed { &mut slot.frees } else { &mut slot.changes };
        *seq = seq.wrapping_add(1);
        let (seq, count) = (*seq, slot.count);
        if !count.is_idle() {
            let change = Change { kind, entry: by.entry, at, seq, by: by.task.clone(), slot: count };
            self.out.push_back(Input::Event(Event::Changed(change)));
        }
    }
}

impl Iterator for Synthetic {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.out.pop_front() {
                return Some(input);
            }
            while self.ops.peek().is_none_or(|Reverse((at, ..))| *at >= self.next_story) {
                let from = self.next_story;
                self.next_story += self.between / 2 + self.below(self.between);
                self.story(from);
            }
            let Some(Reverse((at, _, id, op))) = self.ops.pop() else { continue };
            if at >= self.next_tick {
                self.out.push_back(Input::Advance(self.next_tick));
                self.next_tick += TICK;
            }
            self.apply(at, id, op);
        }
    }
}
