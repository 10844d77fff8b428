//! One thread holds a page up in the kernel, others come for it meanwhile: how long each was in the kernel, as it saw it
//! itself. Whoever is to hold, `victim`, has to be delayed from outside.

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
    Failure, Result,
    memory::{Area, Pagemap, fill},
    pin_to, stopped,
    swap::Swap,
};

/// Slots of the swap.
const SLOTS: usize = 96;
/// From the moment the holder is about to fault until it surely holds its page.
const HEAD_START: Duration = Duration::from_millis(8);
/// Between looks at how far the others are.
const NAP: Duration = Duration::from_micros(200);
/// Waiting threads at most.
pub(crate) const MOST_WAITERS: u32 = 16;

/// How the threads keep in step: each number is the round that got so far.
#[derive(Default)]
struct Steps {
    /// The holder may fault; `u64::MAX`: all may end.
    go: AtomicU64,
    /// The holder is about to fault.
    about: AtomicU64,
    /// Threads that have got their page in all rounds so far.
    done: AtomicUsize,
    touches: Mutex<Vec<Value>>,
}

/// Lets the threads end, on every way out.
struct Release<'a>(&'a Steps);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.go.store(u64::MAX, Ordering::SeqCst);
        self.0.about.store(u64::MAX, Ordering::SeqCst);
    }
}

pub(crate) fn run(rounds: u64, waiters: usize) -> Result<Value> {
    // Before anything that may be swapped: it goes last.
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
        let played =
            play(rounds, waiters + 1, steps, area, &map, || threads.iter().any(thread::ScopedJoinHandle::is_finished));
        drop(release);
        for thread in threads {
            thread.join().map_err(|_| Failure::new("a thread that touches", "it panicked", "report it"))??;
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
            let why = format!("round {round}: it stays in memory");
            return Err(Failure::new("paging out a page", why, "run it alone on the machine; try again"));
        }
        steps.go.store(round, Ordering::SeqCst);
        let all = threads * usize::try_from(round).unwrap_or(usize::MAX);
        while steps.done.load(Ordering::SeqCst) < all {
            if gone() {
                return Err(Failure::new("waiting for the threads", "one ended early", "see its own message"));
            }
            thread::sleep(NAP);
        }
        played = round;
    }
    Ok(played)
}

/// A thread that touches the page once a round: first and alone, or a little later with the others.
fn toucher(steps: &Steps, area: &Area, holds: bool) -> Result<()> {
    let name = if holds { c"victim" } else { c"waiter" };
    // SAFETY: the name is a string that ends in a zero byte.
    if unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) } != 0 {
        return Err(Failure::last_os("naming a thread", "report it"));
    }
    // SAFETY: a plain question about a number.
    let tid = unsafe { libc::gettid() };
    // The holder keeps its CPU while it is delayed.
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
            thread::sleep(NAP);
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
        // Else the page sits in this CPU's batch, out of the others' reach.
        empty.page_out(0, 1)?;
        steps.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// `CLOCK_MONOTONIC`, nanoseconds.
fn now_ns() -> Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) } != 0 {
        return Err(Failure::last_os("reading the clock", "report it"));
    }
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec))
}

/// Page faults of this thread so far, as the kernel counts them: one for each time it came back from one.
fn faults() -> Result<i64> {
    // SAFETY: a rusage is plain numbers, for which zeroes are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live rusage.
    if unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) } != 0 {
        return Err(Failure::last_os("asking for this thread's page faults", "report it"));
    }
    Ok(usage.ru_minflt + usage.ru_majflt)
}
