//! Plays a recording at the pace that is asked for: reads on until the engine stands where it should.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use crate::{OpenError, Reader, Replay};
use observer_engine::{Engine, event::Nanos};
use observer_observation::{Context, Sample, input::Input};

/// What a replay can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    /// Play or pause.
    PlayPause,
    /// Change the speed by a factor.
    Speed(f64),
    /// Run to the next finding.
    NextFinding,
    /// Go forward (or back) by a part of the whole.
    By(f64),
    /// Go to the start.
    ToStart,
}

/// Where a replay stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// Since the start of the recording, nanoseconds.
    pub position_ns: Nanos,
    /// Length of the recording, nanoseconds.
    pub length_ns: Nanos,
    /// Times real time.
    pub speed: f64,
    /// Running.
    pub playing: bool,
    /// On its way to a place or to the next finding.
    pub seeking: bool,
}

/// Inputs read between two looks at the clock.
const CHUNK: usize = 4_096;

/// Slowest and fastest, times real time.
const SPEEDS: (f64, f64) = (1.0 / 64.0, 1_024.0);

/// Where to run to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// A time of the recording.
    Time(Nanos),
    /// More findings than there are now.
    Finding(u64),
}

/// Speed and place: what the keys change. Pure.
#[derive(Clone, Debug, PartialEq)]
struct Pace {
    playing: bool,
    speed: f64,
    /// Where the engine should stand, nanoseconds of the recording's clock.
    wanted: Nanos,
    goal: Option<Goal>,
}

impl Pace {
    /// Real time goes by.
    fn elapse(&mut self, elapsed: Nanos) {
        if self.playing && self.goal.is_none() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tick times the speed")]
            let ahead = (elapsed as f64 * self.speed) as Nanos;
            self.wanted = self.wanted.saturating_add(ahead);
        }
    }

    fn faster(&mut self, factor: f64) {
        self.speed = (self.speed * factor).clamp(SPEEDS.0, SPEEDS.1);
    }
}

/// See the module.
pub struct Player {
    path: PathBuf,
    replay: Replay,
    context: Context,
    pace: Pace,
    /// Start of the recording.
    start: Nanos,
    /// End of the recording, once it is known.
    end: Arc<OnceLock<Nanos>>,
    over: bool,
}

impl Player {
    /// Opens a recording and plays it.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let replay = open(path)?;
        let context = replay.context().clone();
        let start = context.clocks.monotonic_ns;
        let pace = Pace { playing: true, speed: 1.0, wanted: start, goal: None };
        let end = Arc::default();
        look_for_end(path.to_owned(), Arc::clone(&end));
        Ok(Self { path: path.to_owned(), replay, context, pace, start, end, over: false })
    }

    /// What the observation started with.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The engine as it stands.
    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    /// As [`Player::engine`].
    pub fn engine_mut(&mut self) -> &mut Engine {
        self.replay.engine_mut()
    }

    /// The latest counters.
    pub fn sample(&self) -> &Sample {
        self.replay.sample()
    }

    /// Where the engine stands, nanoseconds of the recording's clock.
    pub fn now(&self) -> Nanos {
        self.replay.at().max(self.start)
    }

    /// For the header.
    pub fn transport(&self) -> Transport {
        Transport {
            position_ns: self.now() - self.start,
            length_ns: self.end.get().map_or(0, |end| end.saturating_sub(self.start)),
            speed: self.pace.speed,
            playing: self.pace.playing && !self.over,
            seeking: self.pace.goal.is_some(),
        }
    }

    /// A key was pressed. True: the engine was replaced.
    ///
    /// # Errors
    /// When the file, read before, can no longer be read.
    pub fn order(&mut self, order: Move) -> Result<bool, OpenError> {
        match order {
            Move::PlayPause => {
                self.pace.playing = !self.pace.playing || self.over;
                self.pace.goal = None;
                self.pace.wanted = self.now();
                if self.over {
                    return self.go(self.start);
                }
            }
            Move::Speed(factor) => self.pace.faster(factor),
            Move::NextFinding => self.pace.goal = (!self.over).then(|| Goal::Finding(findings(self.engine()))),
            Move::ToStart => return self.go(self.start),
            Move::By(part) => {
                let length = self.transport().length_ns.max(1_000_000_000);
                #[expect(clippy::cast_possible_truncation, reason = "a part of a length")]
                let by = (length as f64 * part) as i64;
                return self.go(self.now().saturating_add_signed(by).max(self.start));
            }
        }
        Ok(false)
    }

    /// Sets out for a time. Backwards there is only the way over the start.
    fn go(&mut self, time: Nanos) -> Result<bool, OpenError> {
        let back = time < self.now() || (self.over && time == self.start);
        if back {
            self.replay = open(&self.path)?;
            self.over = false;
        }
        self.pace.goal = Some(Goal::Time(time));
        Ok(back)
    }

    /// Time has gone by: reads on, as long as `time_left`.
    pub fn tick(&mut self, elapsed: Nanos, mut time_left: impl FnMut() -> bool) {
        self.pace.elapse(elapsed);
        while time_left() && !self.over {
            match self.pace.goal {
                Some(Goal::Time(time)) if self.now() >= time => self.arrived(false),
                Some(Goal::Finding(before)) if findings(self.engine()) > before => self.arrived(true),
                None if self.now() >= self.pace.wanted => return,
                Some(Goal::Time(time)) => self.read(time),
                // From one advance to the next: not past the finding.
                Some(Goal::Finding(_)) => self.read(self.now() + 1),
                None => self.read(self.pace.wanted),
            }
        }
        if self.over && self.pace.goal.is_some() {
            self.arrived(false);
        }
    }

    fn read(&mut self, until: Nanos) {
        if !self.replay.step(until, CHUNK) {
            self.replay.engine_mut().finish();
            self.over = true;
        }
    }

    fn arrived(&mut self, pause: bool) {
        self.pace.goal = None;
        self.pace.playing &= !pause;
        self.pace.wanted = self.now();
    }
}

