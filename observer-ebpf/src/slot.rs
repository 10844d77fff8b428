//! The slot table: a direct-mapped table that shows without any search whether more than one fault may be in progress
//! on an entry (docs/decisions/slots.md).
//!
//! Two entries can share a slot. An uncontended fault may then be streamed; the engine, which compares exact entries,
//! discards it. No contended fault is missed.
#![expect(clippy::cast_possible_truncation, reason = "the low bits are the index")]
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than the body")]

use bytemuck::{Pod, Zeroable};

/// Number of slots, as a power of two. 65 536 slots of 16 bytes take 1 MiB; entries of an area of up to 256 MiB of 4
/// KiB pages never share a slot.
pub const SLOT_BITS: u32 = 16;
/// Number of slots.
pub const SLOTS: u32 = 1 << SLOT_BITS;

/// One slot. All fields but the first only grow, and wrap. Only differences are used, so nothing is ever reset, and
/// nothing can race with a reset.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Slot {
    /// Faults in progress. In the low half of a word with [`Self::starts`], so that one addition counts a fault in
    /// both; it never overflows.
    pub in_progress: u32,
    /// Faults that have started.
    pub starts: u32,
    /// Entries freed.
    pub frees: u32,
    /// Content changes: allocations, and starts and ends of writes to the device.
    pub changes: u32,
}

impl Slot {
    /// Faults that have ended.
    #[must_use]
    pub const fn ends(&self) -> u32 {
        self.starts.wrapping_sub(self.in_progress)
    }
}

// SAFETY: `Slot` consists of four `u32`s: any bit pattern is valid, and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Slot {}

const _: () = assert!(size_of::<Slot>() == 16);
const _: () = assert!(core::mem::offset_of!(Slot, in_progress) == 0);
const _: () = assert!(core::mem::offset_of!(Slot, starts) == 4);

/// Slot of an entry. Neighbouring entries have neighbouring slots; the type is folded into the top bits, so that two
/// areas differ.
#[inline(always)]
pub const fn index(entry: u64) -> u32 {
    let kind = entry >> (crate::swap_entry::TYPE_SHIFT + 5 - SLOT_BITS);
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
