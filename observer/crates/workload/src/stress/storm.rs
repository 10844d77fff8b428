//! The storm: a crowd on few pages. Many threads walk over the same pages in opposite directions and add one to each;
//! another thread keeps paging them out, page by page; a ballast keeps the free slots few, so that entries come back soon.
//!
//! After each pass every page must hold what was added to it. One that comes up short has lost updates: that is the
//! truth, told with the page's address and the times of the pass. When each addition was made is told as well, so that a
//! flag on a page that lost nothing can be explained (nobody wrote in between) or cannot.

mod walkers;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, yield_now};
use std::time::{Duration, Instant};

use rustix::process::getpid;
use serde::{Deserialize, Serialize};

use super::clock::now_ns;
use super::device::{SwapDevice, SwapOptions};
use super::memory::Mapping;
use super::messages::{Done, Message, MessageWriter, PassTruth, ShortPage, StormReady};
use super::{Result, StressError, ballast, child, signals};
use walkers::Walkers;

/// How to run the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormOptions {
    /// Passes at most.
    pub passes: Option<u64>,
    /// Time at most; looked at between passes.
    pub duration: Option<Duration>,
    /// Threads that walk, 2..=64.
    pub threads: u32,
    /// Pages that they walk over, 1..=64.
    pub pages: u32,
    /// Slots that the ballast leaves free, at least 1. The fewer, the sooner an entry comes back.
    pub free: u32,
    /// Usable slots of the swap device. Small, so that the kernels up to 6.12 keep no freed slots aside.
    pub slots: u32,
    /// Go on although other swap is in use.
    pub allow_other_swap: bool,
}

impl Default for StormOptions {
    fn default() -> Self {
        Self { passes: None, duration: None, threads: 4, pages: 8, free: 4, slots: 79, allow_other_swap: false }
    }
}

impl StormOptions {
    fn check(&self) -> Result<()> {
        in_range("threads", self.threads, 2..=64, "2..=64")?;
        in_range("pages", self.pages, 1..=64, "1..=64")?;
        in_range("free slots", self.free, 1..=self.slots, "1 up to all slots")
    }
}

fn in_range(option: &'static str, value: u32, range: std::ops::RangeInclusive<u32>, words: &'static str) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(StressError::OutOfRange { option, value: value.into(), range: words })
}

/// Plays the passes and reports them to `out`, as described in [`messages`](super::messages) and [`child`].
pub fn run_child(options: &StormOptions, out: impl Write) -> Result<()> {
    let swap = SwapOptions { slots: options.slots, allow_other_swap: options.allow_other_swap, compressor: None };
    child::run(swap, out, |device, out, done| play(options, device, out, done))
}

fn play<W: Write>(
    options: &StormOptions,
    device: &SwapDevice,
    out: &mut MessageWriter<W>,
    done: &mut Done,
) -> Result<()> {
    options.check()?;
    let (ballast, swap_type) = ballast::fill(device, options.free)?;
    let mut relief = Relief { ballast: &ballast, next: 0, reads: device.reads()? };
    // One page more than is walked over: one that is never touched.
    let pages = Arc::new(Mapping::new(options.pages as usize + 1)?);
    let mut walkers = Walkers::start(options.threads as usize, options.pages as usize, &pages)?;
    let _evictor = Evictor::start(Arc::clone(&pages), options.pages as usize)?;
    let pid = getpid().as_raw_nonzero().get().unsigned_abs();
    out.send(&Message::Storm(StormReady {
        device: device.claim().device.clone(),
        slots: device.slots(),
        free: options.free,
        swap_type,
        pid,
        threads: options.threads,
        pages: options.pages,
    }))?;
    let mut held = vec![0; options.pages as usize];
    let end = options.duration.map(|duration| Instant::now() + duration);
    let mut pass = 0;
    while options.passes.is_none_or(|passes| pass < passes) && end.is_none_or(|end| Instant::now() < end) {
        signals::check()?;
        pass += 1;
        let started_ns = now_ns();
        let adds = walkers.pass();
        let ended_ns = now_ns();
        let short = short_pages(&pages, &mut held, u64::from(options.threads));
        if pass.is_multiple_of(STARVED_AFTER) {
            relief.look(device)?;
        }
        done.rounds = done.rounds.saturating_add(1);
        done.lost = done.lost.saturating_add(u32::try_from(short.len()).unwrap_or(u32::MAX));
        out.send(&Message::Pass(PassTruth { pass, pid, started_ns, ended_ns, short, adds }))?;
    }
    Ok(())
}

