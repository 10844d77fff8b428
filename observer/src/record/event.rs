//! Events in few bytes. What can be foretold from the events before is left out: a task's name, the entry that was
//! spoken of just now, the counters of its slot. Every frame begins anew, so that it can be read without those before.

use std::{collections::HashMap, fmt::Write as _};

use super::{
    model::{Model, Opened, Slot},
    varint::{Input as Bytes, put, put_bytes, put_delta},
};
use crate::{
    engine::event::{Change, ChangeKind, Event, Flight, Nanos, Path, Pin, PinResult, Seen, SlotCount, Task},
    source::Input,
};

/// Lowest three bits of an event's first byte: its kind.
mod kind {
    pub(super) const ADVANCE: u8 = 0;
    pub(super) const OPENED: u8 = 1;
    pub(super) const CLOSED: u8 = 2;
    pub(super) const FREED: u8 = 3;
    pub(super) const HANDED_OUT: u8 = 4;
    pub(super) const WRITTEN: u8 = 5;
    pub(super) const WRITE_BEGUN: u8 = 6;
    pub(super) const MASK: u8 = 7;
}

/// The other bits of a flight's first byte.
mod flag {
    pub(super) const DIRECT: u8 = 1 << 3;
    pub(super) const CACHED: u8 = 1 << 4;
    pub(super) const INSTALLED: u8 = 1 << 5;
    /// It goes on with the flight that this task opened last: entry, range, page, space and begin are those.
    pub(super) const CONTINUES: u8 = 1 << 6;
    /// Of a change: its slot or number is not as foretold.
    pub(super) const SURPRISE: u8 = 1 << 7;
}

/// What a flight's fields say beyond what was foretold: bits of a number.
mod field {
    pub(super) const READ_BEGIN: u64 = 1;
    pub(super) const READ_END: u64 = 1 << 1;
    pub(super) const PIN: u64 = 1 << 2;
    pub(super) const SLOT: u64 = 1 << 3;
    pub(super) const FREES: u64 = 1 << 4;
    pub(super) const CHANGES: u64 = 1 << 5;
    pub(super) const FREED: u64 = 1 << 6;
    pub(super) const ADDRESS: u64 = 1 << 7;
    pub(super) const SPACE: u64 = 1 << 8;
    pub(super) const RANGE: u64 = 1 << 9;
    pub(super) const FAULT_RET: u64 = 1 << 10;
}

/// Turns events into bytes, frame by frame.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    out: Vec<u8>,
    model: Model,
    tasks: HashMap<u32, u32>,
    spaces: HashMap<(u64, u64), u32>,
}

