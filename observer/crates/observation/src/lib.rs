//! What an observation knows, live or replayed: the one value that every summary is made from.

use std::collections::BTreeMap;

use observer_ebpf::counter::Counters;
use serde::{Deserialize, Serialize};

pub use self::{
    counters::{FaultTimes, Skipped, Snapshot},
    kernel::{Degraded, Kernel, Reason},
    overhead::{Overhead, ProgramRun, ProgramStats, RingUse, percent},
};
use observer_engine::{Engine, Report, event::Nanos};
use observer_kernel::{
    swaps::{SwapArea, Synchronous},
    vmstat::Vmstat,
};

pub mod clock;
pub mod command;
mod counters;
pub mod exit;
pub mod input;
mod kernel;
mod overhead;
pub mod self_test;

/// What is known before the first event: everything needed to judge what follows. Also the header of a recording, so
/// names are kept, and what an older file lacks is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Version of the tool that observed.
    pub tool: String,
    /// The host's name, to tell recordings of a fleet apart.
    pub host: String,
    /// The kernel and how it is hooked.
    pub kernel: Kernel,
    /// The swap areas in use at the start.
    pub swaps: Vec<Swap>,
    /// What was filtered for in the kernel, by option: empty, everything is seen.
    pub filters: BTreeMap<String, String>,
    /// The command given with `--`, as typed; only its tasks were observed. Empty: none.
    pub command: String,
    /// Delay that delay injection was asked for, nanoseconds; `None`: there was no delay_injection.
    pub widen_ns: Option<u64>,
    /// Of the reads that qualify it delayed one in so many.
    pub widen_one_in: Option<u32>,
    /// The longest wait that is put up with, nanoseconds.
    pub budget_ns: Option<u64>,
    /// Of all entries one in so many was observed; 0 (older recordings) and 1: every one.
    pub sample_one_in: u32,
    /// Size of the ring buffer, bytes.
    pub ring_bytes: u64,
    /// The clocks at the start.
    pub clocks: Clocks,
}

/// A swap area.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swap {
    /// The `type` of its entries.
    pub kind: u32,
    /// Whether the kernel told; else it is taken from the order in /proc/swaps, which passes over holes.
    pub kind_seen: bool,
    /// The path it was switched on with.
    pub path: String,
    /// Size, KiB.
    pub size_kib: u64,
    /// Whether the kernel reads it synchronously, in words.
    pub synchronous: String,
}

/// Two clocks, read together: the one of the events, and the one of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: Nanos,
    /// `CLOCK_REALTIME`, nanoseconds since 1970.
    pub realtime_ns: u64,
}

impl Clocks {
    /// Now.
    pub fn now() -> Self {
        let realtime = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let ns = u64::try_from(realtime.tv_sec).unwrap_or(0) * 1_000_000_000;
        Self { monotonic_ns: clock::now(), realtime_ns: ns + u64::try_from(realtime.tv_nsec).unwrap_or(0) }
    }

    /// Time of day, nanoseconds since 1970, of a time of the events' clock.
    pub fn realtime(&self, at: Nanos) -> u64 {
        if at >= self.monotonic_ns {
            self.realtime_ns.saturating_add(at - self.monotonic_ns)
        } else {
            self.realtime_ns.saturating_sub(self.monotonic_ns - at)
        }
    }
}

impl From<&SwapArea> for Swap {
    fn from(area: &SwapArea) -> Self {
        let synchronous = match area.synchronous {
            Synchronous::Yes => "yes",
            Synchronous::No => "no",
            Synchronous::Unknown => "unknown",
        };
        Self {
            kind: area.ordinal,
            kind_seen: false,
            path: area.line.path.clone(),
            size_kib: area.line.size_kib,
            synchronous: synchronous.to_owned(),
        }
    }
}

impl Swap {
    /// All areas, with the types that the kernel told, if it did.
    pub fn all(areas: &[SwapArea], types: Option<&[u32]>) -> Vec<Self> {
        // An area that came or went between the two readings leaves nothing to go by.
        let told = types.filter(|types| types.len() == areas.len());
        let seen = |index: usize| told.and_then(|types| types.get(index).copied());
        let one = |(index, area): (usize, &SwapArea)| match seen(index) {
            Some(kind) => Self { kind, kind_seen: true, ..Self::from(area) },
            None => Self::from(area),
        };
        areas.iter().enumerate().map(one).collect()
    }
}