/// So many passes without a single read from the device: no page goes out any more.
const STARVED_AFTER: u64 = 32;

/// Brings pages of the ballast back when the storm has starved.
///
/// A stale install leaves the page that it overtook behind in the swap cache, nobody's, and its entry taken, until the
/// kernel happens to reclaim it. Seen on 5.10.223: with four entries free, four of those end the storm.
struct Relief<'a> {
    ballast: &'a Mapping,
    next: usize,
    reads: u64,
}

impl Relief<'_> {
    fn look(&mut self, device: &SwapDevice) -> Result<()> {
        let reads = device.reads()?;
        if reads == self.reads {
            // Each page that is read in gives its entry back; after the last one it starts with the first again, in vain.
            self.ballast.load(self.next);
            self.next = (self.next + 1) % (device.slots() as usize).max(1);
        }
        self.reads = device.reads()?;
        Ok(())
    }
}

/// The pages that do not hold what they held before and `added` more. What they hold is what they are measured by next.
fn short_pages(pages: &Mapping, held: &mut [u64], added: u64) -> Vec<ShortPage> {
    let mut short = Vec::new();
    for (page, before) in held.iter_mut().enumerate() {
        let holds = pages.load(page);
        let missing = (*before + added).cast_signed().wrapping_sub(holds.cast_signed());
        if missing != 0 {
            short.push(ShortPage { address: pages.address(page), missing });
        }
        *before = holds;
    }
    short
}

/// The thread that keeps paging out; it ends with this value.
struct Evictor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Evictor {
    fn start(pages: Arc<Mapping>, count: usize) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        let thread = Builder::new()
            .name("evictor".to_owned())
            .spawn(move || evict(&pages, count, &theirs))
            .map_err(|e| StressError::io("start the evicting thread", e))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Evictor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn evict(pages: &Mapping, count: usize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for page in 0..count {
            if let Err(error) = pages.page_out(page, 1) {
                log::warn!("evictor: {error}");
                return;
            }
        }
        yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_ranges() {
        assert!(StormOptions::default().check().is_ok());
        for options in [
            StormOptions { threads: 1, ..StormOptions::default() },
            StormOptions { pages: 0, ..StormOptions::default() },
            StormOptions { free: 80, ..StormOptions::default() },
        ] {
            assert!(matches!(options.check(), Err(StressError::OutOfRange { .. })), "{options:?}");
        }
    }

    #[test]
    fn a_page_is_short_by_what_is_missing_and_only_once() {
        let pages = Mapping::new(3).unwrap();
        let mut held = vec![0; 2];
        pages.store(0, 4);
        pages.store(1, 3);
        let short = ShortPage { address: pages.address(1), missing: 1 };
        assert_eq!(short_pages(&pages, &mut held, 4), [short]);
        pages.store(0, 8);
        pages.store(1, 7);
        assert_eq!(short_pages(&pages, &mut held, 4), []);
        pages.store(0, 13);
        pages.store(1, 11);
        assert_eq!(short_pages(&pages, &mut held, 4), [ShortPage { address: pages.address(0), missing: -1 }]);
    }

    #[test]
    fn a_storm_without_swap_loses_nothing() {
        let pages = Arc::new(Mapping::new(5).unwrap());
        let mut walkers = Walkers::start(3, 4, &pages).unwrap();
        let _evictor = Evictor::start(Arc::clone(&pages), 4).unwrap();
        let mut held = vec![0; 4];
        for _ in 0..20 {
            let adds = walkers.pass();
            assert_eq!(adds.len(), 12);
            assert!(adds.iter().all(|add| add.after_ns > 0 && add.after_ns <= add.by_ns));
            assert_eq!(short_pages(&pages, &mut held, 3), []);
        }
    }
}
