//! A flight's end: what it was is counted, and it is streamed if it was not alone.

use observer_ebpf::{
    record::{
        F_CACHED, F_DIRECT, F_FREED_OWN, F_INSTALLED, F_LOCKED_OUT, F_PIN_LOST, F_PIN_TRIED, F_PINNED, F_RANGE, F_READ,
        F_SPAN_ENDED, F_STREAMED, F_THROUGH_CACHE, FLIGHT_CLOSED,
    },
    seat::{Changes, Flight},
};

use crate::{
    count::{self, count},
    emit::{self, Moment},
    filter::{self, Filter},
    flight::space,
    flights::{self, Held},
    globals,
    memory::Memory,
    task, wanted,
};

/// `VM_FAULT_MAJOR`, the same on every kernel: the flight did not find its page in the swap cache, and got one.
const MAJOR: u32 = 4;

/// `do_swap_page` returns. `vmf` is its argument where the backend still has it.
#[inline(always)]
pub(crate) fn end<M: Memory>(vmf: Option<*const u8>, fault_ret: u32) {
    let (tid, _) = task::ids();
    let Some(held) = flights::held_by(tid) else {
        if let Some(vmf) = vmf {
            count_unknown_end::<M>(vmf);
        }
        return;
    };
    let flight = held.flight();
    // Begin and end are on one function, so both are of one backend.
    let vmf = vmf.unwrap_or(flight.vmf as *const u8);
    // SAFETY: the `struct vm_fault` lives in the caller's frame until after this hook.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let mut flags = flight.flags;
    if task::pte_present(pte) {
        flags |= F_INSTALLED;
    }
    let by_end = globals::DIRECT_BY_END.load() != 0;
    if by_end && flags & (F_THROUGH_CACHE | F_CACHED) == 0 && fault_ret & MAJOR != 0 {
        flags |= F_DIRECT;
    }
    if flags & CONTENDED != 0 || !filter::undisturbed() {
        return end_loudly::<M>(held, vmf, tid, fault_ret, flags);
    }
    // A quiet flight's duration may be wanted, the moment of its end is not.
    let now = if is_timed(flight) { task::now() } else { 0 };
    let Some(slot) = Filter::at(flight.slot()) else { return };
    let changes = slot.changes();
    // Closed before it is asked again: who began earlier has raised it by then, who begins later sees this one closed.
    slot.close();
    if !filter::undisturbed() {
        return turned_loud::<M>(held, vmf, &Ending { now, changes, tid, flags, fault_ret });
    }
    tally(flags, flight, now, now != 0);
    flights::leave(held, tid);
}

/// How a flight has ended.
struct Ending {
    /// When; 0: it was taken for a quiet one.
    now: u64,
    /// The slot's numbers right before it was counted out.
    changes: Changes,
    /// Whose flight it is.
    tid: u32,
    /// Its flags by then.
    flags: u32,
    /// What `do_swap_page` has returned.
    fault_ret: u32,
}

/// The end of a flight while something is happening, to itself or elsewhere. Out of line, so that the registers of a quiet
/// flight's end are its own.
#[inline(never)]
fn end_loudly<M: Memory>(held: Held, vmf: *const u8, tid: u32, fault_ret: u32, flags: u32) {
    let now = task::now();
    let Some(slot) = Filter::at(held.flight().slot()) else { return };
    let changes = slot.changes();
    // Closed before `opens` is read: a flight that began earlier shows there, one that begins later sees this one closed.
    slot.close();
    conclude::<M>(held, vmf, &Ending { now, changes, tid, flags, fault_ret });
}

/// Something has happened while a flight was about to end quietly. Not through one function with the above: each call takes
/// stack, and kernels allow 512 bytes for all.
#[inline(never)]
fn turned_loud<M: Memory>(held: Held, vmf: *const u8, ending: &Ending) {
    conclude::<M>(held, vmf, ending);
}

