//! Plays a recording at a chosen speed, and seeks in it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use self::route::{Leg, Route};
use crate::{OpenError, Reader, Replay};
use observer_engine::{event::Nanos, reported::Reported};
use observer_observation::{
    CgroupPaths, Context, EndReason, Engine, FinalState, History, Input, Known, Sample, Swap, Tally, WallClock,
};

mod route;

/// A command to the player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    PlayPause,
    /// Multiplies the speed.
    Speed(f64),
    /// Plays to the next finding and pauses there.
    NextFinding,
    /// Goes back to the finding before, and pauses there.
    PreviousFinding,
    /// Seeks by a fraction of the whole length; negative: back.
    By(f64),
    To(Target),
    ToStart,
}

/// A time to seek to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// From the start of the recording.
    Offset(Nanos),
    /// The first time at which the wall clock shows this or more, nanoseconds since 1970.
    Unix(u64),
}

/// Position and speed of the player.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transport {
    pub position_ns: Nanos,
    /// 0 until it is known.
    pub length_ns: Nanos,
    /// 1: real time.
    pub speed: f64,
    pub playing: bool,
    /// On the way to a position or to the next finding.
    pub seeking: bool,
    /// Everything is played.
    pub ended: bool,
}

/// Inputs read between two checks of the time budget.
const CHUNK: usize = 4_096;

/// Lowest and highest speed; 1: real time.
pub const SPEEDS: (f64, f64) = (1.0 / 64.0, 1_024.0);

/// Where the player is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Time {
        target: Target,
        /// Whether to pause there.
        pause: bool,
    },
    /// The number of findings still to come.
    Findings(usize),
}

/// Speed and target of the player, without I/O.
#[derive(Clone, Debug, PartialEq)]
struct Pace {
    playing: bool,
    speed: f64,
    /// The time that the engine should have reached, nanoseconds of the recording's clock.
    due: Nanos,
    goal: Option<Goal>,
    /// What follows the goal.
    route: Route,
}

impl Pace {
    fn is_seeking(&self) -> bool {
        self.goal.is_some() || !self.route.is_empty()
    }

