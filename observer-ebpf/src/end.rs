//! A fault's end: what it was is counted, and it is streamed if it was not alone.

use observer_ebpf::{
    record::{
        F_CACHED, F_DIRECT, F_FREED_OWN, F_INSTALLED, F_LOCKED_OUT, F_PIN_CONTENDED, F_PIN_TRIED, F_PINNED, F_RANGE,
        F_READ, F_SPAN_ENDED, F_STREAMED, F_THROUGH_CACHE, FAULT_ENDED,
    },
    seat::{Changes, Fault},
};

use crate::{
    count::{self, count},
    emit::{self, Moment},
    fault::space,
    faults::{self, Held},
    filter::{self, Filter},
    globals,
    memory::Memory,
    task, wanted,
};

/// `VM_FAULT_MAJOR`, the same on every kernel: the fault did not find its page in the swap cache, and got one.
const MAJOR: u32 = 4;

/// `do_swap_page` returns. `vmf` is its argument where the backend still has it.
#[inline(always)]
pub(crate) fn end<M: Memory>(vmf: Option<*const u8>, fault_ret: u32) {
    let (tid, _) = task::ids();
    let Some(held) = faults::held_by(tid) else {
        if let Some(vmf) = vmf {
            count_unknown_end::<M>(vmf);
        }
        return;
    };
    let fault = held.fault();
    // Start and end are on one function, so both are of one backend.
    let vmf = vmf.unwrap_or(fault.vmf as *const u8);
    // SAFETY: the `struct vm_fault` lives in the caller's frame until after this hook.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let mut flags = fault.flags;
    if task::pte_present(pte) {
        flags |= F_INSTALLED;
    }
    let by_end = globals::DIRECT_BY_END.load() != 0;
    if by_end && flags & (F_THROUGH_CACHE | F_CACHED) == 0 && fault_ret & MAJOR != 0 {
        flags |= F_DIRECT;
    }
    if flags & CONTENDED != 0 || !filter::undisturbed() {
        return end_contended::<M>(held, vmf, tid, fault_ret, flags);
    }
    // A quiet fault's duration may be wanted, the moment of its end is not.
    let now = if is_timed(fault) { task::now() } else { 0 };
    let Some(slot) = Filter::at(fault.slot()) else { return };
    let changes = slot.changes();
    // Closed before it is asked again: who started earlier has raised it by then, who starts later sees this one closed.
    slot.close();
    if !filter::undisturbed() {
        return became_contended::<M>(held, vmf, &FinalState { now, changes, tid, flags, fault_ret });
    }
    tally(flags, fault, now, now != 0);
    faults::leave(held, tid);
}

/// How a fault has ended.
struct FinalState {
    /// When; 0: it was taken for a quiet one.
    now: u64,
    /// The slot's numbers right before it was counted out.
    changes: Changes,
    /// Whose fault it is.
    tid: u32,
    /// Its flags by then.
    flags: u32,
    /// What `do_swap_page` has returned.
    fault_ret: u32,
}

/// The end of a fault while something is happening, to itself or elsewhere. Out of line, so that the registers of a quiet
/// fault's end are its own.
#[inline(never)]
fn end_contended<M: Memory>(held: Held, vmf: *const u8, tid: u32, fault_ret: u32, flags: u32) {
    let now = task::now();
    let Some(slot) = Filter::at(held.fault().slot()) else { return };
    let changes = slot.changes();
    // Closed before `opens` is read: a fault that started earlier shows there, one that starts later sees this one closed.
    slot.close();
    conclude::<M>(held, vmf, &FinalState { now, changes, tid, flags, fault_ret });
}

/// Something has happened while a fault was about to end quietly. Not through one function with the above: each call takes
/// stack, and kernels allow 512 bytes for all.
#[inline(never)]
fn became_contended<M: Memory>(held: Held, vmf: *const u8, ending: &FinalState) {
    conclude::<M>(held, vmf, ending);
}

/// A fault has been counted out that may not have been alone: streams it if it was not.
#[inline(always)]
fn conclude<M: Memory>(held: Held, vmf: *const u8, ending: &FinalState) {
    let FinalState { now, changes, tid, flags, fault_ret } = *ending;
    let fault = held.fault();
    let now = if now == 0 { task::now() } else { now };
    let Some(slot) = Filter::at(fault.slot()) else { return };
    if flags & CONTENDED != 0 || slot.opens() != fault.opens_start || changes != fault.known {
        // SAFETY: `address` of a `struct vm_fault`.
        let address = unsafe { M::read(vmf, globals::VMF_ADDRESS.load()) };
        fault.flags = flags;
        if flags & F_LOCKED_OUT == 0 {
            fault.mm = space::<M>(vmf);
        }
        note_untold_pin(fault);
        note_undisturbed(fault);
        count!(streamed);
        emit::fault(fault, Moment { kind: FAULT_ENDED, ts: now, address, fault_ret }, slot, changes);
    }
    // Not only by who was disturbed: that one may have closed while this one was inside.
    if filter::disturbed() {
        filter::calm(fault.slot());
    }
    tally(flags, fault, now, is_timed(fault));
    faults::leave(held, tid);
}

