//! The signal at the first data loss, for a user who looks elsewhere. Pure.

use crate::model::{Model, Series};

/// What the terminal does at the first data loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    pub bell: bool,
    /// Changes the title of the window until the dashboard is closed.
    pub title: bool,
    /// Also in a replay, in which the loss is long past.
    pub in_replay: bool,
}

impl Default for Signal {
    fn default() -> Self {
        // A title is restored by the terminal, and not every one does.
        Self { bell: true, title: false, in_replay: false }
    }
}

impl Signal {
    /// As far as the terminal permits: consoles that print control strings have a bell and no title.
    #[must_use]
    pub fn permitted(self, has_control_strings: bool) -> Self {
        Self { title: self.title && has_control_strings, ..self }
    }
}

/// Gives the signal once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarm {
    signal: Signal,
    given: bool,
}

impl Alarm {
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, given: false }
    }

    /// The signal, if a model is the first with a data loss.
    pub(super) fn of(&mut self, model: &Model) -> Option<Signal> {
        let losses = Series::ALL.into_iter().zip(model.counts).find(|(series, _)| *series == Series::StaleInstalls);
        let due = losses.is_some_and(|(_, count)| count > 0) && (self.signal.in_replay || model.transport.is_none());
        let first = due && !self.given;
        self.given |= due;
        first.then_some(self.signal)
    }
}
