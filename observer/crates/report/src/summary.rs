//! The summary of an observation: what every format is made from.

use std::collections::BTreeMap;

use observer_text::Name;
use serde::Serialize;

pub use self::source::Source;
use self::{
    counts::{Count as _, Faults, Locks, Pins, SwapIns, SwapOuts},
    distributions::{Distributions, Histograms},
    headline::Headline,
    listing::{LeftOut, Listing},
    place::Placed,
    remarks::{Budget, Evidence, Remark},
    sample::Sampled,
    selected::Selected,
    stalls::Stalled,
    verdicts::Verdicts,
    wait_cost::{WaitCostSummary, Wholes},
};
use crate::race::Race;
use observer_engine::{
    entries::EntryStats,
    overlap::Overlap,
    report::Unlisted,
    verdict::{Finding, Verdict},
    wait::Wait,
};
use observer_kernel::plan::{Backend, Meaning, State};
use observer_observation::{
    Context, Damage, Dropped, EndReason, Kernel, Known, Note, OnFinding, Overhead, Swap,
    exit::{Exit, ExitInputs},
};

pub(crate) mod counts;
pub mod distributions;
pub mod headline;
pub mod listing;
pub mod place;
mod race;
pub mod remarks;
pub(crate) mod sample;
pub mod selected;
mod source;
pub mod stalls;
pub mod timeline;
pub mod verdicts;
pub(crate) mod wait_cost;

/// Raised when a key of the JSON object is removed or changes its meaning.
pub const SCHEMA: &str = "observer/2";

/// Most overlaps, waits and entries that are listed. All are counted.
pub(crate) const LISTED: usize = 100;

/// What delay injection did.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DelayInjection {
    /// The delay asked for (`--widen`).
    pub ns: u64,
    pub delays: u64,
    /// Delays that were shorter than asked for.
    pub short: u64,
}

/// The command given with `--`.
#[derive(Clone, Debug, Serialize)]
pub struct CommandSummary {
    /// As typed.
    pub command: Name,
    /// As a shell numbers it: 127 if the command could not be started, 128 and above if a signal killed it.
    pub code: Option<i32>,
    /// The observer ended the command when its time was over, so the exit code means nothing.
    pub cut_short: bool,
}

impl CommandSummary {
    /// `None`: there was none.
    fn of(known: &Known<'_>) -> Option<Self> {
        let Context { command, .. } = known.context;
        (!command.is_empty()).then(|| Self {
            command: command.clone(),
            code: known.ending.command,
            cut_short: known.ending.ended != EndReason::Command,
        })
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.cut_short && self.code != Some(0)
    }
}

/// Something about one of the observations.
#[derive(Clone, Debug, Serialize)]
pub struct Of<T> {
    pub host: Name,
    #[serde(flatten)]
    pub what: T,
}

impl<T> Of<T> {
    fn all(host: &Name, what: impl Iterator<Item = T>) -> Vec<Self> {
        what.map(|what| Self { host: host.clone(), what }).collect()
    }
}

