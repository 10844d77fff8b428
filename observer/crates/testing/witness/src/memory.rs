//! Mappings whose pages are paged out and checked one by one.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{
    failure::{Failure, Result},
    signals::stopped,
};

/// Pages per call of madvise.
const PORTION: usize = 128;

/// In bytes.
pub(crate) fn page_size() -> Result<usize> {
    // SAFETY: the call takes a number and returns one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|e| Failure::new("reading the page size", e, "report it"))
}

/// The kind of pages of an [`Area`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anonymous, without large folios.
    Small,
    /// Anonymous, in folios as large as `/sys/kernel/mm/transparent_hugepage/hugepages-*kB/enabled` allow.
    Folios,
    /// Of shmem.
    Shmem,
}

/// A mapping, unmapped when dropped.
pub(crate) struct Area {
    start: NonNull<AtomicU64>,
    pages: usize,
    page_size: usize,
    kind: Kind,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only read and written through atomics.
unsafe impl Send for Area {}
// SAFETY: shared references allow only atomic reads and writes of the mapping.
unsafe impl Sync for Area {}

impl Area {
    pub(crate) fn new(pages: usize) -> Result<Self> {
        Self::of(pages, Kind::Small)
    }

    pub(crate) fn of(pages: usize, kind: Kind) -> Result<Self> {
        let shared = if kind == Kind::Shmem { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        let page_size = page_size()?;
        let len = pages * page_size;
        let failed = || Failure::last_os(format!("mapping {pages} pages"), "free some memory, or ask for fewer pages");
        // SAFETY: without MAP_FIXED a new mapping does not replace existing ones.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, shared | libc::MAP_ANONYMOUS, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(failed());
        }
        let area = Self { start: NonNull::new(start.cast()).ok_or_else(failed)?, pages, page_size, kind };
        let advice = if kind == Kind::Folios { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        area.advise(0, pages, advice).or_else(|failure| {
            // A kernel without huge pages refuses advice about them.
            if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() { Err(failure) } else { Ok(()) }
        })?;
        Ok(area)
    }

    pub(crate) fn address(&self, page: usize) -> usize {
        self.start.as_ptr().addr() + page * self.page_size
    }

    /// The words of a page. Reading them faults the page in.
    pub(crate) fn page(&self, page: usize) -> &[AtomicU64] {
        let words = self.page_size / size_of::<AtomicU64>();
        let page = page.min(self.pages.saturating_sub(1));
        // SAFETY: the address is inside the mapping, since `page` is less than `self.pages`.
        let first = unsafe { self.start.as_ptr().add(page * words) };
        // SAFETY: the page is part of the mapping, which lives as long as `self`. The kernel fills it with zeroes,
        // which are values of AtomicU64, and it is accessed only through atomics.
        unsafe { slice::from_raw_parts(first, words) }
    }

    /// Calls madvise on `count` pages from `first` on.
    pub(crate) fn advise(&self, first: usize, count: usize, advice: libc::c_int) -> Result<()> {
        if first + count > self.pages {
            return Err(Failure::new("calling madvise", "beyond the mapping", "report it"));
        }
        // SAFETY: the range is inside the mapping, and no advice given here (huge pages or not, page out, not needed)
        // leaves bytes that are not values of AtomicU64.
        let failed = unsafe { libc::madvise(self.address(first) as *mut libc::c_void, count * self.page_size, advice) };
        match failed {
            0 => Ok(()),
            _ => Err(Failure::last_os(
                format!("madvise({advice}) on {count} pages"),
                "use a kernel from 5.4 on, with swap",
            )),
        }
    }

    /// Number of pages that are not in memory. For shmem, where pagemap does not show that.
    fn absent(&self, first: usize, count: usize) -> Result<usize> {
        let mut resident = vec![0u8; count];
        let start = self.address(first) as *mut libc::c_void;
        // SAFETY: the range is inside the mapping, and `resident` has a byte for each of its pages.
        match unsafe { libc::mincore(start, count * self.page_size, resident.as_mut_ptr()) } {
            0 => Ok(resident.iter().filter(|page| **page & 1 == 0).count()),
            _ => Err(Failure::last_os("reading which pages are in memory", "report it")),
        }
    }

    /// Pages out. From 6.1 on this also drains the calling CPU's batch of pages for the LRU lists; until then other
    /// threads cannot page them out.
    pub(crate) fn page_out(&self, first: usize, count: usize) -> Result<()> {
        self.advise(first, count, libc::MADV_PAGEOUT)
    }

    /// Pages out `count` pages from `first` on, with retries; the number of pages that are swapped out.
    pub(crate) fn page_out_all(&self, map: &Pagemap, first: usize, count: usize) -> Result<usize> {
        let mut out = 0;
        for attempt in 0..20_u64 {
            // In portions, since a signal is handled at the end of a call.
            for portion in (0..count).step_by(PORTION).take_while(|_| !stopped()) {
                self.page_out(first + portion, PORTION.min(count - portion))?;
            }
            out = if self.kind == Kind::Shmem {
                self.absent(first, count)?
            } else {
                map.states(self.address(first), count)?.iter().filter(|page| page.swapped().is_some()).count()
            };
            if out == count || stopped() {
                break;
            }
            thread::sleep(Duration::from_micros(200 * attempt));
        }
        Ok(out)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `of`, and no reference to it is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.pages * self.page_size) };
    }
}

