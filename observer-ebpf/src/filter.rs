//! The filter's slots ([`slot`]), read and raised.

use aya_ebpf::{macros::map, maps::Array};
use observer_ebpf::{
    seat::Changes,
    slot::{self, Slot},
};

use crate::{
    count::{Word, add_u32, add_u64, read_u32, read_u64, sub_u32},
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

    /// Faults ever opened and ever closed, of one moment.
    #[inline(always)]
    pub(crate) fn faults(self) -> (u32, u32) {
        let both = read_u64(self.0.cast(), core::mem::offset_of!(Slot, inside));
        let (inside, opens) = (both as u32, (both >> 32) as u32);
        (opens, opens.wrapping_sub(inside))
    }

    /// Faults ever opened.
    #[inline(always)]
    pub(crate) fn opens(self) -> u32 {
        read_u32(self.0.cast(), core::mem::offset_of!(Slot, opens))
    }

    /// Frees and content changes ever, of one moment.
    #[inline(always)]
    pub(crate) fn changes(self) -> Changes {
        Changes(read_u64(self.0.cast(), core::mem::offset_of!(Slot, frees)))
    }

    /// Faults open now.
    #[inline(always)]
    pub(crate) fn open_now(self) -> u32 {
        read_u32(self.0.cast(), core::mem::offset_of!(Slot, inside))
    }

    #[inline(always)]
    pub(crate) fn open(self) {
        add_u64(self.0.cast(), core::mem::offset_of!(Slot, inside), 1 << 32 | 1);
    }

    #[inline(always)]
    pub(crate) fn close(self) {
        sub_u32(self.0.cast(), core::mem::offset_of!(Slot, inside), 1);
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

/// An entry was freed, or its content has changed, while a fault was open on its slot that is not the one who did it; or two
/// faults have met there. The sum first: it is never less than all slots together. Out of line, as what is rare.
#[inline(never)]
pub(crate) fn disturb(index: u32) {
    add_u32(DISTURBED.at(), 0, 1);
    if let Some(here) = DISTURBANCES.get_ptr_mut(index) {
        add_u32(here.cast(), core::mem::offset_of!(Disturbance, times), 1);
    }
}

/// Takes the slot's part of the sum back if nobody is inside any more. Called by who has closed there.
///
/// The number is read before the faults: whoever it tells of had started by then, and is gone if nobody is inside now.
/// Two at it at once would take it back twice, so whoever finds another one at it leaves it to that one, who looks again.
#[inline(never)]
pub(crate) fn calm(index: u32) {
    let (Some(here), Some(slot)) = (DISTURBANCES.get_ptr_mut(index), Filter::at(index)) else { return };
    let (here, of_sum) = (here.cast(), DISTURBED.at());
    let (times_at, calming) = (core::mem::offset_of!(Disturbance, times), core::mem::offset_of!(Disturbance, calming));
    for _ in 0..CALM_TURNS {
        // Who is inside will ask when they close.
        if read_u32(here, times_at) == 0 || slot.open_now() != 0 {
            return;
        }
        add_u32(here, calming, 1);
        if read_u32(here, calming) == 1 {
            let times = read_u32(here, times_at);
            if slot.open_now() == 0 {
                sub_u32(here, times_at, times);
                sub_u32(of_sum, 0, times);
            }
        }
        sub_u32(here, calming, 1);
    }
}

/// How often somebody looks again whether others have left something to it.
const CALM_TURNS: u32 = 4;

/// Whether something has changed under a fault that may still be open, anywhere, or two may be open on a slot.
#[inline(always)]
pub(crate) fn disturbed() -> bool {
    read_u32(DISTURBED.at(), 0) != 0
}

/// Whether nothing has. Then the numbers of a fault that is open are those of its start, and need not be looked up: three
/// instructions instead of a hundred.
///
/// Rests on loads and atomic additions keeping their order, which they do on x86 only.
#[inline(always)]
pub(crate) fn undisturbed() -> bool {
    cfg!(bpf_target_arch = "x86_64") && !disturbed()
}

/// A slot's part of the sum.
#[repr(C)]
#[derive(Clone, Copy)]
struct Disturbance {
    /// How often it was disturbed, and has not been taken back. Not 0 while a fault may be open that was.
    times: u32,
    /// How many are about to take it back.
    calming: u32,
}

/// For each slot.
#[map]
static DISTURBANCES: Array<Disturbance> = Array::with_max_entries(slot::SLOTS, 0);

/// The sum over all slots.
#[unsafe(no_mangle)]
static DISTURBED: Word = Word::new();
