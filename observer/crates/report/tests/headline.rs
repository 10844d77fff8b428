//! Each of the five answers, in every format that has one.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use insta::assert_snapshot;

use observer_kernel::plan::State;
use observer_observation::{Context, EndReason, FinalState, Input, Kernel, Outcome, exit::Exit};
use observer_record::{Creation, Reader, Recorder, Replay, Rotation, Target, chains, replay};
use observer_recordings::released;
use observer_report::{formats::Format, observed::Observed, summary::headline::Code};

use self::shared::{uneventful, written};

mod shared;

const SECOND: u64 = 1_000_000_000;

/// What each format begins with, and what the others say.
fn headlines(outcome: &Outcome, code: Code) -> String {
    let observed = Observed::new(outcome);
    assert_eq!(observed.summary.headline.code, code);
    let text = written(Format::Text, &observed);
    let text = text.split("\n\n").next().unwrap();
    let json: serde_json::Value = serde_json::from_str(&written(Format::Json, &observed)).unwrap();
    let json = serde_json::to_string_pretty(json.get("headline").unwrap()).unwrap();
    let html = written(Format::Html, &observed);
    let html = html.lines().skip_while(|line| !line.starts_with("<h1>")).take(3).collect::<Vec<_>>().join("\n");
    let metrics = written(Format::Openmetrics, &observed);
    let metrics: Vec<_> = metrics.lines().filter(|line| line.starts_with("observer_headline{")).collect();
    format!("{text}\n\n{html}\n\n{}\n\n{json}", metrics.join("\n"))
}

fn replayed(recording: &str) -> Outcome {
    replay(&released(recording)).unwrap()
}

/// The first part of a recording, as if the observation had ended then.
fn until(recording: &str, end_ns: u64) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.obs");
    let replay: Replay = chains(vec![Reader::open(&released(recording)).unwrap()]).remove(0);
    let target = Target { path: path.clone(), creation: Creation::New, rotation: Rotation::default() };
    let mut recorder = Recorder::create(target, replay.context()).unwrap();
    let mut ended = false;
    replay.finish_with(&mut |input| {
        ended |= matches!(input, Input::Advance(until) if *until > end_ns);
        if !ended {
            recorder.input(input);
        }
    });
    recorder.finish(&FinalState::unknown(EndReason::Duration)).unwrap();
    observer_record::replay(&path).unwrap()
}

#[test]
fn data_loss() {
    assert_snapshot!(headlines(&replayed("v1-storm-5.10.obs"), Code::DataLoss));
}

#[test]
fn possible_windows() {
    assert_snapshot!(headlines(&until("v1-storm-5.10.obs", 58 * SECOND), Code::PossibleWindows));
}

#[test]
fn waits_only() {
    assert_snapshot!(headlines(&replayed("v1.1-locks-7.3.obs"), Code::WaitsOnly));
}

#[test]
fn nothing_seen() {
    let kernel = Kernel { state: State::PinnedTick, ..Kernel::default() };
    let outcome = uneventful(Context { kernel, ..Context::default() });
    assert_snapshot!(headlines(&outcome, Code::NothingSeen));
}

#[test]
fn inconclusive() {
    let mut cut = until("v1-storm-5.10.obs", 58 * SECOND);
    cut.sample.snapshot.counters.ring_full_fault = 4_833;
    assert_snapshot!(headlines(&cut, Code::Inconclusive));
}

/// A script that reads the exit code and one that reads the headline come to the same result.
#[test]
fn exit_codes_agree_with_the_headline() {
    for (recording, end) in [("v1-storm-5.10.obs", 58), ("v1-storm-5.10.obs", 90), ("v1.obs", 90)] {
        let summary = Observed::new(&until(recording, end * SECOND)).summary;
        let data_loss = summary.headline.code == Code::DataLoss;
        assert_eq!(data_loss, summary.exit() == Exit::StaleInstall);
        let inconclusive = summary.headline.code == Code::Inconclusive;
        assert_eq!(inconclusive, summary.exit() == Exit::Inconclusive);
    }
}
