//! A complete recording of synthetic events on a kernel that pins, with counters that fit the events.

use std::{collections::HashSet, error::Error, path::Path};

use crate::{
    clocks,
    synthetic::{START, Synthetic},
};
use observer_ebpf::histogram;
use observer_engine::event::{ChangeKind, Event, Path as FaultPath};
use observer_kernel::{
    plan::{Backend, Consequence, HookReason, HookSet, Meaning, MissingReason, Rejection, State},
    swaps::Synchronous,
    vmstat::Vmstat,
};
use observer_observation::{
    Context, Degraded, EndReason, FaultTimes, FinalState, HookUse, Input, Kernel, Overhead, Sample, Skipped, Swap,
};
use observer_record::{Creation, Recorder, Rotation, Target, Written};

const SECOND: u64 = 1_000_000_000;
/// Uncontended faults, which are counted and not streamed, for each contended one.
const UNCONTENDED: u64 = 20;

/// The context of a recorder on a 6.12.
pub fn context() -> Context {
    let hook = |meaning, backend, symbol: &str, prototype: &str| HookUse {
        meaning,
        backend,
        symbol: symbol.to_owned(),
        reason: HookReason::TrampolineAccepted { prototype: prototype.to_owned() },
    };
    Context {
        tool: "0.1.0".to_owned(),
        host: "made-up".into(),
        kernel: Kernel {
            release: "6.12.0-made-up".to_owned(),
            arch: "x86_64".to_owned(),
            state: State::PinnedWaitQueue,
            hook_set: HookSet::Full,
            timed_one_in: 1,
            hooks: vec![
                hook(Meaning::FaultStart, Backend::Fentry, "do_swap_page", "vm_fault_t(struct vm_fault *vmf)"),
                hook(Meaning::PinTry, Backend::Fexit, "swapcache_prepare", "int(swp_entry_t entry, int nr)"),
            ],
            degraded: vec![Degraded {
                meaning: Meaning::ReadEnd,
                reason: MissingReason::Rejected {
                    functions: vec![Rejection::Absent { symbol: "swap_read_folio".to_owned() }],
                },
                consequence: Consequence::ReadDurationsUnknown,
                partial: false,
            }],
            tick_ns: Some(4_000_000),
        },
        swaps: vec![Swap {
            kind: 0,
            kind_seen: true,
            path: "/dev/zram0".into(),
            size_kib: 20_000,
            synchronous: Synchronous::Yes,
            ..Swap::default()
        }],
        ring_bytes: 4 << 20,
        clocks: clocks(START),
        ..Context::default()
    }
}

/// Writes about `events` events, `rate` per second. The same arguments give the same file, byte for byte.
pub fn record(path: &Path, events: u64, rate: u64, seed: u64) -> Result<Written, Box<dyn Error>> {
    let mut recorder = Recorder::create(
        Target { path: path.into(), creation: Creation::New, rotation: Rotation::default() },
        &context(),
    )?;
    let mut sample = Sample { fault_times: Some(FaultTimes::default()), ..Sample::default() };
    sample.snapshot.skipped = Some(Skipped::default());
    let (mut left, mut next, mut in_progress) = (events, START, HashSet::new());
    for input in Synthetic::new(seed, rate, 5_000) {
        match &input {
            Input::Event(event) => {
                // After the last event only the ends of the faults in progress are recorded.
                let is_recorded = match event {
                    Event::Started(fault) => left > 0 && in_progress.insert(fault.task.tid),
                    Event::Ended(fault) => in_progress.remove(&fault.task.tid) || left > 0,
                    Event::Changed(_) => true,
                };
                if is_recorded {
                    recorder.event(event);
                    count(&mut sample, event);
                    left = left.saturating_sub(1);
                }
            }
            Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
            Input::Advance(until) => {
                recorder.advance(*until);
                (sample.at, sample.clocks) = (*until, Some(clocks(*until)));
                if *until >= next {
                    let seconds = (until - START) / SECOND;
                    let fault_times = sample.fault_times.clone().filter(|_| seconds.is_multiple_of(5));
                    recorder.sample(&Sample { fault_times, ..sample.clone() });
                    next = until + SECOND;
                }
                if left == 0 && in_progress.is_empty() {
                    break;
                }
            }
        }
    }
    recorder.sample(&sample);
    let counters = sample.snapshot.counters;
    let before = Vmstat {
        pswpin: 70,
        pswpout: 90,
        swpin_zero: Some(5),
        swpout_zero: Some(5),
        zswpin: None,
        ..Vmstat::default()
    };
    let swapped = counters.read_direct + counters.read_cached;
    let after = Vmstat { pswpin: before.pswpin + swapped, pswpout: before.pswpout + counters.written, ..before };
    let overhead = Overhead {
        elapsed_ns: sample.at - START,
        user_ns: 20_000_000,
        system_ns: 10_000_000,
        max_resident_bytes: 9 << 20,
        kernel_bytes: 6 << 20,
        programs: 11,
        records: events,
        ..Overhead::default()
    };
    Ok(recorder.finish(&FinalState {
        vmstat: Some((before, after)),
        overhead,
        command: None,
        ended: EndReason::Duration,
        on_finding: None,
    })?)
}

/// The middle of the bucket that the programs count a duration in.
fn middle(ns: u64) -> u64 {
    let (low, high) = histogram::bounds(histogram::bucket(ns));
    low + (high - low) / 2
}

/// Counts an event as the programs do.
fn count(sample: &mut Sample, event: &Event) {
    let counters = &mut sample.snapshot.counters;
    match event {
        Event::Started(_) => {}
        Event::Changed(change) => match change.kind {
            ChangeKind::Freed => counters.freed += 1,
            ChangeKind::Allocated => counters.allocated += 1,
            ChangeKind::WriteStarted => {}
            ChangeKind::Written => counters.written += 1,
        },
        Event::Ended(fault) => {
            counters.started += 1 + UNCONTENDED;
            counters.ended += 1 + UNCONTENDED;
            counters.streamed += 1;
            counters.installed += u64::from(fault.installed) + UNCONTENDED;
            let faults = 1 + UNCONTENDED;
            let place = match fault.path {
                FaultPath::Direct => {
                    counters.direct += faults;
                    counters.read_direct += faults;
                    0
                }
                FaultPath::Cached => {
                    counters.cached += faults;
                    counters.read_cached += faults;
                    1
                }
                FaultPath::None => {
                    counters.none += faults;
                    2
                }
            };
            if let Some(pin) = fault.pin {
                counters.pins += 1 - u64::from(pin.failures.min(1));
                counters.pin_eexist += u64::from(pin.failures);
            }
            if let Some(times) = &mut sample.fault_times
                && let Some(histogram) = times.by_path.get_mut(place)
            {
                histogram.saturating_record(middle(fault.end - fault.start));
                histogram.saturating_record_n(middle((fault.end - fault.start) / 2 + 500), UNCONTENDED);
            }
        }
    }
}
