//! The pin: `swapcache_prepare` and `swapcache_clear`, and what carries their meaning.

use observer_ebpf::{
    record::{F_PIN_CONTENDED, F_PIN_DROPPED, F_PIN_PENDING, F_PIN_TRIED, F_PINNED, F_RANGE, F_STREAMED},
    seat::Fault,
};

use crate::{
    count::count,
    faults::fault_of,
    filter::{self, Filter},
    globals,
    path::{self, ProbeResults},
    task, wanted,
};

/// `-EEXIST`: somebody holds the pin.
const EEXIST: i32 = -17;

/// A pin try has returned `rc`. `swapcache_prepare` has other callers too (read-ahead, shmem, zswap write-back): only a
/// task with a fault on that very range is a fault's own try.
#[inline(always)]
pub(crate) fn tried(entry: u64, nr: u32, rc: i32) {
    match fault_of(task::ids().0) {
        Some(fault) if covers(entry, nr, fault.entry) => of_fault(fault, entry, nr, rc),
        // Of a fault that is not sampled, or outside any on an entry that is not.
        _ if !wanted::sampled(entry) => {}
        other if rc != 0 => failed_outside(other.is_some()),
        None => taken_outside(entry, nr),
        Some(_) => {}
    }
}

/// A pin was taken outside any fault. Shmem's swap-in may read past the swap cache with it (6.14 on); all others add a page
/// to the swap cache next, and that is counted as well.
#[inline(always)]
fn taken_outside(entry: u64, nr: u32) {
    if counts_outside(entry) {
        count!(outside_pinned, u64::from(nr));
    }
}

/// Whether a pin that is taken outside any fault is to be counted. What zswap pins and adds, nobody reads.
#[inline(always)]
fn counts_outside(entry: u64) -> bool {
    if globals::READS_HOOKED.load() != 0 || path::current() == path::ZSWAP {
        return false;
    }
    let (tid, tgid) = task::ids();
    wanted::this_task(tid, tgid) && wanted::this_entry(entry)
}

/// A pin try has failed that is no fault's own; `in_progress`: of a task that is in one, which reads neighbours ahead then.
#[inline(always)]
fn failed_outside(in_progress: bool) {
    count!(pin_outside);
    if in_progress {
        count!(pin_readahead);
        return;
    }
    match path::current() {
        path::SHMEM => count!(pin_shmem),
        path::ZSWAP => count!(pin_zswap),
        _ => {}
    }
}

#[inline(always)]
fn of_fault(fault: &mut Fault, entry: u64, nr: u32, rc: i32) {
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
    let fails = if fault.flags & F_PIN_TRIED != 0 { fault.pin_fails } else { 0 };
    fault.pin_fails = fails.saturating_add(1);
    fault.pin_rc = rc as i8;
    fault.flags = fault.flags & !F_PINNED | F_PIN_TRIED;
}

/// Lean hooks: a fault sleeps, which on this kernel means that it has lost the pin; with which error is not seen.
#[inline(always)]
pub(crate) fn slept() {
    let Some(fault) = fault_of(task::ids().0) else { return };
    fault.pin_try = task::now();
    failed(fault, EEXIST);
    fault.flags |= F_PIN_CONTENDED;
    count!(pin_contended);
}

/// Kprobe backend: a pin try starts; its return probe gets no arguments, so they wait in the fault, or in a word of the task's.
#[inline(always)]
pub(crate) fn pending(entry: u64, nr: u32) {
    let (tid, _) = task::ids();
    match fault_of(tid) {
        Some(fault) if covers(entry, nr, fault.entry) => {
            if fault.flags & F_PIN_PENDING != 0 {
                count!(dropped_pin_return);
            }
            fault.set_range(entry, nr);
            fault.flags |= F_PIN_PENDING;
        }
        _ if !wanted::sampled(entry) => {}
        Some(_) => path::pin_tried(tid, ProbeResults { nr, counts: false }),
        None => path::pin_tried(tid, ProbeResults { nr, counts: counts_outside(entry) }),
    }
}

/// Kprobe backend: a pin try returns.
#[inline(always)]
pub(crate) fn returned(rc: i32) {
    let (tid, _) = task::ids();
    let fault = fault_of(tid);
    let in_progress = fault.is_some();
    if let Some(fault) = fault
        && fault.flags & F_PIN_PENDING != 0
    {
        fault.flags &= !F_PIN_PENDING;
        let (base, nr) = fault.range();
        return of_fault(fault, base, nr, rc);
    }
    let Some(ProbeResults { nr, counts }) = path::pin_returned(tid) else { return };
    if rc != 0 {
        failed_outside(in_progress);
    } else if counts {
        count!(outside_pinned, u64::from(nr));
    }
}

/// The pin on a range is being dropped. While no two faults meet anywhere, nobody waits for it; of a range others may, who
/// do not meet it in its own slot.
#[inline(always)]
pub(crate) fn dropped(entry: u64, nr: u32) {
    if nr == 1 && !filter::disturbed() {
        return;
    }
    let Some(fault) = fault_of(task::ids().0) else { return };
    let base = if fault.flags & F_RANGE != 0 { fault.range().0 } else { fault.entry };
    if base == entry && may_be_awaited(fault) {
        fault.let_go = task::now();
        fault.flags |= F_PIN_DROPPED;
    }
}

/// Whether somebody may wait for this fault's pin: the moment when it was alone with it is of no use to anybody. Of a
/// range others wait on entries in other slots.
#[inline(always)]
fn may_be_awaited(fault: &Fault) -> bool {
    fault.flags & (F_RANGE | F_STREAMED) != 0
        || Filter::at(fault.slot()).is_none_or(|slot| slot.opens() != fault.opens_start)
}

/// Whether the range of `nr` entries from `base` holds `entry`.
#[inline(always)]
pub(crate) fn covers(base: u64, nr: u32, entry: u64) -> bool {
    entry.wrapping_sub(base) < u64::from(nr)
}
