//! An entry's life as seen from outside: freed, reallocated, written.

use observer_ebpf::{
    config::{ENTRY_TYPE_SHIFT, FIRST_DOUBTFUL_TYPE, LONGEST_RANGE},
    record::{
        ENTRY_ALLOCATED, ENTRY_FREED, ENTRY_WRITE_STARTED, ENTRY_WRITTEN, F_COUNT_DROPPED, F_FREED_OWN, F_FREED_SEEN,
        F_RANGE, F_SPAN_ENDED,
    },
    seat::Fault,
    slot,
};

use crate::{
    count::{add_u32, count},
    emit,
    fault::pages,
    faults::{self, fault_of},
    filter::{self, Filter},
    globals,
    maps::{REAL_TYPES, WRITES, Write},
    memory::Memory,
    pin, task,
};

/// `nr` entries have lost their last reference and are released.
#[inline(always)]
pub(crate) fn freed(entry: u64, nr: u32) {
    if nr == 1 {
        return freed_one(entry);
    }
    for i in 0..LONGEST_RANGE {
        if i >= nr {
            break;
        }
        range_entry_freed(entry.wrapping_add(i.into()));
    }
}

/// `nr` entries of an area are released, told by their offset in it.
#[inline(always)]
pub(crate) fn freed_in_area<M: Memory>(si: *const u8, offset: u64, nr: u32) {
    // SAFETY: the hook's argument is a `struct swap_info_struct`.
    let kind: u8 = unsafe { M::read(si, globals::SI_TYPE.load()) };
    freed((u64::from(kind) << ENTRY_TYPE_SHIFT) | offset, nr);
}

/// `nr` entries of an area are released, told by their cluster and their place in it.
#[inline(always)]
pub(crate) fn freed_in_cluster<M: Memory>(si: *const u8, cluster: u64, start: u32, nr: u32) {
    // SAFETY: as above; `cluster_info` is the first of the area's clusters.
    let first: u64 = unsafe { M::read(si, globals::SI_CLUSTERS.load()) };
    // The verifier lets pointers be subtracted, and nothing else. A plain division would bring a panic that never returns.
    let number = cluster.wrapping_sub(first).checked_div(globals::CLUSTER_BYTES.load().into()).unwrap_or(0);
    let offset = number * u64::from(globals::CLUSTER_ENTRIES.load()) + u64::from(start);
    freed_in_area::<M>(si, offset, nr);
}

/// What a drop means that gives up the swap cache's hold (`SWAP_HAS_CACHE`) rather than a reference.
const CACHE_HOLD: u8 = 0x40;

/// One entry of an area has lost a reference, or the swap cache's hold; `left`: what it has still (0: it is released).
#[inline(always)]
pub(crate) fn lost_hold<M: Memory>(si: *const u8, offset: u64, which: u8, left: u8) {
    // SAFETY: the hook's argument is a `struct swap_info_struct`.
    let kind: u8 = unsafe { M::read(si, globals::SI_TYPE.load()) };
    let entry = (u64::from(kind) << ENTRY_TYPE_SHIFT) | offset;
    if which == CACHE_HOLD {
        if left == 0 {
            freed_one(entry);
        }
        return;
    }
    // On the way of every swap-in. While nothing is happening nobody asks for the moment, and the slot's numbers are still
    // those of the fault's start: its end can tell the rest.
    let (tid, _) = task::ids();
    if left == 0 && filter::undisturbed() && faults::is_alone_on(tid, entry) {
        return;
    }
    let mut fault = fault_of(tid);
    // One look-up of the slot for what both notes want.
    let Some(slot) = Filter::of(entry) else { return };
    if let Some(fault) = fault.as_deref_mut()
        && fault.entry == entry
    {
        end_span(fault, slot);
        fault.flags |= F_COUNT_DROPPED;
    }
    if left == 0 {
        freed_by(fault, entry, slot);
    }
}

/// One entry of a longer range. A global function of its own: the verifier walks it once, not once for every turn of the
/// loop, which took it ten seconds.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn range_entry_freed(entry: u64) -> i32 {
    freed_one(entry);
    0
}

#[inline(always)]
fn freed_one(entry: u64) {
    let Some(slot) = Filter::of(entry) else { return };
    let fault = if slot.open_now() != 0 { fault_of(task::ids().0) } else { None };
    freed_by(fault, entry, slot);
}

/// An entry is released by a task that has this fault open. What a fault frees itself is counted at its end.
#[inline(always)]
fn freed_by(fault: Option<&mut Fault>, entry: u64, slot: Filter) {
    let whose = fault.map_or(Whose::Others, |fault| freed_own(fault, entry, slot));
    slot.freed();
    if !matches!(whose, Whose::Faults) {
        count!(freed);
    }
    // Looked at after the number was raised: who starts in between sees it raised.
    if slot.open_now() > u32::from(!matches!(whose, Whose::Others)) {
        filter::disturb(slot::index(entry));
        emit::entry(ENTRY_FREED, entry, slot.changes().frees(), slot);
    }
}

/// Whose an entry is that a task frees.
#[derive(Clone, Copy)]
enum Whose {
    /// That of the fault which the task has open.
    Faults,
    /// Another one of the range which that fault reads.
    Ranges,
    /// Neither.
    Others,
}

