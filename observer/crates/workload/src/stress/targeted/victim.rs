//! The thread that delay injection holds: it reads the page once per round.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::{Builder, JoinHandle, Thread, current, park_timeout, sleep, yield_now},
    time::{Duration, Instant},
};

use observer_observation::clock::now;
use rustix::thread::{gettid, set_name};

use crate::{Result, WorkloadError, cpus::pin_to, error::with_sources, memory::Mapping};

/// The page of the rounds.
pub(super) const PAGE: usize = 0;
/// A page of the same mapping that is never touched.
const EMPTY_PAGE: usize = 1;
/// Pages of the mapping.
pub(super) const PAGES: usize = 2;

/// How long a runnable thread may take to run.
const START_LIMIT: Duration = Duration::from_secs(5);
/// A parked thread checks its condition at least this often.
const NAP: Duration = Duration::from_millis(100);

/// Shared by the two threads; stays in memory.
#[derive(Debug)]
struct Shared {
    page: Mapping,
    /// The round that the victim is asked to run; the first is 1.
    requested: AtomicU32,
    /// The round in which the victim's access has started.
    started: AtomicU32,
    /// The round in which the victim's access has ended.
    finished: AtomicU32,
    /// Duration of its last access.
    read_ns: AtomicU64,
    /// Thread ID; 0 until the thread is ready.
    tid: AtomicU32,
    stop: AtomicBool,
    /// Why the thread could not start.
    failure: Mutex<Option<WorkloadError>>,
}

/// The handle of the main thread.
#[derive(Debug)]
pub(super) struct Victim {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    tid: u32,
}

impl Victim {
    /// Starts the thread, on `cpu` if given, and waits until it is ready.
    pub(super) fn start(page: Mapping, cpu: Option<usize>) -> Result<Self> {
        let shared = Arc::new(Shared {
            page,
            requested: AtomicU32::new(0),
            started: AtomicU32::new(0),
            finished: AtomicU32::new(0),
            read_ns: AtomicU64::new(0),
            tid: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        });
        let (of_victim, caller) = (Arc::clone(&shared), current());
        let thread = Builder::new()
            .name("victim".to_owned())
            .spawn(move || run(&of_victim, &caller, cpu))
            .map_err(|e| WorkloadError::io("start the victim thread", e))?;
        let mut victim = Self { shared, thread, tid: 0 };
        victim.wait("the start of the victim thread", START_LIMIT, |shared| shared.tid.load(Ordering::Acquire) != 0)?;
        victim.tid = victim.shared.tid.load(Ordering::Acquire);
        Ok(victim)
    }

    /// The mapping with the page.
    pub(super) fn page(&self) -> &Mapping {
        &self.shared.page
    }

    pub(super) const fn tid(&self) -> u32 {
        self.tid
    }

    /// Makes the victim read the page.
    pub(super) fn start_round(&self, round: u32) {
        self.shared.requested.store(round, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Waits until the victim is about to read the page. False: not within `limit`.
    pub(super) fn wait_started(&self, round: u32, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.shared.started.load(Ordering::Acquire) != round {
            if Instant::now() >= end {
                return false;
            }
            yield_now();
        }
        true
    }

    /// Whether its access of `round` has ended.
    pub(super) fn has_finished(&self, round: u32) -> bool {
        self.shared.finished.load(Ordering::Acquire) == round
    }

    /// Waits until its access of `round` has ended, and returns the duration in nanoseconds.
    pub(super) fn wait_finished(&self, round: u32, limit: Duration) -> Result<u64> {
        self.wait("the victim's read", limit, |shared| shared.finished.load(Ordering::Acquire) == round)?;
        Ok(self.shared.read_ns.load(Ordering::Relaxed))
    }

    fn wait(&self, what: &'static str, limit: Duration, done: impl Fn(&Shared) -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        while !done(&self.shared) {
            if Instant::now() >= end || self.thread.is_finished() {
                let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(failure.unwrap_or(WorkloadError::Timeout { what, limit }));
            }
            park_timeout(NAP.min(limit));
        }
        Ok(())
    }
}

impl Drop for Victim {
    /// Ends the thread. One that is stuck in the kernel is left behind with its mapping; it ends with the process.
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

/// The victim thread: one read per round.
fn run(shared: &Shared, caller: &Thread, cpu: Option<usize>) {
    if let Err(error) = settle(cpu) {
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        return;
    }
    shared.tid.store(gettid().as_raw_nonzero().get().unsigned_abs(), Ordering::Release);
    caller.unpark();
    let mut current = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let requested = shared.requested.load(Ordering::Acquire);
        if requested == current {
            park_timeout(NAP);
            continue;
        }
        current = requested;
        read_once(shared, current);
        caller.unpark();
    }
}

fn settle(cpu: Option<usize>) -> Result<()> {
    set_name(c"victim").map_err(|e| WorkloadError::io("name the victim thread", e))?;
    cpu.map_or(Ok(()), pin_to)
}

fn read_once(shared: &Shared, round: u32) {
    let started = now();
    shared.started.store(round, Ordering::Release);
    // The fault: the kernel reads the page, delay injection holds this thread, the page is installed.
    let _ = std::hint::black_box(shared.page.load(PAGE));
    shared.read_ns.store(now().saturating_sub(started), Ordering::Relaxed);
    // From 6.1 on, a page in another CPU's folio batch cannot be paged out. Any request to page out drains the caller's
    // batch, so this thread makes one, for the page that is never touched.
    if let Err(error) = shared.page.page_out(EMPTY_PAGE, 1) {
        log::warn!("victim: {}", with_sources(&error));
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
    fn it_runs_the_requested_rounds_only() {
        let victim = victim();
        assert!(victim.tid() > 0);
        assert!(!victim.has_finished(1));
        for round in 1..=3 {
            victim.start_round(round);
            victim.wait_finished(round, START_LIMIT).unwrap();
            assert!(victim.wait_started(round, Duration::ZERO));
            assert!(victim.has_finished(round));
        }
        assert!(!victim.wait_started(4, Duration::from_millis(1)));
    }

    #[test]
    fn its_comm_is_the_one_that_is_delayed() {
        let victim = victim();
        let comm = std::fs::read_to_string(format!("/proc/self/task/{}/comm", victim.tid())).unwrap();
        assert_eq!(comm, "victim\n");
    }

    #[test]
    fn an_error_of_its_start_is_returned() {
        let cpu = rustix::thread::CpuSet::MAX_CPU - 1;
        let error = Victim::start(Mapping::new(PAGES).unwrap(), Some(cpu)).unwrap_err().to_string();
        assert!(error.contains(&format!("on CPU {cpu}")), "{error}");
    }

    #[test]
    fn waiting_for_a_round_that_was_not_requested_times_out() {
        let limit = Duration::from_millis(5);
        assert!(matches!(victim().wait_finished(1, limit), Err(WorkloadError::Timeout { .. })));
    }
}
