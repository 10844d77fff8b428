//! The end of a fault: it is counted by its path, and streamed if it was contended.

use observer_ebpf::{
    record::{
        F_CACHE_PATH, F_CACHED, F_DIRECT, F_FREED_OWN, F_INSTALLED, F_LOCK_CONTENDED, F_PIN_TRIED, F_PINNED, F_RANGE,
        F_READ_STARTED, F_SPAN_ENDED, F_STREAMED, FAULT_ENDED,
    },
    sample,
    seat::{Changes, Fault},
    unrecorded::{self, Unrecorded},
};

use crate::{
    count::{self, count},
    disturbance,
    emit::{self, FaultEvent},
    fault_start::{end_missed, space},
    fault_table::{self, SeatRef},
    filters, globals,
    memory::KernelMemory,
    pin, pte,
    slots::SlotRef,
    task,
};

/// `VM_FAULT_MAJOR`, the same on every kernel: the fault got its page, and had not found it in the swap cache.
const MAJOR: u32 = 4;

/// Flags of a fault that is streamed at its end, because it was contended or another fault may wait for its range.
const CONTENDED: u32 = F_STREAMED | F_PIN_TRIED | F_LOCK_CONTENDED | F_RANGE;

/// Flags of a fault that is counted for more than its path; so is a fault that installed no page.
const EXCEPTIONAL: u32 = F_FREED_OWN | F_SPAN_ENDED | F_RANGE | F_PINNED;

/// `do_swap_page` returns. `vmf` is its argument, if the backend still has it.
#[inline(always)]
pub(crate) fn end<M: KernelMemory>(vmf: Option<*const u8>, fault_ret: u32) {
    let (tid, _) = task::ids();
    let Some(seat) = fault_table::occupied_by(tid) else {
        if let Some(vmf) = vmf {
            count_unknown_end::<M>(vmf);
        }
        return;
    };
    let fault = seat.fault();
    // Start and end are hooks on one function, so they have the same backend.
    let vmf = vmf.unwrap_or(fault.vmf as *const u8);
    // SAFETY: the `struct vm_fault` is in the caller's frame, which still exists in this hook.
    let pte: u64 = unsafe { M::read(vmf, globals::vmf_orig_pte.load()) };
    let mut flags = fault.flags;
    if pte::is_present(pte) {
        flags |= F_INSTALLED;
    } else if pte::entry(pte) != fault.entry {
        return end_of_another::<M>(seat, vmf, tid);
    }
    let direct_at_end = globals::direct_at_end.load() != 0;
    if direct_at_end && flags & (F_CACHE_PATH | F_CACHED) == 0 && fault_ret & MAJOR != 0 {
        flags |= F_DIRECT;
    }
    if flags & CONTENDED != 0 || !disturbance::none_pending() {
        return end_contended::<M>(seat, vmf, tid, fault_ret, flags);
    }
    // An uncontended fault needs a clock only if its duration is entered into the histogram.
    let now = if is_timed(fault) { task::now() } else { 0 };
    let Some(slot) = SlotRef::at(fault.slot()) else { return };
    let changes = slot.changes();
    // Removed before disturbances are read again: a fault that started earlier has added one by then, a fault that
    // starts later no longer finds this one.
    slot.remove_fault();
    if !disturbance::none_pending() {
        return became_contended::<M>(seat, vmf, &FinalState { now, changes, tid, flags, fault_ret });
    }
    tally(flags, fault, now, now != 0);
    fault_table::remove(seat, tid);
}

/// The fault that ends has another entry than the task's fault in the table: the end of that one was missed, and the
/// start of this one. (For a fault that installed a page nothing cheap shows this: its PTE no longer holds the entry. On
/// vulnerable kernels the drop of its reference does: it is on another entry, so none was recorded.)
#[inline(never)]
fn end_of_another<M: KernelMemory>(seat: SeatRef, vmf: *const u8, tid: u32) {
    end_missed(seat.fault(), tid);
    fault_table::remove(seat, tid);
    count_unknown_end::<M>(vmf);
}

/// A fault that was removed from its slot.
struct FinalState {
    /// When it ended; 0: the clock was not read.
    now: u64,
    /// The slot's changes right before it was removed.
    changes: Changes,
    tid: u32,
    flags: u32,
    /// What `do_swap_page` returned.
    fault_ret: u32,
}

/// The end of a fault that is contended, or while a disturbance is pending anywhere. Not inlined, so that the end of an
/// uncontended fault keeps its registers.
#[inline(never)]
fn end_contended<M: KernelMemory>(seat: SeatRef, vmf: *const u8, tid: u32, fault_ret: u32, flags: u32) {
    let now = task::now();
    let Some(slot) = SlotRef::at(seat.fault().slot()) else { return };
    let changes = slot.changes();
    // Removed before `starts` is read: a fault that started earlier has raised it, a fault that starts later no longer
    // finds this one.
    slot.remove_fault();
    conclude::<M>(seat, vmf, &FinalState { now, changes, tid, flags, fault_ret });
}

/// A disturbance was added while an uncontended fault ended. Does not share a function with [`end_contended`]: each
/// call takes stack, and kernels allow 512 bytes for a whole call chain.
#[inline(never)]
fn became_contended<M: KernelMemory>(seat: SeatRef, vmf: *const u8, end: &FinalState) {
    conclude::<M>(seat, vmf, end);
}

