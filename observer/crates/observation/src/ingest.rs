//! The ingest path: the one way from inputs to the engine, for live observations, replays and benchmarks.

use crate::{
    areas::{AreaHistory, AreaReading},
    cgroups::{CgroupPath, CgroupPaths},
    clock::Clocks,
    context::Swap,
    dropped::dropped,
    durations::Engine,
    history::History,
    sample::Sample,
    wall_clock::WallClock,
};
use observer_engine::event::{Event, Nanos};

/// What a source gives, in order. An engine that is fed the same inputs finds the same things.
#[derive(Debug)]
pub enum Input {
    Event(Event),
    /// Every event up to this time has been given.
    Advance(Nanos),
    /// The counters and distributions at this point.
    Sample(Box<Sample>),
    /// The swap areas in use, because they may have changed. It comes before the first [`Input::Advance`] that passes
    /// [`AreaReading::before_ns`] by the engine's delay.
    Areas(AreaReading),
    /// The path of a control group that some event has.
    Cgroup(CgroupPath),
}

/// An engine, the latest counters, and how far both have come.
#[derive(Debug, Default)]
pub struct Ingest {
    pub engine: Engine,
    /// The latest counters, and the latest distributions.
    pub sample: Sample,
    pub areas: AreaHistory,
    pub cgroups: CgroupPaths,
    /// The time of the last advance; 0: none yet.
    pub now: Nanos,
    /// By the clocks of the samples.
    pub wall_clock: WallClock,
    /// What the counters counted when.
    pub history: History,
}

impl Ingest {
    /// For an observation that started at a reading of the clocks, with these swap areas in use.
    pub fn new(start: Clocks, swaps: &[Swap]) -> Self {
        let mut ingest = Self { wall_clock: WallClock::new(start), ..Self::default() };
        ingest.set_areas(swaps);
        ingest
    }

    /// Replaces the history of swap areas, by one that goes further.
    pub fn set_areas(&mut self, swaps: &[Swap]) {
        self.areas = AreaHistory::new(swaps);
        for (kind, at) in self.areas.changes() {
            self.engine.change_area(kind, at);
        }
    }

    /// Takes one input in.
    pub fn feed(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.engine.feed(event),
            Input::Advance(until) => self.advance(until),
            Input::Sample(sample) => {
                if let Some(clocks) = sample.clocks {
                    self.wall_clock.add(clocks);
                }
                let dropped = dropped(&sample, &self.engine.report().dropped).values().sum();
                self.history.add(self.wall_clock.start().monotonic_ns, &sample, dropped);
                self.sample.update(*sample);
            }
            Input::Areas(reading) => {
                for (kind, at) in self.areas.update(&reading) {
                    self.engine.change_area(kind, at);
                }
            }
            Input::Cgroup(group) => self.cgroups.add(group),
        }
    }

    /// Declares that every event up to `until` has been fed.
    pub fn advance(&mut self, until: Nanos) {
        self.now = until;
        self.engine.advance(until);
    }

    /// Ends the observation: what the engine still holds back is judged.
    pub fn finish(&mut self) {
        self.engine.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::event::{Entry, Fault, Path};

    #[test]
    fn every_kind_of_input_is_taken_in() {
        let fault =
            Fault { entry: Entry::new(0, 1), nr: 1, start: 10, end: 20, path: Path::Direct, ..Fault::default() };
        let clocks = |at, realtime_ns| Clocks { monotonic_ns: at, realtime_ns, boottime_ns: Some(at) };
        let mut ingest = Ingest::new(clocks(5, 1_000_000_005), &[]);
        ingest.feed(Input::Event(Event::Started(fault)));
        ingest.feed(Input::Sample(Box::new(Sample {
            at: 30,
            clocks: Some(clocks(30, 7_000_000_030)),
            ..Sample::default()
        })));
        ingest.feed(Input::Advance(1_000_000_000));
        assert_eq!(ingest.sample.at, 30);
        assert_eq!(ingest.history.readings(), 1);
        assert_eq!([20, 30].map(|at| ingest.wall_clock.realtime(at)), [1_000_000_020, 7_000_000_030]);
        assert_eq!(ingest.now, 1_000_000_000);
        assert_eq!(ingest.engine.faults_in_progress().count(), 1);
        ingest.finish();
        assert_eq!(ingest.engine.report().dropped.faults_without_end, 1);
    }
}
