//! The promise of docs/recording.md: any file of the same major version stays readable. One file of each version is kept.

use std::path::PathBuf;

use observer_observation::{EndReason, input::Input};
use observer_record::{Reader, replay};
use observer_report::observed::Observed;

fn fixture(name: &str) -> PathBuf {
    observer_recordings::released(name)
}

#[test]
fn version_1_0_stays_readable() {
    let outcome = replay(&fixture("v1.obs")).unwrap();
    assert_eq!((outcome.damage.as_slice(), outcome.ending.ended), ([].as_slice(), EndReason::Duration));
    assert_eq!(outcome.context.kernel.state, "pinned, wait queue");
    assert_eq!(outcome.context.clocks.realtime_ns, 1_767_225_600_000_000_000);
    let observed = Observed::new(&outcome);
    let summary = &observed.summary;
    let verdicts = &summary.verdicts;
    assert_eq!(
        [verdicts.overlap, verdicts.pin_wait, verdicts.window, verdicts.reuse, verdicts.stale_install],
        [746, 359, 4, 3, 6]
    );
    assert_eq!([summary.swapins.direct, summary.swapins.cached, summary.faults.started], [8_085, 19_467, 35_091]);
    assert_eq!(summary.swapins.kernel, Some(summary.swapins.seen));
    assert_eq!(summary.dropped.values().sum::<u64>(), 0);
    let counts: Vec<u64> = observed.histograms.iter().map(|(_, histogram)| histogram.len()).collect();
    assert_eq!(counts, [8_085, 19_467, 7_539, 746, 359, 359, 359, 0, 0, 13]);
}

/// What was said live is in this test: nothing of a fault's wait for the lock is lost on the way.
#[test]
fn waits_on_the_lock_of_version_1_1_stay_readable() {
    let outcome = replay(&fixture("v1.1-locks-7.3.obs")).unwrap();
    assert!(outcome.damage.is_empty(), "{:?}", outcome.damage);
    assert_eq!(outcome.context.kernel.state, "no bypass");
    let summary = Observed::new(&outcome).summary;
    let verdicts = &summary.verdicts;
    assert_eq!([verdicts.overlap, verdicts.lock_wait, verdicts.pin_wait, verdicts.stale_install], [7, 14, 0, 0]);
    assert_eq!([summary.locks.failed, summary.locks.own_read, summary.locks.retries], [14, 0, 14]);
    let (waits, oversleep) = (summary.distributions.lock_wait, summary.distributions.lock_oversleep);
    assert_eq!((waits.count, waits.max_ns, oversleep.count), (14, 33_079_295, 1));
    let held = summary.waits.iter().filter(|wait| wait.holder.is_some()).count();
    assert_eq!(held, 1, "the one that started under another's read");
}

#[test]
fn every_event_of_version_1_0_is_there() {
    let mut reader = Reader::open(&fixture("v1.obs")).unwrap();
    let inputs: Vec<Input> = std::iter::from_fn(|| reader.next_input()).collect();
    let count = |which: fn(&Input) -> bool| inputs.iter().filter(|input| which(input)).count();
    let counts = [
        count(|input| matches!(input, Input::Event(_))),
        count(|input| matches!(input, Input::Advance(_))),
        count(|input| matches!(input, Input::Sample(_))),
    ];
    assert_eq!(counts, [3_013, 27, 4]);
}

/// Whether a value is there as it was: what has been added to objects since does not matter.
fn holds(now: &serde_json::Value, before: &serde_json::Value) -> bool {
    match (now, before) {
        (serde_json::Value::Object(now), serde_json::Value::Object(before)) => {
            before.iter().all(|(name, value)| now.get(name).is_some_and(|now| holds(now, value)))
        }
        _ => now == before,
    }
}

/// Recorded in a guest with an unfixed 5.10 under `stress storm`; beside it what is found in it. (When it was recorded,
/// `record --json` said the same but for one reader: that a read between allocation and write is overtaken was learnt later,
/// from the model. That live and replay agree is shown in guests, by the step `recorded`.)
#[test]
fn what_is_found_in_a_real_storm_stays_found() {
    let live: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("v1-storm-5.10.json")).unwrap()).unwrap();
    let outcome = replay(&fixture("v1-storm-5.10.obs")).unwrap();
    let replayed = serde_json::to_value(Observed::new(&outcome).summary).unwrap();
    let live = live.as_object().unwrap();
    assert_eq!(live.len(), 6);
    for (name, value) in live {
        assert!(holds(&replayed[name], value), "{name}: {} instead of {value}", replayed[name]);
    }
    assert_eq!(replayed["verdicts"]["stale_install"], 2);
}
