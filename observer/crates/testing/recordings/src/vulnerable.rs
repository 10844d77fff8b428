//! A recording of synthetic events on a vulnerable kernel, the same every time.

use std::{error::Error, path::Path};

use crate::{
    clocks,
    synthetic::{START, Synthetic},
};
use observer_engine::event::{Event, Path as FaultPath};
use observer_kernel::{
    plan::{Backend, HookReason, HookSet, Meaning, NoTrampoline, State},
    swaps::Synchronous,
};
use observer_observation::{Context, EndReason, FinalState, HookUse, Input, Kernel, Sample, Swap};
use observer_record::{Creation, Recorder, Rotation, Target};

const SECOND: u64 = 1_000_000_000;

/// The context of a recorder on a 5.10.
pub fn context() -> Context {
    let hook = |meaning, backend, symbol: &str, reason| HookUse { meaning, backend, symbol: symbol.to_owned(), reason };
    let accepted = || HookReason::TrampolineAccepted { prototype: "vm_fault_t(struct vm_fault *vmf)".to_owned() };
    let swap = |kind, path: &str, size_kib, synchronous| Swap {
        kind,
        kind_seen: true,
        path: path.into(),
        size_kib,
        synchronous,
        ..Swap::default()
    };
    Context {
        host: "made-up".into(),
        kernel: Kernel {
            release: "5.10.0-32-cloud-amd64".to_owned(),
            arch: "x86_64".to_owned(),
            state: State::Vulnerable,
            hook_set: HookSet::Full,
            timed_one_in: 1,
            hooks: vec![
                hook(Meaning::FaultStart, Backend::Fentry, "do_swap_page", accepted()),
                hook(Meaning::FaultEnd, Backend::Fexit, "do_swap_page", accepted()),
                hook(
                    Meaning::Freed,
                    Backend::Kprobe,
                    "swap_entry_free",
                    HookReason::NoTrampoline { cause: NoTrampoline::NotTried },
                ),
            ],
            degraded: Vec::new(),
            tick_ns: Some(4_000_000),
        },
        swaps: vec![
            swap(0, "/dev/zram0", 524_288, Synchronous::Yes),
            swap(1, "/dev/nvme0n1p3", 8_388_608, Synchronous::No),
        ],
        clocks: clocks(START),
        ..Context::default()
    }
}

/// Writes this many seconds, with about `rate` events in each.
pub fn record(path: &Path, seconds: u64, rate: u64) -> Result<(), Box<dyn Error>> {
    let mut recorder = Recorder::create(
        Target { path: path.into(), creation: Creation::Replace, rotation: Rotation::default() },
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
                    (sample.at, sample.clocks) = (*until, Some(clocks(*until)));
                    recorder.sample(&sample);
                }
                if *until >= START + seconds * SECOND {
                    break;
                }
            }
            Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
        }
    }
    recorder.finish(&FinalState::unknown(EndReason::Duration))?;
    Ok(())
}

/// Adds the uncontended faults that a contended one stands for: they are counted and not streamed.
fn count(sample: &mut Sample, event: &Event) {
    if let Event::Ended(fault) = event {
        let counters = &mut sample.snapshot.counters;
        match fault.path {
            FaultPath::Direct => counters.read_direct += 40,
            FaultPath::Cached => counters.read_cached += 3,
            FaultPath::None => {}
        }
    }
}
