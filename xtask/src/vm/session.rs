//! One run of QEMU: starts it, copies its ports, and makes sure that it is gone at the end, whatever the end is.

use std::{
    future,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    pin::pin,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Signal, set_parent_process_death_signal},
};
use tokio::{
    process::{Child, Command},
    runtime, select,
    signal::unix::{Signal as Listener, SignalKind, signal},
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};

use super::{
    pump::{Sink, pump},
    qemu::Machine,
    terminal,
};

/// A killed QEMU normally goes at once; one that hangs inside the host's kernel is left behind rather than waited for.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// One thing per stream that leaves a guest.
#[derive(Debug)]
pub(super) struct Streams<T> {
    /// The console; the ports are those of [`Arch::ports`](crate::arch::Arch::ports).
    pub(super) console: T,
    /// The command's output.
    pub(super) stdout: T,
    /// The command's errors.
    pub(super) stderr: T,
    /// See [`super::report`].
    pub(super) report: T,
    /// What QEMU itself has to say.
    pub(super) qemu: T,
}

/// How to run one guest.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Its ports are added here.
    pub(super) machine: Machine<'a>,
    /// Where the streams go.
    pub(super) sinks: Streams<Sink>,
    /// Whether the console takes this terminal's keys.
    pub(super) tty: bool,
    /// None: no limit.
    pub(super) limit: Option<Duration>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// QEMU ended by itself and all it wrote was read.
    Finished,
    /// It was stopped at the time limit.
    TimedOut,
    /// It was stopped because this process was asked to stop.
    Interrupted,
}

/// Runs a guest to its end. The second part is what was kept of its streams: complete after [`End::Finished`], else None
/// where a reader of ours was stuck.
pub(super) fn run(plan: Plan<'_>) -> Result<(End, Option<Streams<Vec<u8>>>)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")?;
    let result = runtime.block_on(supervise(plan));
    // Not waiting for the copying threads: one may be stuck writing to a terminal or pipe that nobody reads.
    runtime.shutdown_background();
    result
}

async fn supervise(plan: Plan<'_>) -> Result<(End, Option<Streams<Vec<u8>>>)> {
    // Before QEMU starts: a signal between the two must not leave it running.
    let stop = Interruption::new()?;
    let (ours, theirs) = pairs()?;
    let (keys, window) = (clone(&ours.console)?, clone(&ours.stdout)?);
    let mut qemu = spawn(&plan.machine, theirs)?;
    // All streams end when QEMU does: it holds the only other ends.
    let mut drained = pin!(collect(copy(ours, plan.sinks)));
    let (end, streams) = select! {
        streams = &mut drained => (End::Finished, Some(streams?)),
        () = stop.wait() => (End::Interrupted, None),
        () = expire(plan.limit) => (End::TimedOut, None),
        ended = lend_terminal(plan.tty, &keys, &window) => ended.map(|()| (End::Interrupted, None))?,
    };
    if streams.is_some() {
        reap(&mut qemu).await;
        return Ok((end, streams));
    }
    qemu.start_kill().context("cannot stop QEMU")?;
    let streams = timeout(KILL_PATIENCE, drained).await.ok().transpose()?;
    reap(&mut qemu).await;
    Ok((end, streams))
}

/// Waits for QEMU's own end, which is due: a zombie for each guest would stay until our end, and it is the one who writes
/// to the guest's disk.
async fn reap(qemu: &mut Child) {
    // One that does not end is killed when it is dropped.
    let _ = timeout(KILL_PATIENCE, qemu.wait()).await;
}

/// The sockets between us and QEMU.
fn pairs() -> Result<(Streams<UnixStream>, Streams<UnixStream>)> {
    let pair = || UnixStream::pair().context("cannot make a socket for the guest; are too many files open?");
    let (console, stdout, stderr, report, qemu) = (pair()?, pair()?, pair()?, pair()?, pair()?);
    // What is sent to a guest that does not listen must not stop us.
    for sends in [&console.0, &stdout.0] {
        sends.set_write_timeout(Some(Duration::from_millis(100))).context("cannot set up a socket for the guest")?;
    }
    let ours = Streams { console: console.0, stdout: stdout.0, stderr: stderr.0, report: report.0, qemu: qemu.0 };
    let theirs = Streams { console: console.1, stdout: stdout.1, stderr: stderr.1, report: report.1, qemu: qemu.1 };
    Ok((ours, theirs))
}

fn clone(socket: &UnixStream) -> Result<UnixStream> {
    socket.try_clone().context("cannot duplicate a socket of the guest")
}

/// Starts QEMU with `theirs`, which are closed on this side when it returns.
fn spawn(machine: &Machine<'_>, theirs: Streams<UnixStream>) -> Result<Child> {
    let ports = [theirs.console, theirs.stdout, theirs.stderr, theirs.report];
    let numbers = ports.each_ref().map(AsRawFd::as_raw_fd);
    let machine = Machine { ports: &numbers, ..machine.clone() };
    let mut command = Command::new(machine.arch.emulator());
    command.args(machine.arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(OwnedFd::from(theirs.qemu));
    // A group of its own: Ctrl-C is for us, and we stop QEMU in our own order.
    command.kill_on_drop(true).process_group(0);
    let prepare = move || {
        for port in &ports {
            fcntl_setfd(port, FdFlags::empty())?;
        }
        // Even where we are killed without a chance to clean up, the guest goes.
        Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
    };
    // SAFETY: between fork and exec the closure makes only system calls that are async-signal-safe (fcntl, prctl), and
    // allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn().with_context(|| format!("cannot start {}; run `cargo xtask setup`", machine.arch.emulator()))
}

/// Starts one copying thread per stream.
fn copy(from: Streams<UnixStream>, to: Streams<Sink>) -> Streams<JoinHandle<Sink>> {
    let start = |from: UnixStream, to: Sink| spawn_blocking(move || pump(from, to));
    Streams {
        console: start(from.console, to.console),
        stdout: start(from.stdout, to.stdout),
        stderr: start(from.stderr, to.stderr),
        report: start(from.report, to.report),
        qemu: start(from.qemu, to.qemu),
    }
}

async fn collect(copies: Streams<JoinHandle<Sink>>) -> Result<Streams<Vec<u8>>> {
    let end = async |copy: JoinHandle<Sink>| {
        Ok::<_, anyhow::Error>(copy.await.context("a copying thread failed")?.into_bytes())
    };
    Ok(Streams {
        console: end(copies.console).await?,
        stdout: end(copies.stdout).await?,
        stderr: end(copies.stderr).await?,
        report: end(copies.report).await?,
        qemu: end(copies.qemu).await?,
    })
}

/// Ctrl-C, or a polite request to end, or the terminal's disappearance.
struct Interruption {
    interrupt: Listener,
    terminate: Listener,
    hangup: Listener,
}

impl Interruption {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn wait(mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

async fn expire(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => future::pending().await,
    }
}

/// Returns when the user asked for the guest's end at the keyboard.
async fn lend_terminal(tty: bool, console: &UnixStream, window: &UnixStream) -> Result<()> {
    if !tty {
        return future::pending().await;
    }
    select! {
        ended = terminal::forward_keys(console) => ended,
        failed = terminal::forward_window(window) => failed,
    }
}
