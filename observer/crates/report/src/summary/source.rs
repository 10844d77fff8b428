//! The observations that a summary is made from.

use std::collections::BTreeMap;

use observer_text::Name;
use serde::{Serialize, Serializer};

use observer_kernel::plan::State;
use observer_observation::{ClockChange, EndReason, WallClock};

/// One of the observations that a summary is made from.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    pub host: Name,
    /// Version of the observer.
    pub tool: String,
    /// As `uname -r` prints it.
    pub release: String,
    pub arch: String,
    pub state: State,
    pub filters: BTreeMap<String, Name>,
    /// As `clocks`, at the start, and `clock_changes`.
    #[serde(flatten, serialize_with = "wall_clock")]
    pub wall_clock: WallClock,
    pub elapsed_ns: u64,
    pub ended: EndReason,
}

#[derive(Serialize)]
struct ClocksJson {
    monotonic_ns: u64,
    /// Nanoseconds since 1970 are above 2^53, which JSON numbers do not keep everywhere.
    realtime_ns: String,
}

#[derive(Serialize)]
struct ChangeJson {
    after_monotonic_ns: u64,
    monotonic_ns: u64,
    realtime_ns: String,
    stepped_ns: i64,
    suspended_ns: u64,
    steps: u64,
    suspensions: u64,
}

impl From<&ClockChange> for ChangeJson {
    fn from(change: &ClockChange) -> Self {
        let ClockChange { after_ns, clocks, stepped_ns, suspended_ns, steps, suspensions } = *change;
        Self {
            after_monotonic_ns: after_ns,
            monotonic_ns: clocks.monotonic_ns,
            realtime_ns: clocks.realtime_ns.to_string(),
            stepped_ns,
            suspended_ns,
            steps,
            suspensions,
        }
    }
}

fn wall_clock<S: Serializer>(wall_clock: &WallClock, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Json {
        clocks: ClocksJson,
        clock_changes: Vec<ChangeJson>,
    }
    let start = wall_clock.start();
    let clocks = ClocksJson { monotonic_ns: start.monotonic_ns, realtime_ns: start.realtime_ns.to_string() };
    Json { clocks, clock_changes: wall_clock.changes().iter().map(ChangeJson::from).collect() }.serialize(serializer)
}
