//! Plays a recording at a chosen speed, and seeks in it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use crate::{OpenError, Reader, Replay};
use observer_engine::{event::Nanos, reported::Reported};
use observer_observation::{CgroupPaths, Context, Engine, Input, Sample, Swap, Tally, WallClock};

/// A command to the player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    PlayPause,
    /// Multiplies the speed.
    Speed(f64),
    /// Plays to the next finding and pauses there.
    NextFinding,
    /// Seeks by a fraction of the whole length; negative: back.
    By(f64),
    ToStart,
}

/// Position and speed of the player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    pub position_ns: Nanos,
    /// 0 until it is known.
    pub length_ns: Nanos,
    /// 1: real time.
    pub speed: f64,
    pub playing: bool,
    /// On the way to a position or to the next finding.
    pub seeking: bool,
}

/// Inputs read between two checks of the time budget.
const CHUNK: usize = 4_096;

/// Lowest and highest speed; 1: real time.
const SPEEDS: (f64, f64) = (1.0 / 64.0, 1_024.0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// A time of the recording's clock.
    Time(Nanos),
    /// More findings than this.
    Finding(u64),
}

/// Speed and target of the player, without I/O.
#[derive(Clone, Debug, PartialEq)]
struct Pace {
    playing: bool,
    speed: f64,
    /// The time that the engine should have reached, nanoseconds of the recording's clock.
    due: Nanos,
    goal: Option<Goal>,
}

impl Pace {
    fn elapse(&mut self, elapsed: Nanos) {
        if self.playing && self.goal.is_none() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tick times the speed")]
            let ahead = (elapsed as f64 * self.speed) as Nanos;
            self.due = self.due.saturating_add(ahead);
        }
    }

    fn multiply_speed(&mut self, factor: f64) {
        self.speed = (self.speed * factor).clamp(SPEEDS.0, SPEEDS.1);
    }
}

pub struct Player {
    path: PathBuf,
    replay: Replay,
    context: Context,
    pace: Pace,
    /// Start of the recording, nanoseconds of its clock.
    start: Nanos,
    /// End of the recording, once `find_end` has read it.
    end: Arc<OnceLock<Nanos>>,
    ended: bool,
    selecting: Option<Selecting>,
}

/// Decides whether something that was reported belongs to the tally, by the areas, control groups and wall clock so far;
/// `None`: not yet known.
pub type Keep = Box<dyn Fn(&Reported, &Replay) -> Option<bool>>;

/// Adds what is selected to the tally.
struct Selecting {
    keep: Keep,
    /// What can be decided once more is known.
    pending: Vec<Reported>,
}

/// Most things that wait to be decided; later ones are not selected.
const MAX_PENDING: usize = 1_000;

impl Selecting {
    fn advance(&mut self, replay: &mut Replay) {
        let new = replay.engine_mut().take_reported();
        for reported in std::mem::take(&mut self.pending).into_iter().chain(new) {
            match (self.keep)(&reported, replay) {
                Some(true) => replay.engine_mut().add_to_tally(&reported),
                None if self.pending.len() < MAX_PENDING => self.pending.push(reported),
                Some(false) | None => {}
            }
        }
    }
}

