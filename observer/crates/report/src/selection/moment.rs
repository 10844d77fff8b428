//! A point in time, as it is given for a selection.

use std::time::Duration;

use observer_engine::event::Nanos;
use observer_observation::{Clocks, WallClock};

use crate::units::time_of_day;

const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds from the start of the recording.
    Offset(Nanos),
    /// Nanoseconds since 1970.
    Unix(u64),
    /// Nanoseconds since midnight, UTC: the first such time from an hour before the start of the recording on.
    TimeOfDay(u64),
}

impl Moment {
    /// `start`: the clocks at the start of the observation.
    pub fn bound(self, start: Clocks) -> Bound {
        match self {
            Self::Offset(ns) => Bound::Monotonic(start.monotonic_ns.saturating_add(ns)),
            Self::Unix(ns) => Bound::Unix(ns),
            Self::TimeOfDay(ns) => Bound::Unix(next(ns, start.realtime_ns)),
        }
    }

    /// As it is printed; a time of day with its date.
    pub(super) fn words(self, start: Clocks) -> String {
        match (self, self.bound(start)) {
            (Self::Offset(ns), _) => humantime::format_duration(Duration::from_nanos(ns)).to_string(),
            (_, Bound::Unix(ns) | Bound::Monotonic(ns)) => time_of_day(ns),
        }
    }

    /// Whether a span from this time to another is empty in every recording.
    pub fn is_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::Offset(a), Self::Offset(b)) | (Self::Unix(a), Self::Unix(b)) => a >= b,
            _ => false,
        }
    }
}

/// The first time that shows `of_day` and is at most an hour before the start.
fn next(of_day: u64, start_unix: u64) -> u64 {
    let earliest = start_unix.saturating_sub(HOUR);
    let same_day = earliest - earliest % DAY + of_day % DAY;
    if same_day < earliest { same_day + DAY } else { same_day }
}

/// A point in time of one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Of `CLOCK_MONOTONIC`.
    Monotonic(Nanos),
    /// As the wall clock shows it, nanoseconds since 1970.
    Unix(u64),
}

impl Bound {
    pub(super) fn is_after(self, at: Nanos, wall_clock: &WallClock) -> bool {
        match self {
            Self::Monotonic(bound) => at < bound,
            Self::Unix(bound) => wall_clock.realtime(at) < bound,
        }
    }

    /// By the clocks at the start.
    pub(super) fn unix_ns(self, start: Clocks) -> u64 {
        match self {
            Self::Monotonic(at) => start.realtime(at),
            Self::Unix(ns) => ns,
        }
    }

    /// On `CLOCK_MONOTONIC`; `None`: the wall clock was changed, so that there may be none or several.
    pub(super) fn monotonic_ns(self, wall_clock: &WallClock) -> Option<Nanos> {
        let start = wall_clock.start();
        match self {
            Self::Monotonic(at) => Some(at),
            Self::Unix(_) if !wall_clock.changes().is_empty() => None,
            Self::Unix(ns) if ns < start.realtime_ns => Some(start.monotonic_ns.saturating_sub(start.realtime_ns - ns)),
            Self::Unix(ns) => Some(start.monotonic_ns.saturating_add(ns - start.realtime_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// 2026-01-01.
    const NEW_YEAR: u64 = 1_767_225_600 * SECOND;

    fn resolved(of_day: u64, start_of_day: u64) -> String {
        let start = Clocks { monotonic_ns: 7, realtime_ns: NEW_YEAR + start_of_day, boottime_ns: None };
        Moment::TimeOfDay(of_day).words(start)
    }

    #[test]
    fn a_time_of_day_gets_the_date_of_the_recording() {
        assert_eq!(resolved(17 * HOUR, 8 * HOUR), "2026-01-01T17:00:00.000Z");
        assert_eq!(resolved(17 * HOUR, 17 * HOUR + HOUR / 2), "2026-01-01T17:00:00.000Z", "shortly before the start");
        assert_eq!(resolved(6 * HOUR, 8 * HOUR), "2026-01-02T06:00:00.000Z", "after midnight");
        assert_eq!(resolved(HOUR / 2, 23 * HOUR), "2026-01-02T00:30:00.000Z");
        assert_eq!(resolved(23 * HOUR + HOUR / 2, HOUR / 4), "2025-12-31T23:30:00.000Z", "before midnight");
    }

    #[test]
    fn a_bound_has_one_time_unless_the_wall_clock_was_changed() {
        let start = Clocks { monotonic_ns: 100 * SECOND, realtime_ns: NEW_YEAR, boottime_ns: None };
        let mut wall = WallClock::new(start);
        let at = |bound: Bound, wall: &WallClock| bound.monotonic_ns(wall).map(|ns| ns / SECOND);
        assert_eq!(at(Bound::Unix(NEW_YEAR + 5 * SECOND), &wall), Some(105));
        assert_eq!(at(Bound::Unix(NEW_YEAR - 5 * SECOND), &wall), Some(95));
        assert_eq!(at(Bound::Unix(0), &wall), Some(0), "before the machine was started");
        assert_eq!(Moment::Offset(u64::MAX).bound(start), Bound::Monotonic(u64::MAX));
        wall.add(Clocks { monotonic_ns: 101 * SECOND, realtime_ns: NEW_YEAR + HOUR, boottime_ns: None });
        assert_eq!(at(Bound::Unix(NEW_YEAR + 5 * SECOND), &wall), None);
        assert_eq!(at(Bound::Monotonic(SECOND), &wall), Some(1));
    }
}
