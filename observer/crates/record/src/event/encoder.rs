//! Events into bytes.

use std::{collections::HashMap, fmt::Write as _};

use super::{change_bits, field, fields, flag, kind, lock_bytes, path_bits, pin_bits, put_count, put_seen, put_word};
use crate::{
    model::{Model, Slot},
    varint::{put, put_bytes, put_delta},
};
use observer_engine::event::{Change, Entry, Event, Fault, Nanos, Task};

/// Turns events into bytes, frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    model: Model,
    tasks: HashMap<u32, u32>,
    spaces: HashMap<(u64, u64), u32>,
}

impl Encoder {
    /// What has been encoded since the last [`Encoder::clear`].
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Starts a new frame.
    pub(crate) fn clear(&mut self) {
        self.out.clear();
        self.model.clear();
        self.tasks.clear();
        self.spaces.clear();
    }

    /// Adds the time that the engine is told.
    pub(crate) fn advance(&mut self, until: Nanos) {
        self.out.push(kind::ADVANCE);
        put_delta(&mut self.out, until, self.model.at);
        self.model.at = until;
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Started(fault) => self.fault(kind::OPENED, fault),
            Event::Ended(fault) => self.fault(kind::CLOSED, fault),
            Event::Changed(change) => self.change(change),
        }
    }

    fn fault(&mut self, kind: u8, fault: &Fault) {
        let head = self.out.len();
        self.out.push(kind | path_bits(fault.path) | if fault.installed { flag::INSTALLED } else { 0 });
        let task = self.task(&fault.task);
        let space = self.space(fault);
        let (known, before) = self.model.task(task);
        let continued = before.filter(|open| open.is_of(fault, space) && self.model.knows(fault.entry));
        let slot = if continued.is_some() {
            if let Some(first) = self.out.get_mut(head) {
                *first |= flag::CONTINUES;
            }
            self.model.touch(fault.entry)
        } else {
            self.entry(fault.entry.0)
        };
        put_delta(&mut self.out, fault.end, self.model.at);
        if continued.is_none() {
            put_delta(&mut self.out, fault.start, fault.end);
        }
        let fields = fields(fault, &slot, kind, continued.is_some(), known != Some(space));
        put(&mut self.out, fields);
        self.fields(fault, fields, &slot, space);
        self.model.fault(task, space, fault, kind == kind::OPENED);
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
            if self.model.add_space(space, (fault.mm, fault.cgroup)) {
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
            put(out, u64::from(pin.fails));
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

    /// The number of a fault's address space and control group; written where it is used.
    fn space(&mut self, fault: &Fault) -> u32 {
        let next = self.model.spaces();
        *self.spaces.entry((fault.mm, fault.cgroup)).or_insert(next)
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
        self.model.touch(Entry(entry))
    }
}