/// An entry of pagemap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageState(u64);

impl PageState {
    /// The swap entry of a page that is swapped out: type and offset as pagemap packs them.
    pub(crate) fn swapped(self) -> Option<u64> {
        (self.0 >> 62 & 1 == 1).then_some(self.0 & ((1 << 55) - 1))
    }
}

/// `/proc/self/pagemap`.
pub(crate) struct Pagemap {
    file: File,
    page_size: usize,
}

impl Pagemap {
    pub(crate) fn open() -> Result<Self> {
        let file = File::open("/proc/self/pagemap")
            .map_err(|e| Failure::new("opening /proc/self/pagemap", e, "mount proc"))?;
        Ok(Self { file, page_size: page_size()? })
    }

    /// The states of `count` pages from `address` on. Does not fault them in.
    pub(crate) fn states(&self, address: usize, count: usize) -> Result<Vec<PageState>> {
        let mut bytes = vec![0; count * 8];
        let failed = |why: std::io::Error| Failure::new("reading /proc/self/pagemap", why, "run as root");
        self.file.read_exact_at(&mut bytes, (address / self.page_size * 8) as u64).map_err(failed)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|word| PageState(u64::from_ne_bytes(*word))).collect())
    }

    /// The swap entry of the page at `address`, if it is swapped out.
    pub(crate) fn entry(&self, address: usize) -> Result<Option<u64>> {
        Ok(self.states(address, 1)?.first().and_then(|page| page.swapped()))
    }
}

/// Different for every tag, never all zero, and compressible.
fn pattern(tag: u64) -> impl Iterator<Item = u64> {
    let base = (tag ^ 0x5bd1_e995_9d1b_54a5).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..32_u64).cycle().map(move |step| base.wrapping_add(step.wrapping_mul(0xd6e8_feb8_6659_fd94)))
}

/// Writes the pattern of `tag`.
pub(crate) fn fill(words: &[AtomicU64], tag: u64) {
    words.iter().zip(pattern(tag)).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
}

/// Whether the words have the pattern of `tag`.
pub(crate) fn holds(words: &[AtomicU64], tag: u64) -> bool {
    holds_from(words, 0, tag)
}

pub(crate) fn is_zeroed(words: &[AtomicU64]) -> bool {
    words.iter().all(|word| word.load(Ordering::Relaxed) == 0)
}

/// The same as [`holds`] for words that start `skip` words into the pattern.
pub(crate) fn holds_from(words: &[AtomicU64], skip: usize, tag: u64) -> bool {
    words.iter().zip(pattern(tag).skip(skip)).all(|(word, value)| word.load(Ordering::Relaxed) == value)
}
