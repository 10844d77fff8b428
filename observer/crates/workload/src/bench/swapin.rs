//! Swaps memory in from a zram device that is set up for the run, page by page, as in the measurement of the fix
//! (<https://git.kernel.org/torvalds/c/13ddaf26be32>, "mm/swap: fix race when skipping swapcache"): directly, through
//! the swap cache, and by threads that touch the same pages.

use observer_kernel::vmstat::Vmstat;
use observer_observation::clock::now;

use super::{
    contention::{self, Contention, Round},
    extra_reference::ExtraReference,
};
use crate::{
    Result, WorkloadError,
    memory::{Mapping, lock_process},
    paging::page_all_out,
    swap_device::{SwapDevice, SwapOptions},
};

/// Least and most memory to swap in.
pub const MIN_BYTES: u64 = 1 << 20;
pub const MAX_BYTES: u64 = 64 << 30;

/// How pages are swapped in when one thread touches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Each entry has one reference: a kernel with the bypass skips the swap cache.
    Direct,
    /// Another process holds a second reference to each entry: the swap cache is used.
    Cached,
}

/// Content of the pages, which decides how long they take to decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Words that all differ, by the kernel's default compressor.
    Slow,
    /// Three of four words are 0, by lz4 if the kernel has it. Overhead is the largest share of these.
    Fast,
    /// Pages of this program's file, by lz4 if the kernel has it: code and tables, as in the memory of processes.
    Program,
}

impl Contents {
    /// `None`: the kernel's default.
    const fn compressor(self) -> Option<&'static str> {
        match self {
            Self::Slow => None,
            Self::Fast | Self::Program => Some("lz4"),
        }
    }

    fn fill(self, memory: &Mapping, pages: usize) -> Result<()> {
        match self {
            Self::Slow => (0..pages).for_each(|page| memory.fill(page, memory.address(page))),
            Self::Fast => (0..pages).for_each(|page| memory.fill_with(page, one_in_four(memory.address(page)))),
            Self::Program => {
                let file = std::fs::read(OWN_FILE).map_err(|e| WorkloadError::io(format!("read {OWN_FILE}"), e))?;
                let chunks = compressible_pages(&file, rustix::param::page_size());
                for (page, chunk) in (0..pages).zip(chunks.iter().cycle()) {
                    memory.fill_with(page, words(chunk));
                }
            }
        }
        Ok(())
    }
}

/// The file of the running program.
const OWN_FILE: &str = "/proc/self/exe";

/// Words of which one in four is not 0, and those differ.
fn one_in_four(seed: u64) -> impl Iterator<Item = u64> {
    (seed..).map(move |value| if value.wrapping_sub(seed).is_multiple_of(4) { value } else { 0 })
}

/// The whole pages of a file, except those that repeat one word: they would be stored without being compressed, or not
/// written at all.
fn compressible_pages(file: &[u8], page_size: usize) -> Vec<&[u8]> {
    let repeats = |chunk: &[u8]| words(chunk).all(|word| Some(word) == words(chunk).next());
    file.chunks_exact(page_size).filter(|chunk| !repeats(chunk)).collect()
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word))
}

/// The memory that is swapped, and the device that it is swapped to. Both are removed when this value is dropped.
#[derive(Debug)]
pub struct Bench {
    // Fields are dropped in this order: swapped-out memory is unmapped before its device is removed. One page more than
    // is swapped.
    memory: Mapping,
    pages: usize,
    device: SwapDevice,
}

impl Bench {
    /// Sets up the device and fills the memory.
    ///
    /// # Errors
    /// When the host does not allow it; nothing is left behind then.
    pub fn set_up(bytes: u64, allow_other_swap: bool, contents: Contents) -> Result<Self> {
        let pages = usize::try_from(bytes / rustix::param::page_size() as u64).unwrap_or(usize::MAX);
        // Some slots more: other pages of the host may be swapped out to the device too.
        let slots = u32::try_from(pages + pages / 16 + 64).unwrap_or(u32::MAX);
        let device =
            SwapDevice::set_up(SwapOptions { slots, allow_other_swap, compressor: contents.compressor() }, |_| Ok(()))?;
        lock_process()?;
        let memory = Mapping::new(pages + 1)?;
        contents.fill(&memory, pages)?;
        Ok(Self { memory, pages, device })
    }