    fn elapse(&mut self, elapsed: Nanos) {
        if self.playing && !self.is_seeking() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tick times the speed")]
            let ahead = (elapsed as f64 * self.speed) as Nanos;
            self.due = self.due.saturating_add(ahead);
        }
    }

    fn set_speed(&mut self, speed: f64) {
        self.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    }

    fn stop(&mut self) {
        self.goal = None;
        self.route.clear();
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
    /// What the final state is, or what it would be if the observation ended now.
    ending: FinalState,
    /// The times at which findings came, as far as the recording was ever played.
    stops: BTreeSet<Nanos>,
    /// The latest time that was ever played.
    played: Nanos,
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
        let pace = Pace { playing: true, speed: 1.0, due: start, goal: None, route: Route::default() };
        let end = Arc::default();
        find_end(path.to_owned(), &end);
        Ok(Self {
            path: path.to_owned(),
            replay,
            context,
            pace,
            start,
            end,
            ended: false,
            ending: unfinished(),
            stops: BTreeSet::new(),
            played: start,
            selecting,
        })
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

    /// What the part that was played gives; at the end, what the whole recording gives.
    pub fn known(&self) -> Known<'_> {
        Known {
            context: &self.context,
            swaps: self.swaps(),
            report: self.engine().report(),
            sample: self.sample(),
            wall_clock: self.wall_clock(),
            cgroups: self.cgroups(),
            history: self.history(),
            ending: &self.ending,
            damage: self.replay.damage(),
            notes: self.replay.notes(),
        }
    }

    /// What the counters counted when.
    pub fn history(&self) -> &History {
        self.replay.history()
    }

    /// The time that the engine has reached, nanoseconds of the recording's clock.
    pub fn now(&self) -> Nanos {
        self.replay.at().max(self.start)
    }

    pub fn transport(&self) -> Transport {
        Transport {
            position_ns: self.now() - self.start,
            length_ns: self.length().unwrap_or(0),
            speed: self.pace.speed,
            playing: self.pace.playing && !self.ended,
            seeking: self.pace.is_seeking(),
            ended: self.ended,
        }
    }

    /// `None`: not yet known.
    fn length(&self) -> Option<Nanos> {
        self.end.get().map(|end| end.saturating_sub(self.start))
    }

    /// 1: real time.
    pub fn set_speed(&mut self, speed: f64) {
        self.pace.set_speed(speed);
    }

    /// Takes in a command. The next ticks seek; commands that come in between are added to those before.
    pub fn apply(&mut self, command: Move) {
        let leg = match command {
            Move::PlayPause => {
                self.pace.playing = !self.pace.playing || self.ended;
                self.pace.stop();
                self.pace.due = self.now();
                self.ended.then_some(Leg::To(Target::Offset(0)))
            }
            Move::Speed(factor) => {
                self.pace.set_speed(self.pace.speed * factor);
                None
            }
            Move::NextFinding => Some(Leg::Next(1)),
            Move::PreviousFinding => Some(Leg::Previous(1)),
            Move::To(target) => Some(Leg::To(target)),
            Move::ToStart => Some(Leg::To(Target::Offset(0))),
            Move::By(part) => Some(Leg::By(part)),
        };
        if let Some(leg) = leg {
            self.pace.route.add(leg);
        }
    }

    /// Reads as far as `elapsed` real time requires, as long as `time_left`. True: the engine was replaced. Fails if the
    /// file can no longer be read.
    pub fn tick(&mut self, elapsed: Nanos, mut time_left: impl FnMut() -> bool) -> Result<bool, OpenError> {
        self.pace.elapse(elapsed);
        let mut replaced = false;
        loop {
            replaced |= self.depart()?;
            match self.pace.goal {
                Some(goal) if self.ended || self.has_reached(goal) => self.arrive(goal),
                Some(_) if time_left() => self.read(),
                None if !self.pace.is_seeking() && self.is_due() && time_left() => self.read(),
                _ => return Ok(replaced),
            }
        }
    }

    /// Whether something is to be read without a goal: up to the time that is due, and what follows the last time.
    fn is_due(&self) -> bool {
        let is_last = || self.end.get().is_some_and(|end| self.now() >= *end);
        !self.ended && (self.now() < self.pace.due || is_last())
    }

    /// Makes the legs of the route the goal that can be decided now. True: the engine was replaced.
    fn depart(&mut self) -> Result<bool, OpenError> {
        let mut replaced = false;
        while let Some(leg) = self.pace.route.next() {
            let Some(goal) = self.goal(leg) else { break };
            self.pace.route.leave();
            self.pace.goal = Some(goal);
            if self.is_behind(goal) {
                self.restart()?;
                replaced = true;
            }
        }
        Ok(replaced)
    }

    /// The goal of a leg; `None`: it depends on something that is not known yet.
    fn goal(&self, leg: Leg) -> Option<Goal> {
        let to = |at: Nanos, pause| Goal::Time { target: Target::Offset(at.saturating_sub(self.start)), pause };
        match leg {
            Leg::To(target) => Some(Goal::Time { target, pause: false }),
            Leg::By(part) => {
                let length = self.length()?;
                #[expect(clippy::cast_possible_truncation, reason = "a fraction of a length")]
                let by = (length as f64 * part) as i64;
                let last = self.start.saturating_add(length).max(self.now());
                Some(to(self.base()?.saturating_add_signed(by).clamp(self.start, last), false))
            }
            Leg::Next(count) => self.pace.goal.is_none().then_some(Goal::Findings(count)),
            Leg::Previous(count) => {
                let base = self.base().filter(|base| *base <= self.played)?;
                let stop = self.stops.range(..base).rev().nth(count.saturating_sub(1));
                Some(to(stop.copied().unwrap_or(self.start), true))
            }
        }
    }

    /// Where the player is, or where it is going; `None`: not known.
    fn base(&self) -> Option<Nanos> {
        match self.pace.goal {
            None => Some(self.now()),
            Some(Goal::Time { target: Target::Offset(ns), .. }) => Some(self.start.saturating_add(ns)),
            Some(_) => None,
        }
    }

    /// Whether the player must go back to reach it.
    fn is_behind(&self, goal: Goal) -> bool {
        let now = self.now();
        match goal {
            Goal::Time { target: Target::Offset(ns), .. } => {
                self.start.saturating_add(ns) < now || (ns == 0 && self.ended)
            }
            // At the start there is nothing before.
            Goal::Time { target: Target::Unix(ns), .. } => self.replay.at() > 0 && self.wall_clock().realtime(now) > ns,
            Goal::Findings(_) => false,
        }
    }

    fn has_reached(&self, goal: Goal) -> bool {
        match goal {
            Goal::Time { target: Target::Offset(ns), .. } => self.now() >= self.start.saturating_add(ns),
            Goal::Time { target: Target::Unix(ns), .. } => self.wall_clock().realtime(self.now()) >= ns,
            Goal::Findings(count) => count == 0,
        }
    }

    /// Going back means to replay from the start.
    fn restart(&mut self) -> Result<(), OpenError> {
        self.replay = open(&self.path, self.selecting.is_some())?;
        self.ended = false;
        self.ending = unfinished();
        if let Some(selecting) = &mut self.selecting {
            selecting.pending.clear();
        }
        Ok(())
    }

    /// Reads in the smallest steps, so as not to pass a finding.
    fn read(&mut self) {
        let before = findings(self.engine());
        if !self.replay.step(self.now() + 1, CHUNK) {
            self.ending = self.replay.conclude();
            self.ended = true;
        }
        if let Some(selecting) = &mut self.selecting {
            selecting.advance(&mut self.replay);
        }
        let new = findings(self.engine()).saturating_sub(before);
        self.played = self.played.max(self.now());
        if new > 0 {
            self.stops.insert(self.now());
            if let Some(Goal::Findings(left)) = &mut self.pace.goal {
                *left = left.saturating_sub(1);
            }
        }
    }

    fn arrive(&mut self, goal: Goal) {
        let pause = matches!(goal, Goal::Findings(0) | Goal::Time { pause: true, .. });
        self.pace.goal = None;
        self.pace.playing &= !pause;
        self.pace.due = self.now();
    }
}