impl Player {
    /// Opens a recording and starts to play it. Fails only if its header cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_selecting(path, None)
    }

    /// The same, with a tally of what is selected.
    pub fn open_selecting(path: &Path, keep: Option<Keep>) -> Result<Self, OpenError> {
        let selecting = keep.map(|keep| Selecting { keep, pending: Vec::new() });
        let replay = open(path, selecting.is_some())?;
        let context = replay.context().clone();
        let start = context.clocks.monotonic_ns;
        let pace = Pace { playing: true, speed: 1.0, due: start, goal: None };
        let end = Arc::default();
        find_end(path.to_owned(), Arc::clone(&end));
        Ok(Self { path: path.to_owned(), replay, context, pace, start, end, ended: false, selecting })
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    /// For what a dashboard switches on or clears in the engine.
    pub fn engine_mut(&mut self) -> &mut Engine {
        self.replay.engine_mut()
    }

    /// The swap areas so far.
    pub fn swaps(&self) -> &[Swap] {
        self.replay.swaps()
    }

    pub fn sample(&self) -> &Sample {
        self.replay.sample()
    }

    pub fn wall_clock(&self) -> &WallClock {
        self.replay.wall_clock()
    }

    pub fn cgroups(&self) -> &CgroupPaths {
        self.replay.cgroups()
    }

    /// The time that the engine has reached, nanoseconds of the recording's clock.
    pub fn now(&self) -> Nanos {
        self.replay.at().max(self.start)
    }

    pub fn transport(&self) -> Transport {
        Transport {
            position_ns: self.now() - self.start,
            length_ns: self.end.get().map_or(0, |end| end.saturating_sub(self.start)),
            speed: self.pace.speed,
            playing: self.pace.playing && !self.ended,
            seeking: self.pace.goal.is_some(),
        }
    }

    /// Carries out a command. True: the engine was replaced. Fails if the file can no longer be read.
    pub fn apply(&mut self, command: Move) -> Result<bool, OpenError> {
        match command {
            Move::PlayPause => {
                self.pace.playing = !self.pace.playing || self.ended;
                self.pace.goal = None;
                self.pace.due = self.now();
                if self.ended {
                    return self.seek(self.start);
                }
            }
            Move::Speed(factor) => self.pace.multiply_speed(factor),
            Move::NextFinding => self.pace.goal = (!self.ended).then(|| Goal::Finding(findings(self.engine()))),
            Move::ToStart => return self.seek(self.start),
            Move::By(part) => {
                let length = self.transport().length_ns.max(1_000_000_000);
                #[expect(clippy::cast_possible_truncation, reason = "a fraction of a length")]
                let by = (length as f64 * part) as i64;
                return self.seek(self.now().saturating_add_signed(by).max(self.start));
            }
        }
        Ok(false)
    }

    /// Seeks to a time. Going back means to replay from the start.
    fn seek(&mut self, time: Nanos) -> Result<bool, OpenError> {
        let back = time < self.now() || (self.ended && time == self.start);
        if back {
            self.replay = open(&self.path, self.selecting.is_some())?;
            self.ended = false;
            if let Some(selecting) = &mut self.selecting {
                selecting.pending.clear();
            }
        }
        self.pace.goal = Some(Goal::Time(time));
        Ok(back)
    }

    /// Reads as far as `elapsed` real time requires, as long as `time_left`.
    pub fn tick(&mut self, elapsed: Nanos, mut time_left: impl FnMut() -> bool) {
        self.pace.elapse(elapsed);
        while time_left() && !self.ended {
            match self.pace.goal {
                Some(Goal::Time(time)) if self.now() >= time => self.arrive(false),
                Some(Goal::Finding(before)) if findings(self.engine()) > before => self.arrive(true),
                None if self.now() >= self.pace.due => return,
                Some(Goal::Time(time)) => self.read(time),
                // In the smallest steps, so as not to pass the finding.
                Some(Goal::Finding(_)) => self.read(self.now() + 1),
                None => self.read(self.pace.due),
            }
        }
        if self.ended && self.pace.goal.is_some() {
            self.arrive(false);
        }
    }

    fn read(&mut self, until: Nanos) {
        if !self.replay.step(until, CHUNK) {
            self.replay.engine_mut().finish();
            self.ended = true;
        }
        if let Some(selecting) = &mut self.selecting {
            selecting.advance(&mut self.replay);
        }
    }

    fn arrive(&mut self, pause: bool) {
        self.pace.goal = None;
        self.pace.playing &= !pause;
        self.pace.due = self.now();
    }
}

fn open(path: &Path, is_selecting: bool) -> Result<Replay, OpenError> {
    let mut replay = Replay::open(path)?;
    replay.engine_mut().start_tally();
    if is_selecting {
        replay.engine_mut().keep_reported();
    }
    Ok(replay)
}

/// Windows, reuses and stale installs; of a selection, those selected.
fn findings(engine: &Engine) -> u64 {
    engine.tally().map_or(0, Tally::found)
}

