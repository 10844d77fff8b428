//! A recording of made-up events on an unfixed kernel, the same every time: what the dashboard's tests look at.

use std::{error::Error, path::Path};

use crate::synthetic::{START, Synthetic};
use observer_engine::event::{Event, Path as Way};
use observer_observation::{Clocks, Context, EndReason, FinalState, Kernel, Reason, Sample, Swap, input::Input};
use observer_record::{Creation, Recorder, Rotation, Target};

const SECOND: u64 = 1_000_000_000;

/// What a recorder on a 5.10 would say.
pub fn context() -> Context {
    let how = |hook: &str, how: &str| (hook.to_owned(), how.to_owned());
    let swap = |kind, path: &str, size_kib, synchronous: &str| Swap {
        kind,
        kind_seen: true,
        path: path.to_owned(),
        size_kib,
        synchronous: synchronous.to_owned(),
    };
    Context {
        host: "made-up".to_owned(),
        kernel: Kernel {
            release: "5.10.0-32-cloud-amd64".to_owned(),
            arch: "x86_64".to_owned(),
            state: "unfixed: ABA possible".to_owned(),
            hooks: "full".to_owned(),
            timed_one_in: 1,
            backend: [
                how("fault start", "fentry do_swap_page"),
                how("fault end", "fexit do_swap_page"),
                how("entry freed", "kprobe swap_entry_free"),
            ]
            .into(),
            reasons: vec![Reason {
                hook: "entry freed".to_owned(),
                symbol: "swap_entry_free".to_owned(),
                reason: "the trampoline refuses it (EINVAL): an argument is passed by value".to_owned(),
            }],
            degraded: Vec::new(),
            tick_ns: Some(4_000_000),
        },
        swaps: vec![swap(0, "/dev/zram0", 524_288, "yes"), swap(1, "/dev/nvme0n1p3", 8_388_608, "no")],
        clocks: Clocks { monotonic_ns: START, realtime_ns: 1_767_225_600 * SECOND },
        ..Context::default()
    }
}

/// Writes it: so many seconds, about so many events in each.
pub fn record(path: &Path, seconds: u64, rate: u64) -> Result<(), Box<dyn Error>> {
    let mut recorder = Recorder::create(
        Target { path: path.to_owned(), creation: Creation::Replace, rotation: Rotation::default() },
        &context(),
    )?;
    let mut sample = Sample::default();
    for input in Synthetic::new(5, rate, 400) {
        match &input {
            Input::Event(event) => {
                recorder.event(event);
                count(&mut sample, event);
            }
            Input::Advance(until) => {
                recorder.advance(*until);
                if until.is_multiple_of(SECOND) {
                    sample.at = *until;
                    recorder.sample(&sample);
                }
                if *until >= START + seconds * SECOND {
                    break;
                }
            }
            Input::Sample(_) => {}
        }
    }
    recorder.finish(&FinalState::unknown(EndReason::Duration))?;
    Ok(())
}

/// For each contended fault so many that were alone.
fn count(sample: &mut Sample, event: &Event) {
    if let Event::Ended(fault) = event {
        let counters = &mut sample.snapshot.counters;
        match fault.path {
            Way::Direct => counters.read_direct += 40,
            Way::Cached => counters.read_cached += 3,
            Way::None => {}
        }
    }
}
