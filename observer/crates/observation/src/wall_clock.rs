//! The wall clock (`CLOCK_REALTIME`) during an observation.
//!
//! Events have times of `CLOCK_MONOTONIC`. Slewing (NTP, `adjtime`) changes the rate of both clocks alike. The
//! difference between them changes only when the wall clock is stepped (`settimeofday`, a leap second) or the machine is
//! suspended, during which `CLOCK_MONOTONIC` stops and `CLOCK_BOOTTIME` does not.

use observer_engine::event::Nanos;
use serde::{Deserialize, Serialize};

use crate::{clock::Clocks, recording::Note};

/// The smallest step and the shortest suspension that are kept, nanoseconds. Readings are compared with the last one
/// that was kept, so smaller steps add up until they reach it.
pub const TOLERANCE: Nanos = 1_000_000;

/// Most changes that are kept. A further one is merged with the last: times before and after both are right, those in
/// between are by the clock before both.
pub const MAX_CHANGES: usize = 1_000;

/// A change of the wall clock against `CLOCK_MONOTONIC`, between two readings; several if they were merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockChange {
    /// The last reading before it, on `CLOCK_MONOTONIC`.
    pub after_ns: Nanos,
    /// The first reading after it.
    pub clocks: Clocks,
    /// How far the wall clock was stepped forwards, or, below 0, backwards. At least [`TOLERANCE`] either way, or 0.
    pub stepped_ns: i64,
    /// How long the machine was suspended: at least [`TOLERANCE`], or 0.
    pub suspended_ns: u64,
    /// Steps in it: 0 or 1, unless it is merged.
    pub steps: u64,
    /// Suspensions in it: 0 or 1, unless it is merged.
    pub suspensions: u64,
}

impl ClockChange {
    /// The change from one reading to a later one; `None`: there was none.
    fn between(before: &Clocks, after_ns: Nanos, clocks: Clocks) -> Option<Self> {
        let suspended = before
            .boottime_ns
            .zip(clocks.boottime_ns)
            .map_or(0, |(before_ns, after_ns)| (ahead(after_ns, &clocks) - ahead(before_ns, before)).max(0));
        let moved = ahead(clocks.realtime_ns, &clocks) - ahead(before.realtime_ns, before);
        let [stepped, suspended] = [moved - suspended, suspended].map(beyond_tolerance);
        (stepped != 0 || suspended != 0).then(|| Self {
            after_ns,
            clocks,
            stepped_ns: stepped,
            suspended_ns: suspended.unsigned_abs(),
            steps: u64::from(stepped != 0),
            suspensions: u64::from(suspended != 0),
        })
    }

    fn merge(&mut self, later: Self) {
        *self = Self {
            after_ns: self.after_ns,
            clocks: later.clocks,
            stepped_ns: self.stepped_ns.saturating_add(later.stepped_ns),
            suspended_ns: self.suspended_ns.saturating_add(later.suspended_ns),
            steps: self.steps.saturating_add(later.steps),
            suspensions: self.suspensions.saturating_add(later.suspensions),
        };
    }
}

/// How far a clock is ahead of `CLOCK_MONOTONIC`. Wide enough for whatever a file contains.
fn ahead(clock_ns: u64, clocks: &Clocks) -> i128 {
    i128::from(clock_ns) - i128::from(clocks.monotonic_ns)
}

/// 0 for a difference below the tolerance.
fn beyond_tolerance(ns: i128) -> i64 {
    if ns.unsigned_abs() < TOLERANCE.into() {
        return 0;
    }
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

/// Converts times of `CLOCK_MONOTONIC` to the time that the wall clock showed then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    start: Clocks,
    /// In the order of their readings.
    changes: Vec<ClockChange>,
    /// The latest reading, on `CLOCK_MONOTONIC`.
    read_ns: Nanos,
}

impl WallClock {
    /// Before any reading but that of the start.
    pub const fn new(start: Clocks) -> Self {
        Self { start, changes: Vec::new(), read_ns: start.monotonic_ns }
    }

    /// With the changes that were found up to a reading at `read_ns`.
    #[must_use]
    pub fn with_changes(start: Clocks, changes: &[ClockChange], read_ns: Nanos) -> Self {
        let mut wall = Self::new(start);
        for change in changes {
            if change.clocks.monotonic_ns > wall.read_ns {
                wall.read_ns = change.clocks.monotonic_ns;
                wall.push(*change);
            }
        }
        wall.read_ns = wall.read_ns.max(read_ns);
        wall
    }

