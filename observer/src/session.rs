//! One observation, from the attached probes to the outcome: feeds the engine, and stops when told.

mod session_observer;

use std::{io, ops::ControlFlow, process::ExitStatus, time::Duration};

use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Child,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

pub use self::session_observer::{SessionObserver, View};
use observer_engine::{Engine, event::Nanos};
use observer_kernel::vmstat::Vmstat;
use observer_observation::{
    Context, EndReason, FaultTimes, FinalState, Outcome, Overhead, Sample, Snapshot, clock, command, input::Input,
};
use observer_probe::{LoadError, Probes, UserTime};

/// How often the engine is told the time.
const TICK: Duration = Duration::from_millis(100);
/// Records taken from the ring in one go, so that signals are never starved.
const BATCH: usize = 4_096;
/// Goes at most in one tick.
const BATCHES_A_TICK: usize = 64;
/// How long a command that has been asked to end may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the distributions are read as well, which takes thousands of system calls.
const TIMES_TICKS: u32 = 50;

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

/// Signals that end an observation, or a replay. None that comes while this exists is missed.
pub struct Stops {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Stops {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn any(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
            _ = self.hup.recv() => {}
        }
    }
}

/// An observation in progress.
struct Live<'a, O> {
    probes: Probes,
    context: &'a Context,
    engine: Engine,
    sample: Sample,
    now: Nanos,
    ending: FinalState,
    /// The CPU time used before, and when it started.
    start: (UserTime, Nanos),
    ticks: u32,
    session_observer: &'a mut O,
}

impl<O: SessionObserver> Live<'_, O> {
    /// Takes in what has arrived, at most a batch. True: there may be more.
    fn drain(&mut self) -> bool {
        let Self { probes, session_observer, engine, .. } = self;
        probes.drain(BATCH, |event| {
            let input = Input::Event(event);
            session_observer.input(&input);
            if let Input::Event(event) = input {
                engine.feed(event);
            }
        })
    }

    /// Takes in what has arrived and tells the engine the time from before that: whatever happened until then is in.
    fn settle(&mut self) {
        let until = clock::now();
        for _ in 0..BATCHES_A_TICK {
            if !self.drain() {
                self.now = until;
                self.session_observer.input(&Input::Advance(until));
                self.engine.advance(until);
                return;
            }
        }
        // Records come in faster than they are taken out: what happened until now is not all in, so time stands still.
    }

    fn tick(&mut self) -> ControlFlow<()> {
        self.session_observer.prepare(&mut self.engine);
        self.turn_widener();
        self.settle();
        if self.ticks.is_multiple_of(self.session_observer.sample_ticks().max(1))
            && let Ok(snapshot) = self.probes.snapshot()
        {
            let read_times = self.ticks.is_multiple_of(TIMES_TICKS);
            let fault_times = if read_times { self.probes.fault_times().ok() } else { None };
            self.sampled(self.sample_of(&snapshot, fault_times));
        }
        self.ticks = self.ticks.wrapping_add(1);
        let widening = self.probes.widening();
        let Self { context, engine, sample, now, ending, .. } = self;
        self.session_observer.tick(&View { context, engine, sample, now: *now, ending, widening })
    }

    /// As the session_observer options. Where the kernel refuses, it stays as it is, and the next view says so.
    fn turn_widener(&mut self) {
        if let Some(on) = self.session_observer.widening()
            && let Err(error) = self.probes.set_widening(on)
        {
            log::warn!("delay injection cannot be switched: {error}");
        }
    }

    fn sample_of(&self, snapshot: &Snapshot, fault_times: Option<FaultTimes>) -> Sample {
        let (undecodable, vmstat) = (self.probes.undecodable(), Vmstat::now().ok());
        Sample { at: clock::now(), snapshot: *snapshot, undecodable, vmstat, fault_times }
    }

    fn sampled(&mut self, sample: Sample) {
        let input = Input::Sample(Box::new(sample));
        self.session_observer.input(&input);
        if let Input::Sample(sample) = input {
            let before = self.ending.vmstat.map(|(before, _)| before).or(sample.vmstat);
            self.ending.vmstat = before.zip(sample.vmstat);
            self.sample.update(*sample);
        }
        let (cpu, start) = self.start;
        self.ending.cost = self.probes.cost(cpu, clock::now().saturating_sub(start));
    }

    /// Reads the counters for the first time: what the kernel counts from here on is seen.
    fn start(&mut self) -> Result<(), LoadError> {
        let (snapshot, fault_times) = (self.probes.snapshot()?, self.probes.fault_times()?);
        self.sampled(self.sample_of(&snapshot, Some(fault_times)));
        Ok(())
    }

    /// Detaches, and takes in what is left.
    fn detach(&mut self) -> Result<(), LoadError> {
        // The overhead first, and the kernel's counters right before ours: on a host that goes on swapping, what happens
        // in between is the difference.
        let (cpu, start) = self.start;
        let cost = self.probes.cost(cpu, clock::now().saturating_sub(start));
        let vmstat = Vmstat::now().ok();
        let snapshot = self.probes.detach()?;
        while self.drain() {}
        let fault_times = self.probes.fault_times()?;
        self.sampled(Sample { vmstat, ..self.sample_of(&snapshot, Some(fault_times)) });
        // Of the end: until faults had been given to theirs, some were disturbed.
        let disturbed = self.probes.disturbed();
        self.ending.cost = Overhead { records: self.ending.cost.records, disturbed, ..cost };
        self.engine.finish();
        Ok(())
    }
}

