//! The independent witness: a program to be watched by `observer record -- witness ...`, which knows nothing of the
//! observer and says on its own what happened to its pages.
//!
//! ```text
//! cargo build -p observer --example witness --release --target x86_64-unknown-linux-musl
//! witness churn --pages N --threads T --rounds R [--shared] [--shmem|--folios] [--here]    many swap-ins, counted and checked
//! witness aba --rounds N [--fork]                              the race on purpose; widen `victim` from outside
//! witness crowd --threads T --rounds R [--same-page] [--tell FILE]    T threads inside a swap-in at the same moment
//! witness far --pages N --groups G [--tell FILE]               swap entries far apart, on the swap that is there
//! witness hold --rounds N --threads T                          T threads wait for a page that `victim` holds up
//! witness service CMD ARGS..                                   becomes CMD as the systemd unit would run it
//! ```
//!
//! It needs root, a kernel with zram and no swap in use: it makes a zram device of its own, swaps on it, and takes it
//! away again. With `--here` it uses the swap that is there. One JSON line on standard output; exit code 0 whatever happened to the pages, 2 for wrong usage, 1 if
//! it could not run, 128 + the signal if it was asked to stop.

mod aba;
mod churn;
mod crowd;
mod far;
mod hold;
mod memory;
mod service;
mod swap;

use std::{
    env,
    ffi::OsString,
    fmt, fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitCode},
    sync::atomic::{AtomicI32, Ordering},
    thread,
    time::Duration,
};

use memory::Kind;
use serde_json::Value;

const USAGE: &str = "usage: witness churn --pages N --threads T --rounds R [--shared] [--shmem|--folios] [--here]\n       witness aba --rounds N [--fork]\n       witness crowd --threads T --rounds R [--same-page] [--tell FILE]\n       witness far --pages N --groups G [--tell FILE]\n       witness hold --rounds N --threads T";

