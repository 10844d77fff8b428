//! Runs one observation, from attached probes to the outcome.

mod areas;
mod cgroups;
mod clock_watch;
mod observer;

use std::{io, ops::ControlFlow, os::fd::OwnedFd, process::ExitStatus, time::Duration};

use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Child,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use self::clock_watch::ClockWatch;
pub use self::{
    areas::{AreaList, AreaWatch, Areas},
    cgroups::{CgroupWatch, FindCgroup},
    observer::{Observer, View},
};
use crate::signals::StopSignals;
use observer_engine::event::Nanos;
use observer_kernel::{swaps::Synchronous, vmstat::Vmstat};
use observer_observation::{
    AreaReading, Clocks, Context, EndReason, FaultTimes, FinalState, Ingest, Input, Outcome, Overhead, Sample,
    Snapshot, Swap, clock, command,
};
use observer_probe::{CpuTime, LoadError, Probes};

/// How often the engine advances.
const TICK: Duration = Duration::from_millis(100);
/// How often the engine advances while it may hold back a finding that an observer wants. The engine holds it for 110
/// ms; with [`TICK`] alone it would be known up to 210 ms after the end of its fault.
const SOON: Duration = Duration::from_millis(20);
/// Records read from the ring buffer at once, so that signals are not delayed.
const BATCH: usize = 4_096;
const MAX_BATCHES_PER_TICK: usize = 64;
/// How long the command may take to end after SIGTERM.
const TERM_LIMIT: Duration = Duration::from_secs(5);

/// Ticks between two readings of the distributions: thousands of numbers for each CPU.
const TIMES_TICKS: u32 = 50;

/// Why an observation failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot wait for events")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Probe(#[from] LoadError),
}

struct Session<'a, O> {
    probes: Probes,
    context: &'a Context,
    /// `None`: the list of swap areas cannot be opened.
    areas: Option<AreaWatch<'a>>,
    cgroups: CgroupWatch,
    ingest: Ingest,
    ending: FinalState,
    /// CPU time used before, and the time of the start.
    start: (CpuTime, Nanos),
    ticks: u32,
    /// Whether a sample was taken since the last tick because the wall clock was set. Who sets it all the time must not
    /// keep the observer busy.
    clock_sampled: bool,
    observer: &'a mut O,
}

impl<'a, O: Observer> Session<'a, O> {
    /// Ingests the records in the ring buffer, at most a batch. True: there may be more.
    fn drain(&mut self) -> bool {
        let Self { probes, observer, ingest, cgroups, .. } = self;
        probes.drain(BATCH, |event| {
            cgroups.see(&event);
            let input = Input::Event(event);
            observer.input(&input);
            ingest.feed(input);
        })
    }

    /// Ingests the records in the ring buffer, and advances the engine to the time before that: it has all events up to
    /// then.
    fn settle(&mut self) {
        let until = clock::now();
        for _ in 0..MAX_BATCHES_PER_TICK {
            if !self.drain() {
                let until = self.areas.as_ref().map_or(until, |areas| areas.limit(until));
                if until > self.ingest.now {
                    self.observer.input(&Input::Advance(until));
                    self.ingest.advance(until);
                }
                return;
            }
        }
        // Records arrive faster than they are read: the engine lacks events up to `until` and must not advance.
    }

    fn tick(&mut self) -> ControlFlow<EndReason> {
        self.observer.prepare(&mut self.ingest.engine);
        self.switch_delay_injection();
        self.judge()?;
        if self.ticks.is_multiple_of(self.observer.sample_ticks().max(1)) {
            let read_times = self.ticks.is_multiple_of(TIMES_TICKS);
            self.take_sample(read_times);
            if read_times {
                self.look_at_devices();
            }
        }
        self.clock_sampled = false;
        self.ticks = self.ticks.wrapping_add(1);
        let Self { probes, context, ingest, ending, observer, .. } = self;
        let view = View::new(context, ingest, ending, probes.delay_injection());
        observer.tick(&view).map_break(|()| EndReason::Observer)
    }

    /// Ingests what has happened, and passes on the findings that this gives.
    fn judge(&mut self) -> ControlFlow<EndReason> {
        self.look_at_areas(AreaWatch::look);
        self.settle();
        self.look_at_cgroups();
        self.pass_findings().map_break(|()| EndReason::StopOn)
    }

    fn pass_findings(&mut self) -> ControlFlow<()> {
        let findings = self.ingest.engine.take_findings();
        if findings.is_empty() {
            return ControlFlow::Continue(());
        }
        let Self { probes, context, ingest, ending, observer, .. } = self;
        observer.found(&findings, &View::new(context, ingest, ending, probes.delay_injection()))
    }