/// Observes until the command has ended, the duration is over, a signal comes or the session_observer wants no more. `start` opens
/// the command's gate, once everything is attached and the first counters are read.
///
/// # Errors
/// See [`SessionError`]. The probes are detached in any case.
pub async fn observe(
    probes: Probes,
    context: &Context,
    duration: Option<Duration>,
    start: impl FnOnce() -> io::Result<Option<Child>>,
    session_observer: &mut impl SessionObserver,
) -> Result<Outcome, SessionError> {
    let mut stops = Stops::new()?;
    // SAFETY: an owned descriptor is open, and the same, until the AsyncFd that owns it is dropped.
    let ring = unsafe { AsyncFd::register_with_interest(probes.ring_fd()?, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut live = Live {
        probes,
        context,
        engine: Engine::default(),
        sample: Sample::default(),
        now: 0,
        ending: FinalState::unknown(EndReason::Running),
        start: (UserTime::now(), clock::now()),
        ticks: 1,
        session_observer,
    };
    live.start()?;
    let mut child = start()?;
    let deadline = duration.map(|duration| Instant::now() + duration);
    let mut command = None;
    let ended = loop {
        tokio::select! {
            biased;
            () = stops.any() => break EndReason::Signal,
            () = until(deadline) => break EndReason::Duration,
            status = ended(&mut child) => {
                let status = status?;
                command = Some(status);
                child = None;
                if live.session_observer.command_ended(status).is_break() {
                    break EndReason::Command;
                }
            }
            _ = ticks.tick() => {
                if live.tick().is_break() {
                    break EndReason::SessionObserver;
                }
            }
            () = live.session_observer.asked() => break EndReason::SessionObserver,
            ready = ring.readable() => {
                if !live.drain() {
                    ready?.clear_ready();
                }
            }
        }
    };
    // Somebody may have looked on for longer than the command took.
    let ended = if command.is_some() { EndReason::Command } else { ended };
    if let Some(child) = &mut child {
        command = end(child).await?;
    }
    drop(ring);
    live.detach()?;
    let Live { engine, sample, ending, .. } = live;
    let ending = FinalState { command: command.map(command::code), ended, ..ending };
    Ok(Outcome { context: context.clone(), engine, sample, ending, damage: Vec::new(), notes: Vec::new() })
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
