//! Faults whose wait for the folio lock overlaps their read in part, so that the slices of a trace do not nest by
//! themselves.

use std::{error::Error, path::Path};

use observer_engine::event::{Event, Fault, LockWait};
use observer_observation::Input;
use observer_record::{Creation, Recorder, Replay, Rotation, Target, Written};

use crate::released;

/// Makes a fault wait from the middle of its read to its own end.
pub fn wait_during_read(fault: &mut Fault) {
    if let Some((start, end)) = fault.read_start.zip(fault.read_end) {
        fault.lock = Some(LockWait { tried: start.midpoint(end), ended: Some(fault.end) });
    }
}

/// Writes a recording of another one's events with such waits.
pub fn record(path: &Path) -> Result<Written, Box<dyn Error>> {
    let replay = Replay::open(&released("v1.3.obs"))?;
    let target = Target { path: path.into(), creation: Creation::Replace, rotation: Rotation::default() };
    let mut recorder = Recorder::create(target, replay.context())?;
    let outcome = replay.finish_with(&mut |input| match input {
        Input::Event(Event::Ended(fault)) => {
            let mut fault = fault.clone();
            wait_during_read(&mut fault);
            recorder.event(&Event::Ended(fault));
        }
        other => recorder.input(other),
    });
    Ok(recorder.finish(&outcome.ending)?)
}
