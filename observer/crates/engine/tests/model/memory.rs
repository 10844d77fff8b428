//! PTEs, pages, and the slots of the swap device.

use super::actors::Tid;

/// Slots of the device.
pub(crate) const SLOTS: usize = 2;
/// PTEs: that of the page, and that of a forked child or of the page's neighbour.
pub(crate) const PTES: usize = 2;
pub(crate) const PAGES: usize = 6;

/// Content that zram returns for a slot that has been freed.
pub(crate) const ZEROES: u8 = 201;
/// Content of a page of another process.
pub(crate) const OTHER_CONTENT: u8 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pte {
    None,
    Present(u8),
    Swap(u8),
}

/// A slot of the device and its byte in the swap map.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) count: u8,
    /// `SWAP_HAS_CACHE`: in the swap cache, or pinned.
    pub(crate) has_cache: bool,
    /// The page in the swap cache.
    pub(crate) cached: Option<u8>,
    /// Freed, but still in a per-CPU slot cache, where it keeps `SWAP_HAS_CACHE`.
    pub(crate) parked: bool,
    pub(crate) pinned_by: Option<Tid>,
    /// Version of the content on the device.
    pub(crate) content: u8,
    /// Allocated, and the write of its page is not complete.
    pub(crate) in_transit: bool,
    /// The write of its page is in progress, and its start has been reported.
    pub(crate) in_write: bool,
}

impl Slot {
    pub(crate) fn is_free(self) -> bool {
        self.count == 0 && !self.has_cache && !self.parked
    }
}

/// A page in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    pub(crate) live: bool,
    pub(crate) version: u8,
    pub(crate) dirty: bool,
    /// A store to the page does not fault.
    pub(crate) writable: bool,
    pub(crate) locked: bool,
    /// Its entry, while it is in the swap cache.
    pub(crate) slot: Option<u8>,
    /// References of faulters.
    pub(crate) refs: u8,
}
