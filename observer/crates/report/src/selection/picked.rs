//! What of one recording is selected, counted exactly while the recording is read.

use std::{collections::BTreeMap, ops::Range};

use observer_engine::{event::Nanos, reported::Reported};
use observer_observation::{Clocks, Outcome, Report, WallClock};
use observer_text::Name;

use super::{Names, Seen, Selection, Selector, moment::Bound};
use crate::summary::selected::Selected;

/// Most things that wait for the path of their control group.
const MAX_PENDING: usize = 10_000;

/// The report of a selection, in progress.
#[derive(Debug)]
pub struct Picked {
    selector: Selector,
    start: Clocks,
    report: Report,
    /// What can be decided once more is known.
    pending: Vec<Reported>,
    /// What may belong to the selection and was not counted.
    undecided: u64,
    names: Names,
}

impl Picked {
    /// `start`: the clocks at the start of the recording.
    pub fn new(selection: &Selection, start: Clocks) -> Self {
        Self {
            selector: Selector::new(selection, start),
            start,
            report: Report::default(),
            pending: Vec::new(),
            undecided: 0,
            names: Names::default(),
        }
    }

    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Takes in what was reported.
    pub fn see(&mut self, all: Vec<Reported>, seen: Seen<'_>) {
        for reported in all {
            for task in super::Facts::of(&reported).tasks {
                self.names.add_comm(task.comm);
            }
            match self.selector.selects(&reported, seen) {
                Some(true) => self.report.add(reported),
                Some(false) => {}
                None if self.pending.len() < MAX_PENDING => self.pending.push(reported),
                None => self.undecided += 1,
            }
        }
    }

    /// Takes in the rest, and decides what can be decided at the end.
    pub fn finish(&mut self, outcome: &mut Outcome) {
        let rest = outcome.engine.take_reported();
        let seen = Seen { swaps: &outcome.context.swaps, cgroups: &outcome.cgroups, wall_clock: &outcome.wall_clock };
        self.see(rest, seen);
        self.names.add(outcome);
        let pending = std::mem::take(&mut self.pending);
        let is_ordered = pending.is_empty();
        for reported in pending {
            match self.selector.selects(&reported, seen) {
                Some(true) => self.report.add(reported),
                Some(false) => {}
                None => self.undecided += 1,
            }
        }
        if !is_ordered {
            self.report.findings.sort_by_key(|finding| finding.end_ns);
            self.report.overlaps.sort_by_key(|overlap| overlap.to_ns);
            self.report.waits.sort_by_key(|wait| wait.to_ns);
        }
        let whole = outcome.engine.report();
        (self.report.events, self.report.dropped) = (whole.events, whole.dropped);
        // Beside counters that cover the whole recording.
        (self.report.pin_retries, self.report.lock_retries) = (whole.pin_retries, whole.lock_retries);
    }

    /// The values by option.
    pub fn options(&self) -> BTreeMap<&'static str, Name> {
        self.selector.selection.options(self.start)
    }

    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The names in the recording.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What the summary shows of the selection. `elapsed_ns`: the length of the observation.
    pub(crate) fn selected(&self, wall_clock: &WallClock, elapsed_ns: Nanos) -> Selected {
        Selected {
            options: self.options(),
            covered_ns: self.time(wall_clock, elapsed_ns).map(|time| time.end.saturating_sub(time.start)),
            time: self
                .time(wall_clock, elapsed_ns)
                .filter(|_| self.selector.since.is_some() || self.selector.until.is_some()),
            undecided: self.undecided,
            ..Selected::default()
        }
    }

    /// The part of the observation that is selected by time; `None`: unknown.
    fn time(&self, wall_clock: &WallClock, elapsed_ns: Nanos) -> Option<Range<Nanos>> {
        let (start, end) = (self.start.monotonic_ns, self.start.monotonic_ns.saturating_add(elapsed_ns));
        let at = |bound: Option<Bound>, otherwise: Nanos| match bound {
            Some(bound) => bound.monotonic_ns(wall_clock).map(|at| at.clamp(start, end)),
            None => Some(otherwise),
        };
        Some(at(self.selector.since, start)?..at(self.selector.until, end)?)
    }
}
