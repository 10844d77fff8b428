//! The filter's slots ([`slot`]), read and raised.

use aya_ebpf::{macros::map, maps::Array};
use observer_ebpf::{
    seat::Changes,
    slot::{self, Slot},
};

use crate::{
    count::{Word, add_u32, read_u32, read_u64, sub_u32},
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

/// An entry was freed, or its content has changed, while a flight was open on its slot that is not the one who did it. The
/// sum first: it is never less than all slots together. Out of line, as what is rare.
#[inline(never)]
pub(crate) fn disturb(index: u32) {
    add_u32(DISTURBED.at(), 0, 1);
    if let Some(here) = DISTURBANCES.get_ptr_mut(index) {
        add_u32(here.cast(), 0, 1);
    }
}

/// Takes the slot's part of the sum back if nobody is inside any more. Called by who was disturbed and has closed.
///
/// The number is read before the flights: whoever it tells of had begun by then, and is gone if nobody is inside now.
/// Two at it at once would take it back twice, so whoever finds another one at it leaves it there: that costs some
/// instructions in each read and release, and nothing else.
#[inline(never)]
pub(crate) fn calm(index: u32) {
    let (Some(here), Some(slot)) = (DISTURBANCES.get_ptr_mut(index), Filter::at(index)) else { return };
    if read_u32(here.cast(), 0) == 0 {
        return;
    }
    add_u32(CALMING.at(), 0, 1);
    if read_u32(CALMING.at(), 0) == 1 {
        let times = read_u32(here.cast(), 0);
        if slot.open_now() == 0 {
            sub_u32(here.cast(), 0, times);
            sub_u32(DISTURBED.at(), 0, times);
        }
    }
    sub_u32(CALMING.at(), 0, 1);
}

/// Whether nothing has changed, anywhere, under a flight that may still be open. Then the numbers of a flight that is open
/// are those of its begin, and need not be looked up: three instructions instead of a hundred.
///
/// Rests on loads and atomic additions keeping their order, which they do on x86 only.
#[inline(always)]
pub(crate) fn undisturbed() -> bool {
    cfg!(bpf_target_arch = "x86_64") && read_u32(DISTURBED.at(), 0) == 0
}

/// For each slot: how often it was disturbed, and has not been taken back. Not 0 while a flight may be open that was.
#[map]
static DISTURBANCES: Array<u32> = Array::with_max_entries(slot::SLOTS, 0);

/// The sum over all slots.
#[unsafe(no_mangle)]
static DISTURBED: Word = Word::new();

/// How many are about to take their part of it back.
static CALMING: Word = Word::new();
