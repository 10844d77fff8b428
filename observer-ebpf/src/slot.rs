//! The filter: a direct-mapped table that tells, without any search, whether more than one fault may be open on an
//! entry. Two entries can share a slot; then an uncontended fault may be streamed for nothing, and the engine, which
//! sees exact entries, drops it. Nothing contended is ever missed.
#![expect(clippy::cast_possible_truncation, reason = "only low bits are wanted")]
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than the body")]

use bytemuck::{Pod, Zeroable};

/// Slots, as a power of two. 65 536 slots of 16 bytes: 1 MiB; areas up to 256 MiB of pages never share a slot.
pub const SLOT_BITS: u32 = 16;
/// Number of slots.
pub const SLOTS: u32 = 1 << SLOT_BITS;

/// One slot. All but the first only ever grow (and wrap); differences are what counts, so no clearing can race with anything.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Slot {
    /// Faults open now. In the low half of the word that it shares with the next, so that one addition counts a fault in both:
    /// it never overflows.
    pub inside: u32,
    /// Faults ever opened.
    pub opens: u32,
    /// Entries ever freed.
    pub frees: u32,
    /// Content changes: entries allocated, and starts and ends of writes to their device.
    pub changes: u32,
}

impl Slot {
    /// Faults ever closed.
    #[must_use]
    pub const fn closes(&self) -> u32 {
        self.opens.wrapping_sub(self.inside)
    }
}

// SAFETY: as bytemuck's, derived above: four words, any bit pattern is valid.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Slot {}

const _: () = assert!(size_of::<Slot>() == 16);
const _: () = assert!(core::mem::offset_of!(Slot, inside) == 0 && core::mem::offset_of!(Slot, opens) == 4);

/// Slot of an entry. Neighbours get neighbouring slots; the type is folded in, at the top, so that two areas differ.
#[inline(always)]
pub const fn index(entry: u64) -> u32 {
    let kind = entry >> (crate::config::ENTRY_TYPE_SHIFT + 5 - SLOT_BITS);
    (entry ^ kind) as u32 & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_small_area_has_a_slot_per_entry() {
        let mut seen = std::vec![false; SLOTS as usize];
        for offset in 0..u64::from(SLOTS) {
            let slot = index((3 << 58) | offset) as usize;
            assert!(!seen[slot]);
            seen[slot] = true;
        }
    }
}
