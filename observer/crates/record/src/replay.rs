//! Replays recordings through the ingest path.

use std::{collections::VecDeque, fs::File, path::Path};

use crate::reader::{End, OpenError, Reader};
use observer_engine::event::Nanos;
use observer_kernel::vmstat::Vmstat;
use observer_observation::{
    CgroupPaths, Context, Damage, EndReason, Engine, FinalState, History, Ingest, Input, Note, Outcome, Sample, Swap,
    WallClock,
};

/// A replay in progress. [`Replay::step`] advances it, the getters show it as they would a live observation, and
/// [`Replay::finish`] plays the rest and returns the outcome.
pub struct Replay {
    reader: Reader<File>,
    /// The parts that follow.
    next: VecDeque<Reader<File>>,
    /// The counters at the start of the first given part, where that is not part 1.
    before: Option<Sample>,
    ingest: Ingest,
    /// The kernel's own counters at the start.
    vmstat: Option<Vmstat>,
    damage: Vec<Damage>,
    notes: Vec<Note>,
}

impl Replay {
    /// Opens a recording. Fails only if its header cannot be read: damage behind it ends the replay early and is listed
    /// in [`Outcome::damage`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self::of_parts(Reader::open(path)?, VecDeque::new()))
    }

    fn of_parts(first: Reader<File>, next: VecDeque<Reader<File>>) -> Self {
        let part = first.part().number;
        Self {
            vmstat: first.before().and_then(|before| before.vmstat),
            before: first.before(),
            ingest: {
                let (wall_clock, cgroups) = (first.wall_clock(), first.cgroup_paths().clone());
                let mut ingest = Ingest { wall_clock, cgroups, ..Ingest::default() };
                ingest.set_areas(&first.context().swaps);
                ingest
            },
            reader: first,
            next,
            damage: Vec::new(),
            notes: if part > 1 { vec![Note::StartsWithPart { part }] } else { Vec::new() },
        }
    }

    pub fn context(&self) -> &Context {
        self.reader.context()
    }

    pub fn engine(&self) -> &Engine {
        &self.ingest.engine
    }

    /// What the counters counted when.
    pub fn history(&self) -> &History {
        &self.ingest.history
    }

    /// For what a dashboard switches on or clears in the engine.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.ingest.engine
    }

    /// The swap areas so far.
    pub fn swaps(&self) -> &[Swap] {
        self.ingest.areas.areas()
    }

    pub fn sample(&self) -> &Sample {
        &self.ingest.sample
    }

    pub fn wall_clock(&self) -> &WallClock {
        &self.ingest.wall_clock
    }

    pub fn cgroups(&self) -> &CgroupPaths {
        &self.ingest.cgroups
    }

    /// What the recording lacks, as far as it has been played.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The time up to which the engine has all events, nanoseconds of the recorded `CLOCK_MONOTONIC`; 0 at the start.
    pub fn at(&self) -> Nanos {
        self.ingest.now
    }

    /// Plays until [`Replay::at`] is `until` or later, at most `limit` inputs. False: the recording has ended.
    pub fn step(&mut self, until: Nanos, limit: usize) -> bool {
        self.step_with(until, limit, &mut |_, _| {})
    }

    /// The same; `look` sees every input before the engine does, and the wall clock up to then.
    pub fn step_with(&mut self, until: Nanos, limit: usize, look: &mut dyn FnMut(&Input, &WallClock)) -> bool {
        for _ in 0..limit {
            if self.at() >= until {
                return true;
            }
            match self.reader.next_input() {
                Some(input) => {
                    look(&input, &self.ingest.wall_clock);
                    self.feed(input);
                }
                None if self.next_part() => {}
                None => return false,
            }
        }
        true
    }

    fn feed(&mut self, mut input: Input) {
        if let Input::Sample(sample) = &mut input {
            self.vmstat = self.vmstat.or(sample.vmstat);
            if let Some(before) = &self.before {
                **sample = std::mem::take(&mut **sample).since(before);
            }
        }
        self.ingest.feed(input);
    }

    /// Continues with the next given part. False: there is none.
    fn next_part(&mut self) -> bool {
        let Some(mut next) = self.next.pop_front() else { return false };
        let part = self.reader.part().number;
        match self.reader.end() {
            Some(End::Continued) if next.part().number == part + 1 => {}
            Some(End::Continued) => self.damage.push(Damage::PartMissing { part: part + 1 }),
            Some(End::Damaged(damage)) => {
                self.damage.push(Damage::File { part: Some(part), damage: damage.clone() });
            }
            _ => self.damage.push(Damage::PartsAfterEnd { part }),
        }
        next.follow(&mut self.reader);
        // The part may know of what happened in parts that were not given.
        self.ingest.wall_clock = next.wall_clock();
        self.ingest.cgroups = next.cgroup_paths().clone();
        // More than what is known already if a part is missing.
        self.ingest.set_areas(&next.context().swaps);
        self.reader = next;
        true
    }

    /// Plays the rest.
    pub fn finish(self) -> Outcome {
        self.finish_with(&mut |_| {})
    }

    /// Plays the rest; `look` sees every input before the engine does.
    pub fn finish_with(mut self, look: &mut dyn FnMut(&Input)) -> Outcome {
        loop {
            if let Some(input) = self.reader.next_input() {
                look(&input);
                self.feed(input);
            } else if !self.next_part() {
                break;
            }
        }
        let ending = self.conclude();
        let context = Context { swaps: self.swaps().to_vec(), ..self.reader.context().clone() };
        let Self { ingest: Ingest { engine, sample, wall_clock, cgroups, history, .. }, damage, notes, .. } = self;
        Outcome { context, engine, sample, wall_clock, cgroups, history, ending, damage, notes }
    }

    /// Ends the engine once everything is played. Returns the end of the observation. Must be called once.
    pub(crate) fn conclude(&mut self) -> FinalState {
        self.ingest.finish();
        let mut ending = match self.reader.end() {
            Some(End::Complete(ending)) => ending.as_ref().clone(),
            Some(End::Continued) => {
                self.notes.push(Note::Continues);
                FinalState::unknown(EndReason::Continues)
            }
            Some(End::Damaged(damage)) => {
                self.damage.push(Damage::File { part: None, damage: damage.clone() });
                FinalState::unknown(EndReason::Cut)
            }
            None => FinalState::unknown(EndReason::Cut),
        };
        // Where the first or the last part is missing, the counters must cover the given parts only.
        if self.before.is_some() || ending.vmstat.is_none() {
            let after = ending.vmstat.map(|(_, after)| after).or(self.ingest.sample.vmstat);
            ending.vmstat = self.vmstat.zip(after);
        }
        ending
    }
}

/// Replays a whole file.
pub fn replay(path: &Path) -> Result<Outcome, OpenError> {
    Ok(Replay::open(path)?.finish())
}

/// Groups files by observation, each in the order of its parts: one replay per observation.
pub fn chains(mut readers: Vec<Reader<File>>) -> Vec<Replay> {
    readers.sort_by(|a, b| (&a.part().id, a.part().number).cmp(&(&b.part().id, b.part().number)));
    // The same part may be given twice, under two names.
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
