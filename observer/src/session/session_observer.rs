//! Whoever looks on while an observation runs: a recorder, a dashboard, a line a second.

use std::{future::Future, ops::ControlFlow, process::ExitStatus};

use observer_engine::{Engine, event::Nanos};
use observer_observation::{Context, FinalState, Known, Sample, input::Input};

/// How often counters are read, unless the session_observer wants them more often.
const SAMPLE_TICKS: u32 = 10;

/// An observation as it stands.
pub struct View<'a> {
    /// What was known before.
    pub context: &'a Context,
    /// The engine so far.
    pub engine: &'a Engine,
    /// The latest counters and distributions.
    pub sample: &'a Sample,
    /// The time that the engine was told last.
    pub now: Nanos,
    /// What the end would be if it were now.
    pub ending: &'a FinalState,
    /// Whether delay injection is on; None: there is none.
    pub widening: Option<bool>,
}

impl<'a> From<&View<'a>> for Known<'a> {
    fn from(view: &View<'a>) -> Self {
        let View { context, engine, sample, ending, .. } = *view;
        Self { context, report: engine.report(), sample, ending, damage: &[], notes: &[] }
    }
}

/// Looks on while an observation runs.
pub trait SessionObserver {
    /// What the engine is fed with, before it is.
    fn input(&mut self, _input: &Input) {}

    /// Called before each [`SessionObserver::tick`], first before any event: may change what the engine keeps for a display.
    fn prepare(&mut self, _engine: &mut Engine) {}

    /// Whether delay injection is to be on from now; None: as it is. Asked before each tick.
    fn widening(&mut self) -> Option<bool> {
        None
    }

    /// How often counters are read, in ticks.
    fn sample_ticks(&self) -> u32 {
        SAMPLE_TICKS
    }

    /// Ends when whoever looks on wants no more; until then it may deal with keys. Dropped and made again between events.
    fn asked(&mut self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    /// Called about ten times a second. Break: the observation ends.
    fn tick(&mut self, _view: &View<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The command has ended. Break: and so does the observation. Whoever wants to look at it for longer goes on.
    fn command_ended(&mut self, _status: ExitStatus) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// Nobody looks on.
impl SessionObserver for () {}

impl<O: SessionObserver> SessionObserver for Option<O> {
    fn input(&mut self, input: &Input) {
        if let Some(session_observer) = self {
            session_observer.input(input);
        }
    }

    fn prepare(&mut self, engine: &mut Engine) {
        if let Some(session_observer) = self {
            session_observer.prepare(engine);
        }
    }

    fn widening(&mut self) -> Option<bool> {
        self.as_mut().and_then(SessionObserver::widening)
    }

    fn sample_ticks(&self) -> u32 {
        self.as_ref().map_or(SAMPLE_TICKS, SessionObserver::sample_ticks)
    }

    async fn asked(&mut self) {
        match self {
            Some(session_observer) => session_observer.asked().await,
            None => std::future::pending().await,
        }
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        self.as_mut().map_or(ControlFlow::Continue(()), |session_observer| session_observer.tick(view))
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        self.as_mut().map_or(ControlFlow::Break(()), |session_observer| session_observer.command_ended(status))
    }
}

/// Two look on. Either may end the observation.
impl<A: SessionObserver, B: SessionObserver> SessionObserver for (&mut A, &mut B) {
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

    async fn asked(&mut self) {
        tokio::select! {
            () = self.0.asked() => {}
            () = self.1.asked() => {}
        }
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        // Both see every tick, whatever the other one says.
        let (first, second) = (self.0.tick(view), self.1.tick(view));
        if first.is_break() { first } else { second }
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        let (first, second) = (self.0.command_ended(status), self.1.command_ended(status));
        if first.is_continue() { first } else { second }
    }
}
