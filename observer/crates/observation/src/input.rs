//! What an engine is fed with, whether it comes from a live kernel or from a recording.

use crate::Sample;
use observer_engine::event::{Event, Nanos};

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
