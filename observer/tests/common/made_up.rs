//! A whole recording of made-up events, with counters that fit them.

use std::{collections::HashSet, error::Error, path::Path};

use observer::{
    engine::event::{Event, Path as Way},
    kernel::vmstat::Vmstat,
    outcome::{Clocks, Context, Degraded, Ended, Ending, Kernel, Reason, Sample, Swap},
    probe::{FlightTimes, SelfCost, Skipped},
    record::{Creation, Recorder, Rotation, Target, Written},
    source::Input,
};

use super::synthetic::{BEGIN, Synthetic};

/// Nanoseconds between two samples.
const SECOND: u64 = 1_000_000_000;
/// For each contended flight so many that were alone: they are only counted.
const ALONE: u64 = 20;

/// What a recorder on a 6.12 would say.
pub(super) fn context() -> Context {
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
            backend: [how("flight begin", "do_swap_page"), how("pin try", "swapcache_prepare")].into(),
            reasons: vec![Reason {
                hook: "flight begin".to_owned(),
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
        clocks: Clocks { monotonic_ns: BEGIN, realtime_ns: 1_767_225_600 * SECOND },
        ..Context::default()
    }
}

/// Writes it.
pub(super) fn record(path: &Path, events: u64, rate: u64, seed: u64) -> Result<Written, Box<dyn Error>> {
    let mut recorder = Recorder::create(
        Target { path: path.to_owned(), creation: Creation::New, rotation: Rotation::default() },
        &context(),
    )?;
    let mut sample = Sample { flight_times: Some(FlightTimes::default()), ..Sample::default() };
    sample.snapshot.skipped = Some(Skipped::default());
    let (mut left, mut next, mut open) = (events, BEGIN, HashSet::new());
    for input in Synthetic::new(seed, rate, 5_000) {
        match &input {
            Input::Event(event) => {
                // Once there are enough, only until every flight that was open has ended.
                let belongs = match event {
                    Event::Opened(flight) => left > 0 && open.insert(flight.task.tid),
                    Event::Closed(flight) => open.remove(&flight.task.tid) || left > 0,
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
                    let seconds = (until - BEGIN) / SECOND;
                    let flight_times = sample.flight_times.clone().filter(|_| seconds.is_multiple_of(5));
                    recorder.sample(&Sample { flight_times, ..sample.clone() });
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
    let cost = SelfCost {
        elapsed_ns: sample.at - BEGIN,
        user_ns: 20_000_000,
        system_ns: 10_000_000,
        max_resident_bytes: 9 << 20,
        kernel_bytes: 6 << 20,
        programs: 11,
        records: events,
        ..SelfCost::default()
    };
    Ok(recorder.finish(&Ending { vmstat: Some((before, after)), cost, command: None, ended: Ended::Duration })?)
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
        Event::Opened(_) => {}
        Event::Changed(change) => {
            use observer::engine::event::ChangeKind;
            match change.kind {
                ChangeKind::Freed => counters.freed += 1,
                ChangeKind::HandedOut => counters.handed_out += 1,
                ChangeKind::WriteBegun => {}
                ChangeKind::Written => counters.written += 1,
            }
        }
        Event::Closed(flight) => {
            counters.begun += 1 + ALONE;
            counters.ended += 1 + ALONE;
            counters.streamed += 1;
            counters.installed += u64::from(flight.installed) + ALONE;
            let (path, read, way) = match flight.path {
                Way::Direct => (&mut counters.direct, &mut counters.read_direct, 0),
                Way::Cached => (&mut counters.cached, &mut counters.read_cached, 1),
                Way::None => (&mut counters.none, &mut counters.read_outside, 2),
            };
            *path += 1 + ALONE;
            if way < 2 {
                *read += 1 + ALONE;
            }
            if let Some(pin) = flight.pin {
                counters.pins += 1 - u64::from(pin.fails.min(1));
                counters.pin_eexist += u64::from(pin.fails);
            }
            if let Some(times) = &mut sample.flight_times
                && let Some(histogram) = times.by_path.get_mut(way)
            {
                histogram.saturating_record(middle(flight.end - flight.begin));
                histogram.saturating_record_n(middle((flight.end - flight.begin) / 2 + 500), ALONE);
            }
        }
    }
}
