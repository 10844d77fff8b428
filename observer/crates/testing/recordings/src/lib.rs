//! Recordings for tests: synthetic ones, and files of released versions.

use std::path::PathBuf;

use observer_engine::event::Nanos;
use observer_observation::Clocks;

pub mod overlapping_waits;
pub mod pinned;
pub mod synthetic;
pub mod vulnerable;

/// The clocks of a machine that was never suspended and whose wall clock is not stepped. An observation that starts at
/// [`synthetic::START`] starts at 2026-01-01.
pub(crate) fn clocks(at: Nanos) -> Clocks {
    let start = Clocks { monotonic_ns: synthetic::START, realtime_ns: 1_767_225_600_000_000_000, boottime_ns: None };
    Clocks { monotonic_ns: at, realtime_ns: start.realtime(at), boottime_ns: Some(at) }
}

/// Path of a recording of a released version.
pub fn released(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/files")).join(name)
}
