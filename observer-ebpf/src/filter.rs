//! The filter's slots ([`slot`]), read and raised. Every number only grows.

use observer_ebpf::{
    seat::Changes,
    slot::{self, Slot},
};

use crate::{
    count::{add_u32, read_u32, read_u64},
    maps::SLOTS,
};

/// The slot of an entry.
#[derive(Clone, Copy)]
pub(crate) struct Filter(*mut Slot);

impl Filter {
    #[inline(always)]
    pub(crate) fn of(entry: u64) -> Option<Self> {
        Self::at(slot::index(entry))
    }

    #[inline(always)]
    pub(crate) fn at(index: u32) -> Option<Self> {
        SLOTS.get_ptr_mut(index).map(Self)
    }

    /// Flights ever opened and ever closed, of one moment.
    #[inline(always)]
    pub(crate) fn flights(self) -> (u32, u32) {
        let both = read_u64(self.0.cast(), core::mem::offset_of!(Slot, opens));
        (both as u32, (both >> 32) as u32)
    }

    /// Flights ever opened.
    #[inline(always)]
    pub(crate) fn opens(self) -> u32 {
        read_u32(self.0.cast(), core::mem::offset_of!(Slot, opens))
    }

    /// Frees and content changes ever, of one moment.
    #[inline(always)]
    pub(crate) fn changes(self) -> Changes {
        Changes(read_u64(self.0.cast(), core::mem::offset_of!(Slot, frees)))
    }

    /// Flights open now.
    #[inline(always)]
    pub(crate) fn open_now(self) -> u32 {
        let (opens, closes) = self.flights();
        opens.wrapping_sub(closes)
    }

    #[inline(always)]
    pub(crate) fn open(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, opens), 1);
    }

    #[inline(always)]
    pub(crate) fn close(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, closes), 1);
    }

    #[inline(always)]
    pub(crate) fn freed(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, frees), 1);
    }

    #[inline(always)]
    pub(crate) fn changed(self) {
        add_u32(self.0.cast(), core::mem::offset_of!(Slot, changes), 1);
    }
}
