//! Swapping memory in from a zram device of its own, page by page, as in the measurement in the fix's own message
//! (13ddaf26be32): past the swap cache, through it, and by threads that race for the same pages.

use super::{
    crowd::{self, Crowd, Race},
    extra_reference::SecondReference,
};
use crate::stress::{
    Result, StressError,
    device::{SwapDevice, SwapOptions},
    memory::{Mapping, pin_process},
    now_ns,
    paging::page_all_out,
};
use observer_kernel::vmstat::Vmstat;

/// Bytes to swap in: at least so many,
pub const MIN_BYTES: u64 = 1 << 20;
/// and at most so many.
pub const MAX_BYTES: u64 = 64 << 30;

/// How the pages come back when one thread fetches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each has one reference: where there is a way past the swap cache, it is taken.
    Direct,
    /// Each has a second one, held by another process: through the swap cache.
    Cached,
}

/// What the pages hold, which decides what a swap-in takes without anything attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Words that all differ, by the kernel's own compressor: dear to decompress.
    Dear,
    /// One word in four differs from 0, by lz4 where the kernel has it: all else shows the more.
    Cheap,
    /// Pages of this program's own file, by lz4 where the kernel has it: code and tables, as processes have them.
    Program,
}

impl Contents {
    /// The compressor to ask for; `None`: the kernel's own.
    const fn compressor(self) -> Option<&'static str> {
        match self {
            Self::Dear => None,
            Self::Cheap | Self::Program => Some("lz4"),
        }
    }

    fn fill(self, memory: &Mapping, pages: usize) -> Result<()> {
        match self {
            Self::Dear => (0..pages).for_each(|page| memory.fill(page, memory.address(page))),
            Self::Cheap => (0..pages).for_each(|page| memory.fill_with(page, one_in_four(memory.address(page)))),
            Self::Program => {
                let file = std::fs::read(OWN_FILE).map_err(|e| StressError::io(format!("read {OWN_FILE}"), e))?;
                let chunks = worth_compressing(&file, rustix::param::page_size());
                for (page, chunk) in (0..pages).zip(chunks.iter().cycle()) {
                    memory.fill_with(page, words(chunk));
                }
            }
        }
        Ok(())
    }
}

/// The running program's file.
const OWN_FILE: &str = "/proc/self/exe";

/// Words of which one in four is not 0; those differ.
fn one_in_four(seed: u64) -> impl Iterator<Item = u64> {
    (seed..).map(move |value| if value.wrapping_sub(seed).is_multiple_of(4) { value } else { 0 })
}

/// The whole pages of a file that do not repeat one word: such are kept without being compressed, or not written at all.
fn worth_compressing(file: &[u8], page_size: usize) -> Vec<&[u8]> {
    let repeats = |chunk: &[u8]| words(chunk).all(|word| Some(word) == words(chunk).next());
    file.chunks_exact(page_size).filter(|chunk| !repeats(chunk)).collect()
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word))
}

/// The memory that goes out and comes back, and the device that it goes to. Both are gone when this value is.
#[derive(Debug)]
pub struct Bench {
    // Dropped in this order: memory that is swapped out is unmapped before its device goes. One page more than go out.
    memory: Mapping,
    pages: usize,
    device: SwapDevice,
}

impl Bench {
    /// Sets up the device and fills the memory.
    ///
    /// # Errors
    /// When the host does not allow it; nothing is left then.
    pub fn set_up(bytes: u64, allow_other_swap: bool, contents: Contents) -> Result<Self> {
        let pages = usize::try_from(bytes / rustix::param::page_size() as u64).unwrap_or(usize::MAX);
        // A few slots more: other pages of the host may go there too.
        let slots = u32::try_from(pages + pages / 16 + 64).unwrap_or(u32::MAX);
        let device =
            SwapDevice::set_up(SwapOptions { slots, allow_other_swap, compressor: contents.compressor() }, |_| Ok(()))?;
        pin_process()?;
        let memory = Mapping::new(pages + 1)?;
        contents.fill(&memory, pages)?;
        Ok(Self { memory, pages, device })
    }

