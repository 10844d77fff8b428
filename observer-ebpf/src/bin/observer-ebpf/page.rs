//! `struct page` and `struct folio`.

use crate::{
    globals,
    memory::{HelperCopy, KernelMemory},
};

/// Number of pages of a page or folio.
#[inline(always)]
pub(crate) fn pages(page: *const u8, flags: u64) -> u32 {
    let order_at = globals::page_order.load();
    if order_at == 0 || flags & globals::pg_head.load() == 0 {
        return 1;
    }
    // The order is in the second `struct page`, outside the object that the verifier knows, so it is copied on both
    // backends.
    // SAFETY: tail pages follow a head page in memory.
    let order: u8 = unsafe { HelperCopy::read(page, order_at) };
    1 << (order & 15)
}
