//! The clock of the events, and its relation to the time of day.

use std::sync::atomic::{AtomicI64, Ordering};

use observer_engine::event::Nanos;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::wall_clock;

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
    /// `CLOCK_BOOTTIME`, of the time namespace of the process: only differences mean something. `None`: recorded before
    /// format version 1.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boottime_ns: Option<Nanos>,
}

/// Clocks whose reading took this long, nanoseconds, were read close enough together: a fraction of what counts as a
/// change of one of them.
const TOGETHER: Nanos = wall_clock::TOLERANCE / 4;

/// Most readings until the clocks were read together. Only a task that is preempted between two of them needs another.
const READINGS: usize = 20;

impl Clocks {
    /// The clocks now: of several readings the closest, if none was close enough.
    pub fn now() -> Self {
        closest(std::iter::repeat_with(Self::read).take(READINGS)).unwrap_or_default().0
    }

    /// The clocks now; `None`: they could not be read together, so a comparison with another reading would show changes
    /// that did not happen.
    pub fn together() -> Option<Self> {
        let (clocks, took) = closest(std::iter::repeat_with(Self::read).take(READINGS))?;
        (took <= TOGETHER).then_some(clocks)
    }

    /// One reading, and how long it took.
    fn read() -> (Self, Nanos) {
        let before = now();
        let (realtime_ns, boottime_ns) = (read(ClockId::Realtime), Some(read(ClockId::Boottime)));
        let took = now().saturating_sub(before);
        (Self { monotonic_ns: before + took / 2, realtime_ns, boottime_ns }, took)
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

/// The first reading that was short enough, or else the shortest, and how long it took.
fn closest(readings: impl Iterator<Item = (Clocks, Nanos)>) -> Option<(Clocks, Nanos)> {
    let mut shortest: Option<(Clocks, Nanos)> = None;
    for (clocks, took) in readings {
        if shortest.is_none_or(|(_, least)| took < least) {
            shortest = Some((clocks, took));
        }
        if took <= TOGETHER {
            break;
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_repeated_until_one_is_short() {
        let clocks = |monotonic_ns| Clocks { monotonic_ns, ..Clocks::default() };
        let mut taken = 0;
        let mut of = |all: &[Nanos]| {
            taken = 0;
            closest((1..).zip(all).map(|(number, took)| {
                taken = number;
                (clocks(number), *took)
            }))
        };
        assert_eq!(of(&[900 * TOGETHER, TOGETHER, 0]), Some((clocks(2), TOGETHER)));
        assert_eq!(of(&[9 * TOGETHER, 2 * TOGETHER, 5 * TOGETHER]), Some((clocks(2), 2 * TOGETHER)));
        assert_eq!(of(&[]), None);
        of(&[0, 0]);
        assert_eq!(taken, 1, "no needless reading");
    }

    #[test]
    fn the_clocks_of_this_machine_are_read_together() {
        let (first, second) = (Clocks::now(), Clocks::together().unwrap_or_else(Clocks::now));
        assert!(first.monotonic_ns < second.monotonic_ns, "{first:?} {second:?}");
        assert!(first.boottime_ns < second.boottime_ns, "{first:?} {second:?}");
        assert!(first.realtime_ns > 0, "{first:?}");
    }

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
        let clocks = Clocks { monotonic_ns: 100, realtime_ns: 5_000, boottime_ns: None };
        assert_eq!(clocks.realtime(130), 5_030);
        assert_eq!(clocks.realtime(70), 4_970);
        assert_eq!(Clocks { realtime_ns: 10, ..clocks }.realtime(0), 0, "not before 1970");
    }
}
