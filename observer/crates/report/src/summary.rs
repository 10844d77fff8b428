//! The summary of an observation: what every format is made from.

pub mod counts;
pub mod distributions;
pub mod dropped;
pub mod price;
pub mod remarks;
pub mod sample;

use std::collections::BTreeMap;

use serde::Serialize;

use self::{
    counts::{Count as _, Faults, Locks, OutsidePins, Pins, SwapIns, SwapOuts},
    distributions::{Distributions, Histograms},
    dropped::Dropped,
    price::{Against, PriceSummary},
    remarks::{Budget, Evidence, Remark},
    sample::Sampled,
};
use observer_engine::{
    overlap::Overlap,
    totals::{EntryStats, VerdictCounts},
    verdict::Finding,
    wait::Wait,
};
use observer_kernel::plan::Meaning;
use observer_observation::{
    Clocks, Context, EndReason, Kernel, Known, Overhead, Swap,
    exit::{Exit, ExitInputs},
};

/// Version of the JSON objects: raised when a name goes or changes its meaning.
pub const SCHEMA: &str = "observer/1";

/// Overlaps, waits and entries listed at most; all are counted.
pub(crate) const LISTED: usize = 100;

/// Delay injection's doing.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Widened {
    /// Delay asked for, nanoseconds.
    pub ns: u64,
    /// Delays made.
    pub delays: u64,
    /// Delays that came out shorter.
    pub short: u64,
}

/// The command given with `--`.
#[derive(Clone, Debug, Serialize)]
pub struct CommandSummary {
    /// As typed.
    pub command: String,
    /// Its exit code; 127: it could not be started; 128 and more: killed by a signal.
    pub code: Option<i32>,
    /// Whether it was ended by the observer, whose time was over: then its code says nothing.
    pub cut_short: bool,
}

/// One observation that this is made from.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// The host's name.
    pub host: String,
    /// As `uname -r` printed it there.
    pub release: String,
    /// The clocks at the start.
    pub clocks: Clocks,
    /// Length, nanoseconds.
    pub elapsed_ns: u64,
    /// Why it ended.
    pub ended: EndReason,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are the contract of design.md")]
pub struct Summary {
    pub schema: String,
    /// Version of the tool that observed.
    pub tool: String,
    /// The host's name; of several: all of them.
    pub host: String,
    /// The observations that this is made from: one, or all that were merged.
    pub sources: Vec<Source>,
    pub kernel: Kernel,
    pub swaps: Vec<Swap>,
    /// What was filtered for in the kernel, by option.
    pub filters: BTreeMap<String, String>,
    /// Of all entries one in so many was observed; then what `scaled` names is multiplied by it.
    pub sample: Option<Sampled>,
    pub swapins: SwapIns,
    pub swapouts: SwapOuts,
    pub faults: Faults,
    pub pins: Pins,
    pub locks: Locks,
    pub verdicts: VerdictCounts,
    /// What waits cost.
    pub price: PriceSummary,
    /// The longest wait that was to be put up with, if one was given.
    pub budget: Option<Budget>,
    /// What stands out, in words.
    pub remarks: Vec<Remark>,
    pub findings: Vec<Finding>,
    pub overlaps: Vec<Overlap>,
    pub waits: Vec<Wait>,
    pub entries: Vec<EntryStats>,
    pub distributions: Distributions,
    pub dropped: Dropped,
    pub self_cost: Overhead,
    pub widen: Option<Widened>,
    pub command: Option<CommandSummary>,
    /// What is missing of the recording, in words; live: nothing.
    pub damage: Vec<String>,
    /// What else is to be known about the recording, in words.
    pub notes: Vec<String>,
}

