//! What `record` prints on standard error about its progress: on a terminal a status line, otherwise a line at the start
//! and one at the end.

use crate::{
    messages::{self, StatusLine},
    session::View,
};
use observer_engine::event::Nanos;
use observer_observation::{Known, Outcome, Sample};
use observer_report::status::{self, Status};

/// What is printed.
pub(super) struct Notices {
    is_quiet: bool,
    /// Whether the start was printed, or is not to be.
    is_announced: bool,
    line: Option<StatusLine>,
    last: Option<Reading>,
}

/// The number of swap-ins at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    at: Nanos,
    swap_ins: u64,
}

impl Reading {
    /// Of the whole host where only one entry in `one_in` is observed.
    fn new(sample: &Sample, one_in: u32) -> Self {
        let counters = &sample.snapshot.counters;
        let swap_ins = (counters.read_direct + counters.read_cached).saturating_mul(u64::from(one_in.max(1)));
        Self { at: sample.at, swap_ins }
    }

    /// `None`: no time has passed.
    fn per_second_since(self, before: Self) -> Option<f64> {
        let ns = self.at.checked_sub(before.at).filter(|ns| *ns > 0)?;
        Some(self.swap_ins.saturating_sub(before.swap_ins) as f64 / (ns as f64 / 1e9))
    }
}

impl Notices {
    /// The output of a command is on the same terminal, and is not disturbed: only the end is printed.
    pub(super) fn new(is_quiet: bool, has_command: bool) -> Self {
        let line = if is_quiet || has_command { None } else { StatusLine::open() };
        Self { is_quiet, is_announced: is_quiet || has_command || line.is_some(), line, last: None }
    }

    /// Attaching may take seconds.
    pub(super) fn attaching(&self, hooks: usize) {
        if let Some(line) = &self.line {
            line.show(status::attaching(hooks, StatusLine::columns()));
        }
    }

    /// `recorded_bytes`: the size of the recording, if one is written.
    pub(super) fn tick(&mut self, view: &View<'_>, recorded_bytes: Option<u64>) {
        if !std::mem::replace(&mut self.is_announced, true) {
            let hooks = view.context.kernel.hooks.len();
            messages::print(&format!("observing  {hooks} hooks are attached; Ctrl-C or SIGTERM ends it"));
        }
        let Some(line) = &self.line else { return };
        let now = Reading::new(view.sample, view.context.sample_one_in);
        if self.last.is_some_and(|last| last.at == now.at) {
            return;
        }
        let rate = self.last.and_then(|last| now.per_second_since(last));
        self.last = Some(now);
        let status = Status { swap_ins_per_s: rate, recorded_bytes, ..Status::from(&Known::from(view)) };
        line.show(status::line(&status, StatusLine::columns()));
    }

    /// Removes the status line.
    pub(super) fn clear(&mut self) {
        self.line = None;
    }

    /// `recorded`: where the recording is, if one was written.
    pub(super) fn end(&self, outcome: &Outcome, recorded: Option<&str>) {
        if self.is_quiet {
            return;
        }
        match recorded {
            Some(recorded) => messages::print(recorded),
            None => messages::print(&status::end(&Status::from(&Known::from(outcome)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: Nanos, direct: u64, one_in: u32) -> Reading {
        let mut sample = Sample { at, ..Sample::default() };
        sample.snapshot.counters.read_direct = direct;
        sample.snapshot.counters.read_cached = 1;
        Reading::new(&sample, one_in)
    }

    #[test]
    fn rates_are_per_second_and_of_the_whole_host() {
        let before = reading(1_000_000_000, 100, 1);
        assert_eq!(reading(3_000_000_000, 150, 1).per_second_since(before), Some(25.0));
        assert_eq!(before.per_second_since(before), None);
        let sampled = reading(1_000_000_000, 100, 4);
        assert_eq!(reading(3_000_000_000, 150, 4).per_second_since(sampled), Some(100.0));
        assert_eq!(reading(3_000_000_000, 90, 1).per_second_since(before), Some(0.0), "counters that were read again");
    }
}