/// Whether a fault's duration is entered into the histograms: with lean hooks one in so many, whether it met others or not.
/// Chosen by when it started, in steps coarser than those of slow clocks, and by its entry.
#[inline(always)]
fn is_timed(fault: &Fault) -> bool {
    let mask = globals::TIMED_MASK.load();
    mask == 0 || ((fault.start >> 6) ^ fault.entry) & mask == 0
}

/// Flags of a fault that was not alone, or about whose range others may ask.
const CONTENDED: u32 = F_STREAMED | F_PIN_TRIED | F_LOCKED_OUT | F_RANGE;

/// Where no hook tells of pins and the kernel takes one for every direct read: notes it, as taken at the start.
#[inline(always)]
fn note_untold_pin(fault: &mut Fault) {
    if globals::PINS_UNTOLD.load() != 0 && fault.flags & F_DIRECT != 0 {
        // A sleep of such a fault was for something else.
        fault.flags = fault.flags & !(F_PIN_CONTENDED | F_PIN_TRIED) | F_PINNED;
        fault.pin_try = fault.start;
    }
}

/// What its hooks did not note of a fault, because nothing had changed by then: its read started, and its own release ended
/// its span, when the slot's numbers were those of its start.
#[inline(always)]
fn note_undisturbed(fault: &mut Fault) {
    let start = fault.known_at_start();
    if globals::RELEASES_SPARED.load() != 0 && fault.flags & (F_INSTALLED | F_SPAN_ENDED) == F_INSTALLED {
        fault.at_end = start;
        fault.flags |= F_SPAN_ENDED;
    }
    if globals::READS_HOOKED.load() != 0 && fault.flags & (F_DIRECT | F_READ) == F_DIRECT {
        fault.at_read = start;
        fault.read_start = fault.start;
        fault.flags |= F_READ;
    }
}

/// The histogram of a fault's path.
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

/// Counts an ended fault by its path, `timed` or not, and what it was beside that. What nearly every one is, is not counted: it
/// follows from their number.
#[inline(always)]
fn tally(flags: u32, fault: &Fault, now: u64, timed: bool) {
    let Some(counters) = count::here() else { return };
    if flags & (F_INSTALLED | ODD) != F_INSTALLED {
        tally_odd(counters, flags, fault);
    }
    if timed {
        count::fault_time(counters, path_of(flags), now.wrapping_sub(fault.start));
    } else {
        count::untimed(counters, path_of(flags));
    }
}

/// Flags of a fault that is to be counted for more than its path; so is one that has not installed its page.
const ODD: u32 = F_FREED_OWN | F_SPAN_ENDED | F_RANGE | F_PINNED;

#[inline(always)]
fn tally_odd(counters: *mut u8, flags: u32, fault: &Fault) {
    if flags & F_PINNED != 0 {
        count!(counters, pins, 1);
    }
    if flags & F_INSTALLED == 0 && flags & (F_DIRECT | F_CACHED) != 0 {
        count!(counters, uninstalled, 1);
    }
    if flags & (F_INSTALLED | F_SPAN_ENDED) == F_INSTALLED | F_SPAN_ENDED {
        count!(counters, spans_noted, 1);
    }
    if flags & F_FREED_OWN != 0 {
        count!(counters, freed, fault.frees_own.into());
    }
    if globals::DIRECT_BY_END.load() != 0 && flags & (F_DIRECT | F_RANGE) == F_DIRECT | F_RANGE {
        count!(counters, read_direct, u64::from(fault.nr) - 1);
    }
}

/// An end without a start: nothing is lost if the fault was none of ours.
#[inline(always)]
fn count_unknown_end<M: Memory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let (tid, tgid) = task::ids();
    // A PTE that maps a page by now tells no more which entry it was: where not all are wanted, nothing is known of it.
    let unwanted = if task::pte_present(pte) {
        wanted::filters_entries()
    } else {
        let entry = task::entry_of_pte(pte);
        !task::real(entry) || !wanted::this_entry(entry)
    };
    if !unwanted && wanted::this_task(tid, tgid) {
        count!(unknown_end);
    }
}
