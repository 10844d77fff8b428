//! The clock of the events, and its relation to the time of day.

use observer_engine::event::Nanos;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// `CLOCK_MONOTONIC`, the clock of the programs.
pub fn now() -> Nanos {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// The clock of the events and the time of day, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`.
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
    fn times_before_and_after_the_reading_become_times_of_day() {
        let clocks = Clocks { monotonic_ns: 100, realtime_ns: 5_000 };
        assert_eq!(clocks.realtime(130), 5_030);
        assert_eq!(clocks.realtime(70), 4_970);
        assert_eq!(Clocks { realtime_ns: 10, ..clocks }.realtime(0), 0, "not before 1970");
    }
}
