//! The encoding of events. Values that the preceding events of the frame predict are left out: a task's name, the most
//! recent entry, the counters of its slot. Prediction restarts with each frame, so a frame can be read without the
//! others.

mod decoder;
mod encoder;

pub(crate) use self::{decoder::Decoder, encoder::Encoder};
use crate::{
    prediction::{Slot, Started},
    varint::{Input as Bytes, put_delta},
};
use observer_engine::event::{ChangeKind, Fault, LockWait, Nanos, Path, Pin, PinResult, SequenceSpan, SlotCount};

/// Lowest three bits of an event's first byte.
mod kind {
    pub(super) const ADVANCE: u8 = 0;
    pub(super) const FAULT_STARTED: u8 = 1;
    pub(super) const FAULT_ENDED: u8 = 2;
    pub(super) const FREED: u8 = 3;
    pub(super) const ALLOCATED: u8 = 4;
    pub(super) const WRITTEN: u8 = 5;
    pub(super) const WRITE_STARTED: u8 = 6;
    pub(super) const MASK: u8 = 7;
}

/// Upper five bits of an event's first byte.
mod flag {
    pub(super) const DIRECT: u8 = 1 << 3;
    pub(super) const CACHED: u8 = 1 << 4;
    pub(super) const INSTALLED: u8 = 1 << 5;
    /// Continues the fault that this task started last: entry, range, address, address space and start are the same.
    pub(super) const CONTINUES: u8 = 1 << 6;
    /// Of a change: its slot counters or sequence number differ from the prediction.
    pub(super) const UNPREDICTED: u8 = 1 << 7;
}

/// Fields of a fault that differ from the prediction, as bits of a number.
mod field {
    pub(super) const READ_START: u64 = 1;
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
    /// From this one on each field is preceded by its length, so that a reader can skip fields that it does not know.
    pub(super) const LOCK: u64 = 1 << 11;
}

/// Upper bound of times, nanoseconds: 36 years, which no clock that counts from boot reaches. Sums of such times cannot
/// overflow.
const LATEST: Nanos = 1 << 60;

/// Bound of the numbers of address spaces: JSON numbers are exact below it.
const MAX_SPACE: u64 = 1 << 53;

/// Whether the engine can do arithmetic on this fault. A file may hold any values.
fn is_plausible(fault: &Fault) -> bool {
    let pin = fault.pin.map_or([None; 2], |pin| [Some(pin.tried), pin.dropped]);
    let lock = fault.lock.map_or([None; 2], |lock| [Some(lock.tried), lock.ended]);
    let times = [Some(fault.start), Some(fault.end), fault.read_start, fault.read_end, fault.freed];
    fault.base.0.checked_add(fault.nr.into()).is_some()
        && fault.nr > 0
        && fault.mm < MAX_SPACE
        && times.iter().chain(&pin).chain(&lock).flatten().all(|at| *at < LATEST)
}

fn predicted(slot: &Slot, kind: u8, continued: Option<&Started>, start: Nanos, end: Nanos) -> Fault {
    Fault {
        entry: slot.entry,
        base: continued.map_or(slot.entry, |started| started.base),
        nr: continued.map_or(1, |started| started.nr),
        address: continued.map_or(slot.address, |started| started.address),
        start,
        end,
        slot: slot.next_count(kind == kind::FAULT_ENDED),
        frees: SequenceSpan { at_read: slot.frees, at_end: slot.frees },
        changes: SequenceSpan { at_read: slot.changes, at_end: slot.changes },
        ..Fault::default()
    }
}

fn fields(fault: &Fault, slot: &Slot, kind: u8, continues: bool, other_space: bool) -> u64 {
    let same = |seen: SequenceSpan, seq| seen == SequenceSpan { at_read: seq, at_end: seq };
    [
        (field::READ_START, fault.read_start.is_some()),
        (field::READ_END, fault.read_end.is_some()),
        (field::PIN, fault.pin.is_some()),
        (field::SLOT, fault.slot != slot.next_count(kind == kind::FAULT_ENDED)),
        (field::FREES, !same(fault.frees, slot.frees)),
        (field::CHANGES, !same(fault.changes, slot.changes)),
        (field::FREED, fault.freed.is_some()),
        (field::ADDRESS, !continues && fault.address != slot.address),
        (field::SPACE, !continues && other_space),
        (field::RANGE, !continues && (fault.base, fault.nr) != (fault.entry, 1)),
        (field::FAULT_RET, fault.fault_ret != 0),
        (field::LOCK, fault.lock.is_some()),
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
        ChangeKind::Allocated => kind::ALLOCATED,
        ChangeKind::WriteStarted => kind::WRITE_STARTED,
        ChangeKind::Written => kind::WRITTEN,
    }
}

/// Bit of a pin's byte: the pin has been dropped. The lowest two bits are the result of the try.
const DROPPED: u8 = 1 << 2;

fn pin_bits(pin: &Pin) -> u8 {
    let result = match pin.result {
        PinResult::Taken => 0,
        PinResult::Held => 1,
        PinResult::Gone => 2,
        PinResult::Failed => 3,
    };
    if pin.dropped.is_some() { result | DROPPED } else { result }
}

fn pin(bytes: &mut Bytes<'_>, start: Nanos) -> Option<Pin> {
    let head = bytes.byte()?;
    let result = match head & !DROPPED {
        0 => PinResult::Taken,
        1 => PinResult::Held,
        2 => PinResult::Gone,
        3 => PinResult::Failed,
        _ => return None,
    };
    let (tried, fails) = (bytes.delta(start)?, bytes.word()?);
    let dropped = if head & DROPPED == 0 { None } else { Some(bytes.delta(tried)?) };
    Some(Pin { tried, result, failures: fails, dropped })
}

fn lock_bytes(lock: &LockWait, start: Nanos) -> Vec<u8> {
    let mut out = Vec::new();
    put_delta(&mut out, lock.tried, start);
    if let Some(ended) = lock.ended {
        put_delta(&mut out, ended, lock.tried);
    }
    out
}

fn lock(mut bytes: Bytes<'_>, start: Nanos) -> Option<LockWait> {
    let tried = bytes.delta(start)?;
    let ended = if bytes.is_empty() { None } else { Some(bytes.delta(tried)?) };
    Some(LockWait { tried, ended })
}

fn put_word(out: &mut Vec<u8>, value: u32, from: u32) {
    put_delta(out, u64::from(value), u64::from(from));
}

fn word(bytes: &mut Bytes<'_>, from: u32) -> Option<u32> {
    u32::try_from(bytes.delta(u64::from(from))?).ok()
}

fn put_count(out: &mut Vec<u8>, count: SlotCount, from: SlotCount) {
    put_word(out, count.starts, from.starts);
    put_word(out, count.ends, from.ends);
}

fn count(bytes: &mut Bytes<'_>, from: SlotCount) -> Option<SlotCount> {
    Some(SlotCount { starts: word(bytes, from.starts)?, ends: word(bytes, from.ends)? })
}

fn put_seen(out: &mut Vec<u8>, seen: SequenceSpan, from: u32) {
    put_word(out, seen.at_read, from);
    put_word(out, seen.at_end, seen.at_read);
}

fn seen(bytes: &mut Bytes<'_>, from: u32) -> Option<SequenceSpan> {
    let at_read = word(bytes, from)?;
    Some(SequenceSpan { at_read, at_end: word(bytes, at_read)? })
}
