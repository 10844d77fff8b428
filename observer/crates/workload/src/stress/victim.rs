//! The thread that is delayed: it reads the page once per round and says what it saw.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, Thread, current, park_timeout, sleep, yield_now};
use std::time::{Duration, Instant};

use rustix::thread::{gettid, set_name};

use super::clock::now_ns;
use super::cpus::pin_to;
use super::memory::Mapping;
use super::{Result, StressError};

/// The page that the rounds are about.
pub(super) const PAGE: usize = 0;
/// A page of the same mapping that is never touched.
const EMPTY_PAGE: usize = 1;
/// How many pages the mapping has.
pub(super) const PAGES: usize = 2;

/// Within this a thread that is able to run has run.
const START_LIMIT: Duration = Duration::from_secs(5);
/// A sleeper looks around this often even if nobody wakes it.
const NAP: Duration = Duration::from_millis(100);

/// What the two threads share; all of it stays in memory.
#[derive(Debug)]
struct Shared {
    page: Mapping,
    /// The round that the victim is to play; rounds count from 1.
    wanted: AtomicU32,
    /// The round in which the victim is about to read the page, or has.
    entered: AtomicU32,
    /// The round that the victim is through with.
    finished: AtomicU32,
    /// How long its read took, in ns.
    read_ns: AtomicU64,
    /// Thread id, 0 until the thread is ready.
    tid: AtomicU32,
    stop: AtomicBool,
    /// Why the thread gave up, if it did.
    failure: Mutex<Option<StressError>>,
}

/// The victim, seen from the thread that started it.
#[derive(Debug)]
pub(super) struct Victim {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    tid: u32,
}

impl Victim {
    /// Starts the thread, on `cpu` if one is given, and waits until it is ready.
    pub(super) fn start(page: Mapping, cpu: Option<usize>) -> Result<Self> {
        let shared = Arc::new(Shared {
            page,
            wanted: AtomicU32::new(0),
            entered: AtomicU32::new(0),
            finished: AtomicU32::new(0),
            read_ns: AtomicU64::new(0),
            tid: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        });
        let (theirs, caller) = (Arc::clone(&shared), current());
        let thread = Builder::new()
            .name("victim".to_owned())
            .spawn(move || live(&theirs, &caller, cpu))
            .map_err(|e| StressError::io("start the victim thread", e))?;
        let mut victim = Self { shared, thread, tid: 0 };
        victim.wait("the victim's start", START_LIMIT, |shared| shared.tid.load(Ordering::Acquire) != 0)?;
        victim.tid = victim.shared.tid.load(Ordering::Acquire);
        Ok(victim)
    }

    /// The mapping of the page that it reads.
    pub(super) fn page(&self) -> &Mapping {
        &self.shared.page
    }

    /// Its thread id.
    pub(super) const fn tid(&self) -> u32 {
        self.tid
    }

    /// Has it read the page now, in round `round`.
    pub(super) fn play(&self, round: u32) {
        self.shared.wanted.store(round, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Waits until it is about to read. False if it did not come that far in time.
    pub(super) fn wait_entered(&self, round: u32, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.shared.entered.load(Ordering::Acquire) != round {
            if Instant::now() >= end {
                return false;
            }
            yield_now();
        }
        true
    }

    /// Is it through with `round`?
    pub(super) fn has_finished(&self, round: u32) -> bool {
        self.shared.finished.load(Ordering::Acquire) == round
    }

    /// Waits until it is through with `round`; how long its read took, in ns.
    pub(super) fn wait_finished(&self, round: u32, limit: Duration) -> Result<u64> {
        self.wait("the victim's read", limit, |shared| shared.finished.load(Ordering::Acquire) == round)?;
        Ok(self.shared.read_ns.load(Ordering::Relaxed))
    }

    fn wait(&self, what: &'static str, limit: Duration, done: impl Fn(&Shared) -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        while !done(&self.shared) {
            if Instant::now() >= end || self.thread.is_finished() {
                let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(failure.unwrap_or(StressError::Timeout { what, limit }));
            }
            park_timeout(NAP.min(limit));
        }
        Ok(())
    }
}

impl Drop for Victim {
    /// Ends the thread. One that hangs in the kernel is left behind, with its mapping, for the kernel to end.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let end = Instant::now() + START_LIMIT;
        while !self.thread.is_finished() {
            if Instant::now() >= end {
                log::error!("the victim thread {} does not end", self.tid);
                return;
            }
            sleep(Duration::from_millis(1));
        }
    }
}

/// The victim's life: one read per round.
fn live(shared: &Shared, caller: &Thread, cpu: Option<usize>) {
    if let Err(error) = settle(cpu) {
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        return;
    }
    shared.tid.store(gettid().as_raw_nonzero().get().unsigned_abs(), Ordering::Release);
    caller.unpark();
    let mut played = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let wanted = shared.wanted.load(Ordering::Acquire);
        if wanted == played {
            park_timeout(NAP);
            continue;
        }
        played = wanted;
        read_once(shared, played);
        caller.unpark();
    }
}

fn settle(cpu: Option<usize>) -> Result<()> {
    set_name(c"victim").map_err(|e| StressError::io("name the victim thread", e))?;
    cpu.map_or(Ok(()), pin_to)
}

fn read_once(shared: &Shared, round: u32) {
    let started = now_ns();
    shared.entered.store(round, Ordering::Release);
    // The fault: the kernel reads the page in, the observer's delay_injection holds this thread up, the page is installed.
    let _ = std::hint::black_box(shared.page.load(PAGE));
    shared.read_ns.store(now_ns().saturating_sub(started), Ordering::Relaxed);
    // From 6.1 on a page in another CPU's LRU batch cannot be paged out. Any page-out request drains the caller's
    // batch first, so this thread makes one, about a page that is not there.
    if let Err(error) = shared.page.page_out(EMPTY_PAGE, 1) {
        log::warn!("victim: {error}");
    }
    shared.finished.store(round, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn victim() -> Victim {
        Victim::start(Mapping::new(PAGES).unwrap(), None).unwrap()
    }

    #[test]
    fn it_plays_the_rounds_it_is_told_and_no_other() {
        let victim = victim();
        assert!(victim.tid() > 0);
        assert!(!victim.has_finished(1));
        for round in 1..=3 {
            victim.play(round);
            victim.wait_finished(round, START_LIMIT).unwrap();
            assert!(victim.wait_entered(round, Duration::ZERO));
            assert!(victim.has_finished(round));
        }
        assert!(!victim.wait_entered(4, Duration::from_millis(1)));
    }

    #[test]
    fn its_comm_is_what_the_widener_looks_for() {
        let victim = victim();
        let comm = std::fs::read_to_string(format!("/proc/self/task/{}/comm", victim.tid())).unwrap();
        assert_eq!(comm, "victim\n");
    }

    #[test]
    fn a_victim_that_cannot_start_says_why() {
        let cpu = rustix::thread::CpuSet::MAX_CPU - 1;
        let error = Victim::start(Mapping::new(PAGES).unwrap(), Some(cpu)).unwrap_err().to_string();
        assert!(error.contains("stay on CPU"), "{error}");
    }

    #[test]
    fn waiting_for_a_round_that_nobody_plays_ends() {
        let limit = Duration::from_millis(5);
        assert!(matches!(victim().wait_finished(1, limit), Err(StressError::Timeout { .. })));
    }
}