/// If the running task frees the entry of its own fault: notes the slot's numbers of this moment. From here on the
/// entry may be allocated to anybody, before the fault even returns, and that is no reuse under this reader.
#[inline(always)]
fn freed_own(fault: &mut Fault, entry: u64, slot: Filter) -> Whose {
    if fault.entry != entry {
        let (base, nr) = fault.range();
        let in_range = fault.flags & F_RANGE != 0 && pin::covers(base, nr, entry);
        return if in_range { Whose::Ranges } else { Whose::Others };
    }
    end_span(fault, slot);
    if fault.flags & F_FREED_OWN != 0 {
        fault.frees_own = fault.frees_own.wrapping_add(1);
    } else {
        fault.frees_own = 1;
        if slot.open_now() > 1 {
            fault.let_go = task::now();
            fault.flags |= F_FREED_SEEN;
        }
    }
    fault.flags |= F_FREED_OWN;
    // An own free says nothing of others.
    fault.known = fault.known.with_frees(1);
    Whose::Faults
}

/// `nr` entries lose a reference. If it is the running task's fault that gives its own up, its page is installed: what
/// happens from here on, while others may still hold the entry, is not under this reader.
#[inline(always)]
pub(crate) fn count_dropped(entry: u64, nr: u32) {
    let Some(fault) = fault_of(task::ids().0) else { return };
    if !pin::covers(entry, nr, fault.entry) {
        return;
    }
    let Some(slot) = Filter::at(fault.slot()) else { return };
    end_span(fault, slot);
    fault.flags |= F_COUNT_DROPPED;
}

/// Notes the slot's numbers as those up to which changes are under the fault's read; the first time counts.
#[inline(always)]
fn end_span(fault: &mut Fault, slot: Filter) {
    if fault.flags & F_SPAN_ENDED == 0 {
        fault.at_end = slot.changes();
        fault.flags |= F_SPAN_ENDED;
    }
}

/// `nr` entries are given to a page that is to be swapped out.
#[inline(always)]
pub(crate) fn allocated(entry: u64, nr: u32) {
    count!(allocated, u64::from(nr));
    let kind = (entry >> ENTRY_TYPE_SHIFT) as u32;
    if kind >= FIRST_DOUBTFUL_TYPE
        && let Some(seen) = REAL_TYPES.get_ptr_mut(kind)
    {
        add_u32(seen.cast(), 0, 1);
    }
    changed(ENTRY_ALLOCATED, entry, nr);
}

/// A page or folio is about to be written to its entries. A reader that started after the allocation but before the write
/// still reads what was there before, so the write counts as a change of its own.
#[inline(always)]
pub(crate) fn write_started<Flags: Memory, Private: Memory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { Flags::read(page, globals::PAGE_FLAGS.load()) };
    // SAFETY: likewise; it is in the swap cache, so its entry is in `private`.
    let entry: u64 = unsafe { Private::read(page, globals::PAGE_PRIVATE.load()) };
    let nr = pages(page, flags);
    count!(written, u64::from(nr));
    let kind =
        if globals::WRITE_ENDS.load() != 0 && end_awaited(entry, nr) { ENTRY_WRITE_STARTED } else { ENTRY_WRITTEN };
    changed(kind, entry, nr);
}

/// Notes a write whose end matters: a reader that missed the page in the swap cache may read while it is being written,
/// and get what was there before. Such a reader was in progress before the allocation, so it is in progress now.
#[inline(always)]
fn end_awaited(entry: u64, nr: u32) -> bool {
    if nr == 1 && Filter::of(entry).is_none_or(|slot| slot.open_now() == 0) {
        return false;
    }
    let write = Write { entry, nr: nr.into() };
    let noted = WRITES.insert(task::ids().0, write, 0).is_ok();
    if !noted {
        count!(dropped_write_end);
    }
    noted
}

/// The write of this task has come back: what the device holds is new. By now the page may be out of the swap cache and
/// have lost its entry, so that was noted when the write started.
#[inline(always)]
pub(crate) fn write_ended() {
    let (tid, _) = task::ids();
    let Some(write) = WRITES.get_ptr(tid) else { return };
    // SAFETY: a live map value that only this task touches.
    let Write { entry, nr } = unsafe { *write };
    let _ = WRITES.remove(tid);
    changed(ENTRY_WRITTEN, entry, nr as u32);
}

#[inline(always)]
fn changed(kind: u32, entry: u64, nr: u32) {
    if nr == 1 {
        return changed_one(kind, entry);
    }
    for i in 0..LONGEST_RANGE {
        if i >= nr {
            break;
        }
        range_entry_changed(kind, entry.wrapping_add(i.into()));
    }
}

/// One entry of a longer range; see [`range_entry_freed`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn range_entry_changed(kind: u32, entry: u64) -> i32 {
    changed_one(kind, entry);
    0
}

#[inline(always)]
fn changed_one(kind: u32, entry: u64) {
    let Some(slot) = Filter::of(entry) else { return };
    slot.changed();
    let seq = slot.changes().content();
    if slot.open_now() != 0 {
        filter::disturb(slot::index(entry));
        emit::entry(kind, entry, seq, slot);
    }
}

/// A page or folio on its way out is added to the swap cache under the entry it was just given.
#[inline(always)]
pub(crate) fn added_to_cache<M: Memory>(page: *const u8, entry: u64) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    allocated(entry, pages(page, flags));
}

/// The same where swap-in passes here as well (7.0, 7.1): only a page that is on its way out holds something already.
#[inline(always)]
pub(crate) fn added_to_cache_if_full<M: Memory>(page: *const u8, entry: u64) {
    // SAFETY: as above.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    if flags & globals::PG_UPTODATE.load() != 0 {
        allocated(entry, pages(page, flags));
    }
}
