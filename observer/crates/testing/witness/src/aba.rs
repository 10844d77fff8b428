//! Reproduces the race: a page is changed and swapped out to the same entry while another thread still reads that
//! entry.

use std::{
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitCode},
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::{name_thread, pin_to, thread_id, vmstat_required},
    memory::{Area, Pagemap, fill, holds, is_zeroed},
    signals::stopped,
    swap::Swap,
};

/// Slots of the swap device: few, so that all but one are filled quickly.
const SLOTS: usize = 96;
/// Pages, used in turn, so that findings of consecutive rounds have different addresses.
const PAGES: usize = 64;
/// Delay after the victim announces its fault; by then it has read its page.
const HEAD_START: Duration = Duration::from_millis(3);
/// How long to try to page out again: longer than the victim's delay.
const PATIENCE: Duration = Duration::from_millis(250);

/// Synchronises the two threads. Each number is the last round that reached the step.
#[derive(Default)]
struct Steps {
    /// The victim may fault. `u64::MAX`: it ends.
    go: AtomicU64,
    /// The victim is about to fault.
    about: AtomicU64,
    /// The victim has its page.
    done: AtomicU64,
    /// Thread id of the victim.
    tid: AtomicI32,
}

/// Ends the victim when dropped.
struct Release<'a>(&'a Steps);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.go.store(u64::MAX, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Outcome {
    rounds: u64,
    /// Rounds in which the page was swapped out to the same entry again before the victim was done.
    same_entry: u64,
    /// Rounds after which the page had contents that it never had.
    corrupt: u64,
    /// Duration of the main thread's touches of the page in all rounds, microseconds. On a kernel with the pin most of
    /// it is the wait for the victim.
    touch_us: u128,
    lost: Vec<Value>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Wait so long between switching swap on and the first round: until then an observer may read the list of areas
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pause: u64,
    /// In a forked child process
    #[arg(long)]
    pub(crate) fork: bool,
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    let swap = Swap::on(SLOTS)?;
    let map = Pagemap::open()?;
    pin_to(0)?;
    let _ballast = ballast(&swap, &map)?;
    let area = Area::new(PAGES)?;
    let steps = Steps::default();
    pause(Duration::from_secs(options.pause));
    let before = vmstat_required("pswpin")?;
    let outcome = thread::scope(|scope| {
        let release = Release(&steps);
        let victim = scope.spawn(|| victim(&steps, &area));
        let outcome = play(options.rounds, &steps, &area, &map, || victim.is_finished());
        drop(release);
        let ended = victim.join().map_err(|_| Failure::new("the victim thread", "it panicked", "report it"))?;
        ended.and(outcome)
    })?;
    Ok(json!({
        "rounds": outcome.rounds,
        "same_entry": outcome.same_entry,
        "lost": outcome.lost.len(),
        "rounds_lost": outcome.lost,
        "corrupt": outcome.corrupt,
        "touch_us": u64::try_from(outcome.touch_us).unwrap_or(u64::MAX),
        "toucher": std::process::id(),
        "pswpin": vmstat_required("pswpin")? - before,
    }))
}

/// Runs the rounds in a child process and ends with its exit code.
pub(crate) fn run_in_a_child(options: &Options) -> Result<ExitCode> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("aba");
    for (option, value) in [("--rounds", options.rounds), ("--pause", options.pause)] {
        command.arg(option).arg(value.to_string());
    }
    // SAFETY: prctl is a system call and async-signal-safe, as required between fork and exec.
    unsafe { command.pre_exec(end_with_parent) };
    let failed =
        |why: io::Error| Failure::new("running the rounds in a child process", why, "free some memory or processes");
    let mut child = command.spawn().map_err(failed)?;
    let mut is_terminated = false;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
        if stopped() && !is_terminated {
            is_terminated = true;
            let pid = libc::pid_t::try_from(child.id()).unwrap_or_default();
            // SAFETY: the child has not been waited for, so the pid is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The kernel sends SIGTERM to this process when its parent ends.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: the call takes only numbers.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn pause(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length && !stopped() {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Pages that fill all slots but one.
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
    let why = format!("{out} of {pages} pages are swapped out, {used} of {} slots are in use", swap.slots);
    Err(Failure::new("filling the swap device up to one slot", why, "stop other programs and try again"))
}

/// The thread that is delayed from outside.
fn victim(steps: &Steps, area: &Area) -> Result<()> {
    name_thread(c"victim")?;
    steps.tid.store(thread_id(), Ordering::SeqCst);
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
        // Drains this CPU's batch: the other thread cannot page out a page in it.
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
    // Rounds start at 1, since 0 is the initial value of the steps.
    for round in 1..=rounds {
        let (page, old, new) = (turn(round), round << 1, round << 1 | 1);
        let address = area.address(page);
        fill(area.page(page), old);
        let out = area.page_out_all(map, page, 1)?;
        if stopped() {
            break;
        }
        let Some(entry) = map.entry(address)?.filter(|_| out == 1) else {
            let why = format!("round {round}: the page stays in memory");
            return Err(Failure::new("paging out a page", why, "stop other programs and try again"));
        };
        steps.go.store(round, Ordering::SeqCst);
        wait_for(&steps.about, round, &gone)?;
        thread::sleep(HEAD_START);
        // Swap the page in, change it, and page it out again while the victim is still in its fault.
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
        if !holds(words, new) {
            // The victim's page was installed, so the entry was the same, even if the check above was too late.
            same = true;
            let tid = steps.tid.load(Ordering::SeqCst);
            outcome.lost.push(json!({ "round": round, "address": format!("{address:#x}"), "tid": tid }));
            // zram reads an entry as zeroes that was freed right before.
            outcome.corrupt += u64::from(!holds(words, old) && !is_zeroed(words));
        }
        outcome.same_entry += u64::from(same);
        area.advise(page, 1, libc::MADV_DONTNEED)?;
        outcome.rounds = round;
    }
    Ok(outcome)
}

/// Waits until the victim reaches `round`.
fn wait_for(step: &AtomicU64, round: u64, gone: impl Fn() -> bool) -> Result<()> {
    while step.load(Ordering::SeqCst) != round {
        if gone() {
            return Err(Failure::new("waiting for the victim", "it ended early", "see its message"));
        }
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
