//! Many threads increment the same few pages, walking over them in opposite directions; another thread keeps paging the
//! pages out. A ballast leaves few slots free, so that entries are soon reallocated.
//!
//! After each pass every page must hold the sum of its increments. Missing increments are data loss, which is reported
//! with the page's address and the times of the pass. The time of each increment is reported as well: a flag on a page
//! without data loss is explained if the page was not written in between.

mod walkers;

use std::{
    io::Write,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle, yield_now},
    time::{Duration, Instant},
};

use observer_observation::clock::now;
use rustix::process::getpid;
use serde::{Deserialize, Serialize};

use self::walkers::Walkers;
use super::{
    ballast, child,
    messages::{Done, Message, MessageWriter, PassTruth, StormReady, WrongPage},
};
use crate::{
    Result, WorkloadError,
    error::with_sources,
    memory::Mapping,
    signals,
    swap_device::{SwapDevice, SwapOptions},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormOptions {
    /// Maximum number of passes.
    pub passes: Option<u64>,
    /// Maximum duration, checked between passes.
    pub duration: Option<Duration>,
    /// Walkers, 2..=64.
    pub threads: u32,
    /// 1..=64.
    pub pages: u32,
    /// Slots that the ballast leaves free, at least 1. The fewer, the sooner an entry is reallocated.
    pub free: u32,
    /// Usable slots of the swap device. Few, so that kernels up to 6.12 do not cache freed slots.
    pub slots: u32,
    /// Run although other swap is in use.
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
        in_range("free slots", self.free, 1..=self.slots, "1 to the number of slots")
    }
}

fn in_range(option: &'static str, value: u32, range: RangeInclusive<u32>, allowed: &'static str) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(WorkloadError::OutOfRange { option, value: value.into(), range: allowed })
}

/// Runs the passes in this process and reports them to `out` as [`messages`](super::messages).
pub fn run_child(options: &StormOptions, out: impl Write) -> Result<()> {
    let swap = SwapOptions { slots: options.slots, allow_other_swap: options.allow_other_swap, compressor: None };
    child::run(swap, out, |device, out, done| run(options, device, out, done))
}

fn run<W: Write>(
    options: &StormOptions,
    device: &SwapDevice,
    out: &mut MessageWriter<W>,
    done: &mut Done,
) -> Result<()> {
    options.check()?;
    let ballast = ballast::fill(device, options.free)?;
    let mut relief = Relief { ballast: &ballast, next: 0, reads: device.reads()? };
    // One page more than is incremented; it is never touched.
    let pages = Arc::new(Mapping::new(options.pages as usize + 1)?);
    let mut walkers = Walkers::start(options.threads as usize, options.pages as usize, &pages)?;
    let _evictor = Evictor::start(Arc::clone(&pages), options.pages as usize)?;
    let pid = getpid().as_raw_nonzero().get().unsigned_abs();
    out.send(&Message::StormReady(StormReady {
        device: device.claim().device.clone(),
        slots: device.slots(),
        free: options.free,
        threads: options.threads,
        pages: options.pages,
    }))?;
    let mut values = vec![0; options.pages as usize];
    let end = options.duration.and_then(|duration| Instant::now().checked_add(duration));
    let mut pass = 0;
    while options.passes.is_none_or(|passes| pass < passes) && end.is_none_or(|end| Instant::now() < end) {
        signals::check()?;
        pass += 1;
        let started_ns = now();
        let increments = walkers.pass();
        let ended_ns = now();
        let wrong = wrong_pages(&pages, &mut values, u64::from(options.threads));
        if pass.is_multiple_of(STALL_CHECK) {
            relief.check(device)?;
        }
        done.rounds = done.rounds.saturating_add(1);
        done.lost = done.lost.saturating_add(u32::try_from(wrong.len()).unwrap_or(u32::MAX));
        out.send(&Message::Pass(PassTruth { pass, pid, started_ns, ended_ns, wrong, increments }))?;
    }
    Ok(())
}

/// Passes between two checks whether pages are still paged out.
const STALL_CHECK: u64 = 32;

/// Swaps in ballast when the storm has stalled, which frees entries.
///
/// A stale install leaves the newer page in the swap cache, mapped by no process, and its entry allocated, until the
/// kernel reclaims it. On 5.10.223, with four free entries, four such pages stalled the storm.
struct Relief<'a> {
    ballast: &'a Mapping,
    next: usize,
    reads: u64,
}

impl Relief<'_> {
    /// The storm has stalled if the device was not read since the last check.
    fn check(&mut self, device: &SwapDevice) -> Result<()> {
        let reads = device.reads()?;
        if reads == self.reads {
            // Each page that is read in frees its entry. After the last page this starts over, without effect.
            self.ballast.load(self.next);
            self.next = (self.next + 1) % (device.slots() as usize).max(1);
        }
        self.reads = device.reads()?;
        Ok(())
    }
}

/// The pages that do not hold their former value plus `added`. Updates `values` to what the pages hold now.
fn wrong_pages(pages: &Mapping, values: &mut [u64], added: u64) -> Vec<WrongPage> {
    let mut wrong = Vec::new();
    for (page, value) in values.iter_mut().enumerate() {
        let now = pages.load(page);
        let missing = (*value + added).cast_signed().wrapping_sub(now.cast_signed());
        if missing != 0 {
            wrong.push(WrongPage { address: pages.address(page), missing });
        }
        *value = now;
    }
    wrong
}

/// The thread that pages out the pages, which ends when this value is dropped.
struct Evictor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Evictor {
    fn start(pages: Arc<Mapping>, count: usize) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Builder::new()
            .name("evictor".to_owned())
            .spawn(move || evict(&pages, count, &stopped))
            .map_err(|e| WorkloadError::io("start the evictor thread", e))?;
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
                log::warn!("evictor: {}", with_sources(&error));
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
    fn options_out_of_range_are_rejected() {
        assert!(StormOptions::default().check().is_ok());
        for options in [
            StormOptions { threads: 1, ..StormOptions::default() },
            StormOptions { pages: 0, ..StormOptions::default() },
            StormOptions { free: 80, ..StormOptions::default() },
        ] {
            assert!(matches!(options.check(), Err(WorkloadError::OutOfRange { .. })), "{options:?}");
        }
    }

    #[test]
    fn a_missing_increment_is_reported_once() {
        let pages = Mapping::new(3).unwrap();
        let mut values = vec![0; 2];
        pages.store(0, 4);
        pages.store(1, 3);
        let wrong = WrongPage { address: pages.address(1), missing: 1 };
        assert_eq!(wrong_pages(&pages, &mut values, 4), [wrong]);
        pages.store(0, 8);
        pages.store(1, 7);
        assert_eq!(wrong_pages(&pages, &mut values, 4), []);
        pages.store(0, 13);
        pages.store(1, 11);
        assert_eq!(wrong_pages(&pages, &mut values, 4), [WrongPage { address: pages.address(0), missing: -1 }]);
    }

    #[test]
    fn without_swap_no_increment_is_lost() {
        let pages = Arc::new(Mapping::new(5).unwrap());
        let mut walkers = Walkers::start(3, 4, &pages).unwrap();
        let _evictor = Evictor::start(Arc::clone(&pages), 4).unwrap();
        let mut values = vec![0; 4];
        for _ in 0..20 {
            let increments = walkers.pass();
            assert_eq!(increments.len(), 12);
            assert!(increments.iter().all(|increment| increment.after_ns > 0));
            assert!(increments.iter().all(|increment| increment.after_ns <= increment.by_ns));
            assert_eq!(wrong_pages(&pages, &mut values, 3), []);
        }
    }
}
