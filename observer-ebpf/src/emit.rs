//! Records into the ring buffer.

use aya_ebpf::helpers::{bpf_get_current_cgroup_id, bpf_get_current_comm};
use observer_ebpf::{
    record::{EntryRecord, F_STREAMED, FlightRecord},
    slot::Slot,
};

use crate::{
    count,
    maps::{EVENTS, Flight},
    task,
};

/// Streams a flight as far as it is known.
#[inline(always)]
pub(crate) fn flight(flight: &mut Flight, kind: u32, ts: u64, slot: *const Slot) {
    flight.record.flags |= F_STREAMED;
    let Some(mut room) = EVENTS.reserve::<FlightRecord>(0) else {
        count::add(|c| unsafe { &raw mut (*c).lost_ring_flight }, 1);
        return;
    };
    let record = room.write(flight.record);
    record.kind = kind;
    record.ts = ts;
    record.opens = opens(slot);
    record.closes = closes(slot);
    record.cgroup = unsafe { bpf_get_current_cgroup_id() };
    record.comm = bpf_get_current_comm().unwrap_or_default();
    room.submit(0);
}

/// Streams what happened to an entry.
#[inline(always)]
pub(crate) fn entry(kind: u32, ts: u64, entry: u64, seq: u32, slot: *const Slot) {
    let Some(mut room) = EVENTS.reserve::<EntryRecord>(0) else {
        count::add(|c| unsafe { &raw mut (*c).lost_ring_entry }, 1);
        return;
    };
    let (tid, tgid) = task::ids();
    room.write(EntryRecord {
        kind,
        seq,
        ts,
        entry,
        tid,
        tgid,
        opens: opens(slot),
        closes: closes(slot),
        comm: bpf_get_current_comm().unwrap_or_default(),
    });
    room.submit(0);
}

/// Flights ever opened on the slot.
#[inline(always)]
pub(crate) fn opens(slot: *const Slot) -> u32 {
    // SAFETY: a live map value; volatile, because other CPUs write it.
    unsafe { core::ptr::read_volatile(&raw const (*slot).opens) }
}

/// Flights ever closed on the slot.
#[inline(always)]
pub(crate) fn closes(slot: *const Slot) -> u32 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const (*slot).closes) }
}

/// The slot's sequence number of frees.
#[inline(always)]
pub(crate) fn frees(slot: *const Slot) -> u32 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const (*slot).frees) }
}

/// The slot's sequence number of content changes.
#[inline(always)]
pub(crate) fn changes(slot: *const Slot) -> u32 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const (*slot).changes) }
}
