//! Access to the slot table ([`observer_ebpf::slot`]).

use observer_ebpf::{
    seat::Changes,
    slot::{self, Slot},
};

use crate::{
    atomic::{add_u32, add_u64, read_u32, read_u64, sub_u32},
    maps::SLOTS,
};

/// A slot of the table.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef(*mut Slot);

impl SlotRef {
    #[inline(always)]
    pub(crate) fn of(entry: u64) -> Option<Self> {
        Self::at(slot::index(entry))
    }

    #[inline(always)]
    pub(crate) fn at(index: u32) -> Option<Self> {
        SLOTS.get_ptr_mut(index).map(Self)
    }

    /// Faults that have started and ended, of one moment.
    #[inline(always)]
    pub(crate) fn starts_and_ends(self) -> (u32, u32) {
        let both = read_u64(self.0.cast(), core::mem::offset_of!(Slot, in_progress));
        let (in_progress, starts) = (both as u32, (both >> 32) as u32);
        (starts, starts.wrapping_sub(in_progress))
    }

    #[inline(always)]
    pub(crate) fn starts(self) -> u32 {
        read_u32(self.0.cast(), core::mem::offset_of!(Slot, starts))
    }

    #[inline(always)]
    pub(crate) fn in_progress(self) -> u32 {
        read_u32(self.0.cast(), core::mem::offset_of!(Slot, in_progress))
    }

    /// Frees and content changes, of one moment.
    #[inline(always)]
    pub(crate) fn changes(self) -> Changes {
        Changes(read_u64(self.0.cast(), core::mem::offset_of!(Slot, frees)))
    }

    #[inline(always)]
    pub(crate) fn add_fault(self) {
        add_u64(self.0.cast(), core::mem::offset_of!(Slot, in_progress), 1 << 32 | 1);
    }

    #[inline(always)]
    pub(crate) fn remove_fault(self) {
        sub_u32(self.0.cast(), core::mem::offset_of!(Slot, in_progress), 1);
    }

    #[inline(always)]
    pub(crate) fn add_free(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, frees), 1);
    }

    #[inline(always)]
    pub(crate) fn add_change(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, changes), 1);
    }
}
