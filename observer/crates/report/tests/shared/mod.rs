//! Observations in which nothing happened, and reports as text.

use observer_engine::Engine;
use observer_observation::{CgroupPaths, Context, EndReason, FinalState, History, Outcome, Sample, WallClock};
use observer_report::{
    formats::Format,
    observed::{Observed, Reported},
};

pub(crate) fn uneventful(context: Context) -> Outcome {
    Outcome {
        context,
        engine: Engine::default(),
        sample: Sample::default(),
        wall_clock: WallClock::default(),
        cgroups: CgroupPaths::default(),
        history: History::default(),
        ending: FinalState::unknown(EndReason::Duration),
        damage: Vec::new(),
        notes: Vec::new(),
    }
}

/// The report of one observation.
pub(crate) fn written(format: Format, observed: &Observed) -> String {
    let reported = Reported { parts: vec![observed.clone()], whole: observed.clone() };
    let mut out = Vec::new();
    format.write(&reported, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
