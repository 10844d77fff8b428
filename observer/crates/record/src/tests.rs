use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    event::{Decoder, Encoder},
    varint::Input as Bytes,
    *,
};
use observer_engine::{Engine, event::Event};
use observer_observation::{Clocks, Context, EndReason, FaultTimes, FinalState, Overhead, Sample, input::Input};
use observer_recordings::synthetic;
use synthetic::Synthetic;

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("observer-record-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn context() -> Context {
    let clocks = Clocks { monotonic_ns: synthetic::START, realtime_ns: 1_700_000_000_000_000_000 };
    Context { host: "made-up".to_owned(), clocks, ..Context::default() }
}

pub(super) fn ending() -> FinalState {
    FinalState {
        vmstat: None,
        cost: Overhead { records: 3, ..Overhead::default() },
        command: None,
        ended: EndReason::Duration,
    }
}

pub(super) fn inputs(count: usize) -> Vec<Input> {
    Synthetic::new(7, 100_000, 5_000).take(count).collect()
}

fn target(path: &Path, creation: Creation) -> Target {
    Target { path: path.to_owned(), creation, rotation: Rotation::default() }
}

pub(super) fn create(path: &Path, creation: Creation) -> Result<Recorder, CreateError> {
    Recorder::create(target(path, creation), &context())
}

/// A recording of made-up events, as bytes.
pub(super) fn recording(name: &str, inputs: &[Input]) -> Vec<u8> {
    let folder = folder(name);
    let path = folder.join("r");
    let mut recorder = create(&path, Creation::New).unwrap();
    for input in inputs {
        recorder.input(input);
    }
    recorder.finish(&ending()).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    bytes
}

/// Everything that can be read of some bytes, and how they end.
pub(super) fn read(bytes: &[u8]) -> (Vec<Input>, End) {
    let mut reader = Reader::new(bytes).unwrap();
    let inputs = std::iter::from_fn(|| reader.next_input()).collect();
    (inputs, reader.end().unwrap().clone())
}

pub(super) fn same(a: &[Input], b: &[Input]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Input::Event(a), Input::Event(b)) => a == b,
            (Input::Advance(a), Input::Advance(b)) => a == b,
            (Input::Sample(a), Input::Sample(b)) => same_sample(a, b),
            _ => false,
        })
}

fn same_sample(a: &Sample, b: &Sample) -> bool {
    let times = |sample: &Sample| sample.fault_times.as_ref().map(|times| times.by_path.clone());
    (a.at, a.snapshot, a.undecodable, a.vmstat) == (b.at, b.snapshot, b.undecodable, b.vmstat) && times(a) == times(b)
}

