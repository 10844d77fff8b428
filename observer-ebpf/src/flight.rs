//! A flight's life: begin, read, end.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_ktime_get_ns};
use observer_ebpf::{
    record::{F_CACHED, F_DIRECT, F_INSTALLED, F_STREAMED, FLIGHT_CLOSED, FLIGHT_OPENED, FlightRecord},
    slot::{self, Slot},
};

use crate::{
    count::{self, add_u32},
    emit, globals,
    maps::{FLIGHTS, Flight, SLOTS},
    memory::{Copied, Memory},
    task,
};

/// `do_swap_page` is entered.
#[inline(always)]
pub(crate) fn begin<M: Memory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`. `orig_pte` must be read here: on success it is overwritten.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let entry = task::entry_of_pte(pte);
    if !task::real(entry) {
        count::add(|c| unsafe { &raw mut (*c).special }, 1);
        return;
    }
    let (tid, tgid) = task::ids();
    if !task::observed(tid) {
        return;
    }
    let index = slot::index(entry);
    let Some(slot) = SLOTS.get_ptr_mut(index) else { return };
    let now = unsafe { bpf_ktime_get_ns() };
    let (frees_begin, changes_begin) = (emit::frees(slot), emit::changes(slot));
    // SAFETY: a live map value.
    unsafe { add_u32(&raw mut (*slot).opens, 1) };
    // `closes` before `opens`, and both after the own add: the difference can only be too large, and of two flights that
    // begin together at least the later one sees both.
    let closes = emit::closes(slot);
    let opens_begin = emit::opens(slot);
    // SAFETY: `address` and `vma` of a `struct vm_fault`, `vm_mm` of its `struct vm_area_struct`.
    let (address, mm) = unsafe {
        let vma = M::read::<u64>(vmf, globals::VMF_VMA.load()) as *const u8;
        (M::read(vmf, globals::VMF_ADDRESS.load()), M::read(vma, globals::VMA_MM.load()))
    };
    let flight = Flight {
        record: FlightRecord {
            entry,
            base: entry,
            nr: 1,
            address,
            mm,
            begin: now,
            tid,
            tgid,
            // Until a read begins: a flight that never reads still tells whether its entry is the one of before.
            frees_read: frees_begin,
            changes_read: changes_begin,
            ..FlightRecord::default()
        },
        vmf: vmf as u64,
        slot: index,
        opens_begin,
        frees_begin,
        changes_begin,
        frees_own: 0,
        pin_pending: 0,
    };
    if !enter(tid, &flight) {
        // SAFETY: a live map value. Not observed, so not open.
        unsafe { add_u32(&raw mut (*slot).closes, 1) };
        return;
    }
    count::add(|c| unsafe { &raw mut (*c).begun }, 1);
    if opens_begin.wrapping_sub(closes) > 1
        && let Some(flight) = FLIGHTS.get_ptr_mut(tid)
    {
        // SAFETY: only this task touches its own flight.
        emit::flight(unsafe { &mut *flight }, FLIGHT_OPENED, now, slot);
    }
}

/// Puts an open flight into the table. False: there was no room, which has been counted.
#[inline(always)]
fn enter(tid: u32, flight: &Flight) -> bool {
    if FLIGHTS.insert(tid, flight, u64::from(BPF_NOEXIST)).is_ok() {
        return true;
    }
    let Some(stale) = FLIGHTS.get_ptr_mut(tid) else {
        count::add(|c| unsafe { &raw mut (*c).lost_table_full }, 1);
        return false;
    };
    // This task's last flight never ended as far as we saw: a missed return probe. Its slot must not stay open for ever.
    count::add(|c| unsafe { &raw mut (*c).lost_flight_end }, 1);
    // SAFETY: only this task touches its own flight; a live map value.
    unsafe {
        if let Some(slot) = SLOTS.get_ptr_mut((*stale).slot) {
            add_u32(&raw mut (*slot).closes, 1);
        }
        *stale = *flight;
    }
    true
}

/// A read from a swap device is started, by a flight or by anybody else.
#[inline(always)]
pub(crate) fn read_begin<M: Memory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    let nr = pages(page, flags);
    let cached = flags & (1 << (globals::PG_SWAPCACHE.load() & 63)) != 0;
    let (tid, _) = task::ids();
    let flight = FLIGHTS.get_ptr_mut(tid);
    if flight.is_none() && !task::observed(tid) {
        return;
    }
    if cached {
        count::add(|c| unsafe { &raw mut (*c).read_cached }, nr.into());
    } else {
        count::add(|c| unsafe { &raw mut (*c).read_direct }, nr.into());
    }
    let Some(flight) = flight else {
        count::add(|c| unsafe { &raw mut (*c).read_outside }, nr.into());
        return;
    };
    // SAFETY: only this task touches its own flight.
    let flight = unsafe { &mut *flight };
    if flight.record.read_begin != 0 {
        // Read-ahead reads neighbours as well; the first read is the flight's own.
        return;
    }
    flight.record.flags |= if cached { F_CACHED } else { F_DIRECT };
    if nr > 1 {
        // SAFETY: as above; `private` holds the first entry of the range.
        flight.record.base = unsafe { M::read(page, globals::PAGE_PRIVATE.load()) };
        flight.record.nr = nr;
    }
    let Some(slot) = SLOTS.get_ptr_mut(flight.slot) else { return };
    flight.record.frees_read = emit::frees(slot);
    flight.record.changes_read = emit::changes(slot);
    flight.record.read_begin = unsafe { bpf_ktime_get_ns() };
}

/// Number of pages of the page or folio.
#[inline(always)]
pub(crate) fn pages(page: *const u8, flags: u64) -> u32 {
    let order_at = globals::PAGE_ORDER.load();
    if order_at == 0 || flags & (1 << (globals::PG_HEAD.load() & 63)) == 0 {
        return 1;
    }
    // The order sits in the second `struct page`, past the object that the verifier knows: copied on both backends.
    // SAFETY: a head page is followed by its tail pages.
    let order: u8 = unsafe { Copied::read(page, order_at) };
    1 << (order & 15)
}

/// The first read of this task's flight has come back.
#[inline(always)]
pub(crate) fn read_end() {
    if let Some(flight) = FLIGHTS.get_ptr_mut(task::ids().0) {
        // SAFETY: only this task touches its own flight.
        let flight = unsafe { &mut *flight };
        if flight.record.read_end == 0 {
            flight.record.read_end = unsafe { bpf_ktime_get_ns() };
        }
    }
}

/// `do_swap_page` returns. `vmf` is its argument where the backend still has it.
#[inline(always)]
pub(crate) fn end<M: Memory>(vmf: Option<*const u8>, fault_ret: u32) {
    let (tid, _) = task::ids();
    let Some(flight) = FLIGHTS.get_ptr_mut(tid) else {
        if let Some(vmf) = vmf {
            count_unknown_end::<M>(vmf, tid);
        }
        return;
    };
    // SAFETY: only this task touches its own flight.
    let flight = unsafe { &mut *flight };
    let now = unsafe { bpf_ktime_get_ns() };
    let vmf = vmf.unwrap_or(flight.vmf as *const u8);
    // SAFETY: the `struct vm_fault` lives in the caller's frame until after this hook.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    flight.record.fault_ret = fault_ret;
    if task::pte_present(pte) {
        flight.record.flags |= F_INSTALLED;
        count::add(|c| unsafe { &raw mut (*c).installed }, 1);
    }
    if let Some(slot) = SLOTS.get_ptr_mut(flight.slot) {
        close(flight, slot, now);
    }
    time(flight.record.flags, now.wrapping_sub(flight.record.begin));
    count::add(|c| unsafe { &raw mut (*c).ended }, 1);
    let _ = FLIGHTS.remove(tid);
}

/// Takes the flight off its slot, and streams it if it was not alone there.
#[inline(always)]
fn close(flight: &mut Flight, slot: *mut Slot, now: u64) {
    let (frees, changes) = (emit::frees(slot), emit::changes(slot));
    if flight.frees_own == 0 {
        flight.record.frees_end = frees;
        flight.record.changes_end = changes;
    }
    // SAFETY: a live map value. Closed before `opens` is read: a flight that began earlier shows there, one that begins
    // later sees this one closed.
    unsafe { add_u32(&raw mut (*slot).closes, 1) };
    let others_freed = frees.wrapping_sub(flight.frees_begin) != flight.frees_own;
    let contended = flight.record.flags & F_STREAMED != 0
        || emit::opens(slot) != flight.opens_begin
        || changes != flight.changes_begin
        || others_freed
        || flight.record.pin_fails != 0
        || flight.record.nr > 1;
    if contended {
        count::add(|c| unsafe { &raw mut (*c).streamed }, 1);
        emit::flight(flight, FLIGHT_CLOSED, now, slot);
    }
}

/// Counts and times an ended flight by its path.
#[inline(always)]
fn time(flags: u32, ns: u64) {
    if flags & F_DIRECT != 0 {
        count::add(|c| unsafe { &raw mut (*c).direct }, 1);
        count::flight_time(0, ns);
    } else if flags & (F_CACHED | F_INSTALLED) != 0 {
        count::add(|c| unsafe { &raw mut (*c).cached }, 1);
        count::flight_time(1, ns);
    } else {
        count::add(|c| unsafe { &raw mut (*c).none }, 1);
        count::flight_time(2, ns);
    }
}

/// An end without a begin: nothing is lost if the flight was none of ours.
#[inline(always)]
fn count_unknown_end<M: Memory>(vmf: *const u8, tid: u32) {
    // SAFETY: the hook's argument is a `struct vm_fault`.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let special = !task::pte_present(pte) && !task::real(task::entry_of_pte(pte));
    if !special && task::observed(tid) {
        count::add(|c| unsafe { &raw mut (*c).unknown_end }, 1);
    }
}