impl Encoder {
    /// What has been encoded since the last [`Encoder::clear`].
    pub(super) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Begins a new frame.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.model.clear();
        self.tasks.clear();
        self.spaces.clear();
    }

    /// Adds the time that the engine is told.
    pub(super) fn advance(&mut self, until: Nanos) {
        self.out.push(kind::ADVANCE);
        put_delta(&mut self.out, until, self.model.at);
        self.model.at = until;
    }

    /// Adds an event.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Opened(flight) => self.flight(kind::OPENED, flight),
            Event::Closed(flight) => self.flight(kind::CLOSED, flight),
            Event::Changed(change) => self.change(change),
        }
    }

    fn flight(&mut self, kind: u8, flight: &Flight) {
        let head = self.out.len();
        self.out.push(kind | path_bits(flight.path) | if flight.installed { flag::INSTALLED } else { 0 });
        let task = self.task(&flight.task);
        let space = self.space(flight);
        let (known, before) = self.model.task(task);
        let continued = before.filter(|open| open.is_of(flight, space) && self.model.knows(flight.entry));
        let slot = if continued.is_some() {
            if let Some(first) = self.out.get_mut(head) {
                *first |= flag::CONTINUES;
            }
            self.model.touch(flight.entry)
        } else {
            self.entry(flight.entry.0)
        };
        put_delta(&mut self.out, flight.end, self.model.at);
        if continued.is_none() {
            put_delta(&mut self.out, flight.begin, flight.end);
        }
        let fields = fields(flight, &slot, kind, continued.is_some(), known != Some(space));
        put(&mut self.out, fields);
        self.fields(flight, fields, &slot, space);
        self.model.flight(task, space, flight, kind == kind::OPENED);
    }

    fn fields(&mut self, flight: &Flight, fields: u64, slot: &Slot, space: u32) {
        let has = |bit| fields & bit != 0;
        let out = &mut self.out;
        if has(field::RANGE) {
            put_delta(out, flight.base.0, flight.entry.0);
            put(out, u64::from(flight.nr));
        }
        if has(field::ADDRESS) {
            put_delta(out, flight.address, slot.address);
        }
        if has(field::SPACE) {
            put(out, u64::from(space));
            if self.model.add_space(space, (flight.mm, flight.cgroup)) {
                out.extend_from_slice(&flight.mm.to_le_bytes());
                put(out, flight.cgroup);
            }
        }
        if let Some(at) = flight.read_begin {
            put_delta(out, at, flight.begin);
        }
        if let Some(at) = flight.read_end {
            put_delta(out, at, flight.read_begin.unwrap_or(flight.begin));
        }
        if let Some(pin) = flight.pin {
            out.push(pin_bits(&pin));
            put_delta(out, pin.tried, flight.begin);
            put(out, u64::from(pin.fails));
            if let Some(at) = pin.dropped {
                put_delta(out, at, pin.tried);
            }
        }
        if has(field::SLOT) {
            put_count(out, flight.slot, slot.count);
        }
        if has(field::FREES) {
            put_seen(out, flight.frees, slot.frees);
        }
        if has(field::CHANGES) {
            put_seen(out, flight.changes, slot.changes);
        }
        if let Some(at) = flight.freed {
            put_delta(out, at, flight.end);
        }
        if has(field::FAULT_RET) {
            put(out, u64::from(flight.fault_ret));
        }
    }

    fn change(&mut self, change: &Change) {
        let head = self.out.len();
        self.out.push(change_bits(change.kind));
        self.task(&change.by);
        let slot = self.entry(change.entry.0);
        put_delta(&mut self.out, change.at, self.model.at);
        if slot.count != change.slot || slot.next_seq(change.kind) != change.seq {
            if let Some(first) = self.out.get_mut(head) {
                *first |= flag::SURPRISE;
            }
            put_count(&mut self.out, change.slot, slot.count);
            put_word(&mut self.out, change.seq, slot.next_seq(change.kind));
        }
        self.model.change(change);
    }

    /// Writes which task; a new one with its name.
    fn task(&mut self, task: &Task) -> u32 {
        let known = self.tasks.get(&task.tid).copied();
        if let Some(index) = known.filter(|index| self.model.is_task(*index, task)) {
            put(&mut self.out, u64::from(index));
            return index;
        }
        let index = self.model.add_task(task.clone());
        self.tasks.insert(task.tid, index);
        put(&mut self.out, u64::from(index));
        put(&mut self.out, u64::from(task.tid));
        put(&mut self.out, u64::from(task.pid));
        let mut comm = String::new();
        // Writing to a String cannot fail.
        let _ = write!(comm, "{}", task.comm);
        put_bytes(&mut self.out, comm.as_bytes());
        index
    }

    /// The number of a flight's address space and control group; written where it is used.
    fn space(&mut self, flight: &Flight) -> u32 {
        let next = self.model.spaces();
        *self.spaces.entry((flight.mm, flight.cgroup)).or_insert(next)
    }

    /// Writes which entry.
    fn entry(&mut self, entry: u64) -> Slot {
        let (place, last) = self.model.place(entry);
        if let Some(place) = place {
            put(&mut self.out, place as u64 + 1);
        } else {
            self.out.push(0);
            put_delta(&mut self.out, entry, last);
        }
        self.model.touch(crate::engine::event::Entry(entry))
    }
}

/// Turns the bytes of one frame back into events.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    model: Model,
}

impl Decoder {
    /// Begins a new frame.
    pub(super) fn clear(&mut self) {
        self.model.clear();
    }

    /// The next input. `None`: the bytes make no sense.
    pub(super) fn next(&mut self, bytes: &mut Bytes<'_>) -> Option<Input> {
        let head = bytes.byte()?;
        match head & kind::MASK {
            kind::ADVANCE => {
                self.model.at = bytes.delta(self.model.at)?;
                Some(Input::Advance(self.model.at))
            }
            kind::OPENED => Some(Input::Event(Event::Opened(Box::new(self.flight(head, bytes)?)))),
            kind::CLOSED => Some(Input::Event(Event::Closed(Box::new(self.flight(head, bytes)?)))),
            _ => Some(Input::Event(Event::Changed(Box::new(self.change(head, bytes)?)))),
        }
    }

    fn flight(&mut self, head: u8, bytes: &mut Bytes<'_>) -> Option<Flight> {
        let index = self.task(bytes)?;
        let (known, before) = self.model.task(index);
        let continued = if head & flag::CONTINUES == 0 { None } else { Some(before?) };
        let slot = match continued {
            Some(open) => self.model.touch(open.entry),
            None => self.entry(bytes)?,
        };
        let end = bytes.delta(self.model.at)?;
        let begin = match continued {
            Some(open) => open.begin,
            None => bytes.delta(end)?,
        };
        let fields = bytes.number()?;
        let kind = head & kind::MASK;
        let mut flight = foretold(&slot, kind, continued.as_ref(), begin, end);
        flight.task = self.model.task_of(index)?;
        flight.path = path_of(head);
        flight.installed = head & flag::INSTALLED != 0;
        let space = self.fields(bytes, fields, &slot, known, continued.as_ref(), &mut flight)?;
        self.model.flight(index, space, &flight, kind == kind::OPENED);
        is_plausible(&flight).then_some(flight)
    }