#[test]
fn every_field_of_an_event_comes_back() {
    let events: Vec<Event> = inputs(50_000)
        .into_iter()
        .filter_map(|input| match input {
            Input::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    let mut encoder = Encoder::default();
    for event in &events {
        encoder.event(event);
    }
    let mut bytes = Bytes::new(encoder.bytes());
    let mut decoder = Decoder::default();
    for event in &events {
        let Some(Input::Event(back)) = decoder.next(&mut bytes) else { panic!("no event") };
        assert_eq!(back, *event);
    }
    assert!(bytes.is_empty());
}

#[test]
fn a_recording_is_read_back_as_it_was_written() {
    let mut all = inputs(30_000);
    let mut times = FaultTimes::default();
    times.by_path[0].saturating_record_n(1_234, 5);
    let mut sample = Sample { at: 9, fault_times: Some(times.clone()), ..Sample::default() };
    sample.snapshot.counters.started = 17;
    all.insert(500, Input::Sample(Box::new(sample.clone())));
    sample.snapshot.counters.ended = 16;
    all.insert(900, Input::Sample(Box::new(Sample { fault_times: None, ..sample.clone() })));
    times.by_path[0].saturating_record_n(5_678, 2);
    times.by_path[2].saturating_record_n(1, 1);
    all.insert(990, Input::Sample(Box::new(Sample { fault_times: Some(times), ..sample })));
    let (back, end) = read(&recording("round-trip", &all));
    assert!(same(&back, &all));
    assert_eq!(end, End::Whole(Box::new(ending())));
}

#[test]
fn a_replayed_engine_finds_what_the_live_one_found() {
    let all = inputs(60_000);
    let bytes = recording("engine", &all);
    let run = |inputs: Vec<Input>| {
        let mut engine = Engine::default();
        for input in inputs {
            match input {
                Input::Event(event) => engine.feed(event),
                Input::Advance(until) => engine.advance(until),
                Input::Sample(_) => {}
            }
        }
        engine.finish();
        engine
    };
    let replayed = run(read(&bytes).0);
    let live = run(all);
    let (live, replayed) = (live.report(), replayed.report());
    assert!(live.verdicts.stale_install > 10 && live.verdicts.pin_wait > 100 && live.verdicts.overlap > 1000);
    assert_eq!(live.verdicts, replayed.verdicts);
    assert_eq!(live.findings, replayed.findings);
    assert_eq!(live.dropped, replayed.dropped);
    assert_eq!(live.overlap_times.histogram(), replayed.overlap_times.histogram());
    assert_eq!(live.wait_times.histogram(), replayed.wait_times.histogram());
}

#[test]
fn an_event_takes_few_bytes() {
    let all = inputs(200_000);
    let events = all.iter().filter(|input| matches!(input, Input::Event(_))).count();
    let bytes = recording("size", &all).len();
    println!("{} bytes an event", bytes as f64 / events as f64);
    assert!(bytes < events * 24, "{bytes} bytes for {events} events");
}

#[test]
fn files_are_private_and_never_replace_others() {
    let folder = folder("files");
    let path = folder.join("r");
    let recorder = create(&path, Creation::New).unwrap();
    let partial = recorder.partial().to_owned();
    assert!(matches!(create(&path, Creation::Replace), Err(CreateError::Busy(_))));
    assert_eq!(fs::metadata(&partial).unwrap().permissions().mode() & 0o777, 0o600);
    recorder.finish(&ending()).unwrap();
    assert!(path.exists() && !partial.exists());
    assert!(matches!(create(&path, Creation::New), Err(CreateError::Exists(_))));
    create(&path, Creation::Replace).unwrap().finish(&ending()).unwrap();
    // What a killed recorder leaves is not overwritten, and can be read.
    drop(create(&folder.join("k"), Creation::New).unwrap());
    let again = create(&folder.join("k"), Creation::New);
    assert!(matches!(again, Err(CreateError::Leftover(_))));
    let (inputs, end) = read(&fs::read(folder.join("k.partial")).unwrap());
    assert!(inputs.is_empty() && matches!(end, End::Early(Damage::Cut(_))));
    // Through a link, onto a folder: never.
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("l.partial")).unwrap();
    for name in ["link", "l", "."] {
        let refused = create(&folder.join(name), Creation::Replace);
        assert!(matches!(refused, Err(CreateError::NotAFile(_))), "{name}");
    }
    assert!(!folder.join("elsewhere").exists());
    fs::remove_dir_all(&folder).unwrap();
}

/// An observation over several files is one again when its parts are read together; a part alone says that it is one.
#[test]
fn parts_are_put_together_again() {
    let folder = folder("parts");
    let rotation = Rotation { size: Some(100_000), every: None, keep: None };
    let path = folder.join("r.obs");
    let mut recorder = Recorder::create(Target { path, creation: Creation::New, rotation }, &context()).unwrap();
    let mut whole = Engine::default();
    let mut sample = Sample::default();
    for input in inputs(60_000) {
        recorder.input(&input);
        match input {
            Input::Event(event) => whole.feed(event),
            Input::Advance(until) => {
                whole.advance(until);
                sample.at = until;
                sample.snapshot.counters.started += 1_000;
                recorder.sample(&sample);
            }
            Input::Sample(_) => {}
        }
    }
    whole.finish();
    let written = recorder.finish(&ending()).unwrap();
    assert!(written.files > 3, "{written:?}");
    let parts: Vec<PathBuf> = (1..=written.files).map(|number| parts::name(&folder.join("r.obs"), number)).collect();
    let open = |parts: &[PathBuf]| chains(parts.iter().map(|path| Reader::open(path).unwrap()).collect());
    let mut shuffled = parts.clone();
    shuffled.reverse();
    let [outcome] = open(&shuffled).into_iter().map(Replay::finish).collect::<Vec<_>>().try_into().ok().unwrap();
    assert_eq!(outcome.engine.report().verdicts, whole.report().verdicts);
    assert_eq!(outcome.engine.report().findings, whole.report().findings);
    assert_eq!(outcome.sample.snapshot, sample.snapshot);
    assert_eq!((outcome.damage.len(), outcome.notes.len(), outcome.ending.ended), (0, 0, EndReason::Duration));
    // From the middle on: counts are those of the parts given.
    let tail = replay(&parts[2]).unwrap();
    assert!(tail.sample.snapshot.counters.started < sample.snapshot.counters.started);
    assert_eq!((tail.damage.len(), tail.notes.len(), tail.ending.ended), (0, 2, EndReason::GoesOn));
    // A hole is damage.
    let holed = [parts[0].clone(), parts[2].clone()];
    let [outcome] = open(&holed).into_iter().map(Replay::finish).collect::<Vec<_>>().try_into().ok().unwrap();
    assert_eq!(outcome.damage, ["part 2 is missing"]);
    fs::remove_dir_all(&folder).unwrap();
}