/// Of an observation of which only a part was played.
fn unfinished() -> FinalState {
    FinalState::unknown(EndReason::Observer)
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

/// Reads the file to its end on another thread to find its length. Where that fails, the end is that of what was read.
fn find_end(path: PathBuf, end: &Arc<OnceLock<Nanos>>) {
    let found = Arc::clone(end);
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
        let _ = found.set(last);
    };
    if thread::Builder::new().name("length".to_owned()).spawn(look).is_err() {
        let _ = end.set(0);
    }
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

    /// As the dashboard does, with as much time as needed. Whether the engine was replaced.
    fn tick(player: &mut Player, elapsed: Nanos) -> bool {
        player.tick(elapsed, || true).unwrap()
    }

    /// A key that is held down.
    fn hold(player: &mut Player, command: Move, times: usize) {
        for _ in 0..times {
            player.apply(command);
        }
    }

    /// The same once the length is known.
    fn measured() -> (Player, tempfile::TempDir) {
        let (player, folder) = player();
        while player.length().is_none() {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        (player, folder)
    }

    /// Paused ten seconds from the start.
    fn paused() -> (Player, tempfile::TempDir) {
        let (mut player, folder) = measured();
        player.apply(Move::PlayPause);
        player.apply(Move::To(Target::Offset(10 * SECOND)));
        tick(&mut player, 0);
        (player, folder)
    }

    #[test]
    fn held_keys_seek_by_their_sum() {
        for (keys, part) in [(7, 0.05), (7, -0.05), (1, -0.05), (100, -0.05)] {
            let (mut player, _file) = paused();
            let (from, length) = (at(&player), player.length().unwrap() as f64 / SECOND as f64);
            for key in 0..keys {
                player.apply(Move::By(part));
                // Keys come during a seek, which is slow: each tick reads little.
                if key % 3 == 0 {
                    let mut reads = 5;
                    player
                        .tick(SECOND / 10, || {
                            reads -= 1;
                            reads >= 0
                        })
                        .unwrap();
                }
            }
            tick(&mut player, 0);
            let expected = (from + f64::from(keys) * part * length).clamp(0.0, length);
            assert!((at(&player) - expected).abs() < 0.2, "{keys} of {part}: {} is not {expected}", at(&player));
            assert!(!player.transport().seeking);
        }
    }

    #[test]
    fn steps_wait_until_the_length_is_known() {
        let (mut player, _file) = measured();
        let length = player.length().unwrap();
        player.end = Arc::default();
        hold(&mut player, Move::By(0.05), 4);
        tick(&mut player, SECOND);
        assert_eq!((player.now(), player.transport().seeking), (player.start, true), "it does not play on meanwhile");
        player.end.set(player.start + length).unwrap();
        tick(&mut player, 0);
        assert!((at(&player) - length as f64 / SECOND as f64 / 5.0).abs() < 0.2, "{}", at(&player));
    }

    #[test]
    fn keys_for_findings_are_counted() {
        let (mut player, _file) = paused();
        let found = |player: &Player| findings(player.engine());
        player.apply(Move::To(Target::Offset(0)));
        let mut stops = Vec::new();
        for _ in 0..6 {
            player.apply(Move::NextFinding);
            tick(&mut player, 0);
            stops.push((player.now(), found(&player)));
        }
        player.apply(Move::ToStart);
        hold(&mut player, Move::NextFinding, 5);
        tick(&mut player, 0);
        assert_eq!((player.now(), found(&player)), stops[4]);
        hold(&mut player, Move::PreviousFinding, 3);
        assert!(tick(&mut player, 0));
        assert_eq!((player.now(), found(&player)), stops[1]);
        player.apply(Move::PreviousFinding);
        player.apply(Move::NextFinding);
        player.apply(Move::NextFinding);
        tick(&mut player, 0);
        assert_eq!((player.now(), found(&player)), stops[2], "in their order");
        hold(&mut player, Move::PreviousFinding, 9);
        tick(&mut player, 0);
        assert_eq!((player.now(), player.transport().playing), (player.start, false), "none before: the start");
    }

    #[test]
    fn seeks_to_the_time_that_the_wall_clock_showed() {
        let (mut player, _file) = measured();
        let wall = player.wall_clock().start().realtime_ns;
        for seconds in [12, 3, 15] {
            player.apply(Move::To(Target::Unix(wall + seconds * SECOND)));
            tick(&mut player, 0);
            assert!((at(&player) - seconds as f64).abs() < 0.2, "{seconds}: {}", at(&player));
        }
        player.apply(Move::To(Target::Unix(0)));
        tick(&mut player, 0);
        assert!(at(&player) < 0.2, "{}", at(&player));
        player.apply(Move::To(Target::Unix(u64::MAX)));
        tick(&mut player, 0);
        assert!(player.transport().ended);
    }

    #[test]
    fn the_end_is_reached_while_paused() {
        let (mut player, _file) = paused();
        assert!(!player.transport().ended);
        assert_eq!(player.known().ending, &unfinished());
        hold(&mut player, Move::By(0.05), 30);
        tick(&mut player, 0);
        assert!(player.transport().ended && !player.transport().seeking);
        let whole = Replay::open(&player.path).unwrap().finish();
        assert_eq!(player.known().ending, &whole.ending);
        assert_eq!(player.known().report.verdicts, whole.engine.report().verdicts);
        player.apply(Move::By(-0.05));
        tick(&mut player, 0);
        assert!(!player.transport().ended);
        assert_eq!(player.known().ending, &unfinished(), "a part again");
    }

    #[test]
    fn plays_at_the_chosen_speed() {
        let (mut player, _file) = player();
        tick(&mut player, SECOND);
        assert!((at(&player) - 1.0).abs() < 0.2, "{}", at(&player));
        player.apply(Move::Speed(2.0));
        tick(&mut player, SECOND);
        assert!((at(&player) - 3.0).abs() < 0.2, "{}", at(&player));
        player.apply(Move::PlayPause);
        tick(&mut player, SECOND);
        assert!((at(&player) - 3.0).abs() < 0.2, "{}", at(&player));
        assert!(!player.transport().playing);
    }

    #[test]
    fn steps_from_finding_to_finding() {
        let (mut player, _file) = player();
        for expected in 1..=3 {
            player.apply(Move::NextFinding);
            assert!(player.transport().seeking);
            tick(&mut player, 0);
            assert!(findings(player.engine()) >= expected);
            assert!(!player.transport().playing);
        }
    }

    #[test]
    fn seeking_back_and_forth_reaches_the_same_state() {
        let (mut player, _file) = player();
        player.apply(Move::ToStart);
        tick(&mut player, 4 * SECOND);
        tick(&mut player, 4 * SECOND);
        let (there, found) = (player.now(), findings(player.engine()));
        player.apply(Move::ToStart);
        assert!(tick(&mut player, 0), "seeking back replaces the engine");
        assert!(findings(player.engine()) < found);
        player.apply(Move::To(Target::Offset(there - player.start)));
        tick(&mut player, 0);
        assert_eq!((player.now(), findings(player.engine())), (there, found));
    }

    #[test]
    fn a_recording_that_has_ended_plays_from_the_start() {
        let (mut player, _file) = player();
        tick(&mut player, 1_000 * SECOND);
        assert!(player.ended);
        assert!(!player.transport().playing);
        player.apply(Move::PlayPause);
        tick(&mut player, SECOND);
        tick(&mut player, SECOND);
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
            player.apply(Move::NextFinding);
            tick(&mut player, 0);
            assert!(findings(player.engine()) >= expected);
            let stale = player.engine().report().verdicts.stale_install;
            assert!(stale > last, "paused at a stale install");
            last = stale;
        }
        player.apply(Move::ToStart);
        player.apply(Move::To(Target::Offset(u64::MAX)));
        tick(&mut player, 0);
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
        tick(&mut player, SECOND);
        let seen = |player: &Player| player.engine().tally().unwrap().distributions.overlap.summary().count;
        assert_eq!(seen(&player), 0);
        assert!(player.engine().report().verdicts.overlap > 0);
        tick(&mut player, 2 * SECOND);
        assert_eq!(seen(&player), player.engine().report().verdicts.overlap, "also those that were reported before");
    }

    #[test]
    fn stops_reading_when_its_time_budget_is_used_up() {
        let (mut player, _file) = player();
        player.apply(Move::To(Target::Offset(u64::MAX)));
        let mut turns = 2;
        player
            .tick(0, || {
                turns -= 1;
                turns >= 0
            })
            .unwrap();
        assert!(!player.ended);
        assert!(player.transport().seeking);
    }

    #[test]
    fn speeds_have_limits() {
        let (mut player, _file) = player();
        for _ in 0..50 {
            player.apply(Move::Speed(2.0));
        }
        assert!((player.transport().speed - SPEEDS.1).abs() < 1e-9);
    }
}
