//! The memory that is swapped: mappings whose pages are paged out one by one, while all else of the process stays.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{
    Advice, MapFlags, MlockAllFlags, MprotectFlags, ProtFlags, madvise, mlockall, mmap_anonymous, mprotect, munlock,
    munmap,
};

use super::{Result, StressError};

/// Keeps everything that this process has mapped, and will map, in memory: waking a thread must not itself swap in.
/// The test mappings are taken out of this again, one by one.
pub(crate) fn pin_process() -> Result<()> {
    // "On fault": a mapping gets its pages when they are touched, so that a test mapping has none while it is locked.
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|e| StressError::io("lock this process in memory (mlockall)", e))
}

/// Anonymous private memory that may be swapped, without huge pages, read and written in whole words only.
///
/// A page that nobody may touch lies before it and one behind it. Otherwise the kernel makes one area of neighbouring
/// mappings, and reading ahead for one page brings in pages of another mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Behind the first guard page.
    base: NonNull<AtomicU64>,
    pages: usize,
    page_size: usize,
}

// SAFETY: the memory belongs to this value alone and is only ever accessed through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `pages` pages; none is touched yet.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let page_size = rustix::param::page_size();
        let length = pages * page_size;
        // SAFETY: a new mapping at an address of the kernel's choice, so no memory in use is touched.
        let start =
            unsafe { mmap_anonymous(null_mut(), length + 2 * page_size, ProtFlags::empty(), MapFlags::PRIVATE) }
                .map_err(|e| StressError::io(format!("map {pages} pages"), e))?;
        let address = start.wrapping_byte_add(page_size);
        let base = NonNull::new(address.cast()).ok_or_else(|| StressError::format("mmap", "null"))?;
        let mapping = Self { base, pages, page_size };
        // SAFETY: the range lies within the mapping, which nobody else knows of.
        unsafe { mprotect(address, length, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(|e| StressError::io("open the test pages", e))?;
        // SAFETY: as above; none of the pages has been touched.
        unsafe { munlock(address, length) }.map_err(|e| StressError::io("unlock the test pages", e))?;
        mapping.advise(0, pages, Advice::LinuxNoHugepage)?;
        Ok(mapping)
    }

    /// The address of a page.
    pub(crate) fn address(&self, page: usize) -> u64 {
        (self.base.addr().get() + page * self.page_size) as u64
    }

    /// The first word of a page; touches the page.
    pub(crate) fn load(&self, page: usize) -> u64 {
        self.first_word(page).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Sets the first word of a page; touches the page.
    pub(crate) fn store(&self, page: usize, value: u64) {
        if let Some(word) = self.first_word(page) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Adds one to the first word of a page, in one access; touches the page.
    pub(crate) fn add_one(&self, page: usize) {
        if let Some(word) = self.first_word(page) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fills a page with words that all differ: zram keeps a page of one repeated word without compressing it, and
    /// some kernels do not even write it out.
    pub(crate) fn fill(&self, page: usize, seed: u64) {
        self.fill_with(page, seed..);
    }

    /// Fills a page with these words, of which there are enough for one.
    pub(crate) fn fill_with(&self, page: usize, values: impl IntoIterator<Item = u64>) {
        let words = self.page_size / size_of::<AtomicU64>();
        for (word, value) in self.words().iter().skip(page * words).take(words).zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Asks for `count` pages from `page` on to be paged out. That is a request: look at the pagemap for the outcome.
    pub(crate) fn page_out(&self, page: usize, count: usize) -> Result<()> {
        self.advise(page, count, Advice::LinuxPageOut)
    }

    fn advise(&self, page: usize, count: usize, advice: Advice) -> Result<()> {
        let count = count.min(self.pages.saturating_sub(page));
        let start = self.base.as_ptr().cast::<u8>().wrapping_add(page * self.page_size);
        // SAFETY: the range lies within this mapping; this advice never changes what the memory holds.
        unsafe { madvise(start.cast::<c_void>(), count * self.page_size, advice) }
            .map_err(|e| StressError::io(format!("madvise {advice:?}"), e))
    }

    fn first_word(&self, page: usize) -> Option<&AtomicU64> {
        self.words().get(page * (self.page_size / size_of::<AtomicU64>()))
    }

    fn words(&self) -> &[AtomicU64] {
        let count = self.pages * self.page_size / size_of::<AtomicU64>();
        // SAFETY: the mapping is page-aligned, zero-filled, as long as this slice, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = self.base.as_ptr().cast::<c_void>().wrapping_byte_sub(self.page_size);
        // SAFETY: the mapping and its guards are this value's own and no reference into it outlives the value.
        let outcome = unsafe { munmap(start, (self.pages + 2) * self.page_size) };
        if let Err(error) = outcome {
            log::error!("unmap the test pages: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_apart_and_hold_what_they_are_given() {
        let mapping = Mapping::new(3).unwrap();
        assert_eq!(mapping.address(2) - mapping.address(0), 2 * rustix::param::page_size() as u64);
        mapping.store(1, 7);
        mapping.add_one(1);
        assert_eq!([mapping.load(0), mapping.load(1), mapping.load(2)], [0, 8, 0]);
    }

    #[test]
    fn a_filled_page_has_no_two_equal_words_and_ends_at_its_end() {
        let mapping = Mapping::new(2).unwrap();
        mapping.fill(0, 100);
        let words = rustix::param::page_size() / 8;
        let all: Vec<u64> = mapping.words().iter().map(|word| word.load(Ordering::Relaxed)).collect();
        assert_eq!(all[0], 100);
        assert_eq!(all[words - 1], 100 + words as u64 - 1);
        assert_eq!(all[words], 0);
    }

    #[test]
    fn outside_is_nothing() {
        let mapping = Mapping::new(1).unwrap();
        mapping.store(1, 7);
        assert_eq!(mapping.load(1), 0);
    }
}
