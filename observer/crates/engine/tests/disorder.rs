//! Dropped, delayed and duplicate records. They may lower a verdict and never raise one, and what is missing is
//! counted.
#![expect(clippy::cast_possible_truncation, reason = "a handful of entries and events")]
#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::collections::HashMap;

use observer_engine::{
    Engine, Footprint,
    event::{Change, ChangeKind, Entry, Event, Fault, Nanos, Path, Pin, PinResult, SequenceSpan, SlotCount, Task},
    limits::REORDER_DELAY,
    verdict::Verdict,
};
use proptest::prelude::*;

/// One action in a history of a few entries.
#[derive(Clone, Copy, Debug)]
enum Action {
    Start { tid: u8, entry: u8 },
    Read { tid: u8, pinned: bool },
    FailToPin { tid: u8 },
    Free { by: u8, entry: u8 },
    Allocate { entry: u8 },
    Write { entry: u8 },
    End { tid: u8, installed: bool },
}

const TASKS: u8 = 5;
const ENTRIES: u8 = 3;

fn action() -> impl Strategy<Value = Action> {
    let (tid, entry) = (0..TASKS, 0..ENTRIES);
    prop_oneof![
        3 => (tid.clone(), entry.clone()).prop_map(|(tid, entry)| Action::Start { tid, entry }),
        3 => (tid.clone(), prop::bool::weighted(0.2)).prop_map(|(tid, pinned)| Action::Read { tid, pinned }),
        1 => tid.clone().prop_map(|tid| Action::FailToPin { tid }),
        2 => (tid.clone(), entry.clone()).prop_map(|(by, entry)| Action::Free { by, entry }),
        2 => entry.clone().prop_map(|entry| Action::Allocate { entry }),
        1 => entry.prop_map(|entry| Action::Write { entry }),
        3 => (tid, any::<bool>()).prop_map(|(tid, installed)| Action::End { tid, installed }),
    ]
}

/// The numbers of a filter slot.
#[derive(Clone, Copy, Default)]
struct SlotNumbers {
    starts: u32,
    ends: u32,
    frees: u32,
    changes: u32,
}

impl SlotNumbers {
    fn count(self) -> SlotCount {
        SlotCount { starts: self.starts, ends: self.ends }
    }
}

/// A fault in progress.
struct InProgress {
    fault: Fault,
    /// The fault has freed its entry: later changes are not under its read.
    freed: bool,
}

/// The events of a history, in order. Faults that are in progress at the end of the history end there.
fn events(actions: &[Action], step: Nanos) -> Vec<Event> {
    let mut slots = [SlotNumbers::default(); ENTRIES as usize];
    let mut in_progress: HashMap<u8, InProgress> = HashMap::new();
    let mut events = Vec::new();
    let ends: Vec<Action> = (0..TASKS).map(|tid| Action::End { tid, installed: false }).collect();
    for (number, action) in actions.iter().chain(&ends).enumerate() {
        let at = (number as Nanos + 1) * step;
        match *action {
            Action::Start { tid, entry } if !in_progress.contains_key(&tid) => {
                let slot = &mut slots[usize::from(entry)];
                slot.starts += 1;
                let entry = Entry::new(0, entry.into());
                let task = Task { tid: u32::from(tid) + 1, pid: 1, comm: "t".into() };
                let mut fault = Fault { entry, base: entry, nr: 1, task, start: at, end: at, ..Fault::default() };
                fault.slot = slot.count();
                (fault.frees.at_read, fault.changes.at_read) = (slot.frees, slot.changes);
                events.push(Event::Started(fault.clone()));
                in_progress.insert(tid, InProgress { fault, freed: false });
            }
            Action::Start { .. } => {}
            Action::Read { tid, pinned } => {
                let Some(InProgress { fault, freed }) = in_progress.get_mut(&tid) else { continue };
                if fault.read_start.is_some() || *freed {
                    continue;
                }
                let slot = slots[fault.entry.offset() as usize];
                (fault.read_start, fault.path) = (Some(at), Path::Direct);
                (fault.frees.at_read, fault.changes.at_read) = (slot.frees, slot.changes);
                if pinned {
                    fault.pin = Some(Pin { tried: at, result: PinResult::Taken, failures: 0, dropped: Some(at + 1) });
                }
            }
            Action::FailToPin { tid } => {
                let Some(InProgress { fault, .. }) = in_progress.get_mut(&tid) else { continue };
                fault.pin = Some(Pin { tried: at, result: PinResult::Held, failures: 1, dropped: None });
            }
            Action::Free { by, entry } => {
                let slot = &mut slots[usize::from(entry)];
                let own = in_progress.get_mut(&by).filter(|state| state.fault.entry.offset() == u64::from(entry));
                if let Some(InProgress { fault, freed }) = own.filter(|state| !state.freed) {
                    (fault.frees.at_end, fault.changes.at_end) = (slot.frees, slot.changes);
                    *freed = true;
                }
                slot.frees += 1;
                events.push(change(ChangeKind::Freed, at, entry, by, slot.frees, *slot));
            }
            Action::Allocate { entry } => {
                let slot = &mut slots[usize::from(entry)];
                slot.changes += 1;
                events.push(change(ChangeKind::Allocated, at, entry, RECLAIM, slot.changes, *slot));
            }
            Action::Write { entry } => {
                let slot = &mut slots[usize::from(entry)];
                slot.changes += 1;
                events.push(change(ChangeKind::Written, at, entry, RECLAIM, slot.changes, *slot));
            }
            Action::End { tid, installed } => {
                let Some(InProgress { mut fault, freed }) = in_progress.remove(&tid) else { continue };
                let slot = &mut slots[fault.entry.offset() as usize];
                slot.ends += 1;
                if !freed {
                    (fault.frees.at_end, fault.changes.at_end) = (slot.frees, slot.changes);
                }
                (fault.end, fault.installed) = (at, installed);
                fault.slot = slot.count();
                events.push(Event::Ended(fault));
            }
        }
    }
    events
}

