//! Bytes back into events.

use super::{LATEST, count, field, flag, foretold, is_plausible, kind, lock, path_of, pin, seen, word};
use crate::{
    model::{Model, Opened, Slot},
    varint::Input as Bytes,
};
use observer_engine::event::{Change, ChangeKind, Entry, Event, Fault, Task};
use observer_observation::input::Input;

/// Turns the bytes of one frame back into events.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    model: Model,
}

impl Decoder {
    /// Starts a new frame.
    pub(crate) fn clear(&mut self) {
        self.model.clear();
    }

    /// The next input. `None`: the bytes make no sense.
    pub(crate) fn next(&mut self, bytes: &mut Bytes<'_>) -> Option<Input> {
        let head = bytes.byte()?;
        match head & kind::MASK {
            kind::ADVANCE => {
                self.model.at = bytes.delta(self.model.at)?;
                Some(Input::Advance(self.model.at))
            }
            kind::OPENED => Some(Input::Event(Event::Started(self.fault(head, bytes)?))),
            kind::CLOSED => Some(Input::Event(Event::Ended(self.fault(head, bytes)?))),
            _ => Some(Input::Event(Event::Changed(self.change(head, bytes)?))),
        }
    }

    fn fault(&mut self, head: u8, bytes: &mut Bytes<'_>) -> Option<Fault> {
        let index = self.task(bytes)?;
        let (known, before) = self.model.task(index);
        let continued = if head & flag::CONTINUES == 0 { None } else { Some(before?) };
        let slot = match continued {
            Some(open) => self.model.touch(open.entry),
            None => self.entry(bytes)?,
        };
        let end = bytes.delta(self.model.at)?;
        let start = match continued {
            Some(open) => open.start,
            None => bytes.delta(end)?,
        };
        let fields = bytes.number()?;
        let kind = head & kind::MASK;
        let mut fault = foretold(&slot, kind, continued.as_ref(), start, end);
        fault.task = self.model.task_of(index)?;
        fault.path = path_of(head);
        fault.installed = head & flag::INSTALLED != 0;
        let space = self.fields(bytes, fields, &slot, known, continued.as_ref(), &mut fault)?;
        self.model.fault(index, space, &fault, kind == kind::OPENED);
        is_plausible(&fault).then_some(fault)
    }

    fn fields(
        &mut self,
        bytes: &mut Bytes<'_>,
        fields: u64,
        slot: &Slot,
        known: Option<u32>,
        continued: Option<&Opened>,
        fault: &mut Fault,
    ) -> Option<u32> {
        let has = |bit| fields & bit != 0;
        if has(field::RANGE) {
            fault.base.0 = bytes.delta(fault.entry.0)?;
            fault.nr = bytes.word()?;
        }
        if has(field::ADDRESS) {
            fault.address = bytes.delta(slot.address)?;
        }
        let space = if has(field::SPACE) { self.space(bytes)? } else { continued.map(|open| open.space).or(known)? };
        (fault.mm, fault.cgroup) = self.model.space_of(space)?;
        if has(field::READ_START) {
            fault.read_start = Some(bytes.delta(fault.start)?);
        }
        if has(field::READ_END) {
            fault.read_end = Some(bytes.delta(fault.read_start.unwrap_or(fault.start))?);
        }
        if has(field::PIN) {
            fault.pin = Some(pin(bytes, fault.start)?);
        }
        if has(field::SLOT) {
            fault.slot = count(bytes, slot.count)?;
        }
        if has(field::FREES) {
            fault.frees = seen(bytes, slot.frees)?;
        }
        if has(field::CHANGES) {
            fault.changes = seen(bytes, slot.changes)?;
        }
        if has(field::FREED) {
            fault.freed = Some(bytes.delta(fault.end)?);
        }
        if has(field::FAULT_RET) {
            fault.fault_ret = bytes.word()?;
        }
        let mut more = fields & !(field::LOCK - 1);
        while more != 0 {
            let content = Bytes::new(bytes.bytes()?);
            if has(field::LOCK) && fault.lock.is_none() {
                fault.lock = Some(lock(content, fault.start)?);
            }
            more &= more - 1;
        }
        Some(space)
    }

    fn change(&mut self, head: u8, bytes: &mut Bytes<'_>) -> Option<Change> {
        let kind = match head & kind::MASK {
            kind::FREED => ChangeKind::Freed,
            kind::ALLOCATED => ChangeKind::Allocated,
            kind::WRITE_STARTED => ChangeKind::WriteStarted,
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
            None => Entry(bytes.delta(self.model.last_entry())?),
        };
        Some(self.model.touch(entry))
    }
}