/// A flight has been counted out that may not have been alone: streams it if it was not.
#[inline(always)]
fn conclude<M: Memory>(held: Held, vmf: *const u8, ending: &Ending) {
    let Ending { now, changes, tid, flags, fault_ret } = *ending;
    let flight = held.flight();
    let now = if now == 0 { task::now() } else { now };
    let Some(slot) = Filter::at(flight.slot()) else { return };
    if flags & CONTENDED != 0 || slot.opens() != flight.opens_begin || changes != flight.known {
        // SAFETY: `address` of a `struct vm_fault`.
        let address = unsafe { M::read(vmf, globals::VMF_ADDRESS.load()) };
        flight.flags = flags;
        if flags & F_LOCKED_OUT == 0 {
            flight.mm = space::<M>(vmf);
        }
        note_untold_pin(flight);
        note_undisturbed(flight);
        count!(streamed);
        emit::flight(flight, Moment { kind: FLIGHT_CLOSED, ts: now, address, fault_ret }, slot, changes);
    }
    // Not only by who was disturbed: that one may have closed while this one was inside.
    if filter::disturbed() {
        filter::calm(flight.slot());
    }
    tally(flags, flight, now, is_timed(flight));
    flights::leave(held, tid);
}

/// Whether a flight's duration is entered into the histograms: with lean hooks one in so many, whether it met others or not.
/// Chosen by when it began, in steps coarser than those of slow clocks, and by its entry.
#[inline(always)]
fn is_timed(flight: &Flight) -> bool {
    let mask = globals::TIMED_MASK.load();
    mask == 0 || ((flight.begin >> 6) ^ flight.entry) & mask == 0
}

/// Flags of a flight that was not alone, or about whose range others may ask.
const CONTENDED: u32 = F_STREAMED | F_PIN_TRIED | F_LOCKED_OUT | F_RANGE;

/// Where no hook tells of pins and the kernel takes one for every direct read: notes it, as taken at the begin.
#[inline(always)]
fn note_untold_pin(flight: &mut Flight) {
    if globals::PINS_UNTOLD.load() != 0 && flight.flags & F_DIRECT != 0 {
        // A sleep of such a flight was for something else.
        flight.flags = flight.flags & !(F_PIN_LOST | F_PIN_TRIED) | F_PINNED;
        flight.pin_try = flight.begin;
    }
}

/// What its hooks did not note of a flight, because nothing had changed by then: its read began, and its own release ended
/// its span, when the slot's numbers were those of its begin.
#[inline(always)]
fn note_undisturbed(flight: &mut Flight) {
    let begin = flight.known_at_begin();
    if globals::RELEASES_SPARED.load() != 0 && flight.flags & (F_INSTALLED | F_SPAN_ENDED) == F_INSTALLED {
        flight.at_end = begin;
        flight.flags |= F_SPAN_ENDED;
    }
    if globals::READS_HOOKED.load() != 0 && flight.flags & (F_DIRECT | F_READ) == F_DIRECT {
        flight.at_read = begin;
        flight.read_begin = flight.begin;
        flight.flags |= F_READ;
    }
}

/// The histogram of a flight's path.
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

/// Counts an ended flight by its path, `timed` or not, and what it was beside that. What nearly every one is, is not counted: it
/// follows from their number.
#[inline(always)]
fn tally(flags: u32, flight: &Flight, now: u64, timed: bool) {
    let Some(counters) = count::here() else { return };
    if flags & (F_INSTALLED | ODD) != F_INSTALLED {
        tally_odd(counters, flags, flight);
    }
    if timed {
        count::flight_time(counters, path_of(flags), now.wrapping_sub(flight.begin));
    } else {
        count::untimed(counters, path_of(flags));
    }
}

/// Flags of a flight that is to be counted for more than its path; so is one that has not installed its page.
const ODD: u32 = F_FREED_OWN | F_SPAN_ENDED | F_RANGE | F_PINNED;

#[inline(always)]
fn tally_odd(counters: *mut u8, flags: u32, flight: &Flight) {
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
        count!(counters, freed, flight.frees_own.into());
    }
    if globals::DIRECT_BY_END.load() != 0 && flags & (F_DIRECT | F_RANGE) == F_DIRECT | F_RANGE {
        count!(counters, read_direct, u64::from(flight.nr) - 1);
    }
}

/// An end without a begin: nothing is lost if the flight was none of ours.
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
