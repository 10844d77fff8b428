//! What the programs and the engine say of a row while it is observed.

use serde::Serialize;

use observer_engine::{
    Engine, Report,
    totals::{DurationSummary, Durations},
};
use observer_observation::Sample;
use observer_observation::clock;
use observer_probe::{LoadError, Probes};
use observer_report::summary::dropped::{self, Dropped};

/// Records taken out in one go.
const BATCH: usize = 4_096;

/// How the pages of a row were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Paths {
    /// Past the swap cache.
    pub(super) direct: u64,
    /// Into the swap cache.
    pub(super) cached: u64,
}

/// Waits of one kind in a row.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Waits {
    /// How long each took.
    pub(super) wait: DurationSummary,
    /// The part of it after the pin or the lock was dropped.
    pub(super) oversleep: DurationSummary,
    /// Tries that failed.
    pub(super) retries: u64,
}

/// See the module.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) paths: Paths,
    /// Faults that met on an entry.
    pub(super) overlaps: u64,
    pub(super) pin: Waits,
    pub(super) lock: Waits,
    pub(super) dropped: Dropped,
}

impl Waits {
    fn of(times: &Durations, oversleeps: &Durations, retries: u64) -> Self {
        Self { wait: times.summary(), oversleep: oversleeps.summary(), retries }
    }
}

/// Watches one row.
pub(super) struct Eye<'a> {
    probes: &'a mut Probes,
    engine: Engine,
    before: Sample,
}

impl<'a> Eye<'a> {
    /// Looks from now on: what was in progress or lies in the ring is none of this row's.
    pub(super) fn open(probes: &'a mut Probes) -> Result<Self, LoadError> {
        while probes.drain(BATCH, drop) {}
        let before = sample(probes)?;
        Ok(Self { probes, engine: Engine::default(), before })
    }

    /// Takes in what has arrived.
    pub(super) fn look(&mut self) {
        let until = clock::now();
        let Self { probes, engine, .. } = self;
        while probes.drain(BATCH, |event| engine.feed(event)) {}
        engine.advance(until);
    }

    /// What was seen.
    pub(super) fn close(mut self) -> Result<Seen, LoadError> {
        self.look();
        self.engine.finish();
        let sample = sample(self.probes)?.since(&self.before);
        Ok(Seen::of(self.engine.report(), &sample))
    }
}

impl Seen {
    fn of(report: &Report, sample: &Sample) -> Self {
        let counters = &sample.snapshot.counters;
        Self {
            paths: Paths { direct: counters.read_direct, cached: counters.read_cached },
            overlaps: report.verdicts.overlap,
            pin: Waits::of(&report.wait_times, &report.oversleep_times, report.retries),
            lock: Waits::of(&report.lock_wait_times, &report.lock_oversleep_times, report.lock_retries),
            dropped: dropped::collect(sample, &report.dropped),
        }
    }
}

fn sample(probes: &Probes) -> Result<Sample, LoadError> {
    let snapshot = probes.snapshot()?;
    Ok(Sample { at: clock::now(), snapshot, undecodable: probes.undecodable(), ..Sample::default() })
}
