//! What happens to entries: allocated, written, freed.

use observer_ebpf::{
    record::{
        ENTRY_ALLOCATED, ENTRY_FREED, ENTRY_WRITE_STARTED, ENTRY_WRITTEN, F_FREE_TIMED, F_FREED_OWN, F_RANGE,
        F_REFERENCE_DROPPED, F_SPAN_ENDED,
    },
    seat::Fault,
    slot,
    swap_entry::{FIRST_AMBIGUOUS_TYPE, MAX_RANGE, RANGE_CHUNK, TYPE_SHIFT},
};

use crate::{
    atomic::add_u32,
    count::count,
    disturbance, emit,
    fault_table::{self, fault_of},
    globals,
    maps::{REAL_TYPES, WRITES, Write},
    memory::KernelMemory,
    page::pages,
    pin,
    slots::SlotRef,
    task,
};

/// `nr` entries from `entry` on are freed.
#[inline(always)]
pub(crate) fn freed(entry: u64, nr: u32) {
    if nr == 1 {
        return freed_one(entry);
    }
    let mut done = 0;
    for _ in 0..MAX_RANGE / RANGE_CHUNK {
        if done >= nr {
            return;
        }
        range_entries_freed(entry.wrapping_add(done.into()), nr.wrapping_sub(done));
        done += RANGE_CHUNK;
    }
    count_rest(nr, done);
}

/// Counts what is left of a range that is longer than any that this kernel can have.
#[inline(always)]
fn count_rest(nr: u32, done: u32) {
    if nr > done {
        count!(range_cut, u64::from(nr - done));
    }
}

/// `nr` entries are freed, given by area and offset.
#[inline(always)]
pub(crate) fn freed_in_area<M: KernelMemory>(si: *const u8, offset: u64, nr: u32) {
    // SAFETY: the hook's argument is a `struct swap_info_struct`.
    let kind: u8 = unsafe { M::read(si, globals::si_type.load()) };
    freed((u64::from(kind) << TYPE_SHIFT) | offset, nr);
}

/// `nr` entries are freed, given by area, cluster and index in the cluster.
#[inline(always)]
pub(crate) fn freed_in_cluster<M: KernelMemory>(si: *const u8, cluster: u64, start: u32, nr: u32) {
    // SAFETY: the hook's argument is a `struct swap_info_struct`; `cluster_info` points to the first cluster of the
    // area.
    let first: u64 = unsafe { M::read(si, globals::si_clusters.load()) };
    // The verifier allows no arithmetic on these pointers but a subtraction. `checked_div`, because the panic of a
    // plain division never returns.
    let number = cluster.wrapping_sub(first).checked_div(globals::cluster_bytes.load().into()).unwrap_or(0);
    let offset = number * u64::from(globals::cluster_entries.load()) + u64::from(start);
    freed_in_area::<M>(si, offset, nr);
}

/// `SWAP_HAS_CACHE`: what is dropped is the swap cache's hold, not a reference.
const CACHE_HOLD: u8 = 0x40;

/// One entry of an area loses a reference, or the swap cache's hold. `left`: its remaining count; 0: it is freed.
#[inline(always)]
pub(crate) fn reference_dropped_in_area<M: KernelMemory>(si: *const u8, offset: u64, usage: u8, left: u8) {
    // SAFETY: the hook's argument is a `struct swap_info_struct`.
    let kind: u8 = unsafe { M::read(si, globals::si_type.load()) };
    let entry = (u64::from(kind) << TYPE_SHIFT) | offset;
    if usage == CACHE_HOLD {
        if left == 0 {
            freed_one(entry);
        }
        return;
    }
    // Every swap-in passes here. While no disturbance is pending, the time of the free is not needed and the slot's
    // numbers are still those of the fault's start, so the end of the fault can record the rest.
    let (tid, _) = task::ids();
    if left == 0 && disturbance::none_pending() && fault_table::has_sole_claim(tid, entry) {
        return;
    }
    let mut fault = fault_of(tid);
    // Looked up once for both uses.
    let Some(slot) = SlotRef::of(entry) else { return };
    if let Some(fault) = fault.as_deref_mut()
        && fault.entry == entry
    {
        end_span(fault, slot);
        fault.flags |= F_REFERENCE_DROPPED;
    }
    if left == 0 {
        freed_by(fault, entry, slot);
    }
}

/// The first [`RANGE_CHUNK`] of `nr` entries are freed. A global function, so that the verifier checks it once and not
/// in each iteration of the loop around it, which took ten seconds.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn range_entries_freed(entry: u64, nr: u32) -> i32 {
    for i in 0..RANGE_CHUNK {
        if i >= nr {
            break;
        }
        freed_one(entry.wrapping_add(i.into()));
    }
    0
}

