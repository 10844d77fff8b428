//! A fault's life up to its end: start, and read.

use aya_log_ebpf::warn;
use observer_ebpf::{
    record::{F_CACHED, F_DIRECT, F_FREED_OWN, F_RANGE, F_READ, F_READ_ENDED, F_THROUGH_CACHE, FAULT_STARTED},
    seat::Fault,
    slot,
};

use crate::{
    count::count,
    emit::{self, Moment},
    faults::{self, Seated, fault_of},
    filter::{self, Filter},
    globals,
    memory::{Copied, Memory},
    path, pin, task, wanted,
};

/// `do_swap_page` is entered.
#[inline(always)]
pub(crate) fn start<M: Memory>(vmf: *const u8) {
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
    let fault = match faults::take_seat(tid) {
        Seated::Fresh(fault) => fault,
        Seated::Stale(fault) => {
            never_ended(fault, tid);
            fault
        }
        Seated::Nowhere => return no_room(tid),
    };
    // What is written here is all that an uncontended fault writes; the rest of its seat is of an earlier one.
    fault.flags = 0;
    fault.entry = entry;
    if M::LOSES_ARGS_AT_RETURN {
        fault.vmf = vmf as u64;
    }
    let now = task::now();
    fault.start = now;
    slot.open();
    // After the own add: who changes something later sees this fault. And who is inside is asked last: who opens before that
    // is either seen there, or found at the end to have opened since.
    fault.known = slot.changes();
    fault.opens_start = slot.opens();
    if slot.open_now() > 1 {
        // Before this fault reads or tries to pin: who is inside notes its release, or when it drops its pin, from here on.
        filter::disturb(fault.slot());
        // SAFETY: `address` of a `struct vm_fault`.
        let address = unsafe { M::read(vmf, globals::VMF_ADDRESS.load()) };
        fault.mm = space::<M>(vmf);
        let moment = Moment { kind: FAULT_STARTED, ts: now, address, fault_ret: 0 };
        let changes = fault.known;
        emit::fault(fault, moment, slot, changes);
    }
}

/// The table of faults is full; counted there. A function of its own, like all that is rare: what it has on the stack would
/// be on its caller's, and kernels allow 512 bytes for all together.
#[inline(never)]
fn no_room(tid: u32) {
    warn!(&(), "no room for the fault of task {}", tid);
}

/// The `mm_struct` of a fault. Looked up for faults that are streamed only: on kprobes it takes two helper calls.
///
/// Not after the fault has given up the lock of its address space, which it does to wait for the page's lock: its VMA may be
/// gone then. Such a fault notes its `mm_struct` while it is about to wait ([`crate::lock::failed`]). (6.4 and 6.5 give it up
/// elsewhere too, at once, when a fault has the lock of its VMA only: nothing but a concurrent unmap changes the answer.)
#[inline(always)]
pub(crate) fn space<M: Memory>(vmf: *const u8) -> u64 {
    // SAFETY: `vma` of a `struct vm_fault`.
    let vma: u64 = unsafe { M::read(vmf, globals::VMF_VMA.load()) };
    // SAFETY: `vm_mm` of the fault's `struct vm_area_struct`.
    unsafe { M::read(vma as *const u8, globals::VMA_MM.load()) }
}

/// This task's last fault never ended as far as we saw: a missed return. Its slot must not stay open for ever.
#[inline(never)]
fn never_ended(stale: &Fault, tid: u32) {
    count!(dropped_fault_end);
    if stale.flags & F_FREED_OWN != 0 {
        count!(freed, stale.frees_own.into());
    }
    warn!(&(), "the last fault of task {} never ended", tid);
    if let Some(slot) = Filter::at(stale.slot()) {
        slot.close();
        filter::calm(stale.slot());
    }
}

/// A fault is about to go through the swap cache, where it finds its page or reads into it.
#[inline(always)]
pub(crate) fn through_cache() {
    if let Some(fault) = fault_of(task::ids().0) {
        fault.flags |= F_THROUGH_CACHE;
    }
}

/// A read from a swap device is started, by a fault or by anybody else.
#[inline(always)]
pub(crate) fn read_start<M: Memory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    let cached = flags & globals::PG_SWAPCACHE.load() != 0;
    if !cached && globals::DIRECT_BY_END.load() != 0 && filter::undisturbed() {
        return;
    }
    // Who reads past the swap cache is in a fault, whose end will tell.
    let told = !cached && globals::DIRECT_BY_END.load() != 0;
    let nr = pages(page, flags);
    let (tid, tgid) = task::ids();
    let fault = fault_of(tid);
    if fault.is_none() && wanted::filtered() && !(wanted::this_task(tid, tgid) && of_wanted_entry(page)) {
        return;
    }
    // A fault reads neighbours ahead, and those are sampled for themselves.
    if !told && (!wanted::samples() || of_wanted_entry(page)) {
        if cached {
            count!(read_cached, u64::from(nr));
        } else {
            count!(read_direct, u64::from(nr));
        }
        if fault.is_none() {
            count!(read_outside, u64::from(nr));
        }
    }
    let Some(fault) = fault else { return };
    if fault.flags & F_READ != 0 {
        // Read-ahead reads neighbours as well; the first read is the fault's own.
        return;
    }
    fault.flags |= if cached { F_CACHED | F_READ } else { F_DIRECT | F_READ };
    if nr > 1 {
        // SAFETY: as above; `private` holds the first entry of the range.
        let base = unsafe { M::read(page, globals::PAGE_PRIVATE.load()) };
        if pin::covers(base, nr, fault.entry) {
            fault.set_range(base, nr);
            fault.flags |= F_RANGE;
        }
    }
    let Some(slot) = Filter::at(fault.slot()) else { return };
    fault.at_read = slot.changes();
    // Which read started before which change the numbers tell; when, is evidence, and a clock costs what three look-ups do.
    fault.read_start = if cached || globals::READS_TIMED.load() != 0 { task::now() } else { fault.start };
}

/// A page is added to the swap cache to be read into: what tells of such reads where no hook on the read itself does.
#[inline(always)]
pub(crate) fn reads_into_cache<M: Memory>(page: *const u8, entry: u64) {
    if globals::READS_HOOKED.load() != 0 || path::current() == path::ZSWAP {
        return;
    }
    let (tid, tgid) = task::ids();
    let fault = fault_of(tid);
    if fault.is_none() && !(wanted::this_task(tid, tgid) && wanted::this_entry(entry)) {
        return;
    }
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let nr = u64::from(pages(page, unsafe { M::read(page, globals::PAGE_FLAGS.load()) }));
    // As above.
    if wanted::sampled(entry) {
        count!(read_cached, nr);
        if fault.is_none() {
            count!(read_outside, nr);
            count!(outside_cached, nr);
        }
    }
    let Some(fault) = fault else { return };
    if fault.flags & F_READ == 0 {
        // As above: the first is the fault's own.
        fault.flags |= F_CACHED | F_READ;
        fault.at_read = fault.known;
        fault.read_start = task::now();
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
    if order_at == 0 || flags & globals::PG_HEAD.load() == 0 {
        return 1;
    }
    // The order sits in the second `struct page`, past the object that the verifier knows: copied on both backends.
    // SAFETY: a head page is followed by its tail pages.
    let order: u8 = unsafe { Copied::read(page, order_at) };
    1 << (order & 15)
}

/// The first read of this task's fault has come back.
#[inline(always)]
pub(crate) fn read_end() {
    if let Some(fault) = fault_of(task::ids().0)
        && fault.flags & F_READ_ENDED == 0
    {
        fault.read_end = task::now();
        fault.flags |= F_READ_ENDED;
    }
}