    /// The device's compressor, if it tells.
    pub fn compressor(&self) -> Option<String> {
        self.device.compressor()
    }

    /// Pages that go out and come back in a round.
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// One round: all out, then all in, page by page. What a page took, in nanoseconds.
    ///
    /// # Errors
    /// When the pages do not go out, or the kernel's own count of pages read is not that of the pages touched.
    pub fn round(&self, way: Way) -> Result<f64> {
        self.round_marked(way, || ())
    }

    /// The same; `mark` is called right before the first page is touched, and right after the last.
    ///
    /// # Errors
    /// As [`Self::round`].
    pub fn round_marked(&self, way: Way, mut mark: impl FnMut()) -> Result<f64> {
        page_all_out(&self.memory, self.pages)?;
        let second = (way == Way::Cached).then(SecondReference::take).transpose()?;
        let before = swapped_in()?;
        mark();
        let started = now_ns();
        for page in 0..self.pages {
            std::hint::black_box(self.memory.load(page));
        }
        let took = now_ns().saturating_sub(started);
        mark();
        let read = swapped_in()?.saturating_sub(before);
        drop(second);
        if read != self.pages as u64 {
            return Err(StressError::Unexpected {
                what: "pages read from swap in one round",
                found: read,
                wanted: self.pages as u64,
            });
        }
        Ok(took as f64 / self.pages as f64)
    }

    /// One round of a crowd: all out, then all in by threads that race for a part of the pages. And how many pages were read
    /// more than once, which only a kernel that does not pin does. `look` is called every now and then.
    ///
    /// # Errors
    /// When the pages do not go out, or fewer are read than were touched.
    pub fn race(&self, crowd: Crowd, look: impl FnMut()) -> Result<(Race, u64)> {
        page_all_out(&self.memory, self.pages)?;
        let before = swapped_in()?;
        let race = crowd::race(crowd, &self.memory, self.pages, look)?;
        let read = swapped_in()?.saturating_sub(before);
        let wanted = self.pages as u64;
        match read.checked_sub(wanted) {
            Some(twice) => Ok((race, twice)),
            None => Err(StressError::Unexpected { what: "pages read from swap by a crowd", found: read, wanted }),
        }
    }

    /// Switches swap off and removes the device.
    ///
    /// # Errors
    /// When some of it could not be removed; the message says how to do it by hand.
    pub fn tear_down(self) -> Result<()> {
        let Self { memory, mut device, .. } = self;
        drop(memory);
        device.tear_down()
    }
}

/// Pages that the kernel has read from swap since boot.
fn swapped_in() -> Result<u64> {
    Vmstat::now().map(|vmstat| vmstat.pswpin).map_err(|error| StressError::format("/proc/vmstat", &error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_four_words_are_zero() {
        assert_eq!(one_in_four(100).take(9).collect::<Vec<_>>(), [100, 0, 0, 0, 104, 0, 0, 0, 108]);
    }

    #[test]
    fn pages_of_one_word_and_the_rest_of_a_file_are_left_out() {
        let (same, other) = ([7_u8; 16], *b"0123456789abcdef");
        let file = [&same[..], &other, &[0; 16], &other, b"rest"].concat();
        assert_eq!(worth_compressing(&file, 16), [&other, &other]);
        assert!(worth_compressing(b"", 16).is_empty());
    }

    #[test]
    fn this_program_has_pages_of_its_own() {
        let memory = Mapping::new(8).unwrap();
        Contents::Program.fill(&memory, 8).unwrap();
        let pages: Vec<u64> = (0..8).map(|page| memory.load(page)).collect();
        assert_eq!(pages[0].to_ne_bytes()[..4], *b"\x7fELF");
        assert!(pages.iter().any(|word| *word != pages[0]));
    }
}
