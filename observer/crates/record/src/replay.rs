//! Plays recordings back into an engine.

use std::{collections::VecDeque, fs::File, path::Path};

use super::reader::{End, OpenError, Reader};
use observer_engine::{Engine, event::Nanos};
use observer_kernel::vmstat::Vmstat;
use observer_observation::{Context, EndReason, FinalState, Outcome, Sample, input::Input};

/// A recording being played: the engine, the latest counters, and how far it has come. Move it on with [`Replay::step`],
/// look at it as at a live observation, and let [`Replay::finish`] make the outcome.
pub struct Replay {
    reader: Reader<File>,
    /// The parts that follow.
    next: VecDeque<Reader<File>>,
    /// The counters at the start, where the first part is not given.
    before: Option<Sample>,
    engine: Engine,
    sample: Sample,
    /// The kernel's own counters at the start.
    vmstat: Option<Vmstat>,
    at: Nanos,
    damage: Vec<String>,
    notes: Vec<String>,
}

impl Replay {
    /// Opens a recording.
    ///
    /// # Errors
    /// When it cannot be read at all. Damage further on ends the replay early, and is told in [`Outcome::damage`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self::of_parts(Reader::open(path)?, VecDeque::new()))
    }

    /// Of a file and those that continue it.
    fn of_parts(first: Reader<File>, next: VecDeque<Reader<File>>) -> Self {
        let mut notes = Vec::new();
        if first.part().number > 1 {
            notes.push(format!("counts start with part {}: those before were not given", first.part().number));
        }
        Self {
            vmstat: first.before().and_then(|before| before.vmstat),
            before: first.before(),
            reader: first,
            next,
            engine: Engine::default(),
            sample: Sample::default(),
            at: 0,
            damage: Vec::new(),
            notes,
        }
    }

    /// What the observation started with.
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
    pub fn at(&self) -> Nanos {
        self.at
    }

    /// Plays until the engine has been told a time of `until` or later, at most `limit` inputs. False: the recording is
    /// over.
    pub fn step(&mut self, until: Nanos, limit: usize) -> bool {
        for _ in 0..limit {
            if self.at >= until {
                return true;
            }
            match self.reader.next_input() {
                Some(input) => self.take(input),
                None if self.next_part() => {}
                None => return false,
            }
        }
        true
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.engine.feed(event),
            Input::Advance(at) => {
                self.at = at;
                self.engine.advance(at);
            }
            Input::Sample(sample) => {
                self.vmstat = self.vmstat.or(sample.vmstat);
                let sample = match &self.before {
                    Some(before) => sample.since(before),
                    None => *sample,
                };
                self.sample.update(sample);
            }
        }
    }

    /// Goes on with the next part, if this one says that there is one and it is here.
    fn next_part(&mut self) -> bool {
        let number = self.reader.part().number;
        let Some(next) = self.next.pop_front() else { return false };
        match self.reader.end() {
            Some(End::GoesOn) if next.part().number == number + 1 => {}
            Some(End::GoesOn) => self.damage.push(format!("part {} is missing", number + 1)),
            Some(End::Early(damage)) => self.damage.push(format!("part {number}: {damage}")),
            _ => self.damage.push(format!("part {number} is the last, but there are more")),
        }
        self.reader = next;
        true
    }

    /// Plays what is left, and tells what came out.
    pub fn finish(self) -> Outcome {
        self.finish_with(&mut |_| {})
    }

    /// As [`Replay::finish`]; `look` sees every input that is left before the engine does.
    pub fn finish_with(mut self, look: &mut dyn FnMut(&Input)) -> Outcome {
        loop {
            if let Some(input) = self.reader.next_input() {
                look(&input);
                self.take(input);
            } else if !self.next_part() {
                break;
            }
        }
        self.engine.finish();
        let context = self.reader.context().clone();
        let mut ending = match self.reader.end() {
            Some(End::Whole(ending)) => ending.as_ref().clone(),
            Some(End::GoesOn) => {
                self.notes.push("the observation goes on in a part that was not given".to_owned());
                FinalState::unknown(EndReason::GoesOn)
            }
            Some(End::Early(damage)) => {
                self.damage.push(damage.to_string());
                FinalState::unknown(EndReason::Cut)
            }
            None => FinalState::unknown(EndReason::Cut),
        };
        // Of a recording without its start or its end the counters that go with what is there.
        if self.before.is_some() || ending.vmstat.is_none() {
            let after = ending.vmstat.map(|(_, after)| after).or(self.sample.vmstat);
            ending.vmstat = self.vmstat.zip(after);
        }
        let Self { engine, sample, damage, notes, .. } = self;
        Outcome { context, engine, sample, ending, damage, notes }
    }
}

/// Plays a whole recording.
///
/// # Errors
/// When it cannot be read at all.
pub fn replay(path: &Path) -> Result<Outcome, OpenError> {
    Ok(Replay::open(path)?.finish())
}

/// Puts files that are parts of one observation together, in order; one replay for each observation.
pub fn chains(readers: Vec<Reader<File>>) -> Vec<Replay> {
    let mut readers = readers;
    readers.sort_by(|a, b| (&a.part().id, a.part().number).cmp(&(&b.part().id, b.part().number)));
    // The same part twice, under two names: once is enough.
    readers.dedup_by(|a, b| a.part() == b.part());
    let mut chains: Vec<VecDeque<Reader<File>>> = Vec::new();
    for reader in readers {
        match chains.last_mut() {
            Some(chain) if chain.front().is_some_and(|first| first.part().id == reader.part().id) => {
                chain.push_back(reader);
            }
            _ => chains.push([reader].into()),
        }
    }
    let replays = chains.into_iter().filter_map(|mut chain| Some(Replay::of_parts(chain.pop_front()?, chain)));
    replays.collect()
}
