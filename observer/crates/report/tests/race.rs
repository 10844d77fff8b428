//! The three facts about the race, from recordings.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use observer_kernel::plan::State;
use observer_observation::Outcome;
use observer_record::replay;
use observer_report::{
    race::{Answer, Inference, Observed, Race},
    summary::Summary,
    words,
};

fn outcome(file: &str) -> Outcome {
    replay(&observer_recordings::released(file)).unwrap()
}

fn facts(race: &Race) -> (Answer, Answer, Observed) {
    (race.vulnerable, race.reachable, race.observed)
}

#[test]
fn a_recording_with_data_loss_shows_all_three_facts() {
    let race = Race::of(&Summary::new(&outcome("v1-storm-5.10.obs")));
    assert_eq!(facts(&race), (Answer::Yes, Answer::Yes, Observed::StaleInstall));
    assert_eq!(race.contradicted, []);
}

#[test]
fn evidence_in_a_recording_overrides_the_state_in_it() {
    let mut outcome = outcome("v1-storm-5.10.obs");
    outcome.context.kernel.state = State::PinnedWaitQueue;
    let race = Race::of(&Summary::new(&outcome));
    assert_eq!(facts(&race), (Answer::Yes, Answer::Yes, Observed::StaleInstall));
    assert_eq!(race.contradicted, [Inference::Kernel]);
    let text = words::contradiction(&race, State::PinnedWaitQueue).unwrap();
    assert!(text.contains("that this kernel has the fix"), "{text}");
}

#[test]
fn a_recording_without_data_loss_leaves_the_inference() {
    let race = Race::of(&Summary::new(&outcome("v1.1-locks-7.3.obs")));
    assert_eq!((race.vulnerable, race.data_loss), (Answer::No, Answer::No));
    assert!(matches!(race.observed, Observed::Nothing | Observed::Inconclusive), "{race:?}");
}