/// Counters and distributions at one moment, cumulative since the programs were attached.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When.
    pub at: Nanos,
    /// The counters of all CPUs together.
    pub snapshot: Snapshot,
    /// Records that could not be decoded, so far.
    pub undecodable: u64,
    /// The kernel's own counters; `None`: they could not be read.
    pub vmstat: Option<Vmstat>,
    /// Durations of all faults by path; `None`: not read this time.
    pub fault_times: Option<FaultTimes>,
}

impl Sample {
    /// Takes in a later sample, which may lack what is read less often.
    pub fn update(&mut self, later: Self) {
        let fault_times = later.fault_times.or_else(|| self.fault_times.take());
        *self = Self { fault_times, ..later };
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        let mut words: [u64; size_of::<Counters>() / 8] = bytemuck::cast(self.snapshot.counters);
        let base: [u64; size_of::<Counters>() / 8] = bytemuck::cast(before.snapshot.counters);
        for (word, base) in words.iter_mut().zip(base) {
            *word = word.saturating_sub(base);
        }
        self.snapshot.counters = bytemuck::cast(words);
        if let (Some(skipped), Some(base)) = (&mut self.snapshot.skipped, before.snapshot.skipped) {
            skipped.all = skipped.all.saturating_sub(base.all);
            skipped.reads = skipped.reads.saturating_sub(base.reads);
        }
        self.undecodable = self.undecodable.saturating_sub(before.undecodable);
        if let (Some(times), Some(base)) = (&mut self.fault_times, &before.fault_times) {
            for (histogram, base) in times.by_path.iter_mut().zip(&base.by_path) {
                // Fails only where the base has more: then it is no base, and nothing is taken away.
                let _ = histogram.subtract(base);
            }
        }
        self
    }
}

/// Why an observation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its time was over.
    Duration,
    /// The command had ended.
    Command,
    /// A signal.
    Signal,
    /// Who looked on wanted no more: a key was pressed, or the recording could not go on.
    SessionObserver,
    /// The recording stops before its end: the recorder was killed, or the file is damaged.
    Cut,
    /// The observation goes on in a file that was not given.
    GoesOn,
    /// It has not.
    Running,
}

/// What is known at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinalState {
    /// The kernel's own counters at start and end.
    pub vmstat: Option<(Vmstat, Vmstat)>,
    /// overhead.
    pub cost: Overhead,
    /// Exit code of the command, as a shell would number it.
    pub command: Option<i32>,
    /// Why it ended.
    pub ended: EndReason,
}

impl FinalState {
    /// Of a recording that has none.
    pub fn unknown(ended: EndReason) -> Self {
        Self { vmstat: None, cost: Overhead::default(), command: None, ended }
    }
}

/// Everything an observation gives, live or replayed.
#[derive(Debug)]
pub struct Outcome {
    /// What was known before.
    pub context: Context,
    /// The engine, with its report.
    pub engine: Engine,
    /// Counters and distributions at the end.
    pub sample: Sample,
    /// What is known at the end.
    pub ending: FinalState,
    /// What is missing of the recording, in words: dropped. Live: nothing.
    pub damage: Vec<String>,
    /// What else is to be known about the recording, in words.
    pub notes: Vec<String>,
}

/// What a summary is made from: an outcome, or an observation as it stands.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What was known before.
    pub context: &'a Context,
    /// What the engine has found.
    pub report: &'a Report,
    /// The latest counters and distributions.
    pub sample: &'a Sample,
    /// The end, or what would be if it were now.
    pub ending: &'a FinalState,
    /// What is missing of the recording.
    pub damage: &'a [String],
    /// What else is to be known about it.
    pub notes: &'a [String],
}

impl<'a> From<&'a Outcome> for Known<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let Outcome { context, engine, sample, ending, damage, notes } = outcome;
        Self { context, report: engine.report(), sample, ending, damage, notes }
    }
}
