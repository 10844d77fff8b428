//! Threads that swap the same pages in: a part of the pages is touched by all of them at once, the others by one each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep, yield_now};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::stress::{Result, StressError, memory::Mapping, now_ns, signals};
use observer_engine::totals::Durations;

/// Threads at most.
pub const MAX_THREADS: u32 = 64;
/// Looks at the others before the CPU is given away: who is needed may not be running.
const SPINS: u32 = 200;
/// How often the thread that looks on does so.
const LOOK: Duration = Duration::from_millis(2);

/// How many race, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Threads, at least 2.
    pub threads: usize,
    /// Pages of a hundred that all threads touch at once.
    pub percent: u32,
}

/// What one round gave.
#[derive(Debug)]
pub struct Race {
    /// Time that the threads spent touching pages, all together, nanoseconds.
    pub touching_ns: u64,
    /// From the first touch to the last, nanoseconds.
    pub took_ns: u64,
    /// Every touch.
    pub touches: Durations,
}

impl Crowd {
    /// Whether all threads touch this page: the share is spread evenly.
    const fn contended(self, page: usize) -> bool {
        let percent = self.percent as usize;
        page * percent / 100 != (page + 1) * percent / 100
    }

    /// The pages that a thread touches, in order, and whether all the others touch them with it.
    fn walk(self, pages: usize, thread: usize) -> impl Iterator<Item = (usize, bool)> {
        (0..pages)
            .map(move |page| (page, self.contended(page)))
            .filter(move |(page, contended)| *contended || page % self.threads == thread)
    }
}

/// Lets the crowd loose on pages that are all swapped out. The page behind them is never touched. `look` is called every now
/// and then, and once more at the end.
pub(super) fn race(crowd: Crowd, memory: &Mapping, pages: usize, mut look: impl FnMut()) -> Result<Race> {
    let cpus = cpus()?;
    let (arrived, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = now_ns();
    let touches = scope(|scope| {
        let runner = |thread: usize| {
            let (arrived, ended, cpu) = (&arrived, &ended, cpus.get(thread % cpus.len()).copied());
            move || {
                let touches = run(crowd, thread, cpu, memory, pages, arrived);
                ended.fetch_add(1, Ordering::AcqRel);
                touches
            }
        };
        let threads: Vec<_> = (0..crowd.threads).map(|thread| scope.spawn(runner(thread))).collect();
        while ended.load(Ordering::Acquire) < crowd.threads {
            look();
            sleep(LOOK);
        }
        look();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect::<Result<Vec<_>>>()
    })?;
    signals::check()?;
    let last = touches.iter().flatten().map(|(end, _)| *end).max().unwrap_or(started);
    let mut race = Race { touching_ns: 0, took_ns: last.saturating_sub(started), touches: Durations::default() };
    for (_, took) in touches.into_iter().flatten() {
        race.touching_ns += took;
        race.touches.add(took);
    }
    Ok(race)
}

/// One thread's walk: when each touch ended, and how long it took.
fn run(
    crowd: Crowd,
    thread: usize,
    cpu: Option<usize>,
    memory: &Mapping,
    pages: usize,
    arrived: &AtomicUsize,
) -> Result<Vec<(u64, u64)>> {
    if let Some(cpu) = cpu {
        stay_on(cpu)?;
    }
    let mut touches = Vec::with_capacity(pages);
    // All start together, and come together again at each page that is for all of them.
    let mut meetings = 0;
    meet(arrived, &mut meetings, crowd.threads);
    for (page, contended) in crowd.walk(pages, thread) {
        if signals::check().is_err() {
            break;
        }
        if contended {
            meet(arrived, &mut meetings, crowd.threads);
        }
        let start = now_ns();
        std::hint::black_box(memory.load(page));
        let end = now_ns();
        touches.push((end, end.saturating_sub(start)));
    }
    // From 6.1 on a page in this CPU's batch cannot be paged out by a thread elsewhere. Any such request drains the batch.
    memory.page_out(pages, 1)?;
    Ok(touches)
}

/// Waits until all threads are here, as often as this one has been before.
fn meet(arrived: &AtomicUsize, meetings: &mut usize, threads: usize) {
    *meetings += 1;
    arrived.fetch_add(1, Ordering::AcqRel);
    let mut spins = 0;
    while arrived.load(Ordering::Acquire) < *meetings * threads && signals::check().is_ok() {
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop();
        } else {
            yield_now();
        }
    }
}

/// The CPUs that this process may use.
fn cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).map_err(|e| StressError::io("ask for this process's CPUs", e))?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// How many CPUs this process may use.
///
/// # Errors
/// When the kernel does not tell.
pub fn cpu_count() -> Result<usize> {
    cpus().map(|cpus| cpus.len())
}

fn stay_on(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|e| StressError::io(format!("stay on CPU {cpu}"), e))
}

fn panicked() -> StressError {
    StressError::format("a thread of the crowd", "it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_was_asked_for_and_spread() {
        for (percent, wanted) in [(0, 0), (1, 10), (10, 100), (50, 500), (100, 1000)] {
            let crowd = Crowd { threads: 4, percent };
            let contended = |pages: std::ops::Range<usize>| pages.filter(|page| crowd.contended(*page)).count();
            assert_eq!(contended(0..1000), wanted, "{percent}%");
            assert_eq!(contended(0..500) * 2, wanted, "{percent}% of each half");
        }
    }

    #[test]
    fn every_page_is_touched_by_one_or_by_all() {
        let crowd = Crowd { threads: 3, percent: 10 };
        let mut touched = [0; 100];
        for thread in 0..3 {
            for (page, _) in crowd.walk(100, thread) {
                touched[page] += 1;
            }
        }
        assert_eq!(touched.iter().filter(|count| **count == 3).count(), 10);
        assert_eq!(touched.iter().filter(|count| **count == 1).count(), 90);
    }

    #[test]
    fn a_race_on_pages_in_memory_ends_and_counts_every_touch() {
        let memory = Mapping::new(101).unwrap();
        let crowd = Crowd { threads: 3, percent: 20 };
        let mut looks = 0;
        let race = race(crowd, &memory, 100, || looks += 1).unwrap();
        assert_eq!(race.touches.summary().count, 80 + 3 * 20);
        assert!(looks > 0 && race.took_ns > 0 && race.touching_ns > 0);
    }
}
