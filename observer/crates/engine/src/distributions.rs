//! The durations that the engine measures. How they are kept is the choice of the engine's owner.

use crate::{
    event::Nanos,
    wait::{Wait, WaitKind},
};

/// Takes durations in.
pub trait Durations: Default {
    /// Adds a duration.
    fn add(&mut self, ns: Nanos);
}

/// Keeps nothing, for callers that want verdicts only.
impl Durations for () {
    fn add(&mut self, _ns: Nanos) {}
}

#[cfg(test)]
impl Durations for Vec<Nanos> {
    fn add(&mut self, ns: Nanos) {
        self.push(ns);
    }
}

/// The distributions that the engine keeps.
#[derive(Clone, Debug, Default)]
pub struct Distributions<D> {
    pub overlap: D,
    /// Holds of contended pins.
    pub pin_hold: D,
    pub pin_wait: D,
    /// The part of the pin waits after the pin was dropped.
    pub pin_oversleep: D,
    pub lock_wait: D,
    /// The part of the lock waits after the holder's read had completed, which drops the lock.
    pub lock_oversleep: D,
}

impl<D: Durations> Distributions<D> {
    pub(crate) fn add_wait(&mut self, wait: &Wait) {
        let (waits, oversleeps) = match wait.kind {
            WaitKind::Pin => (&mut self.pin_wait, &mut self.pin_oversleep),
            WaitKind::FolioLock => (&mut self.lock_wait, &mut self.lock_oversleep),
        };
        waits.add(wait.duration());
        if let Some(oversleep) = wait.oversleep_ns {
            oversleeps.add(oversleep);
        }
    }
}
