//! Filling the swap device until few slots are free.

use super::device::SwapDevice;
use super::memory::Mapping;
use super::pagemap::{Pagemap, Place};
use super::{Result, StressError, signals};

/// Pages out pages of its own until `free` slots are free. The mapping keeps the others taken; with it comes the number
/// of the swap area, as the entries show it.
pub(super) fn fill(device: &SwapDevice, free: u32) -> Result<(Mapping, u8)> {
    let wanted = device.slots().saturating_sub(free);
    // Some pages may refuse to go (others hold a reference for a moment): there are twice as many.
    let pages = device.slots() as usize * 2;
    let mapping = Mapping::new(pages)?;
    let mut used = device.used()?;
    let mut next = 0;
    while used < wanted && next < pages {
        signals::check()?;
        let count = ((wanted - used) as usize).min(pages - next);
        for page in next..next + count {
            mapping.fill(page, mapping.address(page));
        }
        mapping.page_out(next, count)?;
        next += count;
        used = device.used()?;
    }
    match swap_type(&mapping, next)? {
        Some(kind) if used == wanted => Ok((mapping, kind)),
        _ => Err(StressError::Ballast { used, slots: device.slots(), wanted, tried: next }),
    }
}

/// The swap area that the pages went to.
fn swap_type(mapping: &Mapping, pages: usize) -> Result<Option<u8>> {
    let pagemap = Pagemap::open()?;
    for page in 0..pages {
        if let Place::Swapped(entry) = pagemap.place(mapping.address(page))? {
            return Ok(Some(entry.kind));
        }
    }
    Ok(None)
}
