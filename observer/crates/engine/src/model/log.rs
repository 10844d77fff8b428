//! What a path through the model leaves behind: the events told, and the truth about the faults that ended.

use super::world::Tid;
use crate::{
    event::{Event, Fault, Nanos},
    verdict::Verdict,
};

/// Time between two looks at the clock, nanoseconds: the whole path is shorter than anything the engine waits for.
const TICK: Nanos = 1_000;

/// A fault that ended, and what really happened to it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) tid: Tid,
    /// As the programs know it, told or not.
    pub(super) fault: Fault,
    /// The verdict that is true.
    pub(super) verdict: Option<Verdict>,
    /// The page that it installed was not what the page had to hold.
    pub(super) lost: bool,
    /// Its read started while its entry was being written, the hook on the write having told already.
    pub(super) in_write: bool,
    /// Its entry changed after it installed its page and before it returned, without having been released by it.
    pub(super) changed_after: bool,
    /// How often its PTE had been unmapped when it started.
    pub(super) generation: u8,
    /// Who held the pin that it lost.
    pub(super) holder: Option<Tid>,
    /// Who was reading the page that it found locked.
    pub(super) reader: Option<Tid>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    clock: Nanos,
    pub(super) events: Vec<Event>,
    pub(super) ended: Vec<Ended>,
}

/// How far a log had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(Nanos, usize, usize);

impl Log {
    /// The next moment.
    pub(super) fn now(&mut self) -> Nanos {
        self.clock += TICK;
        self.clock
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.clock, self.events.len(), self.ended.len())
    }

    pub(super) fn back_to(&mut self, Mark(clock, events, ended): Mark) {
        self.clock = clock;
        self.events.truncate(events);
        self.ended.truncate(ended);
    }
}
