//! Where events come from: a live kernel or a recording. Both feed the same engine.

use crate::{engine::event::Event, probe::Probes};

/// A source of events, roughly in order of time.
pub trait EventSource {
    /// Hands over what has arrived, at most `limit` events. True: there may be more.
    fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> bool;
}

impl EventSource for Probes {
    fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> bool {
        Self::drain(self, limit, sink)
    }
}