    fn fields(
        &mut self,
        bytes: &mut Bytes<'_>,
        fields: u64,
        slot: &Slot,
        known: Option<u32>,
        continued: Option<&Opened>,
        flight: &mut Flight,
    ) -> Option<u32> {
        let has = |bit| fields & bit != 0;
        if has(field::RANGE) {
            flight.base.0 = bytes.delta(flight.entry.0)?;
            flight.nr = bytes.word()?;
        }
        if has(field::ADDRESS) {
            flight.address = bytes.delta(slot.address)?;
        }
        let space = if has(field::SPACE) { self.space(bytes)? } else { continued.map(|open| open.space).or(known)? };
        (flight.mm, flight.cgroup) = self.model.space_of(space)?;
        if has(field::READ_BEGIN) {
            flight.read_begin = Some(bytes.delta(flight.begin)?);
        }
        if has(field::READ_END) {
            flight.read_end = Some(bytes.delta(flight.read_begin.unwrap_or(flight.begin))?);
        }
        if has(field::PIN) {
            flight.pin = Some(pin(bytes, flight.begin)?);
        }
        if has(field::SLOT) {
            flight.slot = count(bytes, slot.count)?;
        }
        if has(field::FREES) {
            flight.frees = seen(bytes, slot.frees)?;
        }
        if has(field::CHANGES) {
            flight.changes = seen(bytes, slot.changes)?;
        }
        if has(field::FREED) {
            flight.freed = Some(bytes.delta(flight.end)?);
        }
        if has(field::FAULT_RET) {
            flight.fault_ret = bytes.word()?;
        }
        Some(space)
    }

    fn change(&mut self, head: u8, bytes: &mut Bytes<'_>) -> Option<Change> {
        let kind = match head & kind::MASK {
            kind::FREED => ChangeKind::Freed,
            kind::HANDED_OUT => ChangeKind::HandedOut,
            kind::WRITE_BEGUN => ChangeKind::WriteBegun,
            kind::WRITTEN => ChangeKind::Written,
            _ => return None,
        };
        let task = self.task(bytes)?;
        let slot = self.entry(bytes)?;
        let at = bytes.delta(self.model.at)?;
        let (mut counted, mut seq) = (slot.count, slot.next_seq(kind));
        if head & flag::SURPRISE != 0 {
            counted = count(bytes, slot.count)?;
            seq = word(bytes, seq)?;
        }
        let change = Change { kind, entry: slot.entry, at, seq, by: self.model.task_of(task)?, slot: counted };
        self.model.change(&change);
        (change.at < LATEST).then_some(change)
    }

    fn task(&mut self, bytes: &mut Bytes<'_>) -> Option<u32> {
        let index = bytes.word()?;
        if index == self.model.tasks() {
            let (tid, pid) = (bytes.word()?, bytes.word()?);
            let comm = std::str::from_utf8(bytes.bytes()?).ok()?;
            self.model.add_task(Task { tid, pid, comm: comm.into() });
        }
        (index < self.model.tasks()).then_some(index)
    }

    fn space(&mut self, bytes: &mut Bytes<'_>) -> Option<u32> {
        let index = bytes.word()?;
        if index == self.model.spaces() {
            let mut mm = [0; 8];
            for byte in &mut mm {
                *byte = bytes.byte()?;
            }
            self.model.add_space(index, (u64::from_le_bytes(mm), bytes.number()?));
        }
        (index < self.model.spaces()).then_some(index)
    }

    fn entry(&mut self, bytes: &mut Bytes<'_>) -> Option<Slot> {
        let entry = match bytes.number()?.checked_sub(1) {
            Some(place) => self.model.at_place(usize::try_from(place).ok()?)?,
            None => crate::engine::event::Entry(bytes.delta(self.model.last_entry())?),
        };
        Some(self.model.touch(entry))
    }
}

/// No clock that counts from boot comes here: 36 years. Sums of times stay far from the end of their type. Nanoseconds.
const LATEST: Nanos = 1 << 60;

/// Whether a flight can be reckoned with: somebody may have made it up.
fn is_plausible(flight: &Flight) -> bool {
    let pin = flight.pin.map_or([None; 2], |pin| [Some(pin.tried), pin.dropped]);
    let times = [Some(flight.begin), Some(flight.end), flight.read_begin, flight.read_end, flight.freed];
    flight.base.0.checked_add(flight.nr.into()).is_some()
        && flight.nr > 0
        && times.iter().chain(&pin).flatten().all(|at| *at < LATEST)
}

