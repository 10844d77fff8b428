//! The threads that walk over the pages, all at once, pass by pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::super::clock::now_ns;
use super::super::memory::Mapping;
use super::super::messages::Add;
use super::super::{Result, StressError};

/// What all of them share.
struct Shared {
    pages: Arc<Mapping>,
    /// Pages that are walked over; the one behind them is never touched.
    count: usize,
    /// Met twice a pass: before it and after it.
    gate: Barrier,
    stop: AtomicBool,
    /// Additions of the last pass, by walker.
    adds: Vec<Mutex<Vec<Add>>>,
}

/// The walkers; they end with this value.
pub(super) struct Walkers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Walkers {
    /// Starts `threads` threads that will walk over the first `count` pages; every other one starts at the far end.
    pub(super) fn start(threads: usize, count: usize, pages: &Arc<Mapping>) -> Result<Self> {
        let shared = Arc::new(Shared {
            pages: Arc::clone(pages),
            count,
            gate: Barrier::new(threads + 1),
            stop: AtomicBool::new(false),
            adds: (0..threads).map(|_| Mutex::new(Vec::with_capacity(count))).collect(),
        });
        let mut walkers = Self { shared, threads: Vec::new() };
        for number in 0..threads {
            let theirs = Arc::clone(&walkers.shared);
            let thread = Builder::new().name("walker".to_owned()).spawn(move || live(&theirs, number));
            match thread {
                Ok(thread) => walkers.threads.push(thread),
                Err(error) => {
                    // Those that wait at the gate wait for all: they end with the process, which is about to.
                    walkers.threads.clear();
                    return Err(StressError::io("start a walking thread", error));
                }
            }
        }
        Ok(walkers)
    }

    /// Has all walk once; every addition that was made.
    pub(super) fn pass(&mut self) -> Vec<Add> {
        self.shared.gate.wait();
        self.shared.gate.wait();
        let of = |adds: &Mutex<Vec<Add>>| std::mem::take(&mut *adds.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.adds.iter().flat_map(of).collect()
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

fn live(shared: &Shared, number: usize) {
    loop {
        shared.gate.wait();
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(adds) = shared.adds.get(number) {
            walk(shared, number, &mut adds.lock().unwrap_or_else(PoisonError::into_inner));
        }
        shared.gate.wait();
    }
}

fn walk(shared: &Shared, number: usize, adds: &mut Vec<Add>) {
    for step in 0..shared.count {
        let page = if number.is_multiple_of(2) { step } else { shared.count - 1 - step };
        let after_ns = now_ns();
        shared.pages.add_one(page);
        adds.push(Add { address: shared.pages.address(page), after_ns, by_ns: now_ns() });
        // From 6.1 on a page in another CPU's LRU batch cannot be paged out. Any page-out request drains the caller's
        // batch first, so each walker makes one, about the page that is not there.
        if let Err(error) = shared.pages.page_out(shared.count, 1) {
            log::warn!("walker: {error}");
        }
    }
}
