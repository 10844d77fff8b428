use std::path::PathBuf;

use super::*;
use crate::rotation::part_path;
use observer_observation::{Damage, Engine, Note, Outcome, WallClock};

/// An observation in several files, and what an engine made of it live.
struct Parts {
    _folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
    engine: Engine,
    sample: Sample,
    wall_clock: WallClock,
}

/// How far the wall clock is stepped before each sample.
const HOUR: u64 = 3_600_000_000_000;

fn parts() -> Parts {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.obs");
    let rotation = Rotation { size: Some(100_000), every: None, keep: None };
    let target = Target { path: path.clone(), creation: Creation::New, rotation };
    let mut recorder = Recorder::create(target, &context()).unwrap();
    let mut engine = Engine::default();
    let mut sample = Sample::default();
    let mut wall_clock = WallClock::new(context().clocks);
    for input in inputs(60_000) {
        recorder.input(&input);
        match input {
            Input::Event(event) => engine.feed(event),
            Input::Advance(until) => {
                engine.advance(until);
                sample.at = until;
                sample.snapshot.counters.started += 1_000;
                let steps = sample.snapshot.counters.started / 1_000;
                sample.clocks = Some(clocks(until, steps * HOUR));
                wall_clock.add(clocks(until, steps * HOUR));
                recorder.sample(&sample);
            }
            Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
        }
    }
    engine.finish();
    let written = recorder.finish(&ending()).unwrap();
    assert!(written.files > 3, "{written:?}");
    let paths = (1..=written.files).map(|number| part_path(&path, number)).collect();
    Parts { _folder: folder, paths, engine, sample, wall_clock }
}

fn replay_all(paths: &[PathBuf]) -> Outcome {
    let replays = chains(paths.iter().map(|path| Reader::open(path).unwrap()).collect());
    let [replay] = replays.try_into().ok().unwrap();
    replay.finish()
}

#[test]
fn parts_in_any_order_are_one_observation() {
    let Parts { paths, engine, sample, wall_clock, _folder } = parts();
    let shuffled: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    let outcome = replay_all(&shuffled);
    assert_eq!(outcome.engine.report().verdicts, engine.report().verdicts);
    assert_eq!(outcome.engine.report().findings, engine.report().findings);
    assert_eq!(outcome.sample.snapshot, sample.snapshot);
    assert_eq!(outcome.wall_clock, wall_clock);
    assert_eq!(outcome.damage, []);
    assert_eq!(outcome.notes, []);
    assert_eq!(outcome.ending.ended, EndReason::Duration);
}

#[test]
fn a_part_alone_has_the_counts_of_its_own_time() {
    let Parts { paths, sample, _folder, .. } = parts();
    let part = replay(&paths[2]).unwrap();
    assert!(part.sample.snapshot.counters.started < sample.snapshot.counters.started);
    assert_eq!(part.damage, []);
    assert_eq!(part.notes, [Note::StartsWithPart { part: 3 }, Note::Continues]);
    assert_eq!(part.ending.ended, EndReason::Continues);
}

#[test]
fn a_missing_part_is_damage() {
    let Parts { paths, _folder, .. } = parts();
    let outcome = replay_all(&[paths[0].clone(), paths[2].clone()]);
    assert_eq!(outcome.damage, [Damage::PartMissing { part: 2 }]);
}

#[test]
fn a_part_has_the_changes_of_the_wall_clock_in_earlier_parts() {
    let Parts { paths, wall_clock, _folder, .. } = parts();
    let changes = wall_clock.changes();
    let first = replay(&paths[0]).unwrap().wall_clock;
    assert!(
        changes.len() > first.changes().len() + 2,
        "{} steps, {} in the first part",
        changes.len(),
        first.changes().len()
    );
    let last = replay(paths.last().unwrap()).unwrap();
    assert_eq!(last.wall_clock, wall_clock);
    let without_middle = replay_all(&[paths[0].clone(), paths[paths.len() - 1].clone()]);
    assert_eq!(without_middle.wall_clock, wall_clock);
}