/// A flight as far as it can be foretold.
fn foretold(slot: &Slot, kind: u8, continued: Option<&Opened>, begin: Nanos, end: Nanos) -> Flight {
    Flight {
        entry: slot.entry,
        base: continued.map_or(slot.entry, |open| open.base),
        nr: continued.map_or(1, |open| open.nr),
        address: continued.map_or(slot.address, |open| open.address),
        begin,
        end,
        slot: slot.next_count(kind == kind::CLOSED),
        frees: Seen { at_read: slot.frees, at_end: slot.frees },
        changes: Seen { at_read: slot.changes, at_end: slot.changes },
        ..Flight::default()
    }
}

/// Which fields are not as foretold.
fn fields(flight: &Flight, slot: &Slot, kind: u8, continues: bool, other_space: bool) -> u64 {
    let same = |seen: Seen, seq| seen == Seen { at_read: seq, at_end: seq };
    [
        (field::READ_BEGIN, flight.read_begin.is_some()),
        (field::READ_END, flight.read_end.is_some()),
        (field::PIN, flight.pin.is_some()),
        (field::SLOT, flight.slot != slot.next_count(kind == kind::CLOSED)),
        (field::FREES, !same(flight.frees, slot.frees)),
        (field::CHANGES, !same(flight.changes, slot.changes)),
        (field::FREED, flight.freed.is_some()),
        (field::ADDRESS, !continues && flight.address != slot.address),
        (field::SPACE, !continues && other_space),
        (field::RANGE, !continues && (flight.base, flight.nr) != (flight.entry, 1)),
        (field::FAULT_RET, flight.fault_ret != 0),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .fold(0, |bits, (bit, _)| bits | bit)
}

const fn path_bits(path: Path) -> u8 {
    match path {
        Path::Direct => flag::DIRECT,
        Path::Cached => flag::CACHED,
        Path::None => 0,
    }
}

const fn path_of(head: u8) -> Path {
    match (head & flag::DIRECT, head & flag::CACHED) {
        (0, 0) => Path::None,
        (0, _) => Path::Cached,
        _ => Path::Direct,
    }
}

const fn change_bits(change: ChangeKind) -> u8 {
    match change {
        ChangeKind::Freed => kind::FREED,
        ChangeKind::HandedOut => kind::HANDED_OUT,
        ChangeKind::WriteBegun => kind::WRITE_BEGUN,
        ChangeKind::Written => kind::WRITTEN,
    }
}

/// Set in a pin's byte: it has been dropped. The lowest two bits are its result.
const DROPPED: u8 = 1 << 2;

fn pin_bits(pin: &Pin) -> u8 {
    let result = match pin.result {
        PinResult::Taken => 0,
        PinResult::Held => 1,
        PinResult::Gone => 2,
    };
    if pin.dropped.is_some() { result | DROPPED } else { result }
}

fn pin(bytes: &mut Bytes<'_>, begin: Nanos) -> Option<Pin> {
    let head = bytes.byte()?;
    let result = match head & !DROPPED {
        0 => PinResult::Taken,
        1 => PinResult::Held,
        2 => PinResult::Gone,
        _ => return None,
    };
    let (tried, fails) = (bytes.delta(begin)?, bytes.word()?);
    let dropped = if head & DROPPED == 0 { None } else { Some(bytes.delta(tried)?) };
    Some(Pin { tried, result, fails, dropped })
}

fn put_word(out: &mut Vec<u8>, value: u32, from: u32) {
    put_delta(out, u64::from(value), u64::from(from));
}

fn word(bytes: &mut Bytes<'_>, from: u32) -> Option<u32> {
    u32::try_from(bytes.delta(u64::from(from))?).ok()
}

fn put_count(out: &mut Vec<u8>, count: SlotCount, from: SlotCount) {
    put_word(out, count.opens, from.opens);
    put_word(out, count.closes, from.closes);
}

fn count(bytes: &mut Bytes<'_>, from: SlotCount) -> Option<SlotCount> {
    Some(SlotCount { opens: word(bytes, from.opens)?, closes: word(bytes, from.closes)? })
}

fn put_seen(out: &mut Vec<u8>, seen: Seen, from: u32) {
    put_word(out, seen.at_read, from);
    put_word(out, seen.at_end, seen.at_read);
}

fn seen(bytes: &mut Bytes<'_>, from: u32) -> Option<Seen> {
    let at_read = word(bytes, from)?;
    Some(Seen { at_read, at_end: word(bytes, at_read)? })
}
