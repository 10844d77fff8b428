//! Where a page of this process is right now, from `/proc/self/pagemap`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::{Result, StressError};

/// One record of pagemap: 64 bits per page of the address space.
const RECORD: u64 = 8;
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const TYPE_BITS: u32 = 5;
const OFFSET_BITS: u32 = 50;

/// A swap entry: one slot of one swap area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SwapEntry {
    /// The swap area, 0..=31.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The slot within it, in pages; 0 is the header and never allocated.
    pub offset: u64,
}

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Present,
    /// Swapped out, to this entry.
    Swapped(SwapEntry),
    /// Neither: never touched, or not mapped.
    Absent,
}

/// Reads one pagemap record (bit 63 present, 62 swapped; of a swapped page bits 0-4 type, 5-54 offset).
pub const fn decode(record: u64) -> Place {
    if record & PRESENT != 0 {
        return Place::Present;
    }
    if record & SWAPPED == 0 {
        return Place::Absent;
    }
    // The mask leaves five bits.
    let kind = (record & ((1 << TYPE_BITS) - 1)).to_le_bytes()[0];
    Place::Swapped(SwapEntry { kind, offset: (record >> TYPE_BITS) & ((1 << OFFSET_BITS) - 1) })
}

/// This process's `/proc/self/pagemap`, kept open.
#[derive(Debug)]
pub struct Pagemap {
    file: File,
    page_size: u64,
}

impl Pagemap {
    /// Opens the pagemap of this process.
    pub fn open() -> Result<Self> {
        let file = File::open("/proc/self/pagemap").map_err(|e| StressError::io("open /proc/self/pagemap", e))?;
        Ok(Self { file, page_size: rustix::param::page_size() as u64 })
    }

    /// Where the page at `address` is. Allocates nothing.
    pub fn place(&self, address: u64) -> Result<Place> {
        let mut record = [0; 8];
        self.file
            .read_exact_at(&mut record, address / self.page_size * RECORD)
            .map_err(|e| StressError::io("read /proc/self/pagemap", e))?;
        Ok(decode(u64::from_ne_bytes(record)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_present_page_is_present_whatever_the_low_bits_say() {
        assert_eq!(decode(PRESENT | 0x1234), Place::Present);
    }

    #[test]
    fn an_untouched_page_is_absent() {
        assert_eq!(decode(0), Place::Absent);
        // Soft-dirty and exclusive alone say nothing about the place.
        assert_eq!(decode(1 << 55 | 1 << 56), Place::Absent);
    }

    #[test]
    fn a_swapped_page_names_its_entry() {
        assert_eq!(decode(SWAPPED | 79 << 5 | 3), Place::Swapped(SwapEntry { kind: 3, offset: 79 }));
    }

    #[test]
    fn type_and_offset_take_their_full_width_and_no_more() {
        let all = SWAPPED | (1 << 55 | 1 << 56) | ((1 << 55) - 1);
        assert_eq!(decode(all), Place::Swapped(SwapEntry { kind: 31, offset: (1 << 50) - 1 }));
    }

    #[test]
    fn an_entry_is_type_and_offset_in_json() {
        let json = serde_json::to_string(&SwapEntry { kind: 1, offset: 7 }).unwrap();
        assert_eq!(json, r#"{"type":1,"offset":7}"#);
    }

    #[test]
    fn a_page_of_this_test_is_present() {
        let value = 5_u64;
        let address = (&raw const value).addr() as u64;
        assert_eq!(Pagemap::open().unwrap().place(address).unwrap(), Place::Present);
    }
}