#[inline(always)]
fn freed_one(entry: u64) {
    let Some(slot) = SlotRef::of(entry) else { return };
    let fault = if slot.in_progress() != 0 { fault_of(task::ids().0) } else { None };
    freed_by(fault, entry, slot);
}

/// The running task, which may have a fault in progress, frees an entry. A fault's own entry is counted at the end of
/// the fault.
#[inline(always)]
fn freed_by(fault: Option<&mut Fault>, entry: u64, slot: SlotRef) {
    let owner = fault.map_or(EntryOwner::Other, |fault| record_own_free(fault, entry, slot));
    let before = slot.changes().frees();
    slot.add_free();
    if !matches!(owner, EntryOwner::Fault) {
        count!(freed);
    }
    // Read after the number was raised: a fault that starts in between reads the raised number.
    if slot.in_progress() > u32::from(!matches!(owner, EntryOwner::Other)) {
        disturbance::add(slot::index(entry));
        report(ENTRY_FREED, entry, slot, before, slot.changes().frees());
    }
}

/// Emits a change of an entry if its number is known: there is no addition that returns the sum before 5.12, so another
/// task's change may have come between this one and the two looks at the number. Then the number remains unused, and the
/// engine misses it.
#[inline(always)]
fn report(kind: u32, entry: u64, slot: SlotRef, before: u32, after: u32) {
    if after.wrapping_sub(before) == 1 {
        emit::entry(kind, entry, after, slot);
    }
}

/// Whose entry a task frees.
#[derive(Clone, Copy)]
enum EntryOwner {
    /// The task's fault in progress.
    Fault,
    /// The task's fault in progress, which reads it as part of a range.
    Range,
    /// The task's fault in progress, which frees it in order to get memory for its page, before it reads.
    Reclaim,
    /// Neither.
    Other,
}

/// Records the slot's numbers if the running task frees its fault's own entry. From here on the entry may be allocated
/// again, even before the fault returns, and that is not a reuse under this reader.
#[inline(always)]
fn record_own_free(fault: &mut Fault, entry: u64, slot: SlotRef) -> EntryOwner {
    if fault.entry != entry {
        let (base, nr) = fault.range();
        let in_range = fault.flags & F_RANGE != 0 && pin::covers(base, nr, entry);
        return if in_range { EntryOwner::Range } else { EntryOwner::Other };
    }
    if globals::references_hooked.load() != 0 && fault.flags & F_SPAN_ENDED == 0 {
        // An install drops its reference first, which ends the span. So this is from before the read, like a free from
        // before the fault.
        fault.known = fault.known.plus_frees(1);
        return EntryOwner::Reclaim;
    }
    end_span(fault, slot);
    if fault.flags & F_FREED_OWN != 0 {
        fault.own_frees = fault.own_frees.wrapping_add(1);
    } else {
        fault.own_frees = 1;
        if slot.in_progress() > 1 {
            fault.released = task::now();
            fault.flags |= F_FREE_TIMED;
        }
    }
    fault.flags |= F_FREED_OWN;
    // The fault's own free does not make it contended.
    fault.known = fault.known.plus_frees(1);
    EntryOwner::Fault
}

/// `nr` entries lose a reference. If the running task's fault drops its own, its page is installed: what happens from
/// here on, while others may still hold the entry, is not under this reader.
#[inline(always)]
pub(crate) fn reference_dropped(entry: u64, nr: u32) {
    let Some(fault) = fault_of(task::ids().0) else { return };
    if !pin::covers(entry, nr, fault.entry) {
        return;
    }
    let Some(slot) = SlotRef::at(fault.slot()) else { return };
    end_span(fault, slot);
    fault.flags |= F_REFERENCE_DROPPED;
}

/// Records the slot's numbers as those up to which changes are under the fault's read. Only the first call has an
/// effect.
#[inline(always)]
fn end_span(fault: &mut Fault, slot: SlotRef) {
    if fault.flags & F_SPAN_ENDED == 0 {
        fault.at_end = slot.changes();
        fault.flags |= F_SPAN_ENDED;
    }
}

/// `nr` entries are allocated to a page that is being swapped out.
#[inline(always)]
pub(crate) fn allocated(entry: u64, nr: u32) {
    count!(allocated, u64::from(nr));
    let kind = (entry >> TYPE_SHIFT) as u32;
    if kind >= FIRST_AMBIGUOUS_TYPE
        && let Some(seen) = REAL_TYPES.get_ptr_mut(kind)
    {
        add_u32(seen.cast(), 0, 1);
    }
    changed(ENTRY_ALLOCATED, entry, nr);
}

