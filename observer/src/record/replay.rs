//! Plays recordings back into an engine.

use std::{fs::File, path::Path};

use super::reader::{End, OpenError, Reader};
use crate::{
    engine::Engine,
    outcome::{Context, Ending, Outcome, Sample},
    source::Input,
};

/// A recording being played: the engine, the latest counters, and how far it has come. Feed it with [`Replay::step`], look
/// at it as at a live observation, and let [`Replay::finish`] make the outcome.
pub struct Replay {
    reader: Reader<File>,
    engine: Engine,
    sample: Sample,
    at: u64,
}

impl Replay {
    /// Opens a recording.
    ///
    /// # Errors
    /// When it cannot be read at all. Damage further on ends the replay early, and is told in [`Outcome::damage`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let reader = Reader::open(path)?;
        Ok(Self { reader, engine: Engine::default(), sample: Sample::default(), at: 0 })
    }

    /// What the observation began with.
    pub fn context(&self) -> &Context {
        self.reader.context()
    }

    /// The engine so far.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// As [`Replay::engine`], to switch on or clear what a dashboard shows.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The latest counters, and the latest distributions.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// The time that the engine was told last, nanoseconds of the recorded `CLOCK_MONOTONIC`; 0: not yet.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Plays until the engine has been told a time of `until` or later, at most `limit` inputs. False: the recording is
    /// over.
    pub fn step(&mut self, until: u64, limit: usize) -> bool {
        for _ in 0..limit {
            if self.at >= until {
                return true;
            }
            let Some(input) = self.reader.next_input() else { return false };
            match input {
                Input::Event(event) => self.engine.feed(event),
                Input::Advance(at) => {
                    self.at = at;
                    self.engine.advance(at);
                }
                Input::Sample(sample) => self.sample.update(*sample),
            }
        }
        true
    }

    /// Plays what is left, and tells what came out.
    pub fn finish(mut self) -> Outcome {
        while self.step(u64::MAX, usize::MAX) {}
        self.engine.finish();
        let context = self.reader.context().clone();
        let (ending, damage) = match self.reader.end() {
            Some(End::Whole(ending)) => (ending.as_ref().clone(), Vec::new()),
            Some(End::GoesOn) => (Ending::cut(), vec!["the observation goes on in another file".to_owned()]),
            Some(End::Early(damage)) => (Ending::cut(), vec![damage.to_string()]),
            None => (Ending::cut(), Vec::new()),
        };
        Outcome { context, engine: self.engine, sample: self.sample, ending, damage }
    }
}

/// Plays a whole recording.
///
/// # Errors
/// When it cannot be read at all.
pub fn replay(path: &Path) -> Result<Outcome, OpenError> {
    Ok(Replay::open(path)?.finish())
}
