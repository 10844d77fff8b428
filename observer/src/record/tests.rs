use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::{
    event::{Decoder, Encoder},
    varint::Input as Bytes,
    *,
};
use crate::{
    engine::{Engine, event::Event},
    outcome::{Clocks, Context, Ended, Ending, Sample},
    probe::{FlightTimes, SelfCost},
    source::Input,
};

#[path = "../../tests/common/synthetic.rs"]
mod synthetic;
use synthetic::Synthetic;

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("observer-record-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn context() -> Context {
    let clocks = Clocks { monotonic_ns: synthetic::BEGIN, realtime_ns: 1_700_000_000_000_000_000 };
    Context { host: "made-up".to_owned(), clocks, ..Context::default() }
}

fn ending() -> Ending {
    Ending { vmstat: None, cost: SelfCost { records: 3, ..SelfCost::default() }, command: None, ended: Ended::Duration }
}

fn inputs(count: usize) -> Vec<Input> {
    Synthetic::new(7, 100_000, 5_000).take(count).collect()
}

fn write(recorder: &mut Recorder, inputs: &[Input]) {
    for input in inputs {
        match input {
            Input::Event(event) => recorder.event(event),
            Input::Advance(until) => recorder.advance(*until),
            Input::Sample(sample) => recorder.sample(sample),
        }
    }
}

/// A recording of made-up events, as bytes.
fn recording(name: &str, inputs: &[Input]) -> Vec<u8> {
    let folder = folder(name);
    let path = folder.join("r");
    let mut recorder = Recorder::create(&path, Creation::New, &context()).unwrap();
    write(&mut recorder, inputs);
    recorder.finish(&ending()).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    bytes
}

/// Everything that can be read of some bytes, and how they end.
fn read(bytes: &[u8]) -> (Vec<Input>, End) {
    let mut reader = Reader::new(bytes).unwrap();
    let inputs = std::iter::from_fn(|| reader.next_input()).collect();
    (inputs, reader.end().unwrap().clone())
}

fn same(a: &[Input], b: &[Input]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Input::Event(a), Input::Event(b)) => a == b,
            (Input::Advance(a), Input::Advance(b)) => a == b,
            (Input::Sample(a), Input::Sample(b)) => sample::Stored::from(&**a) == sample::Stored::from(&**b),
            _ => false,
        })
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
    let mut times = FlightTimes::default();
    times.by_path[0].saturating_record_n(1_234, 5);
    let mut sample = Sample { at: 9, flight_times: Some(times), ..Sample::default() };
    sample.snapshot.counters.begun = 17;
    all.insert(500, Input::Sample(Box::new(sample)));
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
    assert_eq!(live.losses, replayed.losses);
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
    let recorder = Recorder::create(&path, Creation::New, &context()).unwrap();
    let partial = recorder.partial().to_owned();
    assert!(matches!(Recorder::create(&path, Creation::Replace, &context()), Err(CreateError::Busy(_))));
    assert_eq!(fs::metadata(&partial).unwrap().permissions().mode() & 0o777, 0o600);
    recorder.finish(&ending()).unwrap();
    assert!(path.exists() && !partial.exists());
    assert!(matches!(Recorder::create(&path, Creation::New, &context()), Err(CreateError::Exists(_))));
    Recorder::create(&path, Creation::Replace, &context()).unwrap().finish(&ending()).unwrap();
    // What a killed recorder leaves is not overwritten, and can be read.
    drop(Recorder::create(&folder.join("k"), Creation::New, &context()).unwrap());
    let again = Recorder::create(&folder.join("k"), Creation::New, &context());
    assert!(matches!(again, Err(CreateError::Leftover(_))));
    let (inputs, end) = read(&fs::read(folder.join("k.partial")).unwrap());
    assert!(inputs.is_empty() && matches!(end, End::Early(Damage::Cut(_))));
    // Through a link, onto a folder: never.
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("l.partial")).unwrap();
    for name in ["link", "l", "."] {
        let refused = Recorder::create(&folder.join(name), Creation::Replace, &context());
        assert!(matches!(refused, Err(CreateError::NotAFile(_))), "{name}");
    }
    assert!(!folder.join("elsewhere").exists());
    fs::remove_dir_all(&folder).unwrap();
}
