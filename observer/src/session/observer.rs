//! What takes part in a session beside the engine: a recorder, a dashboard, progress lines.

use std::{future::Future, ops::ControlFlow, process::ExitStatus};

use observer_engine::{event::Nanos, verdict::Finding};
use observer_observation::{
    CgroupPaths, Context, Engine, FinalState, History, Ingest, Input, Known, Outcome, Sample, Swap, WallClock,
};

/// Ticks between two readings of the counters, unless an observer wants them more often.
const SAMPLE_TICKS: u32 = 10;

/// An observation in progress.
pub struct View<'a> {
    pub context: &'a Context,
    /// The swap areas so far.
    pub swaps: &'a [Swap],
    pub engine: &'a Engine,
    /// The latest counters and distributions.
    pub sample: &'a Sample,
    pub wall_clock: &'a WallClock,
    /// The control groups whose paths are known so far.
    pub cgroups: &'a CgroupPaths,
    /// What the counters counted when.
    pub history: &'a History,
    /// The time up to which the engine has all events.
    pub now: Nanos,
    /// What the final state would be if the observation ended now.
    pub ending: &'a FinalState,
    /// Whether delay injection is on; `None`: it is not loaded.
    pub widening: Option<bool>,
}

impl<'a> From<&View<'a>> for Known<'a> {
    fn from(view: &View<'a>) -> Self {
        let View { context, swaps, engine, sample, wall_clock, cgroups, history, ending, .. } = *view;
        let (report, damage, notes) = (engine.report(), &[], &[]);
        Self { context, swaps, report, sample, wall_clock, cgroups, history, ending, damage, notes }
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(
        context: &'a Context,
        ingest: &'a Ingest,
        ending: &'a FinalState,
        widening: Option<bool>,
    ) -> Self {
        let Ingest { engine, sample, areas, cgroups, now, wall_clock, history } = ingest;
        Self {
            context,
            swaps: areas.areas(),
            engine,
            sample,
            wall_clock,
            cgroups,
            history,
            now: *now,
            ending,
            widening,
        }
    }
}

/// Takes part in a session. The default of every method does nothing.
pub trait Observer {
    /// Called with every input, before the engine gets it.
    fn input(&mut self, _input: &Input) {}

    /// Called before each [`Observer::tick`], the first time before any event. May change what the engine keeps for a
    /// display.
    fn prepare(&mut self, _engine: &mut Engine) {}

    /// The requested state of delay injection; `None`: no change. Called before each tick.
    fn widening(&mut self) -> Option<bool> {
        None
    }

    /// Ticks between two readings of the counters.
    fn sample_ticks(&self) -> u32 {
        SAMPLE_TICKS
    }

    /// Completes when the observation is to end; handles keys until then. It is dropped and called again between
    /// events.
    fn stop_requested(&mut self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    /// Whether findings are passed to [`Observer::found`], and soon. Must not change.
    fn wants_findings(&self) -> bool {
        false
    }

    /// Called with the findings since the last call, each once, also after the end of the observation. `Break` ends it.
    fn found(&mut self, _findings: &[Finding], _view: &View<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Called after the end of the observation, when the terminal is restored. May wait, and add to the outcome.
    fn ended(&mut self, _outcome: &mut Outcome) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Called about ten times per second. `Break` ends the observation.
    fn tick(&mut self, _view: &View<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Called when the command has ended. `Continue` keeps the observation running.
    fn command_ended(&mut self, _status: ExitStatus) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// No observer.
impl Observer for () {}

impl<O: Observer> Observer for Option<O> {
    fn input(&mut self, input: &Input) {
        if let Some(observer) = self {
            observer.input(input);
        }
    }

    fn prepare(&mut self, engine: &mut Engine) {
        if let Some(observer) = self {
            observer.prepare(engine);
        }
    }

    fn widening(&mut self) -> Option<bool> {
        self.as_mut().and_then(Observer::widening)
    }

    fn sample_ticks(&self) -> u32 {
        self.as_ref().map_or(SAMPLE_TICKS, Observer::sample_ticks)
    }

    async fn stop_requested(&mut self) {
        match self {
            Some(observer) => observer.stop_requested().await,
            None => std::future::pending().await,
        }
    }

    fn wants_findings(&self) -> bool {
        self.as_ref().is_some_and(Observer::wants_findings)
    }

    fn found(&mut self, findings: &[Finding], view: &View<'_>) -> ControlFlow<()> {
        self.as_mut().map_or(ControlFlow::Continue(()), |observer| observer.found(findings, view))
    }

    async fn ended(&mut self, outcome: &mut Outcome) {
        if let Some(observer) = self {
            observer.ended(outcome).await;
        }
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        self.as_mut().map_or(ControlFlow::Continue(()), |observer| observer.tick(view))
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        self.as_mut().map_or(ControlFlow::Break(()), |observer| observer.command_ended(status))
    }
}

/// Two observers. Either may end the observation.
impl<A: Observer, B: Observer> Observer for (&mut A, &mut B) {
    fn input(&mut self, input: &Input) {
        self.0.input(input);
        self.1.input(input);
    }

    fn prepare(&mut self, engine: &mut Engine) {
        self.0.prepare(engine);
        self.1.prepare(engine);
    }

    fn widening(&mut self) -> Option<bool> {
        self.0.widening().or(self.1.widening())
    }

    fn sample_ticks(&self) -> u32 {
        self.0.sample_ticks().min(self.1.sample_ticks())
    }

    async fn stop_requested(&mut self) {
        tokio::select! {
            () = self.0.stop_requested() => {}
            () = self.1.stop_requested() => {}
        }
    }

    fn wants_findings(&self) -> bool {
        self.0.wants_findings() || self.1.wants_findings()
    }

    fn found(&mut self, findings: &[Finding], view: &View<'_>) -> ControlFlow<()> {
        let (first, second) = (self.0.found(findings, view), self.1.found(findings, view));
        if first.is_break() { first } else { second }
    }

    async fn ended(&mut self, outcome: &mut Outcome) {
        self.0.ended(outcome).await;
        self.1.ended(outcome).await;
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        // Both get every tick, also when the first ends the observation.
        let (first, second) = (self.0.tick(view), self.1.tick(view));
        if first.is_break() { first } else { second }
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        let (first, second) = (self.0.command_ended(status), self.1.command_ended(status));
        if first.is_continue() { first } else { second }
    }
}
