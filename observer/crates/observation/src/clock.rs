//! The clock of the events, and its relation to the time of day.

use std::sync::atomic::{AtomicI64, Ordering};

use observer_engine::event::Nanos;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How far the clock of the programs is ahead of this process's `CLOCK_MONOTONIC`, nanoseconds: 0 outside time
/// namespaces, where it is that of every process.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Makes [`now`] the clock of the programs, which is ahead of this process's `CLOCK_MONOTONIC` by `ns`.
pub fn align(ns: i64) {
    AHEAD.store(ns, Ordering::Relaxed);
}

/// What [`align`] has set.
pub fn ahead() -> i64 {
    AHEAD.load(Ordering::Relaxed)
}

/// `CLOCK_MONOTONIC` of the initial time namespace, the clock of the programs.
pub fn now() -> Nanos {
    own().saturating_add_signed(ahead())
}

/// `CLOCK_MONOTONIC` of this process.
pub fn own() -> Nanos {
    read(ClockId::Monotonic)
}

/// The clock of the programs, read between two readings of this process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub before: Nanos,
    pub at: Nanos,
    pub after: Nanos,
}

/// A time namespace is ahead or behind by more than this, and readings are closer than this.
const TOLERANCE: u64 = 1_000_000;

/// How far the clock of the programs is ahead, by the closest reading. `shown`: by what the kernel shows for this
/// process's namespace; it is exact, but is that of the children if they are in another one, so it must agree.
pub fn offset(readings: &[Reading], shown: Option<i64>) -> i64 {
    let Some(closest) = readings.iter().min_by_key(|reading| reading.after.saturating_sub(reading.before)) else {
        return 0;
    };
    let middle = closest.before + closest.after.saturating_sub(closest.before) / 2;
    let measured = closest.at.cast_signed().wrapping_sub(middle.cast_signed());
    [Some(0), shown].into_iter().flatten().find(|exact| measured.abs_diff(*exact) < TOLERANCE).unwrap_or(measured)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// The clock of the events and the time of day, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`, of the initial time namespace.
    pub monotonic_ns: Nanos,
    /// `CLOCK_REALTIME`, since 1970.
    pub realtime_ns: u64,
}

impl Clocks {
    pub fn now() -> Self {
        Self { monotonic_ns: now(), realtime_ns: read(ClockId::Realtime) }
    }

    /// Nanoseconds since 1970 at a time of the events' clock.
    pub fn realtime(&self, at: Nanos) -> u64 {
        if at >= self.monotonic_ns {
            self.realtime_ns.saturating_add(at - self.monotonic_ns)
        } else {
            self.realtime_ns.saturating_sub(self.monotonic_ns - at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_reading_gives_the_offset() {
        const DAY: i64 = 86_400_000_000_000;
        let reading = |ahead: i64, before: u64, took: u64| Reading {
            before,
            at: (before + took / 3).saturating_add_signed(ahead),
            after: before + took,
        };
        let day = DAY.unsigned_abs();
        assert_eq!(offset(&[reading(0, 500, 9_000)], None), 0, "no namespace");
        assert_eq!(offset(&[reading(0, 500, 9_000)], Some(DAY)), 0, "that of the children");
        // A clock that is ahead in the namespace is behind for the programs.
        let preempted = reading(-DAY, 2 * day, 40_000_000);
        let readings = [preempted, reading(-DAY, 2 * day, 3_000)];
        assert_eq!(offset(&readings, Some(-DAY)), -DAY);
        assert_eq!(offset(&readings, None), -DAY - 500, "as measured");
        assert_eq!(offset(&readings, Some(-DAY + 5_000_000)), -DAY - 500, "what is shown is of another namespace");
        assert_eq!(offset(&[], Some(DAY)), 0);
    }

    #[test]
    fn times_before_and_after_the_reading_become_times_of_day() {
        let clocks = Clocks { monotonic_ns: 100, realtime_ns: 5_000 };
        assert_eq!(clocks.realtime(130), 5_030);
        assert_eq!(clocks.realtime(70), 4_970);
        assert_eq!(Clocks { realtime_ns: 10, ..clocks }.realtime(0), 0, "not before 1970");
    }
}
