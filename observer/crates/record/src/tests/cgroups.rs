//! Control groups whose paths are found during a recording.

use super::*;
use observer_observation::CgroupPath;

use crate::rotation::part_path;

const SECOND: Nanos = 1_000_000_000;

/// A group is found in the middle of the first of two seconds, and another one in the second.
fn write(path: &Path, rotation: Rotation) {
    let target = Target { path: path.into(), creation: Creation::New, rotation };
    let mut recorder = Recorder::create(target, &context()).unwrap();
    for (second, group) in [(1, "/a\u{1b}b"), (2, "/c")] {
        let now = START + second * SECOND;
        recorder.input(&Input::Cgroup(CgroupPath { id: second + (1 << 60), path: group.into() }));
        recorder.input(&Input::Advance(now));
        recorder.input(&Input::Sample(Box::new(Sample { at: now, ..Sample::default() })));
    }
    recorder.finish(&ending()).unwrap();
}

/// The names of both groups.
fn names(paths: &[&Path]) -> [String; 2] {
    let replays = chains(paths.iter().map(|path| Reader::open(path).unwrap()).collect());
    let [replay] = replays.try_into().ok().unwrap();
    let outcome = replay.finish();
    assert!(outcome.damage.is_empty());
    [1, 2].map(|number| outcome.cgroups.name(number + (1 << 60)))
}

#[test]
fn a_replay_knows_the_paths_of_control_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.obs");
    write(&path, Rotation::default());
    assert_eq!(names(&[&path]), [r"/a\x1bb", "/c"]);
}

#[test]
fn the_longest_paths_that_are_kept_fit_into_the_header_of_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.obs");
    let rotation = Rotation { size: Some(1), every: None, keep: None };
    for bytes in [&[0xff; 4_000][..], &[b'a'; 60], br"/\x5c\x5c\x5c\x5c", b""] {
        let target = Target { path: path.clone(), creation: Creation::Replace, rotation };
        let mut recorder = Recorder::create(target, &context()).unwrap();
        for id in 0..5_000 {
            recorder.input(&Input::Cgroup(CgroupPath { id: id + (1 << 60), path: bytes.into() }));
        }
        recorder.input(&Input::Sample(Box::new(Sample { at: START, ..Sample::default() })));
        assert!(recorder.error().is_none(), "{:?}", recorder.error());
        recorder.finish(&ending()).unwrap();
        let next = part_path(&path, 2);
        assert!(!Reader::open(&next).unwrap().cgroup_paths().is_empty());
    }
}

#[test]
fn a_later_part_knows_the_paths_that_were_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.obs");
    write(&path, Rotation { size: Some(1), every: None, keep: None });
    let parts = [1, 2, 3].map(|number| part_path(&path, number));
    let [first, second, third] = [0, 1, 2].map(|place| parts[place].as_path());
    assert_eq!(names(&[first]), [r"/a\x1bb", "1152921504606846978"]);
    for parts in [&[second][..], &[third], &[first, second, third]] {
        assert_eq!(names(parts), [r"/a\x1bb", "/c"], "{parts:?}");
    }
}
