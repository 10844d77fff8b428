//! The observer's counters and waits of one row.

use serde::Serialize;

use observer_observation::{Dropped, DurationSummary, Durations, Ingest, Input, Report, Sample, clock, dropped};
use observer_probe::Probes;

/// Records read from the ring buffer at once.
const BATCH: usize = 4_096;

/// Pages by the path by which they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Paths {
    pub(super) direct: u64,
    pub(super) cached: u64,
}

/// Waits on the pin, or on the folio lock.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Waits {
    pub(super) wait: DurationSummary,
    /// The part of the waits after the release.
    pub(super) oversleep: DurationSummary,
    pub(super) retries: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) paths: Paths,
    pub(super) overlaps: u64,
    pub(super) pin: Waits,
    pub(super) lock: Waits,
    pub(super) dropped: Dropped,
}

impl Waits {
    fn of(waits: &Durations, oversleeps: &Durations, retries: u64) -> Self {
        Self { wait: waits.summary(), oversleep: oversleeps.summary(), retries }
    }
}

/// Observes one row with programs that stay attached for several.
pub(super) struct RowObserver<'a> {
    probes: &'a mut Probes,
    ingest: Ingest,
    before: Sample,
}

impl<'a> RowObserver<'a> {
    /// Starts with the records and counts from now on.
    pub(super) fn start(probes: &'a mut Probes) -> Self {
        while probes.drain(BATCH, drop) {}
        let before = sample(probes);
        Self { probes, ingest: Ingest::default(), before }
    }

    /// Ingests the records in the ring buffer.
    pub(super) fn drain(&mut self) {
        let until = clock::now();
        let Self { probes, ingest, .. } = self;
        while probes.drain(BATCH, |event| ingest.feed(Input::Event(event))) {}
        ingest.advance(until);
    }

    pub(super) fn finish(mut self) -> Seen {
        self.drain();
        self.ingest.finish();
        let sample = sample(self.probes).since(&self.before);
        Seen::of(self.ingest.engine.report(), &sample)
    }
}

impl Seen {
    fn of(report: &Report, sample: &Sample) -> Self {
        let (counters, times) = (&sample.snapshot.counters, &report.distributions);
        Self {
            paths: Paths { direct: counters.read_direct, cached: counters.read_cached },
            overlaps: report.verdicts.overlap,
            pin: Waits::of(&times.pin_wait, &times.pin_oversleep, report.pin_retries),
            lock: Waits::of(&times.lock_wait, &times.lock_oversleep, report.lock_retries),
            dropped: dropped(sample, &report.dropped),
        }
    }
}

fn sample(probes: &Probes) -> Sample {
    let snapshot = probes.snapshot();
    Sample { at: clock::now(), snapshot, undecodable: probes.undecodable(), ..Sample::default() }
}
