//! The memory that is swapped: mappings whose pages are paged out one by one, while everything else of the process
//! stays in memory.

use std::{
    ffi::c_void,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    io::Errno,
    mm::{
        Advice, MapFlags, MlockAllFlags, MprotectFlags, ProtFlags, madvise, mlockall, mmap_anonymous, mprotect,
        munlock, munmap,
    },
};

use crate::{Result, WorkloadError};

/// Locks all current and future mappings of this process in memory: waking a thread must not itself swap in. A
/// [`Mapping`] unlocks its own pages again.
pub(crate) fn lock_process() -> Result<()> {
    // ONFAULT: a new mapping is not populated, so that a test mapping has no pages while it is still locked.
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|e| WorkloadError::io("lock this process in memory (mlockall)", e))
}

/// Anonymous private memory that may be swapped, without huge pages, accessed in whole words only.
///
/// It lies below all other mappings of a process, unless other test memory is there: a fault looks up its VMA in a tree,
/// in which the way to the lowest one stays the same when the maps of an observation are mapped. At an address of the
/// kernel's choice, observing seemed to add up to 110 instructions more or less to a swap-in, from one attach to the next.
///
/// An inaccessible guard page lies before it and after it. Without them the kernel merges neighbouring mappings into
/// one VMA, and readahead for one page brings in pages of another mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The first page after the first guard page.
    base: NonNull<AtomicU64>,
    pages: usize,
    page_size: usize,
}

// SAFETY: the memory is owned by this value and is accessed only through atomics.
unsafe impl Send for Mapping {}
// SAFETY: `&Mapping` gives access to the memory only through atomics, which threads may share.
unsafe impl Sync for Mapping {}

/// Where test memory is mapped if nothing is there: above what `vm.mmap_min_addr` forbids and below every address that the
/// kernel chooses.
const LOWEST: usize = 1 << 32;