    /// Whether the engine may hold back a finding that the observer wants.
    fn is_awaited(&self) -> bool {
        self.observer.wants_findings() && self.ingest.engine.awaits_judgement()
    }

    fn take_sample(&mut self, read_times: bool) {
        let fault_times = read_times.then(|| self.probes.fault_times());
        let stalls = read_times.then(|| self.probes.stalls(clock::now()));
        let snapshot = self.probes.snapshot();
        // The last reading is exact; until then counters that are exported only grow.
        let counters = snapshot.counters.not_below(&self.ingest.sample.snapshot.counters);
        let snapshot = Snapshot { counters, ..snapshot };
        self.ingest_sample(Sample { stalls, ..self.sample(&snapshot, fault_times) });
    }

    /// Takes a sample at once, so that the wall clock's change gets its time.
    fn clock_changed(&mut self) {
        self.take_sample(false);
        self.clock_sampled = true;
    }

    /// `look` is made before each advance of the engine, which must not pass a change of areas that it does not have.
    fn look_at_areas(&mut self, look: impl FnOnce(&mut AreaWatch<'a>) -> Option<AreaReading>) {
        if let Some(reading) = self.areas.as_mut().and_then(look)
            && !self.ingest.areas.is_current(&reading)
        {
            self.ingest_areas(reading);
        }
    }

    /// Looks again for devices that were not found: their nodes and sysfs folders may appear later.
    fn look_at_devices(&mut self) {
        let Some(watch) = &self.areas else { return };
        let known: Vec<Swap> = self.ingest.areas.in_use().cloned().collect();
        if known.iter().any(|swap| swap.synchronous == Synchronous::Unknown)
            && let Some(reading) = watch.look_at_devices(&known)
        {
            self.ingest_areas(reading);
        }
    }

    fn look_at_cgroups(&mut self) {
        for group in self.cgroups.look() {
            let input = Input::Cgroup(group);
            self.observer.input(&input);
            self.ingest.feed(input);
        }
    }

    fn ingest_areas(&mut self, reading: AreaReading) {
        self.follow_devices(reading.swaps.as_deref());
        let input = Input::Areas(reading);
        self.observer.input(&input);
        self.ingest.feed(input);
    }

    /// Observes the swap types that the chosen devices have now; the same as before if that is unknown.
    fn follow_devices(&mut self, areas: Option<&[Swap]>) {
        let types = self.areas.as_ref().zip(areas).and_then(|(watch, areas)| watch.types(areas));
        let Some(types) = types else { return };
        match self.probes.observe_types(types) {
            Ok(()) => log::info!("swap types that are observed: {types:#b}"),
            Err(error) => log::warn!("cannot change the swap types that are observed: {error}"),
        }
    }

    /// On failure it stays as it is, which the next view shows.
    fn switch_delay_injection(&mut self) {
        if let Some(on) = self.observer.widening()
            && let Err(error) = self.probes.set_delay_injection(on)
        {
            log::warn!("cannot switch delay injection: {error}");
        }
    }

    fn sample(&self, snapshot: &Snapshot, fault_times: Option<FaultTimes>) -> Sample {
        let (undecodable, vmstat) = (self.probes.undecodable(), Vmstat::now().ok());
        let clocks = Clocks::together();
        Sample { at: clock::now(), snapshot: *snapshot, undecodable, clocks, vmstat, fault_times, stalls: None }
    }

    fn ingest_sample(&mut self, sample: Sample) {
        let before = self.ending.vmstat.map(|(before, _)| before).or(sample.vmstat);
        self.ending.vmstat = before.zip(sample.vmstat);
        let input = Input::Sample(Box::new(sample));
        self.observer.input(&input);
        self.ingest.feed(input);
        let (cpu, start) = self.start;
        self.ending.overhead = self.probes.overhead(cpu, clock::now().saturating_sub(start));
    }

    /// Reads the counters for the first time: what the kernel counts from here on is observed.
    fn start(&mut self) {
        if self.observer.wants_findings() {
            self.ingest.engine.keep_findings();
        }
        let (snapshot, fault_times) = (self.probes.snapshot(), self.probes.fault_times());
        self.ingest_sample(self.sample(&snapshot, Some(fault_times)));
    }

    /// Detaches, and ingests the remaining records.
    fn detach(&mut self) -> Result<(), LoadError> {
        // The overhead is read first, and the kernel's counters right before those of the programs: on a host that
        // keeps swapping, swap-ins in between make the two counts differ.
        let (cpu, start) = self.start;
        let cost = self.probes.overhead(cpu, clock::now().saturating_sub(start));
        let vmstat = Vmstat::now().ok();
        let snapshot = self.probes.detach()?;
        while self.drain() {}
        self.look_at_areas(AreaWatch::last_look);
        while self.cgroups.has_new() {
            self.look_at_cgroups();
        }
        let fault_times = self.probes.fault_times();
        // The table keeps the faults that have not ended although the hooks are gone.
        let stalls = Some(self.probes.stalls(clock::now()));
        self.ingest_sample(Sample { vmstat, stalls, ..self.sample(&snapshot, Some(fault_times)) });
        // Disturbed entries are counted at the end: faults that were still in progress disturb some until then.
        let disturbed = self.probes.disturbed();
        self.ending.overhead = Overhead { records: self.ending.overhead.records, disturbed, ..cost };
        self.ingest.finish();
        // The observation is over, whatever they are.
        let _ = self.pass_findings();
        Ok(())
    }
}

/// Observes until the command ends, the duration is over, a signal arrives, or the observer ends the observation.
/// `start` starts the command when everything is attached and the first counters have been read.
///
/// # Errors
/// The probes are detached also after an error.
pub async fn observe(
    probes: Probes,
    context: &Context,
    areas: Option<AreaWatch<'_>>,
    cgroups: CgroupWatch,
    duration: Option<Duration>,
    start: impl FnOnce() -> io::Result<Option<Child>>,
    observer: &mut impl Observer,
) -> Result<Outcome, SessionError> {
    let mut stops = StopSignals::new()?;
    let ring = readable(probes.ring_fd()?)?;
    let clock_watch = ClockWatch::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut soon = interval(SOON);
    soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        probes,
        context,
        areas,
        cgroups,
        ingest: Ingest::new(context.clocks, &context.swaps),
        ending: FinalState::unknown(EndReason::Running),
        start: (CpuTime::now(), clock::now()),
        ticks: 1,
        clock_sampled: false,
        observer,
    };
    session.start();
    let mut child = start()?;
    let deadline = deadline(duration);
    let mut command = None;
    let reason = loop {
        tokio::select! {
            biased;
            () = stops.any() => break EndReason::Signal,
            () = until(deadline) => break EndReason::Duration,
            status = ended(&mut child) => {
                let status = status?;
                command = Some(status);
                child = None;
                if session.observer.command_ended(status).is_break() {
                    break EndReason::Command;
                }
            }
            _ = ticks.tick() => {
                if let ControlFlow::Break(reason) = session.tick() {
                    break reason;
                }
            }
            _ = soon.tick(), if session.is_awaited() => {
                if let ControlFlow::Break(reason) = session.judge() {
                    break reason;
                }
            }
            () = clock_watch.changed(), if !session.clock_sampled => session.clock_changed(),
            () = session.observer.stop_requested() => break EndReason::Observer,
            ready = ring.readable() => {
                if !session.drain() {
                    ready?.clear_ready();
                }
            }
        }
    };
    // The observer may have continued after the command ended.
    let ended = if command.is_some() { EndReason::Command } else { reason };
    if let Some(child) = &mut child {
        command = terminate(child).await?;
    }
    drop(ring);
    session.detach()?;
    let Session { ingest: Ingest { engine, sample, areas, wall_clock, cgroups, history, .. }, ending, .. } = session;
    let context = Context { swaps: areas.areas().to_vec(), ..context.clone() };
    let ending = FinalState { command: command.map(command::code), ended, ..ending };
    let (damage, notes) = (Vec::new(), Vec::new());
    Ok(Outcome { context, engine, sample, wall_clock, cgroups, history, ending, damage, notes })
}

/// Registers a descriptor with the runtime.
fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor stays open and the same until the AsyncFd that owns it is dropped.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(|error| error.into_parts().1)
}

/// `None`: never, also for a time that the clock cannot represent.
fn deadline(duration: Option<Duration>) -> Option<Instant> {
    duration.and_then(|duration| Instant::now().checked_add(duration))
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

/// Sends SIGTERM to the command, and SIGKILL if it does not end.
async fn terminate(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if let Ok(status) = timeout(TERM_LIMIT, child.wait()).await {
        return status.map(Some);
    }
    child.kill().await?;
    child.wait().await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_deadline_neither_panics_nor_has_passed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for far in [Duration::from_hours(87_660), Duration::MAX] {
                let deadline = deadline(Some(far));
                assert!(timeout(Duration::from_millis(20), until(deadline)).await.is_err(), "{far:?}");
            }
            let short = deadline(Some(Duration::from_nanos(1)));
            assert!(timeout(Duration::from_secs(10), until(short)).await.is_ok());
        });
    }
}
