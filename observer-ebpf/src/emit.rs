//! Records into the ring buffer.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use observer_ebpf::record::{EntryRecord, F_STREAMED, FlightRecord};

use crate::{count::count, filter::Filter, flights::Flight, globals, maps::EVENTS, task};

/// Streams a flight as far as it is known.
#[inline(always)]
pub(crate) fn flight(flight: &mut Flight, kind: u32, ts: u64, slot: Filter) {
    flight.record.flags |= F_STREAMED;
    let Some(mut room) = EVENTS.reserve::<FlightRecord>(0) else {
        count!(lost_ring_flight);
        return;
    };
    let record = room.write(flight.record);
    record.kind = kind;
    record.ts = ts;
    record.opens = slot.opens();
    record.closes = slot.closes();
    record.cgroup = task::cgroup();
    record.comm = task::comm();
    room.submit(wakeup());
}

/// Streams what happened to an entry.
#[inline(always)]
pub(crate) fn entry(kind: u32, entry: u64, seq: u32, slot: Filter) {
    let ts = task::now();
    let Some(mut room) = EVENTS.reserve::<EntryRecord>(0) else {
        count!(lost_ring_entry);
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
        opens: slot.opens(),
        closes: slot.closes(),
        comm: task::comm(),
    });
    room.submit(wakeup());
}

/// Wakes user space only when the ring fills up; it looks by itself ten times a second. A wake-up for every record would
/// cost both sides more than the record.
#[inline(always)]
fn wakeup() -> u64 {
    let waiting = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA));
    let flag = if waiting >= globals::WAKEUP_BYTES.load() { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    u64::from(flag)
}