/// The summary of one observation, or of several merged.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub schema: &'static str,
    pub headline: Headline,
    /// Whether the kernel is vulnerable, whether the race was reachable, and what was observed of it.
    pub race: Race,
    /// Version of the observer.
    pub tool: String,
    /// Of several: all of them.
    pub host: Name,
    pub sources: Vec<Source>,
    pub kernel: Kernel,
    /// All that were in use; of several observations, those of all.
    pub swaps: Vec<Swap>,
    /// Filters that the kernel applied, by option.
    pub filters: BTreeMap<String, Name>,
    /// `None`: every entry was observed.
    pub sample: Option<Sampled>,
    /// The part of the observations that is counted and listed; `None`: all of them.
    pub selection: Option<Selected>,
    pub swapins: SwapIns,
    pub swapouts: SwapOuts,
    pub faults: Faults,
    pub pins: Pins,
    pub locks: Locks,
    #[serde(flatten)]
    pub verdicts: Verdicts,
    /// When what has the verdict was seen last, nanoseconds since 1970.
    #[serde(skip)]
    pub last_unix_ns: BTreeMap<Verdict, u64>,
    pub wait_cost: WaitCostSummary,
    /// The maximum acceptable wait, if one was given.
    pub budget: Option<Budget>,
    /// What has been in progress for long; at the end of an observation: what has not ended in it.
    pub stalled: Stalled,
    pub remarks: Vec<Remark>,
    pub findings: Vec<Placed<Finding>>,
    pub overlaps: Vec<Placed<Overlap>>,
    pub waits: Vec<Placed<Wait>>,
    pub entries: Vec<Placed<EntryStats>>,
    pub distributions: Distributions,
    pub dropped: Dropped,
    /// What is counted in `verdicts` and not listed, because a list was full.
    pub unlisted: Unlisted,
    /// Which findings are listed.
    #[serde(skip)]
    pub listing: Listing,
    /// What is counted in `verdicts` and left out of the lists as requested.
    pub left_out: LeftOut,
    pub overhead: Overhead,
    pub widen: Option<DelayInjection>,
    pub command: Option<CommandSummary>,
    /// What became of the findings for `--on-finding`; `None` without it.
    pub on_finding: Option<OnFinding>,
    /// What the recordings lack, by host.
    pub damage: Vec<Of<Damage>>,
    /// What else to know about the observations, by host.
    pub notes: Vec<Of<Note>>,
}

