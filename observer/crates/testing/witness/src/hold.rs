//! One thread, `victim`, is delayed from outside in its fault on a page; others fault on the page meanwhile. Each
//! thread measures how long its access takes.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::{name_thread, pin_to, thread_id},
    memory::{Area, Pagemap, fill},
    signals::stopped,
    swap::Swap,
};

/// Slots of the swap device.
const SLOTS: usize = 96;
/// Delay after the victim announces its fault; by then it holds its page.
const HEAD_START: Duration = Duration::from_millis(8);
/// Between two checks of the steps.
const POLL: Duration = Duration::from_micros(200);
const MAX_WAITERS: i64 = 16;

/// Synchronises the threads.
#[derive(Default)]
struct Steps {
    /// The last round in which the victim may fault. `u64::MAX`: all threads end.
    go: AtomicU64,
    /// The last round in which the victim is about to fault.
    about: AtomicU64,
    /// Accesses that have ended, in all rounds.
    done: AtomicUsize,
    touches: Mutex<Vec<Value>>,
}

/// Ends the threads when dropped.
struct Release<'a>(&'a Steps);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.go.store(u64::MAX, Ordering::SeqCst);
        self.0.about.store(u64::MAX, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Threads that wait
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_WAITERS))]
    threads: u32,
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    let waiters = options.threads as usize;
    // Before all memory that may be swapped out, since it is dropped last.
    let _swap = Swap::on(SLOTS)?;
    let map = Pagemap::open()?;
    pin_to(0)?;
    let area = Area::new(1)?;
    let steps = Steps::default();
    let played = thread::scope(|scope| {
        let release = Release(&steps);
        let (steps, area) = (&steps, &area);
        let mut threads = vec![scope.spawn(|| toucher(steps, area, true))];
        threads.extend((0..waiters).map(|_| scope.spawn(|| toucher(steps, area, false))));
        let played = play(options.rounds, waiters + 1, steps, area, &map, || {
            threads.iter().any(thread::ScopedJoinHandle::is_finished)
        });
        drop(release);
        for thread in threads {
            thread.join().map_err(|_| Failure::new("a thread", "it panicked", "report it"))??;
        }
        played
    })?;
    let touches = steps.touches.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(json!({ "rounds": played, "waiters": waiters, "touches": touches }))
}

fn play(
    rounds: u64,
    threads: usize,
    steps: &Steps,
    area: &Area,
    map: &Pagemap,
    gone: impl Fn() -> bool,
) -> Result<u64> {
    let mut played = 0;
    for round in 1..=rounds {
        fill(area.page(0), round);
        let out = area.page_out_all(map, 0, 1)?;
        if stopped() {
            break;
        }
        if out != 1 {
            let why = format!("round {round}: the page stays in memory");
            return Err(Failure::new("paging out a page", why, "stop other programs and try again"));
        }
        steps.go.store(round, Ordering::SeqCst);
        let all = threads * usize::try_from(round).unwrap_or(usize::MAX);
        while steps.done.load(Ordering::SeqCst) < all {
            if gone() {
                return Err(Failure::new("waiting for the threads", "one ended early", "see its message"));
            }
            thread::sleep(POLL);
        }
        played = round;
    }
    Ok(played)
}

/// A thread that touches the page once per round: first, or a little later with the others.
fn toucher(steps: &Steps, area: &Area, holds: bool) -> Result<()> {
    let name = if holds { c"victim" } else { c"waiter" };
    name_thread(name)?;
    let tid = thread_id();
    // The delay is busy, so the victim gets a CPU for itself.
    pin_to(usize::from(holds))?;
    let empty = Area::new(1)?;
    let step = if holds { &steps.go } else { &steps.about };
    let mut last = 0;
    loop {
        let round = step.load(Ordering::SeqCst);
        if round == u64::MAX {
            return Ok(());
        }
        if round == last {
            thread::sleep(POLL);
            continue;
        }
        last = round;
        if holds {
            steps.about.store(round, Ordering::SeqCst);
        } else {
            thread::sleep(HEAD_START);
        }
        let (faults, start) = (faults()?, now_ns()?);
        if let Some(word) = area.page(0).first() {
            std::hint::black_box(word.load(Ordering::SeqCst));
        }
        let (end, faults) = (now_ns()?, self::faults()? - faults);
        let touch =
            json!({ "round": round, "tid": tid, "holds": holds, "start_ns": start, "end_ns": end, "faults": faults });
        steps.touches.lock().unwrap_or_else(PoisonError::into_inner).push(touch);
        // Drains this CPU's batch: other threads cannot page out a page in it.
        empty.page_out(0, 1)?;
        steps.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// `CLOCK_MONOTONIC`, nanoseconds.
fn now_ns() -> Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that outlives the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) } != 0 {
        return Err(Failure::last_os("reading the clock", "report it"));
    }
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec))
}

/// Page faults of this thread so far, by the kernel's count: one for each return from a fault.
fn faults() -> Result<i64> {
    // SAFETY: a rusage is plain numbers, for which zeroes are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a rusage that outlives the call.
    if unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) } != 0 {
        return Err(Failure::last_os("reading this thread's page faults", "report it"));
    }
    Ok(usage.ru_minflt + usage.ru_majflt)
}
