//! Reads from swap devices.

use observer_ebpf::record::{F_CACHE_PATH, F_CACHED, F_DIRECT, F_OWN_CACHE_TRY, F_RANGE, F_READ_ENDED, F_READ_STARTED};

use crate::{
    count::count,
    disturbance,
    fault_table::fault_of,
    filters, globals,
    memory::{HelperCopy, KernelMemory},
    page::pages,
    pin, pin_path,
    slots::SlotRef,
    task,
};

/// A fault enters the path through the swap cache, where it finds its page or reads into the cache.
#[inline(always)]
pub(crate) fn through_cache() {
    if let Some(fault) = fault_of(task::ids().0) {
        fault.flags |= F_CACHE_PATH;
    }
}

/// A task is about to look for the page of an entry in the swap cache, and to add it. If another task holds the pin, it
/// sleeps until that one has dropped it.
#[inline(always)]
pub(crate) fn cache_try(entry: u64) {
    let Some(fault) = fault_of(task::ids().0) else { return };
    if fault.entry == entry {
        fault.flags |= F_OWN_CACHE_TRY;
    } else {
        fault.flags &= !F_OWN_CACHE_TRY;
    }
}

/// A read from a swap device starts, of a fault or outside any.
#[inline(always)]
pub(crate) fn start<M: KernelMemory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::page_flags.load()) };
    let cached = flags & globals::pg_swapcache.load() != 0;
    if !cached && globals::direct_at_end.load() != 0 && disturbance::none_pending() {
        return;
    }
    // A direct read is always part of a fault, whose end counts it then.
    let counted_at_end = !cached && globals::direct_at_end.load() != 0;
    let nr = pages(page, flags);
    let (tid, tgid) = task::ids();
    let fault = fault_of(tid);
    if fault.is_none() && filters::any() && !(filters::task(tid, tgid) && entry_is_observed(page)) {
        return;
    }
    // A fault's read-ahead reads neighbours, each of which is in the sample or not by its own entry.
    if !counted_at_end && (!filters::samples() || entry_is_observed(page)) {
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
    if fault.flags & F_READ_STARTED != 0 || cached && !is_of_entry(page, nr, fault.entry) {
        // Read-ahead, which reads neighbours before and after the fault's own page.
        return;
    }
    fault.flags |= if cached { F_CACHED | F_READ_STARTED } else { F_DIRECT | F_READ_STARTED };
    if nr > 1 {
        // SAFETY: the hook's argument is a `struct page` or `struct folio`; `private` holds the first entry of the
        // range.
        let base = unsafe { M::read(page, globals::page_private.load()) };
        if pin::covers(base, nr, fault.entry) {
            fault.set_range(base, nr);
            fault.flags |= F_RANGE;
        }
    }
    let Some(slot) = SlotRef::at(fault.slot()) else { return };
    fault.at_read = slot.changes();
    // Verdicts need the numbers only. The time is evidence, and a clock costs as much as three look-ups.
    fault.read_start = if cached || globals::reads_timed.load() != 0 { task::now() } else { fault.start };
}

/// A page is added to the swap cache in order to be read: where reads are not hooked, this stands for the read.
#[inline(always)]
pub(crate) fn into_cache<M: KernelMemory>(page: *const u8, entry: u64) {
    if globals::reads_hooked.load() != 0 || pin_path::current() == pin_path::ZSWAP {
        return;
    }
    let (tid, tgid) = task::ids();
    let fault = fault_of(tid);
    if fault.is_none() && !(filters::task(tid, tgid) && filters::entry(entry)) {
        return;
    }
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let nr = u64::from(pages(page, unsafe { M::read(page, globals::page_flags.load()) }));
    // A fault's read-ahead reads neighbours, each of which is in the sample or not by its own entry.
    if filters::sampled(entry) {
        count!(read_cached, nr);
        if fault.is_none() {
            count!(read_outside, nr);
            count!(outside_cached, nr);
        }
    }
    let Some(fault) = fault else { return };
    // The others are read-ahead.
    if fault.flags & F_READ_STARTED == 0 && pin::covers(entry, nr as u32, fault.entry) {
        fault.flags |= F_CACHED | F_READ_STARTED;
        fault.at_read = fault.known;
        fault.read_start = task::now();
    }
}

/// Whether a page of the swap cache that is read belongs to this entry.
#[inline(always)]
fn is_of_entry(page: *const u8, nr: u32, entry: u64) -> bool {
    // SAFETY: a page or folio in the swap cache has its first entry in `private`.
    pin::covers(unsafe { HelperCopy::read(page, globals::page_private.load()) }, nr, entry)
}

/// Whether the filters by entry pass the page that is read.
#[inline(always)]
fn entry_is_observed(page: *const u8) -> bool {
    // Copied on both backends: `private` of a folio is a pointer to the verifier, which does not let it be used as a
    // number.
    // SAFETY: a page or folio that is read from swap has its entry in `private`.
    !filters::by_entry() || filters::entry(unsafe { HelperCopy::read(page, globals::page_private.load()) })
}

/// A read has ended. The first one after the start of the fault's own read is that one: a task reads one page at a time.
#[inline(always)]
pub(crate) fn end() {
    if let Some(fault) = fault_of(task::ids().0)
        && fault.flags & (F_READ_STARTED | F_READ_ENDED) == F_READ_STARTED
    {
        fault.read_end = task::now();
        fault.flags |= F_READ_ENDED;
    }
}