    /// Takes in a reading of the clocks. One that is not later than the latest is ignored.
    pub fn add(&mut self, clocks: Clocks) {
        if clocks.monotonic_ns <= self.read_ns {
            return;
        }
        let after_ns = std::mem::replace(&mut self.read_ns, clocks.monotonic_ns);
        let kept = self.changes.last().map_or(&self.start, |change| &change.clocks);
        if let Some(change) = ClockChange::between(kept, after_ns, clocks) {
            self.push(change);
        }
    }

    fn push(&mut self, change: ClockChange) {
        let is_full = self.changes.len() >= MAX_CHANGES;
        match self.changes.last_mut() {
            Some(last) if is_full => last.merge(change),
            _ => self.changes.push(change),
        }
    }

    /// The clocks at the start.
    pub const fn start(&self) -> Clocks {
        self.start
    }

    /// All changes, in order.
    pub fn changes(&self) -> &[ClockChange] {
        &self.changes
    }

    /// What the wall clock showed at a time of `CLOCK_MONOTONIC`, nanoseconds since 1970. A change counts from the first
    /// reading after it, so a time between [`ClockChange::after_ns`] and that reading may be that before the change.
    pub fn realtime(&self, at: Nanos) -> u64 {
        let later = self.changes.partition_point(|change| change.clocks.monotonic_ns <= at);
        let valid = later.checked_sub(1).and_then(|last| self.changes.get(last));
        valid.map_or(&self.start, |change| &change.clocks).realtime(at)
    }

    /// What a reader of the results must know: steps, and suspensions.
    pub fn notes(&self) -> impl Iterator<Item = Note> {
        self.stepped().into_iter().chain(self.suspended())
    }

    fn stepped(&self) -> Option<Note> {
        let furthest = self
            .changes
            .iter()
            .filter(|change| change.steps > 0)
            .max_by_key(|change| change.stepped_ns.unsigned_abs())?;
        Some(Note::ClockStepped {
            times: self.changes.iter().map(|change| change.steps).fold(0, u64::saturating_add),
            by_ns: furthest.stepped_ns,
            to_unix_ns: furthest.clocks.realtime_ns,
        })
    }

