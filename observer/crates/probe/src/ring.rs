//! How full the ring buffer is, from its two positions in pages shared with the kernel.

use std::{
    os::fd::AsFd,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

use observer_observation::RingUse;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Reads the positions of a ring buffer.
pub(crate) struct RingGauge {
    /// Two pages: the first starts with the consumer's position, the second with the producer's.
    pages: NonNull<u8>,
    page_bytes: usize,
    seen: RingUse,
}

impl RingGauge {
    /// Of the ring buffer with this descriptor and size. `None`: the kernel does not let it be mapped.
    pub(crate) fn new(ring: impl AsFd, size_bytes: u64) -> Option<Self> {
        let page_bytes = rustix::param::page_size();
        // SAFETY: the kernel chooses the address of the new mapping, so it replaces no other.
        let pages = unsafe { mmap(std::ptr::null_mut(), 2 * page_bytes, ProtFlags::READ, MapFlags::SHARED, ring, 0) };
        let pages = NonNull::new(pages.ok()?.cast())?;
        Some(Self { pages, page_bytes, seen: RingUse { size_bytes, ..RingUse::default() } })
    }

    pub(crate) fn read(&mut self) {
        // The consumer first: only this process moves it, so the difference is never too small.
        let consumed = self.position(0);
        let produced = self.position(self.page_bytes);
        self.seen.add_reading(consumed, produced);
    }

    pub(crate) const fn seen(&self) -> RingUse {
        self.seen
    }

    fn position(&self, at: usize) -> usize {
        // SAFETY: `at` is the start of one of the two mapped pages.
        let place = unsafe { self.pages.add(at) };
        // SAFETY: the start of a page is aligned, the mapping lives as long as `self`, and the kernel changes the word
        // atomically.
        unsafe { place.cast::<AtomicUsize>().as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for RingGauge {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and no reference into it outlives `self`.
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
        let mut gauge = RingGauge::new(&file, 8).unwrap();
        rustix::io::pwrite(&file, &40usize.to_ne_bytes(), 0).unwrap();
        rustix::io::pwrite(&file, &100usize.to_ne_bytes(), page as u64).unwrap();
        gauge.read();
        assert_eq!(gauge.seen(), RingUse { size_bytes: 8, waiting_bytes: 60, highest_bytes: 60 });
    }
}
