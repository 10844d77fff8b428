//! The race on purpose: a page is changed and swapped out to the same entry while another thread still reads that entry.

use std::{
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failure, Result,
    memory::{Area, Pagemap, fill, holds},
    pin_to, stopped,
    swap::Swap,
    vmstat_needed,
};

/// Slots of the swap: few, so that all but one are filled quickly.
const SLOTS: usize = 96;
/// Addresses that the rounds take turns on, so that a finding can be told from its neighbours'.
const PAGES: usize = 64;
/// From the moment the victim is about to fault until it has surely read its page.
const HEAD_START: Duration = Duration::from_millis(3);
/// How long to try to get the page out again: longer than any delay of the victim.
const PATIENCE: Duration = Duration::from_millis(250);

/// How the two threads keep in step: each number is the round that got so far.
#[derive(Default)]
struct Steps {
    /// The victim may fault; `u64::MAX`: it may end.
    go: AtomicU64,
    /// The victim is about to fault.
    about: AtomicU64,
    /// The victim has got its page.
    done: AtomicU64,
    /// The victim's thread id.
    tid: AtomicI32,
}

/// Lets the victim end, on every way out.
struct Release<'a>(&'a Steps);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.go.store(u64::MAX, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Outcome {
    played: u64,
    /// Rounds in which the page was out at the same entry again before the victim was done.
    same_entry: u64,
    corrupt: u64,
    /// How long the other thread's own touch of the page took, all rounds together, microseconds: most of it is what it
    /// had to wait for the victim, on a kernel that makes it wait.
    touch_us: u128,
    lost: Vec<Value>,
}

pub(crate) fn run(rounds: u64) -> Result<Value> {
    let swap = Swap::on(SLOTS)?;
    let map = Pagemap::open()?;
    pin_to(0)?;
    let _ballast = ballast(&swap, &map)?;
    let area = Area::new(PAGES)?;
    let steps = Steps::default();
    let before = vmstat_needed("pswpin")?;
    let outcome = thread::scope(|scope| {
        let release = Release(&steps);
        let victim = scope.spawn(|| victim(&steps, &area));
        let outcome = play(rounds, &steps, &area, &map, || victim.is_finished());
        drop(release);
        let ended = victim.join().map_err(|_| Failure::new("the victim thread", "it panicked", "report it"))?;
        ended.and(outcome)
    })?;
    Ok(json!({
        "rounds": outcome.played,
        "same_entry": outcome.same_entry,
        "lost": outcome.lost.len(),
        "rounds_lost": outcome.lost,
        "corrupt": outcome.corrupt,
        "touch_us": u64::try_from(outcome.touch_us).unwrap_or(u64::MAX),
        "toucher": std::process::id(),
        "pswpin": vmstat_needed("pswpin")? - before,
    }))
}

/// Fills all slots but one.
fn ballast(swap: &Swap, map: &Pagemap) -> Result<Area> {
    let pages = swap.slots - 1;
    let area = Area::new(pages)?;
    for page in 0..pages {
        fill(area.page(page), u64::MAX - page as u64);
    }
    let out = area.page_out_all(map, 0, pages)?;
    let used = swap.used()?;
    if out == pages && used == pages || stopped() {
        return Ok(area);
    }
    let why = format!("{out} of {pages} pages are out and {used} of {} slots in use", swap.slots);
    Err(Failure::new("filling the swap until one slot is free", why, "run it alone on the machine; try again"))
}

/// The thread that faults slowly, if somebody outside delays it.
fn victim(steps: &Steps, area: &Area) -> Result<()> {
    // SAFETY: the name is a string that ends in a zero byte.
    if unsafe { libc::prctl(libc::PR_SET_NAME, c"victim".as_ptr()) } != 0 {
        return Err(Failure::last_os("naming the victim", "report it"));
    }
    // SAFETY: a plain question about a number.
    steps.tid.store(unsafe { libc::gettid() }, Ordering::SeqCst);
    pin_to(1)?;
    let empty = Area::new(1)?;
    let mut last = 0;
    loop {
        let round = steps.go.load(Ordering::SeqCst);
        if round == u64::MAX {
            return Ok(());
        }
        if round == last {
            thread::sleep(Duration::from_micros(100));
            continue;
        }
        last = round;
        steps.about.store(round, Ordering::SeqCst);
        if let Some(word) = area.page(turn(round)).first() {
            std::hint::black_box(word.load(Ordering::SeqCst));
        }
        // Else the page sits in this CPU's batch, out of the other thread's reach.
        empty.page_out(0, 1)?;
        steps.done.store(round, Ordering::SeqCst);
    }
}

/// The page of a round.
fn turn(round: u64) -> usize {
    usize::try_from(round % PAGES as u64).unwrap_or_default()
}

fn play(rounds: u64, steps: &Steps, area: &Area, map: &Pagemap, gone: impl Fn() -> bool) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    // The first round is 1: 0 is where the steps start.
    for round in 1..=rounds {
        let (page, old, new) = (turn(round), round << 1, round << 1 | 1);
        let address = area.address(page);
        fill(area.page(page), old);
        let out = area.page_out_all(map, page, 1)?;
        if stopped() {
            break;
        }
        let Some(entry) = map.entry(address)?.filter(|_| out == 1) else {
            let why = format!("round {round}: it stays in memory");
            return Err(Failure::new("paging out a page", why, "run it alone on the machine; try again"));
        };
        steps.go.store(round, Ordering::SeqCst);
        wait_for(&steps.about, round, &gone)?;
        thread::sleep(HEAD_START);
        // Swap it in, change it, and push it out again while the victim is still at it.
        let touched = Instant::now();
        fill(area.page(page), new);
        outcome.touch_us += touched.elapsed().as_micros();
        let started = Instant::now();
        let mut same = false;
        while steps.done.load(Ordering::SeqCst) != round && started.elapsed() < PATIENCE {
            area.page_out(page, 1)?;
            let now = map.entry(address)?;
            if now.is_some() {
                same = now == Some(entry) && steps.done.load(Ordering::SeqCst) != round;
                break;
            }
        }
        wait_for(&steps.done, round, &gone)?;
        let words = area.page(page);
        if holds(words, old) {
            // The victim compared entries itself: proof, even where the look above came too late.
            same = true;
            let tid = steps.tid.load(Ordering::SeqCst);
            outcome.lost.push(json!({ "round": round, "address": format!("{address:#x}"), "tid": tid }));
        } else if !holds(words, new) {
            outcome.corrupt += 1;
        }
        outcome.same_entry += u64::from(same);
        area.advise(page, 1, libc::MADV_DONTNEED)?;
        outcome.played = round;
    }
    Ok(outcome)
}

/// Waits until the victim got to `round`.
fn wait_for(step: &AtomicU64, round: u64, gone: impl Fn() -> bool) -> Result<()> {
    while step.load(Ordering::SeqCst) != round {
        if gone() {
            return Err(Failure::new("waiting for the victim", "it ended early", "see its own message"));
        }
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