fn open(path: &Path) -> Result<Replay, OpenError> {
    let mut replay = Replay::open(path)?;
    replay.engine_mut().start_tally();
    Ok(replay)
}

/// Windows, reuses and stale installs.
fn findings(engine: &Engine) -> u64 {
    let verdicts = &engine.report().verdicts;
    verdicts.window + verdicts.reuse + verdicts.stale_install
}

/// Reads the file to its end, beside everything else, to know how long it is. If it cannot, the length stays unknown.
fn look_for_end(path: PathBuf, end: Arc<OnceLock<Nanos>>) {
    let look = move || {
        let mut last = 0;
        if let Ok(mut reader) = Reader::open(&path) {
            while let Some(input) = reader.next_input() {
                if let Input::Advance(at) = input {
                    last = at;
                }
            }
        }
        // Nobody else sets it.
        let _ = end.set(last);
    };
    // Without the thread the length stays unknown, which is shown.
    drop(thread::Builder::new().name("length".to_owned()).spawn(look));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file is removed with the second value.
    fn player() -> (Player, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made-up.obs");
        observer_recordings::unfixed::record(&path, 20, 1_000).unwrap();
        (Player::open(&path).unwrap(), folder)
    }

    const SECOND: Nanos = 1_000_000_000;

    fn at(player: &Player) -> f64 {
        player.transport().position_ns as f64 / SECOND as f64
    }

    #[test]
    fn plays_at_the_speed_asked_for() {
        let (mut player, _file) = player();
        player.tick(SECOND, || true);
        assert!((at(&player) - 1.0).abs() < 0.2, "{}", at(&player));
        player.order(Move::Speed(2.0)).unwrap();
        player.tick(SECOND, || true);
        assert!((at(&player) - 3.0).abs() < 0.2, "{}", at(&player));
        player.order(Move::PlayPause).unwrap();
        player.tick(SECOND, || true);
        assert!((at(&player) - 3.0).abs() < 0.2 && !player.transport().playing);
    }

    #[test]
    fn steps_from_finding_to_finding() {
        let (mut player, _file) = player();
        for expected in 1..=3 {
            player.order(Move::NextFinding).unwrap();
            assert!(player.transport().seeking);
            player.tick(0, || true);
            assert!(findings(player.engine()) >= expected && !player.transport().playing);
        }
    }

    #[test]
    fn seeks_both_ways_and_finds_the_same_again() {
        let (mut player, _file) = player();
        player.order(Move::ToStart).unwrap();
        player.tick(4 * SECOND, || true);
        player.tick(4 * SECOND, || true);
        let (there, found) = (player.now(), findings(player.engine()));
        assert!(player.order(Move::ToStart).unwrap(), "backwards there is another engine");
        player.tick(0, || true);
        assert!(findings(player.engine()) < found);
        player.pace.goal = Some(Goal::Time(there));
        player.tick(0, || true);
        assert_eq!((player.now(), findings(player.engine())), (there, found));
    }

    #[test]
    fn ends_and_starts_again() {
        let (mut player, _file) = player();
        player.tick(1_000 * SECOND, || true);
        assert!(player.over && !player.transport().playing);
        player.order(Move::PlayPause).unwrap();
        player.tick(SECOND, || true);
        player.tick(SECOND, || true);
        assert!(player.transport().playing && at(&player) < 3.0);
    }

    #[test]
    fn stops_reading_when_the_time_is_over() {
        let (mut player, _file) = player();
        player.pace.goal = Some(Goal::Time(u64::MAX));
        let mut turns = 2;
        player.tick(0, || {
            turns -= 1;
            turns >= 0
        });
        assert!(!player.over && player.transport().seeking);
    }

    #[test]
    fn speeds_have_limits() {
        let (mut player, _file) = player();
        for _ in 0..50 {
            player.order(Move::Speed(2.0)).unwrap();
        }
        assert!((player.transport().speed - SPEEDS.1).abs() < 1e-9);
    }
}
