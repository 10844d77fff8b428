//! A whole recording of made-up events, with counters that fit them.

use std::{collections::HashSet, error::Error, path::Path};

use crate::synthetic::{START, Synthetic};
use observer_engine::event::{Event, Path as Way};
use observer_kernel::vmstat::Vmstat;
use observer_observation::{
    Clocks, Context, Degraded, EndReason, FaultTimes, FinalState, Kernel, Overhead, Reason, Sample, Skipped, Swap,
    input::Input,
};
use observer_record::{Creation, Recorder, Rotation, Target, Written};

/// Nanoseconds between two samples.
const SECOND: u64 = 1_000_000_000;
/// For each contended fault so many that were alone: they are only counted.
const ALONE: u64 = 20;

/// What a recorder on a 6.12 would say.
pub fn context() -> Context {
    let how = |hook: &str, symbol: &str| (hook.to_owned(), format!("fentry {symbol}"));
    Context {
        tool: "0.1.0".to_owned(),
        host: "made-up".to_owned(),
        kernel: Kernel {
            release: "6.12.0-made-up".to_owned(),
            arch: "x86_64".to_owned(),
            state: "pinned, wait queue".to_owned(),
            hooks: "full".to_owned(),
            timed_one_in: 1,
            backend: [how("fault start", "do_swap_page"), how("pin try", "swapcache_prepare")].into(),
            reasons: vec![Reason {
                hook: "fault start".to_owned(),
                symbol: "do_swap_page".to_owned(),
                reason: "the trampoline takes it".to_owned(),
            }],
            degraded: vec![Degraded {
                meaning: "read_end".to_owned(),
                hook: "read end".to_owned(),
                reason: "swap_read_folio: made up".to_owned(),
                consequence: "how long a read took is unknown".to_owned(),
            }],
            tick_ns: Some(4_000_000),
        },
        swaps: vec![Swap {
            kind: 0,
            kind_seen: true,
            path: "/dev/zram0".to_owned(),
            size_kib: 20_000,
            synchronous: "yes".to_owned(),
        }],
        ring_bytes: 4 << 20,
        clocks: Clocks { monotonic_ns: START, realtime_ns: 1_767_225_600 * SECOND },
        ..Context::default()
    }
}

/// Writes it.
pub fn record(path: &Path, events: u64, rate: u64, seed: u64) -> Result<Written, Box<dyn Error>> {
    let mut recorder = Recorder::create(
        Target { path: path.to_owned(), creation: Creation::New, rotation: Rotation::default() },
        &context(),
    )?;
    let mut sample = Sample { fault_times: Some(FaultTimes::default()), ..Sample::default() };
    sample.snapshot.skipped = Some(Skipped::default());
    let (mut left, mut next, mut open) = (events, START, HashSet::new());
    for input in Synthetic::new(seed, rate, 5_000) {
        match &input {
            Input::Event(event) => {
                // Once there are enough, only until every fault that was open has ended.
                let belongs = match event {
                    Event::Started(fault) => left > 0 && open.insert(fault.task.tid),
                    Event::Ended(fault) => open.remove(&fault.task.tid) || left > 0,
                    Event::Changed(_) => true,
                };
                if belongs {
                    recorder.event(event);
                    count(&mut sample, event);
                    left = left.saturating_sub(1);
                }
            }
            Input::Sample(_) => {}
            Input::Advance(until) => {
                recorder.advance(*until);
                sample.at = *until;
                if *until >= next {
                    let seconds = (until - START) / SECOND;
                    let fault_times = sample.fault_times.clone().filter(|_| seconds.is_multiple_of(5));
                    recorder.sample(&Sample { fault_times, ..sample.clone() });
                    next = until + SECOND;
                }
                if left == 0 && open.is_empty() {
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
    let cost = Overhead {
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
        cost,
        command: None,
        ended: EndReason::Duration,
    })?)
}

/// What a duration timed in the kernel comes out as.
fn middle(ns: u64) -> u64 {
    let (low, high) = observer_ebpf::histogram::bounds(observer_ebpf::histogram::bucket(ns));
    low + (high - low) / 2
}

/// What the programs would have counted.
fn count(sample: &mut Sample, event: &Event) {
    let counters = &mut sample.snapshot.counters;
    match event {
        Event::Started(_) => {}
        Event::Changed(change) => {
            use observer_engine::event::ChangeKind;
            match change.kind {
                ChangeKind::Freed => counters.freed += 1,
                ChangeKind::Allocated => counters.allocated += 1,
                ChangeKind::WriteStarted => {}
                ChangeKind::Written => counters.written += 1,
            }
        }
        Event::Ended(fault) => {
            counters.started += 1 + ALONE;
            counters.ended += 1 + ALONE;
            counters.streamed += 1;
            counters.installed += u64::from(fault.installed) + ALONE;
            let (path, read, way) = match fault.path {
                Way::Direct => (&mut counters.direct, &mut counters.read_direct, 0),
                Way::Cached => (&mut counters.cached, &mut counters.read_cached, 1),
                Way::None => (&mut counters.none, &mut counters.read_outside, 2),
            };
            *path += 1 + ALONE;
            if way < 2 {
                *read += 1 + ALONE;
            }
            if let Some(pin) = fault.pin {
                counters.pins += 1 - u64::from(pin.fails.min(1));
                counters.pin_eexist += u64::from(pin.fails);
            }
            if let Some(times) = &mut sample.fault_times
                && let Some(histogram) = times.by_path.get_mut(way)
            {
                histogram.saturating_record(middle(fault.end - fault.start));
                histogram.saturating_record_n(middle((fault.end - fault.start) / 2 + 500), ALONE);
            }
        }
    }
}