/// Why it could not run: what failed, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, why: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.to_string(), remedy: remedy.into() }
    }

    /// The last system call failed.
    pub(crate) fn last_os(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(what, io::Error::last_os_error(), remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  to do: {}", self.what, self.why, self.remedy)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The signal that asked this process to stop; 0: none.
static STOP: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_signal(signal: libc::c_int) {
    STOP.store(signal, Ordering::Relaxed);
}

/// Whether a signal asked this process to stop: whoever loops asks, and returns, so that all is cleaned up.
pub(crate) fn stopped() -> bool {
    STOP.load(Ordering::Relaxed) != 0
}

/// What the kernel has counted in `/proc/vmstat`; `None` for a counter that this kernel does not have.
pub(crate) fn vmstat(name: &str) -> Result<Option<u64>> {
    let text = fs::read_to_string("/proc/vmstat").map_err(|e| Failure::new("reading /proc/vmstat", e, "mount proc"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .map(|v| v.trim().parse().map_err(|e| Failure::new(format!("{name} in /proc/vmstat"), e, "report it")))
        .transpose()
}

/// As [`vmstat`], for a counter that is always there when there is swap.
pub(crate) fn vmstat_needed(name: &str) -> Result<u64> {
    vmstat(name)?.ok_or_else(|| Failure::new("reading /proc/vmstat", format!("no `{name}`"), "use a kernel with swap"))
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<()> {
    // SAFETY: a cpu_set_t is plain bits, for which all zeroes is a value (the empty set).
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a whole cpu_set_t; CPU_SET ignores numbers beyond its end.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer and the size are those of `set`, which outlives the call.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(Failure::last_os(format!("staying on CPU {cpu}"), "give this machine at least 2 CPUs")),
    }
}

enum Mode {
    Churn(churn::Options),
    Crowd(crowd::Options),
    Far(far::Options),
    Aba { rounds: u64, fork: bool },
    Hold { rounds: u64, waiters: usize },
    Service(Vec<OsString>),
}

/// The command line; the error is what is wrong with it.
fn parse(mut args: impl Iterator<Item = OsString>) -> std::result::Result<Mode, String> {
    let mode = args.next().ok_or("which mode?")?;
    if mode == "service" {
        return Ok(Mode::Service(args.collect()));
    }
    let (mut pages, mut threads, mut rounds, mut groups) = (None, None, None, None);
    let (mut shared, mut kind, mut here, mut fork) = (false, Kind::Small, false, false);
    let (mut same_page, mut tell) = (false, None);
    while let Some(arg) = args.next() {
        let slot = match arg.to_str().unwrap_or_default() {
            "--pages" => &mut pages,
            "--threads" => &mut threads,
            "--rounds" => &mut rounds,
            "--groups" if mode == "far" => &mut groups,
            "--shared" if mode == "churn" => {
                shared = true;
                continue;
            }
            "--same-page" if mode == "crowd" => {
                same_page = true;
                continue;
            }
            "--here" if mode == "churn" => {
                here = true;
                continue;
            }
            "--shmem" if mode == "churn" => {
                kind = Kind::Shmem;
                continue;
            }
            "--folios" if mode == "churn" => {
                kind = Kind::Folios;
                continue;
            }
            "--tell" if mode == "crowd" || mode == "far" => {
                tell = Some(args.next().ok_or("--tell wants a file")?.into());
                continue;
            }
            "--fork" if mode == "aba" => {
                fork = true;
                continue;
            }
            _ => return Err(format!("unknown option {}", arg.display())),
        };
        let value = args.next().unwrap_or_default();
        let number = value.to_str().and_then(|v| v.parse::<u32>().ok()).filter(|n| *n > 0);
        *slot = Some(number.ok_or_else(|| format!("{} wants a number from 1 on", arg.display()))?);
    }
    if mode == "far" {
        let (pages, groups) = (pages.ok_or("--pages is missing")?, groups.ok_or("--groups is missing")?);
        if threads.is_some() || rounds.is_some() || pages < groups {
            return Err("`far` takes --pages, --groups, at most as many as pages, and --tell".to_owned());
        }
        return Ok(Mode::Far(far::Options { pages: pages as usize, groups: groups as usize, tell }));
    }
    let rounds = u64::from(rounds.ok_or("--rounds is missing")?);
    if mode == "churn" {
        let (pages, threads) = (pages.ok_or("--pages is missing")?, threads.ok_or("--threads is missing")?);
        if threads > churn::MOST_THREADS || pages < threads {
            return Err(format!("--threads: at most {}, and at most as many as pages", churn::MOST_THREADS));
        }
        let (pages, threads) = (pages as usize, threads as usize);
        Ok(Mode::Churn(churn::Options { pages, threads, rounds, shared, here, kind }))
    } else if mode == "crowd" && pages.is_none() {
        let tasks = threads.filter(|threads| *threads <= crowd::MOST_TASKS);
        let tasks = tasks.ok_or_else(|| format!("--threads: from 1 to {}", crowd::MOST_TASKS))? as usize;
        Ok(Mode::Crowd(crowd::Options { tasks, rounds, same_page, tell }))
    } else if mode == "aba" && pages.is_none() && threads.is_none() {
        Ok(Mode::Aba { rounds, fork })
    } else if mode == "hold" && pages.is_none() {
        let waiters = threads.filter(|threads| *threads <= hold::MOST_WAITERS);
        let waiters = waiters.ok_or_else(|| format!("--threads: from 1 to {}", hold::MOST_WAITERS))? as usize;
        Ok(Mode::Hold { rounds, waiters })
    } else {
        let modes = "the modes are `churn`, `crowd`, `far`, `aba`, `hold` and `service`";
        Err(format!("{modes}; `aba` takes --rounds and --fork only, `hold` --rounds and --threads"))
    }
}

/// Runs `aba` in a child of this process, made by fork and exec, and ends as that one ends.
fn in_a_child(rounds: u64) -> Result<ExitCode> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("aba").arg("--rounds").arg(rounds.to_string());
    // SAFETY: prctl is a plain system call, safe between fork and exec.
    unsafe { command.pre_exec(end_with_parent) };
    let failed =
        |why: io::Error| Failure::new("running the rounds in a child process", why, "free some memory or processes");
    let mut child = command.spawn().map_err(failed)?;
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
        if stopped() && !told {
            told = true;
            let pid = libc::pid_t::try_from(child.id()).unwrap_or_default();
            // SAFETY: a plain system call; the child has not been waited for, so the number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Asks the kernel to end this process (in order) when the one that made it ends.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: a plain system call on numbers.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn run(mode: Mode) -> Result<ExitCode> {
    if let Mode::Service(command) = &mode {
        match service::become_service(command)? {}
    }
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let handler = on_signal as extern "C" fn(libc::c_int);
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            return Err(Failure::last_os("preparing to be stopped", "report it"));
        }
    }
    let answer: Value = match mode {
        Mode::Aba { rounds, fork: true } => return in_a_child(rounds),
        Mode::Aba { rounds, fork: false } => aba::run(rounds)?,
        Mode::Hold { rounds, waiters } => hold::run(rounds, waiters)?,
        Mode::Churn(options) => churn::run(&options)?,
        Mode::Crowd(options) => crowd::run(&options)?,
        Mode::Far(options) => far::run(&options)?,
        // It has become another program.
        Mode::Service(_) => Value::Null,
    };
    println!("{answer}");
    let signal = STOP.load(Ordering::Relaxed);
    if signal != 0 {
        eprintln!("witness: signal {signal} ended it early; what it printed covers what it did");
    }
    Ok(ExitCode::from(if signal == 0 { 0 } else { u8::try_from(128 + signal).unwrap_or(1) }))
}

fn main() -> ExitCode {
    match parse(env::args_os().skip(1)).map(run) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            eprintln!("witness: {failure}");
            ExitCode::from(1)
        }
        Err(wrong) => {
            eprintln!("witness: {wrong}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
