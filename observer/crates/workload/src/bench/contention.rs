//! Threads that swap in the same pages: a share of the pages is touched by all threads at once, each other page by one.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::{scope, sleep, yield_now},
    time::Duration,
};

use observer_observation::{Durations, clock::now};

use crate::{
    Result, WorkloadError,
    cpus::{allowed_cpus, pin_to},
    memory::Mapping,
    signals,
};

pub const MAX_THREADS: u32 = 64;
/// Checks of the barrier before the thread yields its CPU: the last thread to arrive may need it.
const SPINS: u32 = 200;
const POLL_INTERVAL: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contention {
    /// At least 2.
    pub threads: usize,
    /// Pages of a hundred that all threads touch at once.
    pub percent: u32,
}

/// The measurements of one round.
#[derive(Debug)]
pub struct Round {
    /// Time that all threads together spent touching pages.
    pub touching_ns: u64,
    /// From the first touch to the last.
    pub elapsed_ns: u64,
    /// Duration of each touch.
    pub touches: Durations,
}

impl Contention {
    /// Whether all threads touch this page. Such pages are evenly spread.
    const fn is_contended(self, page: usize) -> bool {
        let percent = self.percent as usize;
        page * percent / 100 != (page + 1) * percent / 100
    }

    /// The pages that a thread touches, in order, each with whether all threads touch it.
    fn walk(self, pages: usize, thread: usize) -> impl Iterator<Item = (usize, bool)> {
        (0..pages)
            .map(move |page| (page, self.is_contended(page)))
            .filter(move |(page, contended)| *contended || page % self.threads == thread)
    }
}

/// Runs the threads over the first `pages` pages, which must be swapped out. The page after them is never touched.
/// `poll` is called every 2 ms, and once more at the end.
pub(super) fn run(contention: Contention, memory: &Mapping, pages: usize, mut poll: impl FnMut()) -> Result<Round> {
    let cpus = allowed_cpus()?;
    let (arrived, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = now();
    let touches = scope(|scope| {
        let toucher = |thread: usize| {
            let (arrived, ended, cpu) = (&arrived, &ended, cpus.get(thread % cpus.len()).copied());
            move || {
                let touches = touch(contention, thread, cpu, memory, pages, arrived);
                ended.fetch_add(1, Ordering::AcqRel);
                touches
            }
        };
        let threads: Vec<_> = (0..contention.threads).map(|thread| scope.spawn(toucher(thread))).collect();
        while ended.load(Ordering::Acquire) < contention.threads {
            poll();
            sleep(POLL_INTERVAL);
        }
        poll();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or(Err(WorkloadError::Panicked));
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    signals::check()?;
    let last = touches.iter().flatten().map(|(end, _)| *end).max().unwrap_or(started);
    let mut round = Round { touching_ns: 0, elapsed_ns: last.saturating_sub(started), touches: Durations::default() };
    for (_, took) in touches.into_iter().flatten() {
        round.touching_ns += took;
        round.touches.add(took);
    }
    Ok(round)
}

/// One thread's touches: when each ended, and how long it took.
fn touch(
    contention: Contention,
    thread: usize,
    cpu: Option<usize>,
    memory: &Mapping,
    pages: usize,
    arrived: &AtomicUsize,
) -> Result<Vec<(u64, u64)>> {
    if let Some(cpu) = cpu {
        pin_to(cpu)?;
    }
    let mut touches = Vec::with_capacity(pages);
    // All threads start together, and synchronize again at each contended page.
    let mut barriers = 0;
    synchronize(arrived, &mut barriers, contention.threads);
    for (page, contended) in contention.walk(pages, thread) {
        if signals::check().is_err() {
            break;
        }
        if contended {
            synchronize(arrived, &mut barriers, contention.threads);
        }
        let start = now();
        std::hint::black_box(memory.load(page));
        let end = now();
        touches.push((end, end.saturating_sub(start)));
    }
    // From 6.1 on, another CPU cannot page out a page in this CPU's folio batch. Any request to page out drains the
    // batch.
    memory.page_out(pages, 1)?;
    Ok(touches)
}

/// A barrier: waits until all threads have called it as often as this one.
fn synchronize(arrived: &AtomicUsize, calls: &mut usize, threads: usize) {
    *calls += 1;
    arrived.fetch_add(1, Ordering::AcqRel);
    let mut spins = 0;
    while arrived.load(Ordering::Acquire) < *calls * threads && signals::check().is_ok() {
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop();
        } else {
            yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contended_pages_have_the_requested_share_and_are_spread() {
        for (percent, wanted) in [(0, 0), (1, 10), (10, 100), (50, 500), (100, 1000)] {
            let contention = Contention { threads: 4, percent };
            let contended = |pages: std::ops::Range<usize>| pages.filter(|page| contention.is_contended(*page)).count();
            assert_eq!(contended(0..1000), wanted, "{percent}%");
            assert_eq!(contended(0..500) * 2, wanted, "{percent}% of each half");
        }
    }

    #[test]
    fn every_page_is_touched_by_one_thread_or_by_all() {
        let contention = Contention { threads: 3, percent: 10 };
        let mut touched = [0; 100];
        for thread in 0..3 {
            for (page, _) in contention.walk(100, thread) {
                touched[page] += 1;
            }
        }
        assert_eq!(touched.iter().filter(|count| **count == 3).count(), 10);
        assert_eq!(touched.iter().filter(|count| **count == 1).count(), 90);
    }

    #[test]
    fn a_round_counts_every_touch() {
        let memory = Mapping::new(101).unwrap();
        let contention = Contention { threads: 3, percent: 20 };
        let mut polls = 0;
        let round = run(contention, &memory, 100, || polls += 1).unwrap();
        assert_eq!(round.touches.summary().count, 80 + 3 * 20);
        assert!(polls > 0);
        assert!(round.elapsed_ns > 0);
        assert!(round.touching_ns > 0);
    }
}
