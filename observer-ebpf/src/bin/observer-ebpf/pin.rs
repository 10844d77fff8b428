//! The pin: `swapcache_prepare` and `swapcache_clear`, and their equivalents.

use observer_ebpf::{
    pin_sleep::{self, ONE_TICK, SleepCause},
    record::{F_PIN_CONTENDED, F_PIN_DROPPED, F_PIN_PENDING, F_PIN_TRIED, F_PINNED, F_RANGE, F_STREAMED},
    seat::Fault,
};

use crate::{
    count::count,
    disturbance,
    fault_table::fault_of,
    filters, globals,
    pin_path::{self, PinTry},
    slots::SlotRef,
    task,
};

/// `-EEXIST`: another task holds the pin.
const EEXIST: i32 = -17;

/// A pin try returns `rc`. `swapcache_prepare` has other callers too (read-ahead, shmem, zswap write-back): a try is a
/// fault's own only if it is made by a task whose fault is on that range.
#[inline(always)]
pub(crate) fn tried(entry: u64, nr: u32, rc: i32) {
    match fault_of(task::ids().0) {
        Some(fault) if covers(entry, nr, fault.entry) => tried_by_fault(fault, entry, nr, rc),
        // An entry outside the sample, of a fault's read-ahead or outside any fault.
        _ if !filters::sampled(entry) => {}
        other if rc != 0 => failed_outside(other.is_some()),
        None => taken_outside(entry, nr),
        Some(_) => {}
    }
}

/// A pin is taken outside any fault. Shmem's swap-in may use it for a direct read (6.14 on); all other callers add a
/// page to the swap cache next, which is counted as well.
#[inline(always)]
fn taken_outside(entry: u64, nr: u32) {
    if counts_outside(entry) {
        count!(outside_pinned, u64::from(nr));
    }
}

/// Whether a pin that is taken outside any fault is counted. A page that zswap pins and adds is never read.
#[inline(always)]
fn counts_outside(entry: u64) -> bool {
    if globals::reads_hooked.load() != 0 || pin_path::current() == pin_path::ZSWAP {
        return false;
    }
    let (tid, tgid) = task::ids();
    filters::task(tid, tgid) && filters::entry(entry)
}

/// A pin try fails that is not a fault's own. `in_fault`: the task is in a fault, which reads neighbours ahead.
#[inline(always)]
fn failed_outside(in_fault: bool) {
    count!(pin_outside);
    if in_fault {
        count!(pin_readahead);
        return;
    }
    match pin_path::current() {
        pin_path::SHMEM => count!(pin_shmem),
        pin_path::ZSWAP => count!(pin_zswap),
        _ => {}
    }
}

#[inline(always)]
fn tried_by_fault(fault: &mut Fault, entry: u64, nr: u32, rc: i32) {
    fault.pin_try = task::now();
    if nr > 1 {
        fault.set_range(entry, nr);
        fault.flags |= F_RANGE;
    }
    if rc == 0 {
        fault.flags |= F_PINNED;
        return;
    }
    failed(fault, rc);
    if rc == EEXIST {
        count!(pin_eexist);
    } else {
        count!(pin_enoent);
    }
}

#[inline(always)]
fn failed(fault: &mut Fault, rc: i32) {
    let failures = if fault.flags & F_PIN_TRIED != 0 { fault.pin_failures } else { 0 };
    fault.pin_failures = failures.saturating_add(1);
    fault.pin_rc = rc as i8;
    fault.flags = fault.flags & !F_PINNED | F_PIN_TRIED;
}

