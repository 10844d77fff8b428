//! The dashboard's answer is that of the report.

use std::{fs, path::PathBuf};

use super::model::quiet;
use crate::{
    model::Model,
    model_builder::{ModelBuilder, Source},
};
use observer_observation::{Context, Damage, EndReason, FinalState, Known, Outcome, Swap};
use observer_record::{
    player::{Move, Player, Target},
    replay,
};
use observer_recordings::{overlapping_waits, pinned, released, vulnerable};
use observer_report::summary::{
    Summary,
    headline::{Code, Doubt},
};
use observer_text::Name;

fn model(known: Known<'_>, outcome: &Outcome) -> Model {
    let source = Source {
        engine: &outcome.engine,
        known,
        now: known.sample.at,
        devices: None,
        spent: None,
        transport: None,
        delay_injection: None,
    };
    ModelBuilder::replay(known.context).build(source)
}

/// Files of released versions, and synthetic ones, which live as long as the folder.
fn recordings() -> (Vec<PathBuf>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let of_folder = |name: &str| folder.path().join(name);
    vulnerable::record(&of_folder("vulnerable"), 5, 1_000).unwrap();
    pinned::record(&of_folder("pinned"), 20_000, 10_000, 1).unwrap();
    overlapping_waits::record(&of_folder("waits")).unwrap();
    let files = fs::read_dir(released("")).unwrap().chain(fs::read_dir(&folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let is_recording = |path: &PathBuf| path.extension().is_none_or(|extension| extension == "obs");
    let files: Vec<PathBuf> = files.filter(is_recording).collect();
    assert!(files.len() >= 9, "{files:?}");
    (files, folder)
}

#[test]
fn a_replay_comes_to_the_answer_of_the_report() {
    let (files, _folder) = recordings();
    let mut answers = Vec::new();
    for file in files {
        let outcome = replay(&file).unwrap();
        let headline = Summary::new(&outcome).headline;
        let mut player = Player::open(&file).unwrap();
        player.apply(Move::To(Target::Offset(u64::MAX)));
        player.tick(0, || true).unwrap();
        assert!(player.transport().ended);
        let model = model(player.known(), &outcome);
        assert_eq!((model.answer(), &model.doubts), (headline.code, &headline.doubts), "{}", Name::from(&file));
        answers.push(headline.code);
    }
    assert!(answers.contains(&Code::DataLoss) && answers.contains(&Code::WaitsOnly), "{answers:?}");
}

/// Whatever makes the report doubt, on each recording.
#[test]
fn every_doubt_of_the_report_is_one_of_the_dashboard() {
    let (files, _folder) = recordings();
    let failed = FinalState { command: Some(3), ..FinalState::unknown(EndReason::Command) };
    for file in files {
        let mut outcome = replay(&file).unwrap();
        let zram: Swap = Swap { path: "/dev/zram7".into(), from_ns: 5, ..Swap::default() };
        outcome.context.swaps.push(zram);
        let command = Context { command: "./workload".into(), ..outcome.context.clone() };
        let device = Context { devices: vec!["/dev/zram7".into()], ..outcome.context.clone() };
        let damage = [Damage::PartMissing { part: 2 }];
        let plain = Known::from(&outcome);
        for (known, expected) in [
            (Known { context: &command, ending: &failed, ..plain }, Doubt::CommandFailed { code: Some(3) }),
            (Known { context: &device, ..plain }, Doubt::DevicesUnobserved { notes: 1 }),
            (Known { damage: &damage, ..plain }, Doubt::DroppedEvents { events: 1 }),
        ] {
            let headline = Summary::new(known).headline;
            let model = model(known, &outcome);
            let name = Name::from(&file);
            assert_eq!((model.answer(), &model.doubts), (headline.code, &headline.doubts), "{name}");
            let same = |doubt: &Doubt| std::mem::discriminant(doubt) == std::mem::discriminant(&expected);
            assert!(model.doubts.iter().any(same), "{name}: {expected:?}");
        }
    }
}

#[test]
fn a_doubt_is_in_the_answer_that_is_shown() {
    let shown = |doubts: Vec<Doubt>| super::screens::lines_of(Model { doubts, ..quiet() });
    assert!(shown(Vec::new()).contains("NOTHING SEEN"));
    for (doubt, part) in [
        (Doubt::CommandFailed { code: Some(3) }, "INCONCLUSIVE: the command failed with 3"),
        (Doubt::DevicesUnobserved { notes: 1 }, "INCONCLUSIVE: a device was not observed all the time"),
    ] {
        let is_gap = matches!(doubt, Doubt::DevicesUnobserved { .. });
        let screen = shown(vec![doubt]);
        assert!(screen.contains(part), "{screen}");
        assert_eq!(screen.contains("none seen in what was observed"), is_gap, "{screen}");
    }
}
