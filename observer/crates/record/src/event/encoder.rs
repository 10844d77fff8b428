//! Encodes events, frame by frame.

use std::collections::HashMap;

use super::{change_bits, field, fields, flag, kind, lock_bytes, path_bits, pin_bits, put_count, put_seen, put_word};
use crate::{
    prediction::{Prediction, Slot},
    varint::{put, put_bytes, put_delta},
};
use observer_engine::event::{Change, Entry, Event, Fault, Nanos, Task};

#[derive(Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    prediction: Prediction,
    tasks: HashMap<u32, u32>,
    spaces: HashMap<(u64, u64), u32>,
}

impl Encoder {
    /// Bytes encoded since the last [`Encoder::clear`].
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Must be called at the start of each frame.
    pub(crate) fn clear(&mut self) {
        self.out.clear();
        self.prediction.clear();
        self.tasks.clear();
        self.spaces.clear();
    }

    pub(crate) fn advance(&mut self, until: Nanos) {
        self.out.push(kind::ADVANCE);
        put_delta(&mut self.out, until, self.prediction.at);
        self.prediction.at = until;
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Started(fault) => self.fault(kind::FAULT_STARTED, fault),
            Event::Ended(fault) => self.fault(kind::FAULT_ENDED, fault),
            Event::Changed(change) => self.change(change),
        }
    }

    fn fault(&mut self, kind: u8, fault: &Fault) {
        let head = self.out.len();
        self.out.push(kind | path_bits(fault.path) | if fault.installed { flag::INSTALLED } else { 0 });
        let task = self.task(&fault.task);
        let space = self.space(fault);
        let (known, before) = self.prediction.last_of_task(task);
        let continued =
            before.filter(|started| started.is_start_of(fault, space) && self.prediction.remembers(fault.entry));
        let slot = if continued.is_some() {
            if let Some(first) = self.out.get_mut(head) {
                *first |= flag::CONTINUES;
            }
            self.prediction.touch(fault.entry)
        } else {
            self.entry(fault.entry)
        };
        put_delta(&mut self.out, fault.end, self.prediction.at);
        if continued.is_none() {
            put_delta(&mut self.out, fault.start, fault.end);
        }
        let fields = fields(fault, &slot, kind, continued.is_some(), known != Some(space));
        put(&mut self.out, fields);
        self.fields(fault, fields, &slot, space);
        self.prediction.apply_fault(task, space, fault, kind == kind::FAULT_STARTED);
    }

    fn fields(&mut self, fault: &Fault, fields: u64, slot: &Slot, space: u32) {
        let has = |bit| fields & bit != 0;
        let out = &mut self.out;
        if has(field::RANGE) {
            put_delta(out, fault.base.0, fault.entry.0);
            put(out, u64::from(fault.nr));
        }
        if has(field::ADDRESS) {
            put_delta(out, fault.address, slot.address);
        }
        if has(field::SPACE) {
            put(out, u64::from(space));
            if self.prediction.add_space(space, (fault.mm, fault.cgroup)) {
                out.extend_from_slice(&fault.mm.to_le_bytes());
                put(out, fault.cgroup);
            }
        }
        if let Some(at) = fault.read_start {
            put_delta(out, at, fault.start);
        }
        if let Some(at) = fault.read_end {
            put_delta(out, at, fault.read_start.unwrap_or(fault.start));
        }
        if let Some(pin) = fault.pin {
            out.push(pin_bits(&pin));
            put_delta(out, pin.tried, fault.start);
            put(out, u64::from(pin.failures));
            if let Some(at) = pin.dropped {
                put_delta(out, at, pin.tried);
            }
        }
        if has(field::SLOT) {
            put_count(out, fault.slot, slot.count);
        }
        if has(field::FREES) {
            put_seen(out, fault.frees, slot.frees);
        }
        if has(field::CHANGES) {
            put_seen(out, fault.changes, slot.changes);
        }
        if let Some(at) = fault.freed {
            put_delta(out, at, fault.end);
        }
        if has(field::FAULT_RET) {
            put(out, u64::from(fault.fault_ret));
        }
        if let Some(lock) = fault.lock {
            put_bytes(out, &lock_bytes(&lock, fault.start));
        }
    }

    fn change(&mut self, change: &Change) {
        let head = self.out.len();
        self.out.push(change_bits(change.kind));
        self.task(&change.by);
        let slot = self.entry(change.entry);
        put_delta(&mut self.out, change.at, self.prediction.at);
        if slot.count != change.slot || slot.next_seq(change.kind) != change.seq {
            if let Some(first) = self.out.get_mut(head) {
                *first |= flag::UNPREDICTED;
            }
            put_count(&mut self.out, change.slot, slot.count);
            put_word(&mut self.out, change.seq, slot.next_seq(change.kind));
        }
        self.prediction.apply_change(change);
    }

    /// Writes the task's number, and its ids and name at the first mention.
    fn task(&mut self, task: &Task) -> u32 {
        let known = self.tasks.get(&task.tid).copied();
        if let Some(index) = known.filter(|index| self.prediction.is_task(*index, task)) {
            put(&mut self.out, u64::from(index));
            return index;
        }
        let index = self.prediction.add_task(task.clone());
        self.tasks.insert(task.tid, index);
        put(&mut self.out, u64::from(index));
        put(&mut self.out, u64::from(task.tid));
        put(&mut self.out, u64::from(task.pid));
        // Earlier versions read only valid UTF-8 here.
        put_bytes(&mut self.out, task.comm.to_string().as_bytes());
        index
    }

    fn space(&mut self, fault: &Fault) -> u32 {
        let next = self.prediction.space_count();
        *self.spaces.entry((fault.mm, fault.cgroup)).or_insert(next)
    }

    /// Writes the entry's place among the recent ones, or the difference to the most recent one.
    fn entry(&mut self, entry: Entry) -> Slot {
        if let Some(place) = self.prediction.place_of(entry) {
            put(&mut self.out, place as u64 + 1);
        } else {
            self.out.push(0);
            put_delta(&mut self.out, entry.0, self.prediction.last_entry().0);
        }
        self.prediction.touch(entry)
    }
}
