//! The events and the ended faults of a path through the model.

use observer_engine::{
    event::{Event, Fault, Nanos},
    verdict::Verdict,
};

use super::actors::Tid;

/// Time between two readings of the clock, nanoseconds: a whole path is shorter than every timeout of the engine.
const TICK: Nanos = 1_000;

/// A fault that ended, and what happened to it.
#[derive(Clone, Debug)]
pub(crate) struct EndedFault {
    pub(crate) tid: Tid,
    /// The programs' record of the fault, whether it was sent or not. Empty: its start was not seen.
    pub(crate) fault: Fault,
    /// The programs have counted that a hook did not run.
    pub(crate) miss_counted: bool,
    /// The true verdict.
    pub(crate) verdict: Option<Verdict>,
    /// The installed page was older than the page had to be.
    pub(crate) data_loss: bool,
    /// The read started while the entry was being written, after the hook on the write.
    pub(crate) in_write: bool,
    /// The entry changed between the install and the return, and the fault had not freed it.
    pub(crate) changed_after: bool,
    /// How often the PTE had been unmapped when the fault started.
    pub(crate) generation: u8,
    /// The holder of the pin at the last failed try.
    pub(crate) holder: Option<Tid>,
    /// The faulter that was reading the page when it was found locked.
    pub(crate) reader: Option<Tid>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    clock: Nanos,
    pub(crate) events: Vec<Event>,
    pub(crate) ended: Vec<EndedFault>,
    /// Changes without a record while a fault was in progress on their slot.
    pub(crate) hidden: u32,
    /// Hooks that did not run.
    pub(crate) skipped: u32,
}

/// A position in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    clock: Nanos,
    events: usize,
    ended: usize,
    hidden: u32,
    skipped: u32,
}

impl Log {
    /// Advances the clock and returns the time.
    pub(crate) fn now(&mut self) -> Nanos {
        self.clock += TICK;
        self.clock
    }

    pub(crate) fn mark(&self) -> Mark {
        let Self { clock, hidden, skipped, .. } = *self;
        Mark { clock, events: self.events.len(), ended: self.ended.len(), hidden, skipped }
    }

    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.clock = mark.clock;
        self.events.truncate(mark.events);
        self.ended.truncate(mark.ended);
        (self.hidden, self.skipped) = (mark.hidden, mark.skipped);
    }
}
