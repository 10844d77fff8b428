//! What an observation gives, live or replayed.

use crate::durations::{Engine, Report};
use crate::{
    cgroups::CgroupPaths,
    context::{Context, Swap},
    ending::{EndReason, FinalState},
    history::History,
    on_finding::OnFinding,
    recording::{Damage, Note},
    sample::Sample,
    wall_clock::WallClock,
};

/// What an observation gives, live or replayed.
#[derive(Debug)]
pub struct Outcome {
    /// With all swap areas that were in use.
    pub context: Context,
    /// The engine, with its report.
    pub engine: Engine,
    /// Counters and distributions at the end.
    pub sample: Sample,
    pub wall_clock: WallClock,
    pub cgroups: CgroupPaths,
    /// What the counters counted when.
    pub history: History,
    pub ending: FinalState,
    /// What the recording lacks; live: nothing.
    pub damage: Vec<Damage>,
    pub notes: Vec<Note>,
}

impl Outcome {
    /// Of an observation in which nothing has happened yet.
    pub fn unfinished(context: Context) -> Self {
        Self {
            wall_clock: WallClock::new(context.clocks),
            context,
            engine: Engine::default(),
            sample: Sample::default(),
            cgroups: CgroupPaths::default(),
            history: History::default(),
            ending: FinalState::unknown(EndReason::Running),
            damage: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// What a summary is made from: an outcome, or an observation in progress.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub context: &'a Context,
    /// The swap areas so far.
    pub swaps: &'a [Swap],
    pub report: &'a Report,
    /// The latest counters and distributions.
    pub sample: &'a Sample,
    pub wall_clock: &'a WallClock,
    /// The control groups whose paths are known so far.
    pub cgroups: &'a CgroupPaths,
    /// What the counters counted when.
    pub history: &'a History,
    /// The end, or what would be if it were now.
    pub ending: &'a FinalState,
    pub damage: &'a [Damage],
    pub notes: &'a [Note],
}

impl Known<'_> {
    /// What a reader of the results must know: from the start, and from what happened later.
    pub fn all_notes(&self) -> Vec<Note> {
        let of_context = self.context.notes().chain(self.context.device_notes(self.swaps));
        let of_commands = self.ending.on_finding.iter().flat_map(OnFinding::notes);
        self.notes.iter().cloned().chain(of_context).chain(self.wall_clock.notes()).chain(of_commands).collect()
    }
}

impl<'a> From<&'a Outcome> for Known<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let Outcome { context, engine, sample, wall_clock, cgroups, history, ending, damage, notes } = outcome;
        Self {
            context,
            swaps: &context.swaps,
            report: engine.report(),
            sample,
            wall_clock,
            cgroups,
            history,
            ending,
            damage,
            notes,
        }
    }
}
