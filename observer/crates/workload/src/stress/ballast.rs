//! Fills the swap device until few slots are free.

use crate::{
    Result, WorkloadError,
    memory::Mapping,
    pagemap::{Pagemap, Place},
    signals,
    swap_device::SwapDevice,
};

/// Pages out pages of a new mapping until `free` slots are free. The mapping keeps the other slots in use.
pub(super) fn fill(device: &SwapDevice, free: u32) -> Result<Mapping> {
    let wanted = device.slots().saturating_sub(free);
    // Twice as many as needed: a page with a temporary extra reference is not paged out.
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
    if used == wanted && is_any_swapped(&mapping, next)? {
        return Ok(mapping);
    }
    Err(WorkloadError::NotFilled { used, slots: device.slots(), wanted, tried: next })
}

fn is_any_swapped(mapping: &Mapping, pages: usize) -> Result<bool> {
    let pagemap = Pagemap::open()?;
    for page in 0..pages {
        if matches!(pagemap.place(mapping.address(page))?, Place::Swapped(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}
