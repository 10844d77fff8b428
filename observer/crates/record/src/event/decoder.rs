//! Decodes the events of a frame.

use super::{LATEST, count, field, flag, is_plausible, kind, lock, path_of, pin, predicted, seen, word};
use crate::{
    legacy::AddressSpaces,
    prediction::{Prediction, Slot, Started},
    varint::Input as Bytes,
};
use observer_engine::event::{Change, ChangeKind, Comm, Entry, Event, Fault, Task};
use observer_observation::Input;

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    prediction: Prediction,
    /// Of a file that has addresses of address spaces.
    spaces: Option<AddressSpaces>,
}

impl Decoder {
    /// For files that have the addresses of address spaces rather than their numbers.
    pub(crate) fn legacy() -> Self {
        Self { spaces: Some(AddressSpaces::default()), ..Self::default() }
    }

    /// Takes over the numbers of address spaces from the decoder of the previous part.
    pub(crate) fn take_spaces(&mut self, previous: &mut Self) {
        if self.spaces.is_some() && previous.spaces.is_some() {
            self.spaces = previous.spaces.take();
        }
    }

    /// Must be called at the start of each frame.
    pub(crate) fn clear(&mut self) {
        self.prediction.clear();
    }

    /// The next input. `None`: the bytes are not valid.
    pub(crate) fn next(&mut self, bytes: &mut Bytes<'_>) -> Option<Input> {
        let head = bytes.byte()?;
        match head & kind::MASK {
            kind::ADVANCE => {
                self.prediction.at = bytes.delta(self.prediction.at)?;
                Some(Input::Advance(self.prediction.at))
            }
            kind::FAULT_STARTED => Some(Input::Event(Event::Started(self.fault(head, bytes)?))),
            kind::FAULT_ENDED => Some(Input::Event(Event::Ended(self.fault(head, bytes)?))),
            _ => Some(Input::Event(Event::Changed(self.change(head, bytes)?))),
        }
    }

    fn fault(&mut self, head: u8, bytes: &mut Bytes<'_>) -> Option<Fault> {
        let index = self.task(bytes)?;
        let (known, before) = self.prediction.last_of_task(index);
        let continued = if head & flag::CONTINUES == 0 { None } else { Some(before?) };
        let slot = match continued {
            Some(started) => self.prediction.touch(started.entry),
            None => self.entry(bytes)?,
        };
        let end = bytes.delta(self.prediction.at)?;
        let start = match continued {
            Some(started) => started.start,
            None => bytes.delta(end)?,
        };
        let fields = bytes.number()?;
        let kind = head & kind::MASK;
        let mut fault = predicted(&slot, kind, continued.as_ref(), start, end);
        fault.task = self.prediction.task(index)?;
        fault.path = path_of(head);
        fault.installed = head & flag::INSTALLED != 0;
        let space = self.fields(bytes, fields, &slot, known, continued.as_ref(), &mut fault)?;
        self.prediction.apply_fault(index, space, &fault, kind == kind::FAULT_STARTED);
        is_plausible(&fault).then_some(fault)
    }

    fn fields(
        &mut self,
        bytes: &mut Bytes<'_>,
        fields: u64,
        slot: &Slot,
        known: Option<u32>,
        continued: Option<&Started>,
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
        let space =
            if has(field::SPACE) { self.space(bytes)? } else { continued.map(|started| started.space).or(known)? };
        (fault.mm, fault.cgroup) = self.prediction.space(space)?;
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
        let at = bytes.delta(self.prediction.at)?;
        let (mut counted, mut seq) = (slot.count, slot.next_seq(kind));
        if head & flag::UNPREDICTED != 0 {
            counted = count(bytes, slot.count)?;
            seq = word(bytes, seq)?;
        }
        let change = Change { kind, entry: slot.entry, at, seq, by: self.prediction.task(task)?, slot: counted };
        self.prediction.apply_change(&change);
        (change.at < LATEST).then_some(change)
    }

    fn task(&mut self, bytes: &mut Bytes<'_>) -> Option<u32> {
        let index = bytes.word()?;
        if index == self.prediction.task_count() {
            let (tid, pid) = (bytes.word()?, bytes.word()?);
            let comm = std::str::from_utf8(bytes.bytes()?).ok()?;
            self.prediction.add_task(Task { tid, pid, comm: Comm::from_escaped(comm) });
        }
        (index < self.prediction.task_count()).then_some(index)
    }

    fn space(&mut self, bytes: &mut Bytes<'_>) -> Option<u32> {
        let index = bytes.word()?;
        if index == self.prediction.space_count() {
            let mut mm = [0; 8];
            for byte in &mut mm {
                *byte = bytes.byte()?;
            }
            let mm = u64::from_le_bytes(mm);
            let mm = self.spaces.as_mut().map_or(mm, |spaces| spaces.number(mm));
            self.prediction.add_space(index, (mm, bytes.number()?));
        }
        (index < self.prediction.space_count()).then_some(index)
    }

    fn entry(&mut self, bytes: &mut Bytes<'_>) -> Option<Slot> {
        let entry = match bytes.number()?.checked_sub(1) {
            Some(place) => self.prediction.entry_at(usize::try_from(place).ok()?)?,
            None => Entry(bytes.delta(self.prediction.last_entry().0)?),
        };
        Some(self.prediction.touch(entry))
    }
}
