//! One observation, from the attached probes to the outcome: feeds the engine, and stops when told.

use std::{io, process::ExitStatus, time::Duration};

use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Child,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::{
    engine::{Engine, event::Nanos},
    kernel::vmstat::Vmstat,
    probe::{FlightTimes, LoadError, Probes, SelfCost, Snapshot, UserTime},
    source::EventSource,
};

/// How often the engine is told the time.
const TICK: Duration = Duration::from_millis(100);
/// Records taken from the ring in one go, so that signals are never starved.
const BATCH: usize = 4_096;
/// Goes at most in one tick.
const BATCHES_A_TICK: usize = 64;
/// How long a command that has been asked to end may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an observation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time was over.
    Duration,
    /// The command had ended.
    Command,
    /// A signal.
    Signal,
}

/// Everything an observation gives.
pub struct Outcome {
    /// The engine, with its report.
    pub engine: Engine,
    /// The counters at the end.
    pub snapshot: Snapshot,
    /// Durations of all flights by path.
    pub flight_times: FlightTimes,
    /// The kernel's own counters at begin and end.
    pub vmstat: Option<(Vmstat, Vmstat)>,
    /// Own cost.
    pub cost: SelfCost,
    /// Records that could not be decoded.
    pub undecodable: u64,
    /// How the command ended.
    pub command: Option<ExitStatus>,
    /// Why the observation ended.
    pub ended: Ended,
}

/// Looks on while an observation runs.
pub trait Onlooker {
    /// Called about ten times a second.
    fn tick(&mut self, probes: &Probes, engine: &Engine);
}

/// Nobody looks on.
impl Onlooker for () {
    fn tick(&mut self, _probes: &Probes, _engine: &Engine) {}
}

impl<O: Onlooker> Onlooker for Option<O> {
    fn tick(&mut self, probes: &Probes, engine: &Engine) {
        if let Some(onlooker) = self {
            onlooker.tick(probes, engine);
        }
    }
}

/// Why an observation failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The runtime could not be set up.
    #[error("cannot wait for events: {0}")]
    Io(#[from] io::Error),
    /// The probes failed.
    #[error(transparent)]
    Probe(#[from] LoadError),
}

/// Signals that end an observation.
struct Stops {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
            _ = self.hup.recv() => {}
        }
    }
}

/// Observes until the command has ended, the duration is over or a signal comes. `start` opens the command's gate, once
/// everything is attached and the first counters are read.
///
/// # Errors
/// See [`SessionError`]. The probes are detached in any case.
pub async fn observe(
    mut probes: Probes,
    duration: Option<Duration>,
    start: impl FnOnce() -> io::Result<Option<Child>>,
    onlooker: &mut impl Onlooker,
) -> Result<Outcome, SessionError> {
    let mut stops = Stops::new()?;
    // SAFETY: an owned descriptor is open, and the same, until the AsyncFd that owns it is dropped.
    let ring = unsafe { AsyncFd::register_with_interest(probes.ring_fd()?, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let before = Vmstat::now().ok();
    let mut engine = Engine::default();
    let mut child = start()?;
    let (cpu, begin) = (UserTime::now(), now());
    let deadline = duration.map(|duration| Instant::now() + duration);
    let mut command = None;
    let ended = loop {
        tokio::select! {
            biased;
            () = stops.any() => break Ended::Signal,
            () = until(deadline) => break Ended::Duration,
            status = ended(&mut child) => {
                command = Some(status?);
                break Ended::Command;
            }
            _ = ticks.tick() => {
                settle(&mut probes, &mut engine);
                onlooker.tick(&probes, &engine);
            }
            ready = ring.readable() => {
                if !probes.drain(BATCH, &mut |event| engine.feed(event)) {
                    ready?.clear_ready();
                }
            }
        }
    };
    if command.is_none()
        && let Some(child) = &mut child
    {
        command = end(child).await?;
    }
    let after = Vmstat::now().ok();
    drop(ring);
    let cost = probes.cost(cpu, now().saturating_sub(begin));
    let snapshot = probes.detach()?;
    while probes.drain(BATCH, &mut |event| engine.feed(event)) {}
    engine.finish();
    Ok(Outcome {
        engine,
        snapshot,
        flight_times: probes.flight_times()?,
        vmstat: before.zip(after),
        cost,
        undecodable: probes.undecodable(),
        command,
        ended,
    })
}

/// Takes in what has arrived and tells the engine the time from before that: whatever happened until then is in.
fn settle(source: &mut impl EventSource, engine: &mut Engine) {
    let until = now();
    for _ in 0..BATCHES_A_TICK {
        if !source.drain(BATCH, &mut |event| engine.feed(event)) {
            engine.advance(until);
            return;
        }
    }
    // Records come in faster than they are taken out: what happened until now is not all in, so time stands still.
}

/// The clock of the programs, `CLOCK_MONOTONIC`, nanoseconds.
pub fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn ended(child: &mut Option<Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

/// Asks the command to end, then makes it.
async fn end(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if let Ok(status) = timeout(PATIENCE, child.wait()).await {
        return status.map(Some);
    }
    child.kill().await?;
    child.wait().await.map(Some)
}