/// The task that allocates and writes entries.
const RECLAIM: u8 = 99;

fn change(kind: ChangeKind, at: Nanos, entry: u8, by: u8, seq: u32, slot: SlotNumbers) -> Event {
    let by = Task { tid: u32::from(by) + 1, pid: 1, comm: "t".into() };
    Event::Changed(Change { kind, entry: Entry::new(0, entry.into()), at, seq, by, slot: slot.count() })
}

/// Delivery of a record.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    InOrder,
    /// The ring buffer was full.
    Dropped,
    /// This many records of other CPUs overtake it.
    Delayed(u8),
    Duplicated,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        6 => Just(Delivery::InOrder),
        1 => Just(Delivery::Dropped),
        2 => (1..20u8).prop_map(Delivery::Delayed),
        1 => Just(Delivery::Duplicated),
    ]
}

/// Records as they arrive, and how many were dropped.
struct Arrival {
    events: Vec<Event>,
    dropped_ends: usize,
    dropped_changes: usize,
}

fn deliver(events: &[Event], deliveries: &[Delivery]) -> Arrival {
    let mut arriving: Vec<(usize, Event)> = Vec::new();
    let (mut dropped_ends, mut dropped_changes) = (0, 0);
    for (place, (event, delivery)) in events.iter().zip(deliveries.iter().cycle()).enumerate() {
        match delivery {
            Delivery::InOrder => arriving.push((place, event.clone())),
            Delivery::Delayed(places) => arriving.push((place + usize::from(*places), event.clone())),
            Delivery::Duplicated => arriving.extend([(place, event.clone()), (place + 1, event.clone())]),
            Delivery::Dropped => match event {
                Event::Ended(_) => dropped_ends += 1,
                Event::Changed(_) => dropped_changes += 1,
                Event::Started(_) => {}
            },
        }
    }
    arriving.sort_by_key(|(place, _)| *place);
    let events = arriving.into_iter().map(|(_, event)| event).collect();
    Arrival { events, dropped_ends, dropped_changes }
}

/// Verdicts by thread and start of the fault.
type Verdicts = HashMap<(u32, Nanos), Verdict>;

/// Feeds the events. If `live`, time advances as they arrive.
fn run(events: &[Event], live: bool) -> (Verdicts, Engine<()>) {
    let mut engine = Engine::<()>::default();
    let mut now = 0;
    for event in events {
        now = now.max(event.at());
        engine.feed(event.clone());
        if live {
            engine.advance(now);
        }
    }
    engine.finish();
    let findings = engine.report().findings.iter();
    (findings.map(|finding| ((finding.reader.tid, finding.start_ns), finding.verdict)).collect(), engine)
}

