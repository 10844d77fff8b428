//! The clock of the events.

use observer_engine::event::Nanos;

/// The clock of the programs, `CLOCK_MONOTONIC`, nanoseconds.
pub fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
