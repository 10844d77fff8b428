//! Mappings whose pages are pushed out and looked at one by one.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{Failure, Result, stopped};

/// Pages to page out at once.
const PORTION: usize = 128;

/// Bytes in a page.
pub(crate) fn page_size() -> Result<usize> {
    // SAFETY: a plain question about a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|e| Failure::new("asking for the page size", e, "report it"))
}

/// What the pages of an [`Area`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anonymous, each for itself.
    Small,
    /// Anonymous, in folios as large as `/sys/kernel/mm/transparent_hugepage/hugepages-*kB/enabled` allow.
    Folios,
    /// Those of a file in shmem, and so are their faults.
    Shmem,
}

/// A mapping, gone when dropped.
pub(crate) struct Area {
    start: NonNull<AtomicU64>,
    pages: usize,
    page_size: usize,
    kind: Kind,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only read and written through atomics.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// Anonymous pages, each for itself.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        Self::of(pages, Kind::Small)
    }

    /// Pages of this kind.
    pub(crate) fn of(pages: usize, kind: Kind) -> Result<Self> {
        let shared = if kind == Kind::Shmem { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        let page_size = page_size()?;
        let len = pages * page_size;
        let failed = || Failure::last_os(format!("mapping {pages} pages"), "free some memory, or ask for fewer pages");
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that exists.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, shared | libc::MAP_ANONYMOUS, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(failed());
        }
        let area = Self { start: NonNull::new(start.cast()).ok_or_else(failed)?, pages, page_size, kind };
        let advice = if kind == Kind::Folios { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        area.advise(0, pages, advice).or_else(|failure| {
            // A kernel without huge pages knows no advice about them.
            if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() { Err(failure) } else { Ok(()) }
        })?;
        Ok(area)
    }

    /// Address of a page.
    pub(crate) fn address(&self, page: usize) -> usize {
        self.start.as_ptr().addr() + page * self.page_size
    }

    /// The words of a page. To look at them is to fault the page in.
    pub(crate) fn page(&self, page: usize) -> &[AtomicU64] {
        let words = self.page_size / size_of::<AtomicU64>();
        let page = page.min(self.pages.saturating_sub(1));
        // SAFETY: inside the mapping, since `page` is less than `pages`.
        let first = unsafe { self.start.as_ptr().add(page * words) };
        // SAFETY: one page of the mapping, which lives as long as `self`; the kernel made it zeroes, a value of any
        // AtomicU64, and nothing but atomics ever reaches it.
        unsafe { slice::from_raw_parts(first, words) }
    }

    /// Gives advice about `count` pages from `first` on.
    pub(crate) fn advise(&self, first: usize, count: usize, advice: libc::c_int) -> Result<()> {
        if first + count > self.pages {
            return Err(Failure::new("advising on pages", "beyond the mapping", "report it"));
        }
        // SAFETY: inside the mapping; no advice given here (no huge pages, page out, not needed) makes a value of an
        // AtomicU64 into something else.
        let failed = unsafe { libc::madvise(self.address(first) as *mut libc::c_void, count * self.page_size, advice) };
        match failed {
            0 => Ok(()),
            _ => Err(Failure::last_os(
                format!("madvise({advice}) on {count} pages"),
                "use a kernel from 5.4 on, with swap",
            )),
        }
    }

    /// How many of the pages are not in memory. For shmem, whose PTEs do not tell where a page is.
    fn absent(&self, first: usize, count: usize) -> Result<usize> {
        let mut resident = vec![0u8; count];
        let start = self.address(first) as *mut libc::c_void;
        // SAFETY: a question about pages inside the mapping, answered in a byte for each.
        match unsafe { libc::mincore(start, count * self.page_size, resident.as_mut_ptr()) } {
            0 => Ok(resident.iter().filter(|page| **page & 1 == 0).count()),
            _ => Err(Failure::last_os("asking which pages are in memory", "report it")),
        }
    }

    /// Asks for pages to be paged out. From 6.1 on this also drains the calling CPU's batch of pages on their way to
    /// the LRU lists, which is the only way for another thread to get them out.
    pub(crate) fn page_out(&self, first: usize, count: usize) -> Result<()> {
        self.advise(first, count, libc::MADV_PAGEOUT)
    }

    /// Pages out `count` pages from `first` on, again and again until all are out or it gives up; how many are out.
    pub(crate) fn page_out_all(&self, map: &Pagemap, first: usize, count: usize) -> Result<usize> {
        let mut out = 0;
        for attempt in 0..20_u64 {
            // In portions: a signal waits for the end of the call.
            for portion in (0..count).step_by(PORTION).take_while(|_| !stopped()) {
                self.page_out(first + portion, PORTION.min(count - portion))?;
            }
            out = if self.kind == Kind::Shmem {
                self.absent(first, count)?
            } else {
                map.look(self.address(first), count)?.iter().filter(|page| page.swapped().is_some()).count()
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
        // SAFETY: the mapping made in `new`, to which no borrow is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.pages * self.page_size) };
    }
}

/// What the kernel says of one page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageState(u64);

impl PageState {
    /// The swap entry (type and offset as pagemap packs them) of a page that is out.
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

    /// The states of `count` pages from `address` on. Looking at them here faults nothing in.
    pub(crate) fn look(&self, address: usize, count: usize) -> Result<Vec<PageState>> {
        let mut bytes = vec![0; count * 8];
        let failed = |why: std::io::Error| Failure::new("reading /proc/self/pagemap", why, "run as root");
        self.file.read_exact_at(&mut bytes, (address / self.page_size * 8) as u64).map_err(failed)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|word| PageState(u64::from_ne_bytes(*word))).collect())
    }

    /// The swap entry of the page at `address`, if it is out.
    pub(crate) fn entry(&self, address: usize) -> Result<Option<u64>> {
        Ok(self.look(address, 1)?.first().and_then(|page| page.swapped()))
    }
}

/// Words that belong together: never all zero, never all the same, easy to compress, and different for every tag.
fn pattern(tag: u64) -> impl Iterator<Item = u64> {
    let base = (tag ^ 0x5bd1_e995_9d1b_54a5).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..32_u64).cycle().map(move |step| base.wrapping_add(step.wrapping_mul(0xd6e8_feb8_6659_fd94)))
}

/// Writes the pattern of `tag`.
pub(crate) fn fill(words: &[AtomicU64], tag: u64) {
    words.iter().zip(pattern(tag)).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
}

/// Whether every word is that of the pattern of `tag`.
pub(crate) fn holds(words: &[AtomicU64], tag: u64) -> bool {
    holds_from(words, 0, tag)
}

/// Whether every word is that of the pattern of `tag`, which started `skip` words before.
pub(crate) fn holds_from(words: &[AtomicU64], skip: usize, tag: u64) -> bool {
    words.iter().zip(pattern(tag).skip(skip)).all(|(word, value)| word.load(Ordering::Relaxed) == value)
}
