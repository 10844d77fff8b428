//! Swap areas that come and go during a recording.

use super::*;
use observer_engine::{
    areas::Area,
    event::{Entry, Event, Fault, Nanos, Path as FaultPath, Pin, PinResult, SlotCount, Task},
};
use observer_observation::{AreaReading, Ingest, Known, Note, Outcome, Swap};
use std::path::PathBuf;

use crate::rotation::part_path;

const SECOND: Nanos = 1_000_000_000;

fn swap(kind: u32, path: &str) -> Swap {
    Swap { kind, kind_seen: true, path: path.into(), ..Swap::default() }
}

fn at_start() -> Context {
    Context { swaps: vec![swap(0, "/dev/zram0"), swap(1, "/dev/zram1")], ..context() }
}

/// Two faults on an entry of type 1: one holds the pin, the other one waits for it.
fn contention(at: Nanos) -> [Event; 2] {
    let entry = Entry::new(1, 9);
    let fault = |tid, end, result, ends| Fault {
        entry,
        base: entry,
        nr: 1,
        task: Task { tid, pid: 1, comm: "t".into() },
        // Each on another page, so that no wait continues the previous one.
        address: at,
        start: at + u64::from(tid),
        end,
        path: if result == PinResult::Taken { FaultPath::Direct } else { FaultPath::None },
        pin: Some(Pin { tried: at + 10 + u64::from(tid), result, failures: 1, dropped: Some(at + 500) }),
        slot: SlotCount { starts: 2, ends },
        ..Fault::default()
    };
    [fault(2, at + 400, PinResult::Held, 1), fault(1, at + 600, PinResult::Taken, 2)].map(Event::Ended)
}

/// Type 1 belongs to zram1 for five seconds, to none for five, and to zram2 from then on. Each second has a contention.
fn inputs_with_changes() -> Vec<Input> {
    let mut all = Vec::new();
    for second in 1..=15 {
        let now = START + second * SECOND;
        all.extend(contention(now - SECOND / 2).map(Input::Event));
        let areas = match second {
            5 => vec![swap(0, "/dev/zram0")],
            10 => vec![swap(0, "/dev/zram0"), swap(1, "/dev/zram2")],
            _ => Vec::new(),
        };
        if !areas.is_empty() {
            all.push(Input::Areas(AreaReading { before_ns: now - 10, at_ns: now, swaps: Some(areas) }));
        }
        all.push(Input::Advance(now));
        all.push(Input::Sample(Box::new(Sample { at: now, ..Sample::default() })));
    }
    all
}

fn write(folder: &Path, rotation: Rotation) -> Vec<PathBuf> {
    let target = Target { path: folder.join("r.obs"), creation: Creation::New, rotation };
    let mut recorder = Recorder::create(target, &at_start()).unwrap();
    for input in inputs_with_changes() {
        recorder.input(&input);
    }
    let written = recorder.finish(&ending()).unwrap();
    let part = |number| {
        if rotation.is_on() { part_path(&folder.join("r.obs"), number) } else { folder.join("r.obs") }
    };
    (1..=written.files).map(part).collect()
}

/// The waits of each area of type 1, by name.
fn waits(swaps: &[Swap], rows: &[(Area, u64)]) -> Vec<(String, u64)> {
    let name = |area: &Area| {
        let known = Swap::of(swaps, area.swap_type.into(), area.since_ns);
        known.map_or_else(|| "unknown".to_owned(), |swap| swap.path.to_string())
    };
    let mut all: Vec<_> = rows.iter().map(|(area, waits)| (name(area), *waits)).collect();
    all.sort();
    all
}

fn waits_of(outcome: &Outcome) -> Vec<(String, u64)> {
    let rows = outcome.engine.report().wait_costs.areas.rows();
    waits(&outcome.context.swaps, &rows.into_iter().map(|(_, area, cost)| (area, cost.waits)).collect::<Vec<_>>())
}

fn expected(zram1: u64, unknown: u64, zram2: u64) -> Vec<(String, u64)> {
    [("/dev/zram1", zram1), ("/dev/zram2", zram2), ("unknown", unknown)]
        .into_iter()
        .filter(|(_, waits)| *waits > 0)
        .map(|(name, waits)| (name.to_owned(), waits))
        .collect()
}

#[test]
fn a_replay_attributes_waits_to_the_same_areas_as_the_live_run() {
    let mut live = Ingest::new(at_start().clocks, &at_start().swaps);
    for input in inputs_with_changes() {
        live.feed(input);
    }
    live.finish();
    let rows = live.engine.report().wait_costs.areas.rows();
    let rows: Vec<_> = rows.into_iter().map(|(_, area, cost)| (area, cost.waits)).collect();
    assert_eq!(waits(live.areas.areas(), &rows), expected(5, 5, 5));
    let folder = tempfile::tempdir().unwrap();
    let [path] = write(folder.path(), Rotation::default()).try_into().unwrap();
    let outcome = replay(&path).unwrap();
    assert_eq!(outcome.damage, []);
    assert_eq!(outcome.context.swaps, live.areas.areas());
    assert_eq!(waits_of(&outcome), expected(5, 5, 5));
}

#[test]
fn parts_alone_and_together_know_the_areas() {
    let folder = tempfile::tempdir().unwrap();
    // A part for each sample.
    let rotation = Rotation { size: Some(1), every: None, keep: None };
    let paths = write(folder.path(), rotation);
    assert_eq!(paths.len(), 16);
    let all = |paths: &[PathBuf]| {
        let replays = chains(paths.iter().map(|path| Reader::open(path).unwrap()).collect());
        let [replay] = replays.try_into().ok().unwrap();
        waits_of(&replay.finish())
    };
    assert_eq!(all(&paths), expected(5, 5, 5));
    let mut without_change = paths.clone();
    without_change.remove(9);
    assert_eq!(all(&without_change), expected(5, 4, 5), "the part with the change is missing");
    for (place, expected) in [(2, expected(1, 0, 0)), (6, expected(0, 1, 0)), (12, expected(0, 0, 1))] {
        assert_eq!(all(&paths[place..=place]), expected, "part {place} alone");
    }
}

/// The header has the devices of the filter, so that a replay knows as much as the live observation.
#[test]
fn a_replay_notes_that_a_device_of_the_filter_was_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let noted = |name: &str, device: &str| {
        let path = folder.path().join(name);
        let context = Context { devices: vec![device.into()], ..at_start() };
        let target = Target { path: path.clone(), creation: Creation::New, rotation: Rotation::default() };
        let mut recorder = Recorder::create(target, &context).unwrap();
        for input in inputs_with_changes() {
            recorder.input(&input);
        }
        recorder.finish(&ending()).unwrap();
        Known::from(&replay(&path).unwrap()).all_notes()
    };
    assert_eq!(noted("0", "/dev/zram0"), []);
    assert_eq!(noted("1", "/dev/zram1"), [Note::DeviceChanged { device: "/dev/zram1".into() }]);
}

#[test]
fn a_cut_file_names_the_areas_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let [path] = write(folder.path(), Rotation::default()).try_into().unwrap();
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(7) {
        let cut = folder.path().join("cut.obs");
        fs::write(&cut, &whole[..len]).unwrap();
        let Ok(outcome) = replay(&cut) else { continue };
        for (name, waits) in waits_of(&outcome) {
            assert!(waits <= 5, "{name} {waits} at {len}");
        }
    }
}
