//! Disturbances: a fault found another one in progress on its slot, or an entry was freed or changed by another task
//! while a fault was in progress on it. While none is pending, hooks leave out what only another task could make
//! relevant (docs/decisions/disturbances.md).

use aya_ebpf::{macros::map, maps::Array};
use observer_ebpf::slot;

use crate::{
    atomic::{Word, add_u32, read_u32, sub_u32},
    slots::SlotRef,
};

/// Pending disturbances of one slot.
#[repr(C)]
#[derive(Clone, Copy)]
struct Disturbances {
    /// Not 0 while a fault that was disturbed may be in progress.
    pending: u32,
    /// Tasks that are about to clear them.
    clearing: u32,
}

#[map]
static DISTURBANCES: Array<Disturbances> = Array::with_max_entries(slot::SLOTS, 0);

/// Pending disturbances of all slots.
#[unsafe(no_mangle)]
static DISTURBED: Word = Word::new();

/// Adds a disturbance. The sum is raised first, so it is never less than the numbers of all slots together. Not
/// inlined, because it is rare.
#[inline(never)]
pub(crate) fn add(index: u32) {
    add_u32(DISTURBED.as_ptr(), 0, 1);
    if let Some(slot) = DISTURBANCES.get_ptr_mut(index) {
        add_u32(slot.cast(), core::mem::offset_of!(Disturbances, pending), 1);
    }
}

/// Subtracts the slot's disturbances from the sum if no fault is in progress on it any more. Called after a fault on it
/// has ended.
///
/// `pending` is read before `in_progress`: each fault it was raised for had started by then, and has ended if none is
/// in progress now. Two tasks that clear at the same time would subtract twice, so a task that finds another one
/// clearing leaves it to that task, which checks again.
#[inline(never)]
pub(crate) fn clear(index: u32) {
    let (Some(disturbances), Some(slot)) = (DISTURBANCES.get_ptr_mut(index), SlotRef::at(index)) else { return };
    let (disturbances, sum) = (disturbances.cast(), DISTURBED.as_ptr());
    let (pending_at, clearing_at) =
        (core::mem::offset_of!(Disturbances, pending), core::mem::offset_of!(Disturbances, clearing));
    for _ in 0..CLEAR_ATTEMPTS {
        // A fault that is in progress clears when it ends.
        if read_u32(disturbances, pending_at) == 0 || slot.in_progress() != 0 {
            return;
        }
        add_u32(disturbances, clearing_at, 1);
        if read_u32(disturbances, clearing_at) == 1 {
            let pending = read_u32(disturbances, pending_at);
            if slot.in_progress() == 0 {
                sub_u32(disturbances, pending_at, pending);
                sub_u32(sum, 0, pending);
            }
        }
        sub_u32(disturbances, clearing_at, 1);
    }
}

/// How often a task checks whether others have left it something to clear.
const CLEAR_ATTEMPTS: u32 = 4;

/// Whether a disturbance is pending on any slot.
#[inline(always)]
pub(crate) fn any_pending() -> bool {
    read_u32(DISTURBED.as_ptr(), 0) != 0
}

/// Whether no disturbance is pending, so that the slot's numbers are still those of the fault's start and need not be
/// looked up: three instructions in place of a hundred.
///
/// This depends on the order of loads and atomic additions, which only x86 keeps; elsewhere the answer is always no.
#[inline(always)]
pub(crate) fn none_pending() -> bool {
    cfg!(bpf_target_arch = "x86_64") && !any_pending()
}