    fn suspended(&self) -> Option<Note> {
        let longest =
            self.changes.iter().filter(|change| change.suspensions > 0).max_by_key(|change| change.suspended_ns)?;
        Some(Note::Suspended {
            times: self.changes.iter().map(|change| change.suspensions).fold(0, u64::saturating_add),
            for_ns: self.changes.iter().map(|change| change.suspended_ns).fold(0, u64::saturating_add),
            until_unix_ns: longest.clocks.realtime_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * SECOND;
    /// 2026-01-01.
    const NEW_YEAR: u64 = 1_767_225_600 * SECOND;

    /// An observation that starts 100 s after the machine has, at [`NEW_YEAR`].
    fn wall_clock() -> WallClock {
        WallClock::new(at(0, NEW_YEAR, 0))
    }

    /// A reading `ns` after the start, where the clock shows `realtime_ns` and the machine was suspended for `suspended`.
    fn at(ns: u64, realtime_ns: u64, suspended: u64) -> Clocks {
        let monotonic_ns = 100 * SECOND + ns;
        Clocks { monotonic_ns, realtime_ns, boottime_ns: Some(monotonic_ns + 7 * SECOND + suspended) }
    }

    /// What the clock shows at some seconds after the start.
    fn shown<const N: usize>(wall: &WallClock, seconds: [u64; N]) -> [u64; N] {
        seconds.map(|second| wall.realtime((100 + second) * SECOND))
    }

    /// Readings once a second for ten seconds.
    fn run(wall: &mut WallClock, realtime: impl Fn(u64) -> u64, suspended: impl Fn(u64) -> u64) {
        for ns in (1..=10).map(|second| second * SECOND) {
            wall.add(at(ns, realtime(ns), suspended(ns)));
        }
    }

    #[test]
    fn without_a_change_all_times_are_by_the_start() {
        let mut wall = wall_clock();
        run(&mut wall, |ns| NEW_YEAR + ns, |_| 0);
        assert_eq!(wall.changes(), []);
        assert_eq!(shown(&wall, [5, 50]), [NEW_YEAR + 5 * SECOND, NEW_YEAR + 50 * SECOND]);
        assert_eq!(wall.realtime(99 * SECOND), NEW_YEAR - SECOND, "before the first reading");
        assert_eq!(wall.notes().count(), 0);
    }

    #[test]
    fn a_step_counts_from_the_first_reading_after_it() {
        for by in [3_600, -3_600, 1_000_000, -20_000_000] {
            let by_ns = by * SECOND.cast_signed();
            let clock = |ns: u64| (NEW_YEAR + ns).saturating_add_signed(if ns < 5 * SECOND { 0 } else { by_ns });
            let mut wall = wall_clock();
            run(&mut wall, clock, |_| 0);
            let change = ClockChange {
                after_ns: 104 * SECOND,
                clocks: at(5 * SECOND, clock(5 * SECOND), 0),
                stepped_ns: by_ns,
                steps: 1,
                ..ClockChange::default()
            };
            assert_eq!(wall.changes(), [change]);
            let seconds = [0, 4, 5, 8, 12];
            assert_eq!(shown(&wall, seconds), seconds.map(|second| clock(second * SECOND)));
            assert_eq!(
                wall.realtime(104 * SECOND + SECOND / 2),
                NEW_YEAR + 4 * SECOND + SECOND / 2,
                "between two readings"
            );
            let note = Note::ClockStepped { times: 1, by_ns, to_unix_ns: clock(5 * SECOND) };
            assert_eq!(wall.notes().collect::<Vec<_>>(), [note]);
        }
    }

    #[test]
    fn a_suspension_is_no_step() {
        let suspended = |ns: u64| if ns < 5 * SECOND { 0 } else { 8 * HOUR };
        let mut wall = wall_clock();
        run(&mut wall, |ns| NEW_YEAR + ns + suspended(ns), suspended);
        let [change] = wall.changes() else { panic!("{:?}", wall.changes()) };
        assert_eq!((change.stepped_ns, change.steps), (0, 0));
        assert_eq!((change.suspended_ns, change.suspensions), (8 * HOUR, 1));
        assert_eq!(shown(&wall, [4, 5]), [NEW_YEAR + 4 * SECOND, NEW_YEAR + 5 * SECOND + 8 * HOUR]);
        let note = Note::Suspended { times: 1, for_ns: 8 * HOUR, until_unix_ns: NEW_YEAR + 5 * SECOND + 8 * HOUR };
        assert_eq!(wall.notes().collect::<Vec<_>>(), [note]);
    }

    #[test]
    fn a_step_while_suspended_is_both() {
        let suspended = |ns: u64| if ns < 5 * SECOND { 0 } else { 8 * HOUR };
        let clock = |ns: u64| NEW_YEAR + ns + suspended(ns) - if ns < 5 * SECOND { 0 } else { 3 * SECOND };
        let mut wall = wall_clock();
        run(&mut wall, clock, suspended);
        let [change] = wall.changes() else { panic!("{:?}", wall.changes()) };
        assert_eq!((change.stepped_ns, change.suspended_ns), (-3_000_000_000, 8 * HOUR));
        assert_eq!(wall.notes().count(), 2);
    }

    #[test]
    fn a_machine_without_a_clock_starts_in_1970_until_ntp_sets_it() {
        let start = Clocks { monotonic_ns: 5 * SECOND, realtime_ns: 5 * SECOND, boottime_ns: Some(5 * SECOND) };
        let mut wall = WallClock::new(start);
        wall.add(Clocks { monotonic_ns: 65 * SECOND, realtime_ns: NEW_YEAR, boottime_ns: Some(65 * SECOND) });
        let [change] = wall.changes() else { panic!("{:?}", wall.changes()) };
        assert_eq!(change.stepped_ns.unsigned_abs(), NEW_YEAR - 65 * SECOND);
        let times = [0, 2, 64, 65, 70].map(|second| wall.realtime(second * SECOND));
        assert_eq!(times, [0, 2 * SECOND, 64 * SECOND, NEW_YEAR, NEW_YEAR + 5 * SECOND]);
    }

    #[test]
    fn without_boottime_a_suspension_is_a_step() {
        let mut wall = WallClock::new(Clocks { boottime_ns: None, ..at(0, NEW_YEAR, 0) });
        wall.add(at(SECOND, NEW_YEAR + HOUR, HOUR));
        let [change] = wall.changes() else { panic!("{:?}", wall.changes()) };
        assert_eq!((change.steps, change.suspensions), (1, 0));
    }

    #[test]
    fn small_differences_add_up_until_they_reach_the_tolerance() {
        let mut wall = wall_clock();
        // 0.3 ms a second.
        run(&mut wall, |ns| NEW_YEAR + ns + 3 * ns / 10_000, |_| 0);
        let changes: Vec<_> =
            wall.changes().iter().map(|change| (change.clocks.monotonic_ns, change.stepped_ns)).collect();
        assert_eq!(changes, [(104 * SECOND, 1_200_000), (108 * SECOND, 1_200_000)]);
        let worst = (0..=10).map(|second| {
            let ns = second * SECOND;
            wall.realtime(100 * SECOND + ns).abs_diff(NEW_YEAR + ns + 3 * ns / 10_000)
        });
        assert!(worst.max() < Some(TOLERANCE));
    }

    #[test]
    fn a_difference_below_the_tolerance_is_noise() {
        let noise = |ns: u64| if (ns / SECOND).is_multiple_of(2) { TOLERANCE - 1 } else { 0 };
        for (clock, boottime) in [(1, 0), (0, 1), (1, 1)] {
            let mut wall = wall_clock();
            run(&mut wall, |ns| NEW_YEAR + ns + clock * noise(ns), |ns| boottime * noise(ns));
            assert_eq!(wall.changes(), []);
        }
    }

    #[test]
    fn changes_beyond_the_limit_are_merged_with_the_last() {
        let most = u64::try_from(MAX_CHANGES).unwrap();
        let clock = |second: u64| NEW_YEAR + second * (SECOND + HOUR);
        let mut wall = wall_clock();
        for second in 1..=most + 3 {
            wall.add(at(second * SECOND, clock(second), 0));
        }
        assert_eq!(wall.changes().len(), MAX_CHANGES);
        let last = wall.changes().last().unwrap();
        assert_eq!((last.steps, last.stepped_ns.unsigned_abs()), (4, 4 * HOUR));
        assert_eq!(last.after_ns, (100 + most - 1) * SECOND);
        let seconds = [most - 2, most - 1, most + 3, most + 4];
        let right = [most - 2, most - 1, most + 3].map(clock);
        assert_eq!(shown(&wall, seconds), [right[0], right[1], right[2], right[2] + SECOND]);
        let merged = shown(&wall, [most, most + 2]);
        assert_eq!(merged, [right[1] + SECOND, right[1] + 3 * SECOND], "by the clock before the merged steps");
        let [Note::ClockStepped { times, .. }] = wall.notes().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(times, most + 3);
    }

    #[test]
    fn changes_of_a_file_are_continued() {
        let step = |ns: u64| NEW_YEAR + ns + if ns < 5 * SECOND { 0 } else { HOUR };
        let mut whole = wall_clock();
        run(&mut whole, step, |_| 0);
        let mut continued = WallClock::with_changes(whole.start(), whole.changes(), 110 * SECOND);
        assert_eq!(continued, whole);
        continued.add(at(8 * SECOND, NEW_YEAR, 0));
        assert_eq!(continued, whole, "a reading that is not later");
        continued.add(at(11 * SECOND, NEW_YEAR + 11 * SECOND, 0));
        assert_eq!(
            continued.changes().last().map(|change| (change.after_ns, change.stepped_ns)),
            Some((110 * SECOND, -3_600_000_000_000))
        );
    }

    #[test]
    fn what_a_damaged_file_contains_is_bounded() {
        let extreme = |monotonic_ns, realtime_ns| Clocks { monotonic_ns, realtime_ns, boottime_ns: Some(realtime_ns) };
        let change = |monotonic_ns| ClockChange {
            clocks: extreme(monotonic_ns, u64::MAX),
            stepped_ns: i64::MAX,
            suspended_ns: u64::MAX,
            steps: u64::MAX,
            suspensions: u64::MAX,
            ..ClockChange::default()
        };
        let many: Vec<ClockChange> = (0..5_000).map(change).collect();
        let mut wall = WallClock::with_changes(extreme(0, u64::MAX), &many, 0);
        assert_eq!(wall.changes().len(), MAX_CHANGES);
        let unordered = [change(9), change(3), change(9)];
        assert_eq!(WallClock::with_changes(extreme(0, 0), &unordered, 0).changes(), [change(9)]);
        wall.add(extreme(u64::MAX, 0));
        assert_eq!(wall.realtime(u64::MAX), 0);
        assert_eq!(wall.notes().count(), 2);
    }
}
