//! The threads that increment the pages, all at once, pass by pass.

use std::{
    sync::{
        Arc, Barrier, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
};

use observer_observation::clock::now;

use super::super::messages::Increment;
use crate::{Result, WorkloadError, memory::Mapping};

struct Shared {
    pages: Arc<Mapping>,
    /// Pages to increment; the one after them is never touched.
    count: usize,
    /// Passed twice per pass: before it and after it.
    gate: Barrier,
    stop: AtomicBool,
    /// Increments of the last pass, by walker.
    increments: Vec<Mutex<Vec<Increment>>>,
}

/// The threads, which end when this value is dropped.
pub(super) struct Walkers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Walkers {
    /// Starts the threads, which walk over the first `count` pages; every other thread walks backwards.
    pub(super) fn start(threads: usize, count: usize, pages: &Arc<Mapping>) -> Result<Self> {
        let shared = Arc::new(Shared {
            pages: Arc::clone(pages),
            count,
            gate: Barrier::new(threads + 1),
            stop: AtomicBool::new(false),
            increments: (0..threads).map(|_| Mutex::new(Vec::with_capacity(count))).collect(),
        });
        let mut walkers = Self { shared, threads: Vec::new() };
        for number in 0..threads {
            let shared = Arc::clone(&walkers.shared);
            let thread = Builder::new().name("walker".to_owned()).spawn(move || run(&shared, number));
            match thread {
                Ok(thread) => walkers.threads.push(thread),
                Err(error) => {
                    // Threads that wait at the gate cannot be joined: they end with the process, which ends now.
                    walkers.threads.clear();
                    return Err(WorkloadError::io("start a walker thread", error));
                }
            }
        }
        Ok(walkers)
    }

    /// Runs one pass and returns its increments.
    pub(super) fn pass(&mut self) -> Vec<Increment> {
        self.shared.gate.wait();
        self.shared.gate.wait();
        let take =
            |all: &Mutex<Vec<Increment>>| std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.increments.iter().flat_map(take).collect()
    }
}

impl Drop for Walkers {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.gate.wait();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, number: usize) {
    loop {
        shared.gate.wait();
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(increments) = shared.increments.get(number) {
            walk(shared, number, &mut increments.lock().unwrap_or_else(PoisonError::into_inner));
        }
        shared.gate.wait();
    }
}

fn walk(shared: &Shared, number: usize, increments: &mut Vec<Increment>) {
    for step in 0..shared.count {
        let page = if number.is_multiple_of(2) { step } else { shared.count - 1 - step };
        let after_ns = now();
        shared.pages.increment(page);
        increments.push(Increment { address: shared.pages.address(page), after_ns, by_ns: now() });
        // From 6.1 on, a page in another CPU's folio batch cannot be paged out. Any request to page out drains the
        // caller's batch, so each walker makes one, for the page that is never touched.
        if let Err(error) = shared.pages.page_out(shared.count, 1) {
            log::warn!("walker: {}", crate::error::with_sources(&error));
        }
    }
}
