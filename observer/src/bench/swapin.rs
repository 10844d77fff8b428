//! Swapping memory in from a zram device of its own, page by page, as in the measurement in the fix's own message
//! (13ddaf26be32): past the swap cache, through it, and by threads that race for the same pages.

use super::{
    crowd::{self, Crowd, Race},
    second::SecondReference,
};
use crate::{
    kernel::vmstat::Vmstat,
    stress::{
        Result, StressError,
        device::{SwapDevice, SwapOptions},
        memory::{Mapping, pin_process},
        now_ns,
        paging::page_all_out,
    },
};

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

/// The memory that goes out and comes back, and the device that it goes to. Both are gone when this value is.
#[derive(Debug)]
pub struct Bench {
    // Dropped in this order: memory that is swapped out is unmapped before its device goes. One page more than go out.
    memory: Mapping,
    pages: usize,
    device: SwapDevice,
}

impl Bench {
    /// Sets up the device and fills the memory. `cheap`: with what costs little to decompress, by lz4 where the kernel has
    /// it, so that all else shows the more.
    ///
    /// # Errors
    /// When the host does not allow it; nothing is left then.
    pub fn set_up(bytes: u64, allow_other_swap: bool, cheap: bool) -> Result<Self> {
        let pages = usize::try_from(bytes / rustix::param::page_size() as u64).unwrap_or(usize::MAX);
        // A few slots more: other pages of the host may go there too.
        let slots = u32::try_from(pages + pages / 16 + 64).unwrap_or(u32::MAX);
        let device = SwapDevice::set_up(
            SwapOptions { slots, allow_other_swap, compressor: cheap.then_some("lz4") },
            |_| Ok(()),
        )?;
        pin_process()?;
        let memory = Mapping::new(pages + 1)?;
        for page in 0..pages {
            if cheap {
                memory.fill_cheaply(page, memory.address(page));
            } else {
                memory.fill(page, memory.address(page));
            }
        }
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