/// Lean hooks: a fault sleeps, perhaps because its pin try failed, with an error that is not seen. The end of the fault
/// decides that ([`settle_sleep`]); of several sleeps the last one may have been for the pin.
#[inline(always)]
pub(crate) fn slept(timeout: i64) {
    if timeout != ONE_TICK {
        return;
    }
    let Some(fault) = fault_of(task::ids().0) else { return };
    let Some(own) = pin_sleep::at_sleep(fault.flags, globals::cache_tries_hooked.load() != 0) else { return };
    // A hook on the pin has seen the result of the try: some of its runs may be missed, so both can be attached.
    if fault.flags & F_PINNED != 0 || fault.flags & (F_PIN_TRIED | F_PIN_CONTENDED) == F_PIN_TRIED {
        return;
    }
    fault.pin_try = task::now();
    fault.pin_failures = 1;
    fault.pin_rc = EEXIST as i8;
    fault.flags |= F_PIN_TRIED | F_PIN_CONTENDED | own;
}

/// The end of a fault that slept: whether that was for the pin.
#[inline(always)]
pub(crate) fn settle_sleep(fault: &mut Fault, fault_ret: u32) {
    if fault.flags & F_PIN_CONTENDED == 0 {
        return;
    }
    match pin_sleep::cause(fault.flags, fault_ret) {
        SleepCause::Pin => count!(pin_contended),
        cause => {
            fault.flags &= !(F_PIN_CONTENDED | F_PIN_TRIED);
            if matches!(cause, SleepCause::Unknown) {
                count!(pin_sleep_unattributed);
            }
        }
    }
}

/// Kprobes: a pin try starts. Its return probe gets no arguments, so they are stored in the fault, or in the task's
/// element of [`pin_path`].
#[inline(always)]
pub(crate) fn pending(entry: u64, nr: u32) {
    let (tid, _) = task::ids();
    match fault_of(tid) {
        Some(fault) if covers(entry, nr, fault.entry) => {
            if fault.flags & F_PIN_PENDING != 0 {
                count!(pin_return_missed);
            }
            fault.set_range(entry, nr);
            fault.flags |= F_PIN_PENDING;
        }
        _ if !filters::sampled(entry) => {}
        Some(_) => pin_path::try_started(tid, PinTry { nr, counts: false }),
        None => pin_path::try_started(tid, PinTry { nr, counts: counts_outside(entry) }),
    }
}

/// Kprobes: a pin try returns.
#[inline(always)]
pub(crate) fn returned(rc: i32) {
    let (tid, _) = task::ids();
    let fault = fault_of(tid);
    let in_fault = fault.is_some();
    if let Some(fault) = fault
        && fault.flags & F_PIN_PENDING != 0
    {
        fault.flags &= !F_PIN_PENDING;
        let (base, nr) = fault.range();
        return tried_by_fault(fault, base, nr, rc);
    }
    let Some(PinTry { nr, counts }) = pin_path::try_returned(tid) else { return };
    if rc != 0 {
        failed_outside(in_fault);
    } else if counts {
        count!(outside_pinned, u64::from(nr));
    }
}

/// The pin on a range is about to be dropped. While no disturbance is pending no task waits for it, unless it is a
/// range: other faults on a range need not share its slot.
#[inline(always)]
pub(crate) fn dropped(entry: u64, nr: u32) {
    if nr == 1 && !disturbance::any_pending() {
        return;
    }
    let Some(fault) = fault_of(task::ids().0) else { return };
    let base = if fault.flags & F_RANGE != 0 { fault.range().0 } else { fault.entry };
    if base == entry && may_be_awaited(fault) {
        fault.released = task::now();
        fault.flags |= F_PIN_DROPPED;
    }
}

/// Whether another task may wait for this fault's pin. Only then is the time of the drop needed. Tasks that wait for a
/// range wait on entries in other slots.
#[inline(always)]
fn may_be_awaited(fault: &Fault) -> bool {
    fault.flags & (F_RANGE | F_STREAMED) != 0
        || SlotRef::at(fault.slot()).is_none_or(|slot| slot.starts() != fault.slot_starts)
}

/// Whether the range of `nr` entries from `base` on contains `entry`.
#[inline(always)]
pub(crate) fn covers(base: u64, nr: u32, entry: u64) -> bool {
    entry.wrapping_sub(base) < u64::from(nr)
}