impl Summary {
    pub fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let known = known.into();
        Self::of(&known, CommandSummary::of(&known))
    }

    /// The same where the command is a workload of the tool, which reports its own result.
    pub fn without_command<'a>(known: impl Into<Known<'a>>) -> Self {
        Self::of(&known.into(), None)
    }

    fn of(known: &Known<'_>, command: Option<CommandSummary>) -> Self {
        let Known { report, .. } = *known;
        let counters = &known.sample.snapshot.counters;
        let histograms = Histograms::new(*known);
        let wholes = Wholes {
            swapins: Some(counters.read_direct + counters.read_cached),
            elapsed_ns: elapsed(known),
            tick_ns: known.context.kernel.tick_ns,
            histograms: &histograms,
        };
        let wait_cost = WaitCostSummary::new(&report.wait_costs, known, wholes);
        let Context { tool, host, kernel, filters, sample_one_in, .. } = known.context.clone();
        let source = Source {
            host: host.clone(),
            tool: tool.clone(),
            release: kernel.release.clone(),
            arch: kernel.arch.clone(),
            state: kernel.state,
            filters: filters.clone(),
            wall_clock: known.wall_clock.clone(),
            elapsed_ns: elapsed(known),
            ended: known.ending.ended,
        };
        let damage = Of::all(&host, known.damage.iter().cloned());
        let notes = Of::all(&host, known.all_notes().into_iter());
        let mut summary = Self {
            schema: SCHEMA,
            headline: Headline::default(),
            race: Race::new(kernel.state, None, None),
            tool,
            host,
            sources: vec![source],
            swaps: known.swaps.to_vec(),
            filters,
            sample: (sample_one_in > 1).then(|| Sampled::new(sample_one_in, report.verdicts)),
            selection: None,
            swapins: SwapIns::new(known, counters),
            swapouts: SwapOuts::new(known, counters),
            faults: Faults::new(counters),
            pins: Pins::new(known, counters),
            locks: Locks::new(known, counters),
            verdicts: Verdicts { counts: report.verdicts, not_observable: kernel.not_observable() },
            last_unix_ns: report.last_ns.iter().map(|(of, at)| (*of, known.wall_clock.realtime(*at))).collect(),
            wait_cost,
            budget: known.context.budget_ns.map(|ns| Budget::new(ns, &histograms)),
            stalled: Stalled::new(known),
            remarks: Vec::new(),
            findings: Placed::all(&report.findings, known),
            overlaps: Placed::all(report.overlaps.iter().take(LISTED), known),
            waits: Placed::all(report.waits.iter().take(LISTED), known),
            entries: Placed::all(&report.entries.worst(LISTED), known),
            distributions: histograms.summaries(!kernel.holds_unseen()),
            dropped: known.dropped(),
            unlisted: report.unlisted,
            listing: Listing::default(),
            left_out: LeftOut::default(),
            overhead: known.ending.overhead.clone(),
            widen: known.context.widen_ns.map(|ns| DelayInjection {
                ns,
                delays: counters.delays,
                short: counters.delays_short,
            }),
            command,
            on_finding: known.ending.on_finding.clone(),
            damage,
            notes,
            kernel,
        };
        summary.scale(sample_one_in.max(1).into());
        summary.update_conclusions(&histograms);
        summary
    }

    /// Estimates the counts of all entries from those of one entry in `one_in`.
    fn scale(&mut self, one_in: u64) {
        self.swapins.scale(one_in);
        self.swapouts.scale(one_in);
        self.faults.scale(one_in);
        self.pins.scale(one_in);
        self.locks.scale(one_in);
        self.verdicts.counts.scale(one_in);
    }

    /// Draws the conclusions from the sums as they are. Those about waits compare them with what the whole host did.
    pub(crate) fn update_conclusions(&mut self, histograms: &Histograms) {
        if let Some(whole) = self.selection.as_ref().and_then(|selected| selected.all.as_deref()) {
            (self.headline, self.race) = (whole.headline.clone(), whole.race.clone());
            self.remarks.clear();
            return;
        }
        self.remarks = remarks::remarks(Evidence {
            cost: &self.wait_cost,
            histograms,
            tick_ns: self.kernel.tick_ns,
            wakes: self.kernel.state == State::PinnedWaitQueue,
            budget: self.budget,
            swapins: self.swapins.seen,
            shmem_failed: self.pins.outside.map_or(0, |outside| outside.shmem),
        });
        self.race = Race::of(self);
        self.headline = Headline::new(self);
    }

    /// The summary of the whole observations, whatever is selected.
    pub fn whole(&self) -> &Self {
        self.selection.as_ref().and_then(|selected| selected.all.as_deref()).unwrap_or(self)
    }

    /// Waits that exceeded the budget, those that have not ended included.
    fn over_budget(&self) -> u64 {
        self.budget.map_or(0, |budget| budget.over) + self.stalled.over_budget
    }

    /// Whether it merges several observations.
    pub(crate) const fn is_merged(&self) -> bool {
        self.sources.len() > 1
    }

    /// Length of all observations together, or of what is selected of them by time; 0: unknown. Their counts add up as
    /// well.
    pub(crate) fn covered_ns(&self) -> u64 {
        let all = || self.sources.iter().map(|source| source.elapsed_ns).sum();
        self.selection.as_ref().map_or_else(all, |selected| selected.covered_ns.unwrap_or(0))
    }

    /// The hooks of the kernel, without the reason for each.
    pub(crate) fn hooked(&self) -> Vec<(Meaning, Backend, &str)> {
        self.kernel.hooks.iter().map(|hook| (hook.meaning, hook.backend, hook.symbol.as_str())).collect()
    }

    /// Dropped events of all causes.
    pub fn dropped_events(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Notes on what may not have been observed.
    pub(crate) fn gaps(&self) -> usize {
        self.notes.iter().filter(|note| note.what.leaves_gap()).count()
    }

    /// The exit code of the whole observations, whatever is selected: a selection cannot hide a data loss.
    pub fn exit(&self) -> Exit {
        let failed = self.command.as_ref().is_some_and(CommandSummary::has_failed);
        Exit::of_observation(ExitInputs {
            stale_installs: self.whole().verdicts.counts.stale_install,
            over_budget: self.whole().over_budget(),
            command_failed: failed,
            dropped: self.dropped_events(),
            gaps: self.gaps(),
            not_observable: self.verdicts.not_observable.len(),
        })
    }
}

/// Length of the observation, nanoseconds; of a recording without an end, until its last sample.
fn elapsed(known: &Known<'_>) -> u64 {
    match known.ending.overhead.elapsed_ns {
        0 => known.sample.at.saturating_sub(known.context.clocks.monotonic_ns),
        known => known,
    }
}
