//! The summary of an observation: what every format is made from.

use std::collections::BTreeMap;

use observer_ebpf::counter::Counters;
use serde::Serialize;

use super::{
    distribution::Histograms,
    dropped::{self, Dropped},
    price::{Against, PriceSummary},
    remarks::{self, Budget, Evidence, Remark},
    sampled::{self, Sampled},
};
use observer_engine::{
    overlap::Overlap,
    totals::{DurationSummary, EntryStats, VerdictCounts},
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
pub(super) const LISTED: usize = 100;

/// Pages read from swap devices.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SwapIns {
    /// All: `direct` and `cached`.
    pub seen: u64,
    /// Read past the swap cache.
    pub direct: u64,
    /// Read into the swap cache.
    pub cached: u64,
    /// Of these: outside any fault (shmem, swapoff, read-ahead by madvise).
    pub outside_faults: u64,
    /// Not seen, because the kernel skipped programs: exactly so many where one program counts every read (`seen + lost`
    /// is the kernel's count then), at most so many where several tell of them. Missing where the kernel does not tell.
    pub lost: Option<u64>,
    /// The kernel's own count over the same time: `pswpin`, with `swpin_zero` and `zswpin` where there are. Of the
    /// whole host.
    pub kernel: Option<u64>,
}

/// What happened to entries on the way out, and when they were released: in entries, of the whole host.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SwapOuts {
    /// Given to pages on their way out.
    pub allocated: u64,
    /// Written to their device.
    pub written: u64,
    /// Released; `None`: no hook tells, because nothing could follow from it here.
    pub freed: Option<u64>,
    /// The kernel's own count over the same time: `pswpout`, with `swpout_zero` and `zswpout` where there are.
    pub kernel: Option<u64>,
}

/// Calls of `do_swap_page` on swap entries.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the counters")]
pub struct Faults {
    pub started: u64,
    pub ended: u64,
    pub installed: u64,
    pub direct: u64,
    pub cached: u64,
    pub none: u64,
    /// Contended, so streamed.
    pub streamed: u64,
    /// Calls on entries that are no swap (migration, hwpoison, markers), not counted above.
    pub special: u64,
    /// Under way when the probes were attached; where entries are filtered or sampled, as far as they installed no page.
    pub in_progress: u64,
}

/// Pins of faults.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Pins {
    /// Taken; `None`, here and below: not seen with lean hooks.
    pub taken: Option<u64>,
    /// Tries that failed, with whatever error.
    pub failed: u64,
    /// Tries that met a live holder.
    pub eexist: Option<u64>,
    /// Tries that found the entry gone.
    pub enoent: Option<u64>,
    /// Failed tries that are no fault's own.
    pub outside_failed: Option<u64>,
    /// The same by whose they are.
    pub outside: Option<OutsidePins>,
    /// Failed tries within waits.
    pub retries: u64,
}

/// Failed pin tries that are no fault's own, so nobody's wait, by path.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct OutsidePins {
    /// A page fault's read-ahead of neighbours.
    pub readahead: u64,
    /// shmem's swap-in, which on some kernels tries again at once.
    pub shmem: u64,
    /// zswap's write-back.
    pub zswap: u64,
    /// swapoff's and `madvise`'s, and all of paths for which there is no hook here.
    pub other: u64,
}

impl OutsidePins {
    fn of(counters: &Counters) -> Self {
        let (readahead, shmem, zswap) = (counters.pin_readahead, counters.pin_shmem, counters.pin_zswap);
        Self { readahead, shmem, zswap, other: counters.pin_outside.saturating_sub(readahead + shmem + zswap) }
    }
}

/// The locks of pages in the swap cache, as faults found them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Locks {
    /// Tries that found the page locked by somebody else.
    pub failed: u64,
    /// Tries that found it locked by the fault's own read, still in progress: not waits for anybody.
    pub own_read: u64,
    /// Failed tries within waits.
    pub retries: u64,
}

/// Distributions, nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are the words of design.md")]
pub struct Distributions {
    pub fault_direct: DurationSummary,
    pub fault_cached: DurationSummary,
    pub fault_none: DurationSummary,
    pub overlap: DurationSummary,
    /// `None`: nothing tells of holds; likewise `oversleep`.
    pub pin_hold: Option<DurationSummary>,
    pub pin_wait: DurationSummary,
    pub oversleep: Option<DurationSummary>,
    pub lock_wait: DurationSummary,
    pub lock_oversleep: DurationSummary,
    pub window: DurationSummary,
}

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
            faults: faults(counters),
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
        if let Some(sample) = &summary.sample {
            let one_in = sample.one_in;
            sampled::scale(&mut summary, one_in.into());
        }
        summary
    }

    /// Says again what stands out.
    pub(super) fn remark(&mut self, histograms: &Histograms) {
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

fn faults(counters: &Counters) -> Faults {
    Faults {
        started: counters.started,
        ended: counters.ended,
        installed: counters.installed,
        direct: counters.direct,
        cached: counters.cached,
        none: counters.none,
        streamed: counters.streamed,
        special: counters.special,
        in_progress: counters.unknown_end.saturating_sub(counters.dropped_table_full),
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
        outside: seen.then(|| OutsidePins::of(counters)),
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
        lost: known.sample.snapshot.skipped.map(|skipped| skipped.reads),
        kernel,
    }
}

fn swap_outs(known: &Known<'_>) -> SwapOuts {
    let counters = &known.sample.snapshot.counters;
    let kernel = known.ending.vmstat.as_ref().map(|(before, after)| after.swapped_out_since(before));
    let freed = known.context.kernel.backend.contains_key(Meaning::Freed.name()).then_some(counters.freed);
    SwapOuts { allocated: counters.allocated, written: counters.written, freed, kernel }
}