/// The write of a page or folio to its entries starts. A reader that starts after the allocation but before the write
/// still reads the old content, so the write is a separate change.
#[inline(always)]
pub(crate) fn write_started<Flags: KernelMemory, Private: KernelMemory>(page: *const u8) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { Flags::read(page, globals::page_flags.load()) };
    // SAFETY: the page or folio is in the swap cache, so `private` holds its entry.
    let entry: u64 = unsafe { Private::read(page, globals::page_private.load()) };
    let nr = pages(page, flags);
    count!(written, u64::from(nr));
    let end_follows = globals::write_end_hooked.load() != 0 && await_end(entry, nr);
    let kind = if end_follows { ENTRY_WRITE_STARTED } else { ENTRY_WRITTEN };
    changed(kind, entry, nr);
}

/// Stores the write for [`write_ended`] if its end matters: a reader that did not find the page in the swap cache may
/// read during the write and get the old content. Such a reader was in progress before the allocation, so it is in
/// progress now. Returns whether the write was stored.
#[inline(always)]
fn await_end(entry: u64, nr: u32) -> bool {
    if nr == 1 && SlotRef::of(entry).is_none_or(|slot| slot.in_progress() == 0) {
        return false;
    }
    let (tid, _) = task::ids();
    if WRITES.get_ptr(tid).is_some() {
        // The end of the task's last write was missed.
        count!(write_end_missed);
    }
    // The number of the change that is reported next.
    let seq = SlotRef::of(entry).map_or(0, |slot| slot.changes().content().wrapping_add(1));
    let write = Write { entry, nr, seq };
    let stored = WRITES.insert(tid, write, 0).is_ok();
    if !stored {
        count!(write_end_missed);
    }
    stored
}

/// The write of the running task has ended: the device holds the new content. By now the page may have left the swap
/// cache and lost its entry, so the entry was stored when the write started.
///
/// This runs after the write has ended, perhaps long after. By then the entry may have been allocated again, and its new
/// content not written. So if anything has changed on the slot since the write started, the change gets a number and is
/// not reported: a reader to whom it matters is incomplete. (Ranges exist only where readers pin.)
#[inline(always)]
pub(crate) fn write_ended() {
    let (tid, _) = task::ids();
    let Some(write) = WRITES.get_ptr(tid) else { return };
    // SAFETY: a live map value, which only the task with this thread id accesses.
    let Write { entry, nr, seq } = unsafe { *write };
    let _ = WRITES.remove(tid);
    let Some(slot) = SlotRef::of(entry) else { return };
    if nr != 1 || slot.changes().content() == seq {
        return changed(ENTRY_WRITTEN, entry, nr);
    }
    slot.add_change();
    if slot.in_progress() != 0 {
        disturbance::add(slot::index(entry));
    }
}

#[inline(always)]
fn changed(kind: u32, entry: u64, nr: u32) {
    if nr == 1 {
        return changed_one(kind, entry);
    }
    let mut done = 0;
    for _ in 0..MAX_RANGE / RANGE_CHUNK {
        if done >= nr {
            return;
        }
        range_entries_changed(kind, entry.wrapping_add(done.into()), nr.wrapping_sub(done));
        done += RANGE_CHUNK;
    }
    count_rest(nr, done);
}

/// The content of the first [`RANGE_CHUNK`] of `nr` entries changes. A global function for the reason given at
/// [`range_entries_freed`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn range_entries_changed(kind: u32, entry: u64, nr: u32) -> i32 {
    for i in 0..RANGE_CHUNK {
        if i >= nr {
            break;
        }
        changed_one(kind, entry.wrapping_add(i.into()));
    }
    0
}

#[inline(always)]
fn changed_one(kind: u32, entry: u64) {
    let Some(slot) = SlotRef::of(entry) else { return };
    let before = slot.changes().content();
    slot.add_change();
    if slot.in_progress() != 0 {
        disturbance::add(slot::index(entry));
        report(kind, entry, slot, before, slot.changes().content());
    }
}

/// A page or folio that is being swapped out is added to the swap cache, under the entry that was just allocated to it.
#[inline(always)]
pub(crate) fn added_to_cache<M: KernelMemory>(page: *const u8, entry: u64) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::page_flags.load()) };
    allocated(entry, pages(page, flags));
}

/// [`added_to_cache`] for kernels where swap-in calls the function too (7.0, 7.1): only a page that is being swapped
/// out is up to date.
#[inline(always)]
pub(crate) fn added_to_cache_if_up_to_date<M: KernelMemory>(page: *const u8, entry: u64) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::page_flags.load()) };
    if flags & globals::pg_uptodate.load() != 0 {
        allocated(entry, pages(page, flags));
    }
}
