//! Records into the ring buffer.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use observer_ebpf::{
    record::{
        EntryRecord, F_FREE_TIMED, F_LOCK_CONTENDED, F_LOCK_WAIT_ENDED, F_PIN_DROPPED, F_PIN_TRIED, F_PINNED, F_RANGE,
        F_READ_ENDED, F_READ_STARTED, F_SPAN_ENDED, F_STREAMED, FaultRecord,
    },
    seat::{Changes, Fault},
};

use crate::{count::count, globals, maps::EVENTS, slots::SlotRef, task};

/// What a fault record contains besides the fault.
pub(crate) struct FaultEvent {
    /// `FAULT_*`.
    pub(crate) kind: u32,
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub(crate) ts: u64,
    /// Fault address.
    pub(crate) address: u64,
    /// What `do_swap_page` returned; 0: it has not returned.
    pub(crate) fault_ret: u32,
}

/// Emits a fault with everything recorded about it so far; `changes`: the current ones of its slot. Not inlined, so
/// that its callers keep their registers for the case in which nothing is streamed.
#[inline(never)]
pub(crate) fn fault(fault: &mut Fault, event: FaultEvent, slot: SlotRef, changes: Changes) {
    fault.flags |= F_STREAMED;
    let flags = fault.flags;
    let Some(mut room) = EVENTS.reserve::<FaultRecord>(0) else {
        count!(ring_full_fault);
        return;
    };
    let (tid, tgid) = task::ids();
    let (slot_starts, slot_ends) = slot.starts_and_ends();
    let known = |flag: u32, value: u64| if flags & flag != 0 { value } else { 0 };
    // For a fault that never reads, the numbers at its start: they show whether its entry was freed or changed since.
    let at_read = if flags & F_READ_STARTED != 0 { fault.at_read } else { fault.known_at_start() };
    let at_end = if flags & F_SPAN_ENDED != 0 { fault.at_end } else { changes };
    let (base, nr) = if flags & F_RANGE != 0 { fault.range() } else { (fault.entry, 1) };
    room.write(FaultRecord {
        kind: event.kind,
        flags: if flags & F_PINNED != 0 { flags | F_PIN_TRIED } else { flags },
        ts: event.ts,
        entry: fault.entry,
        base,
        address: event.address,
        mm: fault.mm,
        start: fault.start,
        read_start: known(F_READ_STARTED, fault.read_start),
        read_end: known(F_READ_ENDED, fault.read_end),
        pin_try: known(F_PIN_TRIED | F_PINNED, fault.pin_try),
        pin_drop: known(F_PIN_DROPPED, fault.released),
        freed_own: known(F_FREE_TIMED, fault.released),
        lock_try: known(F_LOCK_CONTENDED, fault.lock_try),
        lock_end: known(F_LOCK_WAIT_ENDED, fault.lock_end),
        cgroup: task::cgroup(),
        tid,
        tgid,
        nr,
        fault_ret: event.fault_ret,
        pin_rc: if flags & (F_PINNED | F_PIN_TRIED) == F_PIN_TRIED { fault.pin_rc.into() } else { 0 },
        pin_failures: known(F_PIN_TRIED, fault.pin_failures.into()) as u32,
        slot_starts,
        slot_ends,
        frees_at_read: at_read.frees(),
        frees_at_end: at_end.frees(),
        changes_at_read: at_read.content(),
        changes_at_end: at_end.content(),
        comm: task::comm(),
    });
    room.submit(wakeup());
}

/// Emits what happened to an entry; `kind`: `ENTRY_*`, `seq`: the slot's number after the event.
#[inline(always)]
pub(crate) fn entry(kind: u32, entry: u64, seq: u32, slot: SlotRef) {
    let ts = task::now();
    let Some(mut room) = EVENTS.reserve::<EntryRecord>(0) else {
        count!(ring_full_entry);
        return;
    };
    let (tid, tgid) = task::ids();
    let (slot_starts, slot_ends) = slot.starts_and_ends();
    room.write(EntryRecord { kind, seq, ts, entry, tid, tgid, slot_starts, slot_ends, comm: task::comm() });
    room.submit(wakeup());
}

/// Wakes user space only when the ring buffer fills up; otherwise user space polls ten times a second. A wake-up for
/// each record would cost both sides more than the record does.
#[inline(always)]
fn wakeup() -> u64 {
    let waiting = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA));
    let flag = if waiting >= globals::wakeup_bytes.load() { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    u64::from(flag)
}