    /// The device's compressor; `None`: it cannot be read.
    pub fn compressor(&self) -> Option<String> {
        self.device.compressor()
    }

    /// Pages that are swapped out and in per round.
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// One round: all pages out, then all in, one by one. Returns nanoseconds per page.
    ///
    /// # Errors
    /// When pages are not swapped out, or the kernel did not read exactly the pages that were touched.
    pub fn round(&self, path: Path) -> Result<f64> {
        self.round_marked(path, || ())
    }

    /// As [`Self::round`]; calls `mark` before the first page is touched and after the last.
    ///
    /// # Errors
    /// As [`Self::round`].
    pub fn round_marked(&self, path: Path, mut mark: impl FnMut()) -> Result<f64> {
        page_all_out(&self.memory, self.pages)?;
        let reference = (path == Path::Cached).then(ExtraReference::take).transpose()?;
        let before = swapped_in()?;
        mark();
        let started = now();
        for page in 0..self.pages {
            std::hint::black_box(self.memory.load(page));
        }
        let took = now().saturating_sub(started);
        mark();
        let read = swapped_in()?.saturating_sub(before);
        drop(reference);
        if read != self.pages as u64 {
            return Err(WorkloadError::WrongCount {
                what: "pages read from swap in one round",
                found: read,
                wanted: self.pages as u64,
            });
        }
        Ok(took as f64 / self.pages as f64)
    }

    /// One round by several threads: all pages out, then all in. Also returns how many pages were read more than once,
    /// which only kernels without the pin do. `poll` is called every 2 ms.
    ///
    /// # Errors
    /// When pages are not swapped out, or fewer were read than were touched.
    pub fn contended_round(&self, contention: Contention, poll: impl FnMut()) -> Result<(Round, u64)> {
        page_all_out(&self.memory, self.pages)?;
        let before = swapped_in()?;
        let round = contention::run(contention, &self.memory, self.pages, poll)?;
        let read = swapped_in()?.saturating_sub(before);
        let wanted = self.pages as u64;
        match read.checked_sub(wanted) {
            Some(twice) => Ok((round, twice)),
            None => {
                Err(WorkloadError::WrongCount { what: "pages read from swap by several threads", found: read, wanted })
            }
        }
    }

    /// Switches swap off and removes the device.
    ///
    /// # Errors
    /// When a step of the removal failed; its remedy is how to do it by hand.
    pub fn tear_down(self) -> Result<()> {
        let Self { memory, mut device, .. } = self;
        drop(memory);
        device.tear_down()
    }
}

/// Pages that the kernel has read from swap since boot.
fn swapped_in() -> Result<u64> {
    Ok(Vmstat::now()?.pswpin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_four_words_are_zero() {
        assert_eq!(one_in_four(100).take(9).collect::<Vec<_>>(), [100, 0, 0, 0, 104, 0, 0, 0, 108]);
    }

    #[test]
    fn pages_of_one_word_and_a_partial_page_are_left_out() {
        let (same, other) = ([7_u8; 16], *b"0123456789abcdef");
        let file = [&same[..], &other, &[0; 16], &other, b"rest"].concat();
        assert_eq!(compressible_pages(&file, 16), [&other, &other]);
        assert!(compressible_pages(b"", 16).is_empty());
    }

    #[test]
    fn program_contents_are_the_pages_of_this_program() {
        let memory = Mapping::new(8).unwrap();
        Contents::Program.fill(&memory, 8).unwrap();
        let pages: Vec<u64> = (0..8).map(|page| memory.load(page)).collect();
        assert_eq!(pages[0].to_ne_bytes()[..4], *b"\x7fELF");
        assert!(pages.iter().any(|word| *word != pages[0]));
    }
}
