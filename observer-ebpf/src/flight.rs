//! A flight's life: begin, read, end.

use aya_log_ebpf::warn;
use observer_ebpf::{
    record::{F_CACHED, F_COUNT_DROPPED, F_DIRECT, F_INSTALLED, F_PIN_TRIED, F_STREAMED, FLIGHT_CLOSED, FLIGHT_OPENED},
    slot,
};

use crate::{
    count::{self, count},
    emit,
    filter::Filter,
    flights::{self, Flight, Held, Seated, flight_of},
    globals,
    memory::{Copied, Memory},
    path, task, wanted,
};

/// `VM_FAULT_MAJOR`, the same on every kernel: the flight did not find its page in the swap cache, and got one.
const MAJOR: u32 = 4;

/// `do_swap_page` is entered.
#[inline(always)]
pub(crate) fn begin<M: Memory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`. `orig_pte` must be read here: on success it is overwritten.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let entry = task::entry_of_pte(pte);
    if !task::real(entry) {
        count!(special);
        return;
    }
    let (tid, tgid) = task::ids();
    if wanted::filtered() && !(wanted::this_entry(entry) && wanted::this_task(tid, tgid)) {
        return;
    }
    let index = slot::index(entry);
    let Some(slot) = Filter::at(index) else { return };
    let now = task::now();
    let (frees_begin, changes_begin) = (slot.frees(), slot.changes());
    slot.open();
    // `closes` before `opens`, and both after the own add: the difference can only be too large, and of two flights that
    // begin together at least the later one sees both.
    let closes = slot.closes();
    let opens_begin = slot.opens();
    // SAFETY: `address` and `vma` of a `struct vm_fault`.
    let address = unsafe { M::read(vmf, globals::VMF_ADDRESS.load()) };
    // SAFETY: likewise.
    let vma: u64 = unsafe { M::read(vmf, globals::VMF_VMA.load()) };
    // SAFETY: `vm_mm` of the fault's `struct vm_area_struct`.
    let mm = unsafe { M::read(vma as *const u8, globals::VMA_MM.load()) };
    let flight = match flights::take_seat(tid) {
        Seated::Fresh(flight) => flight,
        Seated::Stale(flight) => {
            never_ended(flight, tid);
            flight
        }
        Seated::Nowhere => {
            // Not observed, so not open.
            slot.close();
            warn!(&(), "no room for the flight of task {}", tid);
            return;
        }
    };
    // Word by word: a whole flight would be built on the stack and copied. And what is not yet known in a way that the
    // compiler does not gather into a call of `memset`, which here is a loop over bytes.
    let record = &mut flight.record;
    record.flags = 0;
    record.entry = entry;
    record.base = entry;
    record.address = address;
    record.mm = mm;
    record.begin = now;
    count::clear(&mut record.read_begin);
    count::clear(&mut record.read_end);
    count::clear(&mut record.pin_try);
    count::clear(&mut record.pin_drop);
    count::clear(&mut record.freed_own);
    count::clear(&mut record.lock_try);
    count::clear(&mut record.lock_end);
    record.tid = tid;
    record.tgid = tgid;
    record.nr = 1;
    record.fault_ret = 0;
    record.pin_rc = 0;
    record.pin_fails = 0;
    // Until a read begins: a flight that never reads still tells whether its entry is the one of before.
    record.frees_read = frees_begin;
    record.frees_end = 0;
    record.changes_read = changes_begin;
    record.changes_end = 0;
    flight.vmf = vmf as u64;
    flight.slot = index;
    flight.opens_begin = opens_begin;
    flight.frees_begin = frees_begin;
    flight.changes_begin = changes_begin;
    flight.frees_own = 0;
    flight.pin_pending = 0;
    count!(begun);
    if opens_begin.wrapping_sub(closes) > 1 {
        emit::flight(flight, FLIGHT_OPENED, now, slot);
    }
}

/// This task's last flight never ended as far as we saw: a missed return. Its slot must not stay open for ever.
#[inline(always)]
fn never_ended(stale: &Flight, tid: u32) {
    count!(lost_flight_end);
    warn!(&(), "the last flight of task {} never ended", tid);
    if let Some(slot) = Filter::at(stale.slot) {
        slot.close();
    }
}

/// A read from a swap device is started, by a flight or by anybody else.
#[inline(always)]
pub(crate) fn read_begin<M: Memory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    let nr = pages(page, flags);
    let cached = flags & (1 << (globals::PG_SWAPCACHE.load() & 63)) != 0;
    let (tid, tgid) = task::ids();
    let flight = flight_of(tid);
    if flight.is_none() && wanted::filtered() && !(wanted::this_task(tid, tgid) && of_wanted_entry(page)) {
        return;
    }
    // A flight reads neighbours ahead, and those are sampled for themselves.
    if !wanted::samples() || of_wanted_entry(page) {
        if cached {
            count!(read_cached, u64::from(nr));
        } else {
            count!(read_direct, u64::from(nr));
        }
        if flight.is_none() {
            count!(read_outside, u64::from(nr));
        }
    }
    let Some(flight) = flight else { return };
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
    let Some(slot) = Filter::at(flight.slot) else { return };
    flight.record.frees_read = slot.frees();
    flight.record.changes_read = slot.changes();
    flight.record.read_begin = task::now();
}

/// A page is added to the swap cache to be read into: what tells of such reads where no hook on the read itself does.
#[inline(always)]
pub(crate) fn reads_into_cache<M: Memory>(page: *const u8, entry: u64) {
    if globals::READS_HOOKED.load() != 0 || path::current() == path::ZSWAP {
        return;
    }
    let (tid, tgid) = task::ids();
    let flight = flight_of(tid);
    if flight.is_none() && !(wanted::this_task(tid, tgid) && wanted::this_entry(entry)) {
        return;
    }
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let nr = u64::from(pages(page, unsafe { M::read(page, globals::PAGE_FLAGS.load()) }));
    // As above.
    if wanted::sampled(entry) {
        count!(read_cached, nr);
        if path::current() == path::SHMEM {
            count!(shmem_cached, nr);
        }
        if flight.is_none() {
            count!(read_outside, nr);
        }
    }
    let Some(flight) = flight else { return };
    if flight.record.read_begin == 0 {
        // As above: the first is the flight's own.
        flight.record.flags |= F_CACHED;
        flight.record.read_begin = task::now();
    }
}

/// Whether what is read lies in a swap area that is to be observed.
#[inline(always)]
fn of_wanted_entry(page: *const u8) -> bool {
    // Copied on both backends: what a folio holds as `private` is a pointer to the verifier, and no number can be made of it.
    // SAFETY: a page or folio that is read from swap has its entry in `private`.
    !wanted::filters_entries() || wanted::this_entry(unsafe { Copied::read(page, globals::PAGE_PRIVATE.load()) })
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
    if let Some(flight) = flight_of(task::ids().0)
        && flight.record.read_end == 0
    {
        flight.record.read_end = task::now();
    }
}

/// `do_swap_page` returns. `vmf` is its argument where the backend still has it.
#[inline(always)]
pub(crate) fn end<M: Memory>(vmf: Option<*const u8>, fault_ret: u32) {
    let (tid, _) = task::ids();
    let Some(Held { flight, seat }) = flights::held_by(tid) else {
        if let Some(vmf) = vmf {
            count_unknown_end::<M>(vmf);
        }
        return;
    };
    let now = task::now();
    let vmf = vmf.unwrap_or(flight.vmf as *const u8);
    // SAFETY: the `struct vm_fault` lives in the caller's frame until after this hook.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    flight.record.fault_ret = fault_ret;
    if task::pte_present(pte) {
        flight.record.flags |= F_INSTALLED;
    }
    if globals::READS_HOOKED.load() == 0 && has_read_pinned(flight) {
        flight.record.flags |= F_DIRECT;
    }
    if let Some(slot) = Filter::at(flight.slot) {
        close(flight, slot, now);
    }
    tally(flight, now.wrapping_sub(flight.record.begin));
    flights::leave(seat, tid);
}

/// Whether a flight that took the pin has read past the swap cache, where no hook tells of reads: with the pin taken and
/// a page to read into, it does, unless it was the pin of the swap cache's own read.
#[inline(always)]
fn has_read_pinned(flight: &Flight) -> bool {
    let record = &flight.record;
    record.flags & (F_PIN_TRIED | F_CACHED) == F_PIN_TRIED && record.pin_rc == 0 && record.fault_ret & MAJOR != 0
}

/// Takes the flight off its slot, and streams it if it was not alone there.
#[inline(always)]
fn close(flight: &mut Flight, slot: Filter, now: u64) {
    let (frees, changes) = (slot.frees(), slot.changes());
    if flight.frees_own == 0 && flight.record.flags & F_COUNT_DROPPED == 0 {
        flight.record.frees_end = frees;
        flight.record.changes_end = changes;
    }
    // Closed before `opens` is read: a flight that began earlier shows there, one that begins later sees this one closed.
    slot.close();
    let others_freed = frees.wrapping_sub(flight.frees_begin) != flight.frees_own;
    let contended = flight.record.flags & F_STREAMED != 0
        || slot.opens() != flight.opens_begin
        || changes != flight.changes_begin
        || others_freed
        || flight.record.pin_fails != 0
        || flight.record.lock_try != 0
        || flight.record.nr > 1;
    if contended {
        count!(streamed);
        emit::flight(flight, FLIGHT_CLOSED, now, slot);
    }
}

/// Counts and times an ended flight by its path. One look-up for all counters: on kernels before 6.10 each is a call.
#[inline(always)]
fn tally(flight: &Flight, ns: u64) {
    let Some(counters) = count::here() else { return };
    let (flags, nr) = (flight.record.flags, flight.record.nr);
    if flags & F_INSTALLED != 0 {
        count!(counters, installed, 1);
    }
    let path = if flags & F_DIRECT != 0 {
        count!(counters, direct, 1);
        if globals::READS_HOOKED.load() == 0 {
            count!(counters, read_direct, u64::from(nr));
        }
        0
    } else if flags & (F_CACHED | F_INSTALLED) != 0 {
        count!(counters, cached, 1);
        1
    } else {
        count!(counters, none, 1);
        2
    };
    count::flight_time(path, ns);
}

/// An end without a begin: nothing is lost if the flight was none of ours.
#[inline(always)]
fn count_unknown_end<M: Memory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`.
    let pte: u64 = unsafe { M::read(vmf, globals::VMF_ORIG_PTE.load()) };
    let (tid, tgid) = task::ids();
    // A PTE that maps a page by now tells no more which entry it was.
    let unwanted = !task::pte_present(pte) && {
        let entry = task::entry_of_pte(pte);
        !task::real(entry) || !wanted::this_entry(entry)
    };
    if !unwanted && wanted::this_task(tid, tgid) {
        count!(unknown_end);
    }
}
