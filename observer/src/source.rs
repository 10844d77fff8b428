//! Where events come from: a live kernel or a recording. Both feed the same engine, the same way.

use crate::{
    engine::event::{Event, Nanos},
    outcome::Sample,
    probe::Probes,
};

/// What a source hands over, in this order. An engine that is fed the same inputs finds the same things.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are events, which must cost no allocation")]
pub enum Input {
    /// Something happened.
    Event(Event),
    /// Everything that happened up to this time has been handed over.
    Advance(Nanos),
    /// The counters and distributions, as they stood at this point.
    Sample(Box<Sample>),
}

/// A source of events, roughly in order of time.
pub trait EventSource {
    /// Hands over what has arrived, at most `limit` inputs. True: there may be more.
    fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Input)) -> bool;
}

/// A live kernel gives events only: what time it is and when counters are read, the session decides.
impl EventSource for Probes {
    fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Input)) -> bool {
        Self::drain(self, limit, |event| sink(Input::Event(event)))
    }
}
