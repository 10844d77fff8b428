//! Records into the ring buffer.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use observer_ebpf::{
    record::{
        EntryRecord, F_FREED_SEEN, F_LOCK_ENDED, F_LOCKED_OUT, F_PIN_DROPPED, F_PIN_TRIED, F_PINNED, F_RANGE, F_READ,
        F_READ_ENDED, F_SPAN_ENDED, F_STREAMED, FaultRecord,
    },
    seat::{Changes, Fault},
};

use crate::{count::count, filter::Filter, globals, maps::EVENTS, task};

/// Streams a fault as far as it is known; `changes`: the slot's, of now. A function of its own, so that the registers of
/// its callers are theirs while nothing is streamed.
#[inline(never)]
pub(crate) fn fault(fault: &mut Fault, of: Moment, slot: Filter, changes: Changes) {
    fault.flags |= F_STREAMED;
    let flags = fault.flags;
    let Some(mut room) = EVENTS.reserve::<FaultRecord>(0) else {
        count!(dropped_ring_fault);
        return;
    };
    let (tid, tgid) = task::ids();
    let (opens, closes) = slot.faults();
    let known = |flag: u32, value: u64| if flags & flag != 0 { value } else { 0 };
    // A fault that never reads still tells whether its entry is the one of before.
    let at_read = if flags & F_READ != 0 { fault.at_read } else { fault.known_at_start() };
    let at_end = if flags & F_SPAN_ENDED != 0 { fault.at_end } else { changes };
    let (base, nr) = if flags & F_RANGE != 0 { fault.range() } else { (fault.entry, 1) };
    room.write(FaultRecord {
        kind: of.kind,
        flags: if flags & F_PINNED != 0 { flags | F_PIN_TRIED } else { flags },
        ts: of.ts,
        entry: fault.entry,
        base,
        address: of.address,
        mm: fault.mm,
        start: fault.start,
        read_start: known(F_READ, fault.read_start),
        read_end: known(F_READ_ENDED, fault.read_end),
        pin_try: known(F_PIN_TRIED | F_PINNED, fault.pin_try),
        pin_drop: known(F_PIN_DROPPED, fault.let_go),
        freed_own: known(F_FREED_SEEN, fault.let_go),
        lock_try: known(F_LOCKED_OUT, fault.lock_try),
        lock_end: known(F_LOCK_ENDED, fault.lock_end),
        cgroup: task::cgroup(),
        tid,
        tgid,
        nr,
        fault_ret: of.fault_ret,
        pin_rc: if flags & (F_PINNED | F_PIN_TRIED) == F_PIN_TRIED { fault.pin_rc.into() } else { 0 },
        pin_fails: known(F_PIN_TRIED, fault.pin_fails.into()) as u32,
        opens,
        closes,
        frees_read: at_read.frees(),
        frees_end: at_end.frees(),
        changes_read: at_read.content(),
        changes_end: at_end.content(),
        comm: task::comm(),
    });
    room.submit(wakeup());
}

/// What a record tells of the moment in which it is made.
pub(crate) struct Moment {
    /// `FAULT_*`.
    pub(crate) kind: u32,
    /// When.
    pub(crate) ts: u64,
    /// The fault's address.
    pub(crate) address: u64,
    /// What `do_swap_page` has returned.
    pub(crate) fault_ret: u32,
}

/// Streams what happened to an entry.
#[inline(always)]
pub(crate) fn entry(kind: u32, entry: u64, seq: u32, slot: Filter) {
    let ts = task::now();
    let Some(mut room) = EVENTS.reserve::<EntryRecord>(0) else {
        count!(dropped_ring_entry);
        return;
    };
    let (tid, tgid) = task::ids();
    let (opens, closes) = slot.faults();
    room.write(EntryRecord { kind, seq, ts, entry, tid, tgid, opens, closes, comm: task::comm() });
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
