mod areas;
mod cgroups;
mod files;
mod format;
mod hostile;
mod parts;
mod round_trip;

use std::{fs, path::Path};

use super::*;
use observer_engine::event::Nanos;
use observer_observation::{Clocks, Context, EndReason, FileDamage, FinalState, Input, Overhead, Sample};
use observer_recordings::synthetic::{START, Synthetic};

/// A reading of the clocks, where the wall clock was stepped forwards by so much since the start.
fn clocks(at: Nanos, stepped: Nanos) -> Clocks {
    let realtime_ns = 1_700_000_000_000_000_000 + (at - START) + stepped;
    Clocks { monotonic_ns: at, realtime_ns, boottime_ns: Some(at) }
}

fn context() -> Context {
    Context { host: "made-up".into(), clocks: clocks(START, 0), ..Context::default() }
}

fn ending() -> FinalState {
    FinalState {
        vmstat: None,
        overhead: Overhead { records: 3, ..Overhead::default() },
        command: None,
        ended: EndReason::Duration,
        on_finding: None,
    }
}

fn inputs(count: usize) -> Vec<Input> {
    Synthetic::new(7, 100_000, 5_000).take(count).collect()
}

fn create(path: &Path, creation: Creation) -> Result<Recorder, CreateError> {
    Recorder::create(Target { path: path.into(), creation, rotation: Rotation::default() }, &context())
}

/// The bytes of a recording.
fn recording(inputs: &[Input]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let mut recorder = create(&path, Creation::New).unwrap();
    for input in inputs {
        recorder.input(input);
    }
    recorder.finish(&ending()).unwrap();
    fs::read(&path).unwrap()
}

/// All inputs of a recording, and how it ends.
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
            (Input::Sample(a), Input::Sample(b)) => same_sample(a, b),
            (Input::Areas(a), Input::Areas(b)) => a == b,
            (Input::Cgroup(a), Input::Cgroup(b)) => a == b,
            _ => false,
        })
}

fn same_sample(a: &Sample, b: &Sample) -> bool {
    let times = |sample: &Sample| sample.fault_times.as_ref().map(|times| times.by_path.clone());
    (a.at, a.snapshot, a.undecodable, a.clocks, a.vmstat) == (b.at, b.snapshot, b.undecodable, b.clocks, b.vmstat)
        && times(a) == times(b)
}
