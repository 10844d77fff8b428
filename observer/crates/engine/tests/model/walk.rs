//! Walks over interleavings of the model's actors.

use std::collections::HashMap;

use super::{actors::Step, comparison::Comparison, config::Config, log::Log, world::World};

#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// Distinct states.
    pub(crate) states: u64,
    /// Steps from one state to another.
    pub(crate) steps: u64,
    /// Complete interleavings: different sequences of steps from the start to an end.
    pub(crate) interleavings: u128,
    pub(crate) comparison: Comparison,
}

/// Walks every interleaving. States from which nothing can differ are merged (see `docs/model.md`). Every step that
/// ends a fault is followed by a comparison.
pub(crate) fn merged(config: Config) -> Coverage {
    walk(config, true)
}

/// Walks every interleaving without merging states, and compares each complete path.
pub(crate) fn unmerged(config: Config) -> Coverage {
    walk(config, false)
}

fn walk(config: Config, merge: bool) -> Coverage {
    let mut walk =
        Walk { known: HashMap::new(), merge, log: Log::default(), path: Vec::new(), coverage: Coverage::default() };
    walk.coverage.interleavings = walk.from(&World::new(config));
    walk.coverage
}

struct Walk {
    /// Interleavings from each state, by key.
    known: HashMap<u128, u128>,
    merge: bool,
    log: Log,
    path: Vec<Step>,
    coverage: Coverage,
}

impl Walk {
    /// Walks from a state and returns the number of interleavings from there.
    fn from(&mut self, world: &World) -> u128 {
        let key = world.key();
        if let Some(interleavings) = self.known.get(&key).filter(|_| self.merge) {
            return *interleavings;
        }
        self.coverage.states += 1;
        let steps = world.steps();
        if steps.is_empty() {
            assert!(world.is_idle(), "deadlock {}", describe(&self.path, &self.log));
            self.coverage.comparison.add_path(&self.log, !self.merge, || describe(&self.path, &self.log));
        }
        let mut interleavings = u128::from(steps.is_empty());
        for step in steps {
            let mark = self.log.mark();
            let ended = self.log.ended.len();
            self.path.push(step);
            let mut next = world.clone();
            next.take_step(step, &mut self.log);
            self.coverage.steps += 1;
            if self.merge && self.log.ended.len() > ended {
                self.coverage.comparison.add_last_fault(&self.log, || describe(&self.path, &self.log));
            }
            interleavings += self.from(&next);
            self.path.pop();
            self.log.rewind(mark);
        }
        if self.merge {
            self.known.insert(key, interleavings);
        }
        interleavings
    }
}

/// Walks `paths` random interleavings and compares each complete path.
pub(crate) fn random(config: Config, paths: u64, seed: u64) -> Coverage {
    let mut coverage = Coverage::default();
    let mut random = seed | 1;
    for _ in 0..paths {
        let (mut world, mut log, mut path) = (World::new(config), Log::default(), Vec::new());
        loop {
            let steps = world.steps();
            if steps.is_empty() {
                assert!(world.is_idle(), "deadlock {}", describe(&path, &log));
                break;
            }
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let step = steps[random as usize % steps.len()];
            path.push(step);
            world.take_step(step, &mut log);
            coverage.steps += 1;
        }
        coverage.interleavings += 1;
        coverage.comparison.add_path(&log, true, || describe(&path, &log));
    }
    coverage
}

fn describe(path: &[Step], log: &Log) -> String {
    let events: Vec<String> = log.events.iter().map(|event| format!("  {event:?}")).collect();
    format!("after {path:?}\nevents\n{}", events.join("\n"))
}
