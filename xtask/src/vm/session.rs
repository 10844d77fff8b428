//! One run of QEMU: starts it, copies its ports, and stops it on every way out.

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

use anyhow::{Context as _, Result};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Signal, set_parent_process_death_signal},
};
use tokio::{
    process::{Child, Command},
    runtime, select,
    signal::unix::{Signal as Listener, SignalKind, signal},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};

use super::{
    handshake::{Ending, confirm},
    pump::{Sink, pump},
    qemu::Machine,
    streams::Streams,
    terminal,
};

/// A killed QEMU ends at once, unless it hangs inside the host's kernel; then it is left behind.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Without ports; they are added by [`run`].
    pub(super) machine: Machine<'a>,
    pub(super) sinks: Streams<Sink>,
    /// Whether the console takes this terminal's keys.
    pub(super) tty: bool,
    /// None: no limit.
    pub(super) limit: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// QEMU ended and all its output was read.
    Finished,
    TimedOut,
    /// This process got a signal to stop.
    Interrupted,
}

/// Runs a guest to its end. The second part is the captured output: complete after [`End::Finished`], else None if a
/// reader thread was stuck.
pub(super) fn run(plan: Plan<'_>) -> Result<(End, Option<Streams<Vec<u8>>>)> {
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("cannot start the async runtime")?;
    let result = runtime.block_on(supervise(plan));
    // The copying threads are not awaited: one may be blocked on a terminal or pipe without a reader.
    runtime.shutdown_background();
    result
}

async fn supervise(plan: Plan<'_>) -> Result<(End, Option<Streams<Vec<u8>>>)> {
    // Listen before QEMU starts, so that no signal leaves it running.
    let stop = Interruption::new()?;
    let (ours, theirs) = pairs()?;
    let (keys, window, report) = (clone(&ours.console)?, clone(&ours.stdout)?, clone(&ours.report)?);
    let mut qemu = spawn(&plan.machine, theirs)?;
    let (ends, ended) = unbounded_channel();
    // All streams end with QEMU, which has the only other ends.
    let mut drained = pin!(collect(copy(ours, plan.sinks, &ends)));
    let (end, streams) = select! {
        streams = &mut drained => (End::Finished, Some(streams?)),
        () = stop.wait() => (End::Interrupted, None),
        () = expire(plan.limit) => (End::TimedOut, None),
        ended = lend_terminal(plan.tty, &keys, &window) => ended.map(|()| (End::Interrupted, None))?,
        never = confirm(ended, report) => match never {},
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

/// Waits until QEMU has ended: its last writes go to the guest's disk, and each guest would leave a zombie process.
async fn reap(qemu: &mut Child) {
    // If it does not end, the drop of `Child` kills it.
    let _ = timeout(KILL_PATIENCE, qemu.wait()).await;
}

/// The sockets between this process and QEMU.
fn pairs() -> Result<(Streams<UnixStream>, Streams<UnixStream>)> {
    let pair = || UnixStream::pair().context("cannot make a socket for the guest; are too many files open?");
    let (console, stdout, stderr, report, qemu) = (pair()?, pair()?, pair()?, pair()?, pair()?);
    // Writing to a guest that does not read must not block this process.
    for sends in [&console.0, &stdout.0, &report.0] {
        sends.set_write_timeout(Some(Duration::from_millis(100))).context("cannot set up a socket for the guest")?;
    }
    let ours = Streams { console: console.0, stdout: stdout.0, stderr: stderr.0, report: report.0, qemu: qemu.0 };
    let theirs = Streams { console: console.1, stdout: stdout.1, stderr: stderr.1, report: report.1, qemu: qemu.1 };
    Ok((ours, theirs))
}

fn clone(socket: &UnixStream) -> Result<UnixStream> {
    socket.try_clone().context("cannot duplicate a socket of the guest")
}

/// Starts QEMU with `theirs`, which are closed in this process on return.
fn spawn(machine: &Machine<'_>, theirs: Streams<UnixStream>) -> Result<Child> {
    let ports = [theirs.console, theirs.stdout, theirs.stderr, theirs.report];
    let numbers = ports.each_ref().map(AsRawFd::as_raw_fd);
    let machine = Machine { ports: &numbers, ..machine.clone() };
    let mut command = Command::new(machine.arch.emulator());
    command.args(machine.arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(OwnedFd::from(theirs.qemu));
    // A separate process group: Ctrl-C reaches this process only, which then stops QEMU.
    command.kill_on_drop(true).process_group(0);
    let prepare = move || {
        for port in &ports {
            fcntl_setfd(port, FdFlags::empty())?;
        }
        // QEMU ends even if this process is killed.
        Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
    };
    // SAFETY: between fork and exec the closure makes only system calls that are async-signal-safe (fcntl, prctl), and
    // allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn().with_context(|| format!("cannot start {}; run `cargo xtask setup`", machine.arch.emulator()))
}

/// Each stream with a marked end sends to `ends` when it is there.
fn copy(from: Streams<UnixStream>, to: Streams<Sink>, ends: &UnboundedSender<()>) -> Streams<JoinHandle<Sink>> {
    let start = |from: UnixStream, to: Sink, ending: Ending| {
        let ends = ends.clone();
        let ended = move || {
            // There is no receiver when the guest is being stopped.
            let _ = ends.send(());
        };
        spawn_blocking(move || pump(from, to, ending, ended))
    };
    Streams {
        console: start(from.console, to.console, Ending::None),
        stdout: start(from.stdout, to.stdout, Ending::of_output()),
        stderr: start(from.stderr, to.stderr, Ending::of_output()),
        report: start(from.report, to.report, Ending::of_report()),
        qemu: start(from.qemu, to.qemu, Ending::None),
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

/// SIGINT, SIGTERM or SIGHUP.
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

/// Returns when the user ends the guest at the keyboard; never without a terminal.
async fn lend_terminal(tty: bool, console: &UnixStream, window: &UnixStream) -> Result<()> {
    if !tty {
        return future::pending().await;
    }
    select! {
        ended = terminal::forward_keys(console) => ended,
        failed = terminal::forward_window(window) => failed,
    }
}