impl Summary {
    /// Makes it from an known.
    pub fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let known = known.into();
        let Context { command, .. } = known.context;
        let command = (!command.is_empty()).then(|| CommandSummary {
            command: command.clone(),
            code: known.ending.command,
            cut_short: known.ending.ended != EndReason::Command,
        });
        Self { command, ..Self::without_command(known) }
    }

    /// As [`Summary::new`], where the command is part of the tool and tells for itself how it ended.
    pub fn without_command<'a>(known: impl Into<Known<'a>>) -> Self {
        let known = known.into();
        let Known { report, .. } = known;
        let counters = &known.sample.snapshot.counters;
        let histograms = Histograms::new(known);
        let swapins = swap_ins(&known);
        let against = Against {
            swapins: swapins.seen,
            elapsed_ns: elapsed(&known),
            tick_ns: known.context.kernel.tick_ns,
            histograms: &histograms,
        };
        let price = PriceSummary::new(&report.prices, &known.context.swaps, against);
        let Context { tool, host, kernel, swaps, filters, clocks, .. } = known.context.clone();
        let source = Source {
            host: host.clone(),
            release: kernel.release.clone(),
            clocks,
            elapsed_ns: elapsed(&known),
            ended: known.ending.ended,
        };
        let mut summary = Self {
            schema: SCHEMA.to_owned(),
            tool,
            host,
            sources: vec![source],
            kernel,
            swaps,
            filters,
            sample: Sampled::of(known.context.sample_one_in),
            swapins,
            swapouts: swap_outs(&known),
            faults: Faults::new(counters),
            pins: pins(&known),
            locks: Locks {
                failed: counters.lock_failed,
                own_read: counters.lock_own_read,
                retries: report.lock_retries,
            },
            verdicts: report.verdicts,
            price,
            budget: known.context.budget_ns.map(|ns| Budget::new(ns, &histograms)),
            remarks: Vec::new(),
            findings: report.findings.clone(),
            overlaps: report.overlaps.iter().take(LISTED).cloned().collect(),
            waits: report.waits.iter().take(LISTED).cloned().collect(),
            entries: report.entries.worst(LISTED),
            distributions: histograms.summaries(!known.context.kernel.holds_unseen()),
            dropped: dropped::of(&known),
            self_cost: known.ending.cost.clone(),
            widen: known.context.widen_ns.map(|ns| Widened {
                ns,
                delays: counters.widened,
                short: counters.widened_short,
            }),
            command: None,
            damage: known.damage.to_vec(),
            notes: known.notes.iter().cloned().chain(known.context.kernel.timed_in_part()).collect(),
        };
        summary.remark(&histograms);
        summary.scale();
        summary
    }

    /// Estimates the counts of all entries where only a sample of them was observed.
    fn scale(&mut self) {
        let Some(sample) = &mut self.sample else { return };
        sample.found = self.verdicts;
        let one_in = sample.one_in.into();
        self.swapins.scale(one_in);
        self.faults.scale(one_in);
        self.pins.scale(one_in);
        self.locks.scale(one_in);
        self.verdicts.scale(one_in);
    }

    /// Says again what stands out.
    pub(crate) fn remark(&mut self, histograms: &Histograms) {
        self.remarks = remarks::remarks(Evidence {
            price: &self.price,
            histograms,
            tick_ns: self.kernel.tick_ns,
            wakes: self.kernel.state.contains("wait queue"),
            budget: self.budget,
            swapins: self.swapins.seen,
            shmem_failed: self.pins.outside.map_or(0, |outside| outside.shmem),
        });
    }

    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        let failed = self.command.as_ref().is_some_and(|command| !command.cut_short && command.code != Some(0));
        Exit::of_observation(ExitInputs {
            stale_installs: self.verdicts.stale_install,
            over_budget: self.budget.map_or(0, |budget| budget.over),
            command_failed: failed,
            dropped: dropped::total(&self.dropped),
        })
    }
}

/// How long it was observed; of a recording without its end: until the last sign of life. Nanoseconds.
fn elapsed(known: &Known<'_>) -> u64 {
    match known.ending.cost.elapsed_ns {
        0 => known.sample.at.saturating_sub(known.context.clocks.monotonic_ns),
        known => known,
    }
}

fn pins(known: &Known<'_>) -> Pins {
    let counters = &known.sample.snapshot.counters;
    let seen = !known.context.kernel.pins_unseen();
    let told = |count: u64| seen.then_some(count);
    Pins {
        taken: told(counters.pins),
        failed: counters.pin_eexist + counters.pin_enoent + counters.pin_contended,
        eexist: told(counters.pin_eexist),
        enoent: told(counters.pin_enoent),
        outside_failed: told(counters.pin_outside),
        outside: seen.then(|| OutsidePins::new(counters)),
        retries: known.report.retries,
    }
}

fn swap_ins(known: &Known<'_>) -> SwapIns {
    let counters = &known.sample.snapshot.counters;
    let kernel = known.ending.vmstat.as_ref().map(|(before, after)| after.swapped_in_since(before));
    SwapIns {
        seen: counters.read_direct + counters.read_cached,
        direct: counters.read_direct,
        cached: counters.read_cached,
        outside_faults: counters.read_outside,
        dropped: known.sample.snapshot.skipped.map(|skipped| skipped.reads),
        kernel,
    }
}

fn swap_outs(known: &Known<'_>) -> SwapOuts {
    let counters = &known.sample.snapshot.counters;
    let kernel = known.ending.vmstat.as_ref().map(|(before, after)| after.swapped_out_since(before));
    let freed = known.context.kernel.backend.contains_key(Meaning::Freed.name()).then_some(counters.freed);
    SwapOuts { allocated: counters.allocated, written: counters.written, freed, kernel }
}
