//! The walk over all interleavings.

use std::collections::HashMap;

use super::{
    Config,
    check::Tally,
    log::Log,
    world::{Move, World},
};

/// What a walk has covered, and what it found.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// Distinct states.
    pub(super) states: u64,
    /// Steps from one to another.
    pub(super) steps: u64,
    /// Complete interleavings: different sequences of steps from the start to an end.
    pub(super) interleavings: u128,
    pub(super) tally: Tally,
}

struct Walk {
    seen: HashMap<u128, u128>,
    merge: bool,
    log: Log,
    path: Vec<Move>,
    coverage: Coverage,
}

/// Walks every interleaving. States from which nothing can go differently are merged (see `docs/model.md`); each fault's
/// end is checked on every step that ends one.
pub(super) fn all(config: Config) -> Coverage {
    walk(config, true)
}

/// Walks every interleaving without merging any, and checks each to its end.
pub(super) fn all_unmerged(config: Config) -> Coverage {
    walk(config, false)
}

fn walk(config: Config, merge: bool) -> Coverage {
    let mut walk =
        Walk { seen: HashMap::new(), merge, log: Log::default(), path: Vec::new(), coverage: Coverage::default() };
    walk.coverage.interleavings = walk.from(&World::new(config));
    walk.coverage
}

impl Walk {
    /// Interleavings from here on.
    fn from(&mut self, world: &World) -> u128 {
        let key = world.key();
        if let Some(known) = self.seen.get(&key).filter(|_| self.merge) {
            return *known;
        }
        self.coverage.states += 1;
        let moves = world.moves();
        if moves.is_empty() {
            assert!(world.is_at_rest(), "deadlock {}", tell(&self.path, &self.log));
            self.coverage.tally.path(&self.log, !self.merge, || tell(&self.path, &self.log));
        }
        let mut interleavings = u128::from(moves.is_empty());
        for step in moves {
            let mark = self.log.mark();
            let ended = self.log.ended.len();
            self.path.push(step);
            let mut next = world.clone();
            next.step(step, &mut self.log);
            self.coverage.steps += 1;
            if self.merge && self.log.ended.len() > ended {
                self.coverage.tally.last_fault(&self.log, || tell(&self.path, &self.log));
            }
            interleavings += self.from(&next);
            self.path.pop();
            self.log.back_to(mark);
        }
        if self.merge {
            self.seen.insert(key, interleavings);
        }
        interleavings
    }
}

/// Walks `paths` interleavings picked at random, each to its end.
pub(super) fn some(config: Config, paths: u64, seed: u64) -> Coverage {
    let mut coverage = Coverage::default();
    let mut random = seed | 1;
    for _ in 0..paths {
        let (mut world, mut log, mut path) = (World::new(config), Log::default(), Vec::new());
        loop {
            let moves = world.moves();
            if moves.is_empty() {
                assert!(world.is_at_rest(), "deadlock {}", tell(&path, &log));
                break;
            }
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let step = moves[random as usize % moves.len()];
            path.push(step);
            world.step(step, &mut log);
            coverage.steps += 1;
        }
        coverage.interleavings += 1;
        coverage.tally.path(&log, true, || tell(&path, &log));
    }
    coverage
}

/// A path, to be read.
fn tell(path: &[Move], log: &Log) -> String {
    let events: Vec<String> = log.events.iter().map(|event| format!("  {event:?}")).collect();
    format!("after {path:?}\nevents\n{}", events.join("\n"))
}

/// A state's key in the walk: two multiplicative hashes side by side.
pub(super) fn fingerprint(bytes: &[u8]) -> u128 {
    let (mut a, mut b) = (0x9e37_79b9_7f4a_7c15_u64, 0xc2b2_ae3d_27d4_eb4f_u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        a = (a ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        b = (b.rotate_left(31) ^ word).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        b ^= b >> 32;
    }
    u128::from(a ^ a >> 33) << 64 | u128::from(b)
}