/// Time between two actions: from much less than every timeout of the engine to more than some of them.
fn step() -> impl Strategy<Value = Nanos> {
    prop_oneof![Just(1_000), Just(1_000_000), Just(4_000_000), Just(40_000_000)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_arrival_does_not_matter_within_the_reorder_delay(
        actions in prop::collection::vec(action(), 1..60),
        places in prop::collection::vec(1..20u8, 1..40),
    ) {
        const STEP: Nanos = 1_000_000;
        const { assert!(20 * STEP < REORDER_DELAY) };
        let events = events(&actions, STEP);
        let deliveries: Vec<Delivery> = places.into_iter().map(Delivery::Delayed).collect();
        let (expected, in_order) = run(&events, true);
        let (verdicts, reordered) = run(&deliver(&events, &deliveries).events, true);
        prop_assert_eq!(verdicts, expected);
        prop_assert_eq!(reordered.report().dropped.total(), in_order.report().dropped.total());
        prop_assert_eq!(&reordered.report().overlaps, &in_order.report().overlaps);
        prop_assert_eq!(&reordered.report().waits, &in_order.report().waits);
    }

    #[test]
    fn dropped_records_lower_verdicts_and_are_counted(
        actions in prop::collection::vec(action(), 1..60),
        deliveries in prop::collection::vec(delivery(), 1..40),
        step in step(),
        live in any::<bool>(),
    ) {
        let events = events(&actions, step);
        let Arrival { events: arriving, dropped_ends, dropped_changes } = deliver(&events, &deliveries);
        let (complete, _) = run(&events, live);
        let (verdicts, engine) = run(&arriving, live);
        let report = engine.report();
        for (fault, verdict) in &verdicts {
            let expected = complete.get(fault);
            prop_assert!(Some(verdict) <= expected, "{fault:?} was raised from {expected:?} to {verdict:?}");
        }
        let lowered = complete.iter().filter(|(fault, verdict)| verdicts.get(fault) < Some(verdict)).count();
        let counted = report.dropped.incomplete_readers as usize + report.dropped.late_events as usize;
        // A dropped end removes a reader. A read in transit depends on a change before the read, which the reader's
        // numbers do not cover: if that is dropped, the engine cannot count it. The ring buffer's counter does.
        prop_assert!(
            lowered <= counted + dropped_ends || dropped_changes > 0,
            "{lowered} lowered, {counted} counted, {dropped_ends} ends dropped",
        );
        if dropped_ends + dropped_changes == 0 && report.dropped.late_events == 0 {
            prop_assert_eq!(&verdicts, &complete);
        }
        if report.dropped.late_events == 0 {
            prop_assert_eq!(report.findings.len(), verdicts.len(), "a duplicate was counted");
        }
        // A fault whose end was dropped has no duration. It is counted, unless its start was dropped too.
        let without_end = report.dropped.faults_without_end as usize;
        prop_assert!(without_end <= dropped_ends + report.dropped.late_events as usize);
        prop_assert_eq!(report.events as usize, arriving.len());
        prop_assert_eq!(engine.footprint(), Footprint::default());
    }

    #[test]
    fn invalid_events_cause_no_panic_and_leave_nothing_behind(
        raw in prop::collection::vec((any::<[u64; 8]>(), any::<[u32; 8]>(), 0..6u8), 0..40),
        step in any::<u64>(),
    ) {
        let mut engine = Engine::<()>::default();
        for (wide, narrow, kind) in raw {
            engine.feed(invalid_event(wide, narrow, kind));
            engine.advance(wide[0].wrapping_add(step));
        }
        engine.finish();
        prop_assert_eq!(engine.footprint(), Footprint::default());
    }
}

fn invalid_event(wide: [u64; 8], narrow: [u32; 8], kind: u8) -> Event {
    let [at, entry, base, start, read, dropped, tried, address] = wide;
    let [tid, nr, a, b, c, d, starts, ends] = narrow;
    let by = Task { tid: tid % 4, pid: 1, comm: "t".into() };
    let slot = SlotCount { starts, ends };
    if kind < 3 {
        let kind = [ChangeKind::Freed, ChangeKind::Allocated, ChangeKind::Written][usize::from(kind)];
        return Event::Changed(Change { kind, entry: Entry(entry), at, seq: a, by, slot });
    }
    let result = [PinResult::Taken, PinResult::Held, PinResult::Gone][usize::from(kind - 3)];
    let fault = Fault {
        entry: Entry(entry),
        base: Entry(base),
        nr,
        address,
        task: by,
        start,
        end: at,
        read_start: Some(read),
        path: Path::Direct,
        pin: (d % 2 == 0).then_some(Pin { tried, result, failures: a, dropped: Some(dropped) }),
        frees: SequenceSpan { at_read: a, at_end: b },
        changes: SequenceSpan { at_read: c, at_end: d },
        slot,
        installed: true,
        ..Fault::default()
    };
    if kind == 5 { Event::Started(fault) } else { Event::Ended(fault) }
}