/// Streams a fault that was removed from its slot if it was contended, and counts it.
#[inline(always)]
fn conclude<M: KernelMemory>(seat: SeatRef, vmf: *const u8, end: &FinalState) {
    let FinalState { now, changes, tid, flags, fault_ret } = *end;
    let fault = seat.fault();
    let now = if now == 0 { task::now() } else { now };
    let Some(slot) = SlotRef::at(fault.slot()) else { return };
    if flags & CONTENDED != 0 || slot.starts() != fault.slot_starts || changes != fault.known {
        // SAFETY: `vmf` is the fault's `struct vm_fault`, which has `address`.
        let address = unsafe { M::read(vmf, globals::vmf_address.load()) };
        fault.flags = flags;
        if flags & F_LOCK_CONTENDED == 0 {
            fault.mm = space::<M>(vmf);
        }
        pin::settle_sleep(fault, fault_ret);
        record_implied_pin(fault);
        record_undisturbed(fault);
        count!(streamed);
        emit::fault(fault, FaultEvent { kind: FAULT_ENDED, ts: now, address, fault_ret }, slot, changes);
    }
    // Every fault clears, not only those that were disturbed: the disturbed one may have ended while this one was in
    // progress.
    if disturbance::any_pending() {
        disturbance::clear(fault.slot());
    }
    tally(flags, fault, now, is_timed(fault));
    fault_table::remove(seat, tid);
}

/// Whether a fault's duration is entered into the histogram. With lean hooks only some faults are, whether contended or
/// not.
#[inline(always)]
fn is_timed(fault: &Fault) -> bool {
    sample::is_timed(fault.start, fault.entry, globals::timed_mask.load())
}

/// If pins are not hooked and the kernel takes one for every direct read: records the pin, as taken at the start of the
/// fault.
#[inline(always)]
fn record_implied_pin(fault: &mut Fault) {
    if globals::pins_implied.load() != 0 && fault.flags & F_DIRECT != 0 {
        fault.flags |= F_PINNED;
        fault.pin_try = fault.start;
    }
}

/// Records what the fault's hooks left out. If no disturbance was pending, the slot's numbers were still those of its
/// start when it started to read, and when its own free ended its span. If a hook did not run, what changed under the
/// read is unknown: nothing is charged to the reader, and the miss is counted.
#[inline(always)]
fn record_undisturbed(fault: &mut Fault) {
    let at_start = fault.known_at_start();
    let read =
        if globals::reads_hooked.load() != 0 { unrecorded::read_start(fault.flags) } else { Unrecorded::Nothing };
    if !matches!(read, Unrecorded::Nothing) {
        fault.at_read = at_start;
        fault.read_start = fault.start;
        fault.flags |= F_READ_STARTED;
    }
    let dropped = if globals::references_hooked.load() != 0 {
        let read_was_disturbed = fault.flags & F_READ_STARTED != 0 && fault.at_read != at_start;
        unrecorded::reference_drop(fault.flags, globals::frees_at_end.load() != 0, read_was_disturbed)
    } else {
        Unrecorded::Nothing
    };
    if !matches!(dropped, Unrecorded::Nothing) {
        fault.at_end = at_start;
        fault.flags |= F_SPAN_ENDED;
    }
    if matches!(dropped, Unrecorded::Missed) || matches!(read, Unrecorded::Missed) {
        count!(hook_missed);
        fault.at_end = if fault.flags & F_READ_STARTED != 0 { fault.at_read } else { at_start };
        fault.flags |= F_SPAN_ENDED;
    }
}

/// Index of the histogram of a fault's path.
#[inline(always)]
fn path_of(flags: u32) -> usize {
    if flags & F_DIRECT != 0 {
        0
    } else if flags & (F_CACHED | F_INSTALLED) != 0 {
        1
    } else {
        2
    }
}

/// Counts an ended fault by its path, and what is exceptional about it. What nearly every fault does is not counted: it
/// follows from the number of faults.
#[inline(always)]
fn tally(flags: u32, fault: &Fault, now: u64, timed: bool) {
    let Some(this_cpu) = count::this_cpu() else { return };
    if flags & (F_INSTALLED | EXCEPTIONAL) != F_INSTALLED {
        tally_exceptions(this_cpu, flags, fault);
    }
    if timed {
        count::timed_fault(this_cpu, path_of(flags), now.wrapping_sub(fault.start));
    } else {
        count::untimed_fault(this_cpu, path_of(flags));
    }
}

#[inline(always)]
fn tally_exceptions(this_cpu: *mut u8, flags: u32, fault: &Fault) {
    if flags & F_PINNED != 0 {
        count!(this_cpu, pins, 1);
    }
    if flags & F_INSTALLED == 0 && flags & (F_DIRECT | F_CACHED) != 0 {
        count!(this_cpu, uninstalled, 1);
    }
    if flags & (F_INSTALLED | F_SPAN_ENDED) == F_INSTALLED | F_SPAN_ENDED {
        count!(this_cpu, spans_ended, 1);
    }
    if flags & F_FREED_OWN != 0 {
        count!(this_cpu, freed, fault.own_frees.into());
    }
    if globals::direct_at_end.load() != 0 && flags & (F_DIRECT | F_RANGE) == F_DIRECT | F_RANGE {
        count!(this_cpu, read_direct, u64::from(fault.nr) - 1);
    }
}

/// Counts the end of a fault whose start was not seen, unless the fault is one that is not observed.
#[inline(always)]
fn count_unknown_end<M: KernelMemory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`.
    let pte: u64 = unsafe { M::read(vmf, globals::vmf_orig_pte.load()) };
    let (tid, tgid) = task::ids();
    // A PTE that maps a page no longer holds the entry, so it is unknown whether a filter by entry passes it.
    let not_observed = if pte::is_present(pte) {
        filters::by_entry()
    } else {
        let entry = pte::entry(pte);
        !pte::is_in_swap_area(entry) || !filters::entry(entry)
    };
    if !not_observed && filters::fault::<M>(tid, tgid, vmf) {
        count!(unknown_end);
    }
}