/// Reads the file to its end on another thread to find its length, which stays unknown if that fails.
fn find_end(path: PathBuf, end: Arc<OnceLock<Nanos>>) {
    let look = move || {
        let mut last = 0;
        if let Ok(mut reader) = Reader::open(&path) {
            while let Some(input) = reader.next_input() {
                if let Input::Advance(at) = input {
                    last = at;
                }
            }
        }
        // Fails only if it is set already, and this thread alone sets it.
        let _ = end.set(last);
    };
    drop(thread::Builder::new().name("length".to_owned()).spawn(look));
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::verdict::Verdict;

    /// The recording lives as long as the second value.
    fn player() -> (Player, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made-up.obs");
        observer_recordings::vulnerable::record(&path, 20, 1_000).unwrap();
        (Player::open(&path).unwrap(), folder)
    }

    const SECOND: Nanos = 1_000_000_000;

    fn at(player: &Player) -> f64 {
        player.transport().position_ns as f64 / SECOND as f64
    }

    #[test]
    fn plays_at_the_chosen_speed() {
        let (mut player, _file) = player();
        player.tick(SECOND, || true);
        assert!((at(&player) - 1.0).abs() < 0.2, "{}", at(&player));
        player.apply(Move::Speed(2.0)).unwrap();
        player.tick(SECOND, || true);
        assert!((at(&player) - 3.0).abs() < 0.2, "{}", at(&player));
        player.apply(Move::PlayPause).unwrap();
        player.tick(SECOND, || true);
        assert!((at(&player) - 3.0).abs() < 0.2, "{}", at(&player));
        assert!(!player.transport().playing);
    }

    #[test]
    fn steps_from_finding_to_finding() {
        let (mut player, _file) = player();
        for expected in 1..=3 {
            player.apply(Move::NextFinding).unwrap();
            assert!(player.transport().seeking);
            player.tick(0, || true);
            assert!(findings(player.engine()) >= expected);
            assert!(!player.transport().playing);
        }
    }

    #[test]
    fn seeking_back_and_forth_reaches_the_same_state() {
        let (mut player, _file) = player();
        player.apply(Move::ToStart).unwrap();
        player.tick(4 * SECOND, || true);
        player.tick(4 * SECOND, || true);
        let (there, found) = (player.now(), findings(player.engine()));
        assert!(player.apply(Move::ToStart).unwrap(), "seeking back replaces the engine");
        player.tick(0, || true);
        assert!(findings(player.engine()) < found);
        player.pace.goal = Some(Goal::Time(there));
        player.tick(0, || true);
        assert_eq!((player.now(), findings(player.engine())), (there, found));
    }

    #[test]
    fn a_recording_that_has_ended_plays_from_the_start() {
        let (mut player, _file) = player();
        player.tick(1_000 * SECOND, || true);
        assert!(player.ended);
        assert!(!player.transport().playing);
        player.apply(Move::PlayPause).unwrap();
        player.tick(SECOND, || true);
        player.tick(SECOND, || true);
        assert!(player.transport().playing);
        assert!(at(&player) < 3.0, "{}", at(&player));
    }

    #[test]
    fn a_selection_limits_the_tally_and_the_next_finding() {
        let (whole, file) = player();
        let path = whole.path.clone();
        let stale_installs = |reported: &Reported, _: &Replay| {
            Some(matches!(reported, Reported::Finding { finding, .. } if finding.verdict == Verdict::StaleInstall))
        };
        let mut player = Player::open_selecting(&path, Some(Box::new(stale_installs))).unwrap();
        let mut last = 0;
        for expected in 1..=3 {
            player.apply(Move::NextFinding).unwrap();
            player.tick(0, || true);
            assert!(findings(player.engine()) >= expected);
            let stale = player.engine().report().verdicts.stale_install;
            assert!(stale > last, "paused at a stale install");
            last = stale;
        }
        player.apply(Move::ToStart).unwrap();
        player.pace.goal = Some(Goal::Time(u64::MAX));
        player.tick(0, || true);
        let tally = player.engine().tally().unwrap();
        let verdicts = &player.engine().report().verdicts;
        assert!(verdicts.window > 0);
        assert_eq!(tally.found(), verdicts.stale_install, "those of the end included");
        assert!(tally.entries().is_empty() || tally.entries().values().all(|row| row.overlaps == 0));
        drop(file);
    }

    #[test]
    fn what_is_undecided_waits_until_it_is_known() {
        let (whole, _file) = player();
        // Known only once two seconds have been played.
        let keep = |_: &Reported, replay: &Replay| {
            let played = replay.at().saturating_sub(replay.context().clocks.monotonic_ns);
            (played > 2 * SECOND).then_some(true)
        };
        let mut player = Player::open_selecting(&whole.path, Some(Box::new(keep))).unwrap();
        player.tick(SECOND, || true);
        let seen = |player: &Player| player.engine().tally().unwrap().distributions.overlap.summary().count;
        assert_eq!(seen(&player), 0);
        assert!(player.engine().report().verdicts.overlap > 0);
        player.tick(2 * SECOND, || true);
        assert_eq!(seen(&player), player.engine().report().verdicts.overlap, "also those that were reported before");
    }

    #[test]
    fn stops_reading_when_its_time_budget_is_used_up() {
        let (mut player, _file) = player();
        player.pace.goal = Some(Goal::Time(u64::MAX));
        let mut turns = 2;
        player.tick(0, || {
            turns -= 1;
            turns >= 0
        });
        assert!(!player.ended);
        assert!(player.transport().seeking);
    }

    #[test]
    fn speeds_have_limits() {
        let (mut player, _file) = player();
        for _ in 0..50 {
            player.apply(Move::Speed(2.0)).unwrap();
        }
        assert!((player.transport().speed - SPEEDS.1).abs() < 1e-9);
    }
}
