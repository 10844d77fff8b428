//! How full the ring buffer is: read where its two positions lie, in the pages that the kernel shares.

use std::{
    os::fd::AsFd,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

use observer_observation::RingUse;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Looks at a ring buffer.
pub(super) struct Gauge {
    /// Two pages: the first starts with the consumer's position, the second with the producer's.
    pages: NonNull<u8>,
    page_bytes: usize,
    seen: RingUse,
}

impl Gauge {
    /// Of the ring buffer with this descriptor and size. `None`: the kernel does not let it be looked at.
    pub(super) fn new(ring: impl AsFd, size_bytes: u64) -> Option<Self> {
        let page_bytes = rustix::param::page_size();
        // SAFETY: a new mapping, at a place of the kernel's choice: nothing else lies there.
        let pages = unsafe { mmap(std::ptr::null_mut(), 2 * page_bytes, ProtFlags::READ, MapFlags::SHARED, ring, 0) };
        let pages = NonNull::new(pages.ok()?.cast())?;
        Some(Self { pages, page_bytes, seen: RingUse { size_bytes, ..RingUse::default() } })
    }

    /// Looks.
    pub(super) fn look(&mut self) {
        // The consumer first: the difference can only be too large, by what has been taken out meanwhile, and that is us.
        let consumed = self.position(0);
        let produced = self.position(self.page_bytes);
        self.seen.look(consumed, produced);
    }

    /// What has been seen so far.
    pub(super) const fn seen(&self) -> RingUse {
        self.seen
    }

    fn position(&self, at: usize) -> usize {
        // SAFETY: `at` is the start of one of the two pages that are mapped.
        let place = unsafe { self.pages.add(at) };
        // SAFETY: a word at the start of a page is aligned, stays mapped as long as `self`, and others change it atomically.
        unsafe { place.cast::<AtomicUsize>().as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.pages.as_ptr().cast(), 2 * self.page_bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_from_both_pages() {
        let page = rustix::param::page_size();
        let file = rustix::fs::memfd_create("ring", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&file, 2 * page as u64).unwrap();
        let mut gauge = Gauge::new(&file, 8).unwrap();
        rustix::io::pwrite(&file, &40usize.to_ne_bytes(), 0).unwrap();
        rustix::io::pwrite(&file, &100usize.to_ne_bytes(), page as u64).unwrap();
        gauge.look();
        assert_eq!(gauge.seen(), RingUse { size_bytes: 8, waiting_bytes: 60, highest_bytes: 60 });
    }
}
