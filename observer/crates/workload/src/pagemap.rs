//! Where a page of this process is, from `/proc/self/pagemap`.

use std::{fs::File, os::unix::fs::FileExt};

use serde::{Deserialize, Serialize};

use crate::{Result, WorkloadError};

/// Size of a pagemap record, of which there is one per page of the address space.
const RECORD: u64 = 8;
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const TYPE_BITS: u32 = 5;
const OFFSET_BITS: u32 = 50;

/// A swap entry: a slot of a swap area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SwapEntry {
    /// Number of the swap area, 0..=31.
    #[serde(rename = "type")]
    pub swap_type: u8,
    /// In pages; 0 is the swap header, which is never allocated.
    pub offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Present,
    Swapped(SwapEntry),
    /// Never populated, or not mapped.
    Absent,
}

/// Decodes a pagemap record: bit 63 present, bit 62 swapped; of a swapped page bits 0-4 type, bits 5-54 offset.
const fn decode(record: u64) -> Place {
    if record & PRESENT != 0 {
        return Place::Present;
    }
    if record & SWAPPED == 0 {
        return Place::Absent;
    }
    // The mask leaves five bits.
    let swap_type = (record & ((1 << TYPE_BITS) - 1)).to_le_bytes()[0];
    Place::Swapped(SwapEntry { swap_type, offset: (record >> TYPE_BITS) & ((1 << OFFSET_BITS) - 1) })
}

/// `/proc/self/pagemap`, kept open.
#[derive(Debug)]
pub(crate) struct Pagemap {
    file: File,
    page_size: u64,
}

impl Pagemap {
    pub(crate) fn open() -> Result<Self> {
        let file = File::open("/proc/self/pagemap").map_err(|e| WorkloadError::io("open /proc/self/pagemap", e))?;
        Ok(Self { file, page_size: rustix::param::page_size() as u64 })
    }

    /// Where the page at `address` is. Allocates no memory.
    pub(crate) fn place(&self, address: u64) -> Result<Place> {
        let mut record = [0; 8];
        self.file
            .read_exact_at(&mut record, address / self.page_size * RECORD)
            .map_err(|e| WorkloadError::io("read /proc/self/pagemap", e))?;
        Ok(decode(u64::from_ne_bytes(record)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_bits_of_a_present_page_are_ignored() {
        assert_eq!(decode(PRESENT | 0x1234), Place::Present);
    }

    #[test]
    fn a_page_that_is_neither_present_nor_swapped_is_absent() {
        assert_eq!(decode(0), Place::Absent);
        // Soft-dirty and exclusive do not matter.
        assert_eq!(decode(1 << 55 | 1 << 56), Place::Absent);
    }

    #[test]
    fn a_swapped_page_has_its_entry() {
        assert_eq!(decode(SWAPPED | 79 << 5 | 3), Place::Swapped(SwapEntry { swap_type: 3, offset: 79 }));
    }

    #[test]
    fn type_and_offset_are_decoded_at_full_width() {
        let all = SWAPPED | (1 << 55 | 1 << 56) | ((1 << 55) - 1);
        assert_eq!(decode(all), Place::Swapped(SwapEntry { swap_type: 31, offset: (1 << 50) - 1 }));
    }

    #[test]
    fn an_entry_has_type_and_offset_in_json() {
        let json = serde_json::to_string(&SwapEntry { swap_type: 1, offset: 7 }).unwrap();
        assert_eq!(json, r#"{"type":1,"offset":7}"#);
    }

    #[test]
    fn a_page_of_the_stack_is_present() {
        let value = 5_u64;
        let address = (&raw const value).addr() as u64;
        assert_eq!(Pagemap::open().unwrap().place(address).unwrap(), Place::Present);
    }
}