impl Mapping {
    /// Maps `pages` pages; none is populated yet.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let page_size = rustix::param::page_size();
        let length = pages * page_size;
        let hint = ptr::without_provenance_mut(LOWEST);
        // SAFETY: a new mapping: the kernel takes the address only if nothing is mapped there, so no memory in use is
        // touched.
        let start = unsafe { mmap_anonymous(hint, length + 2 * page_size, ProtFlags::empty(), MapFlags::PRIVATE) }
            .map_err(|e| WorkloadError::io(format!("map {pages} pages"), e))?;
        let address = start.wrapping_byte_add(page_size);
        let base = NonNull::new(address.cast()).ok_or_else(|| WorkloadError::format("the address of mmap", "null"))?;
        let mapping = Self { base, pages, page_size };
        // SAFETY: the range lies within the mapping made above, to which no reference exists yet.
        unsafe { mprotect(address, length, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(|e| WorkloadError::io("make the test pages accessible", e))?;
        // SAFETY: the range lies within the mapping made above; unlocking changes no content.
        unsafe { munlock(address, length) }.map_err(|e| WorkloadError::io("unlock the test pages", e))?;
        mapping.advise(0, pages, Advice::LinuxNoHugepage)?;
        Ok(mapping)
    }

    pub(crate) fn address(&self, page: usize) -> u64 {
        (self.base.addr().get() + page * self.page_size) as u64
    }

    /// The first word of a page; faults the page in.
    pub(crate) fn load(&self, page: usize) -> u64 {
        self.first_word(page).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Sets the first word of a page; faults the page in.
    pub(crate) fn store(&self, page: usize, value: u64) {
        if let Some(word) = self.first_word(page) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Adds one to the first word of a page, atomically; faults the page in.
    pub(crate) fn increment(&self, page: usize) {
        if let Some(word) = self.first_word(page) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fills a page with words that all differ: zram stores a page of one repeated word without compressing it, and
    /// some kernels do not write such a page at all.
    pub(crate) fn fill(&self, page: usize, seed: u64) {
        self.fill_with(page, seed..);
    }

    /// Fills a page with the first words of `values`.
    pub(crate) fn fill_with(&self, page: usize, values: impl IntoIterator<Item = u64>) {
        let words = self.page_size / size_of::<AtomicU64>();
        for (word, value) in self.words().iter().skip(page * words).take(words).zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Requests that `count` pages from `page` on be paged out. The kernel may leave them; the pagemap has the outcome.
    pub(crate) fn page_out(&self, page: usize, count: usize) -> Result<()> {
        self.advise(page, count, Advice::LinuxPageOut)
    }

    fn advise(&self, page: usize, count: usize, advice: Advice) -> Result<()> {
        let count = count.min(self.pages.saturating_sub(page));
        let start = self.base.as_ptr().cast::<u8>().wrapping_add(page * self.page_size);
        // SAFETY: the range lies within this mapping; the kinds of advice given here never change its content.
        match unsafe { madvise(start.cast::<c_void>(), count * self.page_size, advice) } {
            Err(errno) if !is_needless(advice, errno) => {
                Err(WorkloadError::io(format!("call madvise {advice:?}"), errno))
            }
            _ => Ok(()),
        }
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

/// Whether a kernel that refuses this advice does without it what the advice asks for. One that was built without huge
/// pages, as Debian's with `PREEMPT_RT`, knows no advice about them.
fn is_needless(advice: Advice, errno: Errno) -> bool {
    matches!((advice, errno), (Advice::LinuxNoHugepage, Errno::INVAL))
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = self.base.as_ptr().cast::<c_void>().wrapping_byte_sub(self.page_size);
        // SAFETY: the mapping and its guard pages are owned by this value, and no reference into it outlives it.
        let outcome = unsafe { munmap(start, (self.pages + 2) * self.page_size) };
        if let Err(error) = outcome {
            log::error!("cannot unmap the test pages: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets the kernel answer an error to this advice, in the calling thread.
    fn refuse(advice: libc::c_int, errno: libc::c_int) {
        let op =
            |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k };
        let (load, equal, answer) =
            (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
        // struct seccomp_data: the number of the call at 0, its third argument at 32.
        let mut program = [
            op(load, 0, 0, 0),
            op(equal, 0, 3, u32::try_from(libc::SYS_madvise).unwrap()),
            op(load, 0, 0, 32),
            op(equal, 0, 1, advice.cast_unsigned()),
            op(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
            op(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let filter = libc::sock_fprog { len: 6, filter: program.as_mut_ptr() };
        // SAFETY: the call takes no pointer.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        // SAFETY: the filter and its program outlive the call, and its length is that of the program.
        let installed =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
        assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
    }

    #[test]
    fn a_kernel_without_huge_pages_may_refuse_advice_about_them() {
        let with = |advice, errno| {
            std::thread::spawn(move || {
                refuse(advice, errno);
                Mapping::new(3).and_then(|mapping| mapping.page_out(0, 3)).map_err(|error| error.to_string())
            })
        };
        assert_eq!(with(libc::MADV_NOHUGEPAGE, libc::EINVAL).join().unwrap(), Ok(()));
        let other = with(libc::MADV_NOHUGEPAGE, libc::EPERM).join().unwrap();
        assert_eq!(other, Err("cannot call madvise LinuxNoHugepage".to_owned()));
        let paged_out = with(libc::MADV_PAGEOUT, libc::EINVAL).join().unwrap();
        assert_eq!(paged_out, Err("cannot call madvise LinuxPageOut".to_owned()), "nothing would be swapped out");
    }

    #[test]
    fn pages_are_a_page_size_apart_and_keep_their_values() {
        let mapping = Mapping::new(3).unwrap();
        assert_eq!(mapping.address(2) - mapping.address(0), 2 * rustix::param::page_size() as u64);
        mapping.store(1, 7);
        mapping.increment(1);
        assert_eq!([mapping.load(0), mapping.load(1), mapping.load(2)], [0, 8, 0]);
    }

    #[test]
    fn filling_a_page_writes_different_words_and_stops_at_its_end() {
        let mapping = Mapping::new(2).unwrap();
        mapping.fill(0, 100);
        let words = rustix::param::page_size() / 8;
        let all: Vec<u64> = mapping.words().iter().map(|word| word.load(Ordering::Relaxed)).collect();
        assert_eq!(all[0], 100);
        assert_eq!(all[words - 1], 100 + words as u64 - 1);
        assert_eq!(all[words], 0);
    }

    #[test]
    fn a_page_beyond_the_mapping_is_ignored() {
        let mapping = Mapping::new(1).unwrap();
        mapping.store(1, 7);
        assert_eq!(mapping.load(1), 0);
    }
}
