use super::*;
use crate::{
    event::{ChangeKind, Path, Pin, PinResult, SequenceSpan, Task},
    limits::MAX_LISTED,
    overlap::Overlap,
    report::{EngineDropped, VerdictCounts},
    verdict::Verdict,
};

const ENTRY: Entry = Entry::new(0, 7);

fn task(tid: u32) -> Task {
    Task { tid, pid: 1, comm: format!("t{tid}").into() }
}

fn fault(tid: u32, start: Nanos, end: Nanos, starts: u32, ends: u32) -> Fault {
    Fault {
        entry: ENTRY,
        base: ENTRY,
        nr: 1,
        task: task(tid),
        start,
        end,
        read_start: Some(start + 1),
        read_end: Some(start + 2),
        path: Path::Direct,
        installed: true,
        slot: SlotCount { starts, ends },
        ..Fault::default()
    }
}

fn change(kind: ChangeKind, at: Nanos, seq: u32) -> Event {
    let slot = SlotCount { starts: 2, ends: 1 };
    Event::Changed(Change { kind, entry: ENTRY, at, seq, by: task(2), slot })
}

/// Index of the events of [`aba`].
const OTHER_END: usize = 1;
const ALLOCATED: usize = 2;
const VICTIM_END: usize = 4;

/// The ABA: under the read of the victim (1) another task (2) swaps the page in, changes it and has it swapped out
/// again to the same entry.
fn aba() -> Vec<Event> {
    let mut victim = fault(1, 100, 900, 2, 2);
    victim.frees = SequenceSpan { at_read: 0, at_end: 1 };
    victim.changes = SequenceSpan { at_read: 0, at_end: 2 };
    let mut other = fault(2, 200, 300, 2, 1);
    other.freed = Some(290);
    vec![
        change(ChangeKind::Freed, 290, 1),
        Event::Ended(other),
        change(ChangeKind::Allocated, 500, 1),
        change(ChangeKind::Written, 510, 2),
        Event::Ended(victim),
    ]
}

/// A task waits for a pin while the device stalls, and the observation ends meanwhile.
#[test]
fn a_pin_wait_is_reported_while_it_lasts_and_at_the_end_of_the_observation() {
    use crate::event::{Pin, PinResult};
    const SECOND: Nanos = 1_000_000_000;
    let mut engine = Engine::<()>::default();
    engine.feed(Event::Started(Fault { end: 0, pin: None, ..fault(1, 100, 0, 1, 0) }));
    for second in 0..600 {
        let start = second * SECOND + 200;
        let pin = Pin { tried: start + 1, result: PinResult::Held, failures: 1, dropped: None };
        let failed = fault(2, start, start + 50, 2, 1);
        engine.feed(Event::Ended(Fault {
            pin: Some(pin),
            path: Path::None,
            installed: false,
            read_start: None,
            ..failed
        }));
        engine.advance(start + 50);
        engine.advance(start + SECOND / 2);
        let shown: Vec<_> = engine.report().long_waits.iter().map(Wait::duration).collect();
        assert_eq!(shown, if second < 1 { vec![] } else { vec![second * SECOND + 49] }, "after {second} s");
        assert_eq!(engine.report().verdicts.pin_wait, 0, "it has not ended");
    }
    engine.finish();
    let report = engine.report();
    assert!(report.long_waits.is_empty(), "it is in the list of waits instead");
    assert_eq!(report.waits.iter().map(Wait::duration).collect::<Vec<_>>(), [599 * SECOND + 49]);
    assert_eq!(report.dropped.faults_without_end, 1, "the holder's");
}

fn feed(events: Vec<Event>) -> Engine<()> {
    let mut engine = Engine::<()>::default();
    for event in events {
        engine.feed(event);
    }
    engine
}

fn run(events: Vec<Event>) -> Engine<()> {
    let mut engine = feed(events);
    engine.finish();
    engine
}

#[test]
fn an_aba_is_one_stale_install_and_one_overlap() {
    let engine = run(aba());
    let report = engine.report();
    assert_eq!(report.verdicts, VerdictCounts { overlap: 1, stale_install: 1, ..VerdictCounts::default() });
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!((finding.reader.tid, finding.entry, finding.changes), (1, ENTRY, 2));
    let [other] = finding.others.as_slice() else { panic!("{:?}", finding.others) };
    assert_eq!((other.task.tid, other.start_ns, other.freed_ns, other.end_ns), (2, 200, Some(290), 300));
    assert_eq!((report.overlaps[0].from_ns, report.overlaps[0].to_ns, report.overlaps[0].depth), (200, 300, 2));
    assert_eq!(report.dropped, EngineDropped::default());
    assert_eq!(engine.footprint(), Footprint::default());
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let mut events = aba();
    events.reverse();
    assert_eq!(run(events).report().findings, run(aba()).report().findings);
}

#[test]
fn a_dropped_event_never_raises_the_verdict() {
    let complete = run(aba()).report().findings[0].verdict;
    for dropped in 0..aba().len() {
        let mut events = aba();
        events.remove(dropped);
        let engine = run(events);
        let highest = engine.report().findings.iter().map(|finding| finding.verdict).max();
        assert!(highest <= Some(complete), "event {dropped} dropped");
        // A dropped end of a fault leaves no gap in the sequence numbers.
        let counted = engine.report().dropped.incomplete_readers > 0;
        assert_eq!(counted, dropped != OTHER_END && dropped != VICTIM_END, "event {dropped} dropped");
    }
}

#[test]
fn two_faults_that_end_together_are_both_judged() {
    // Both ended before either read the counters: the first record already reports an idle slot.
    let mut events = aba();
    if let Event::Ended(other) = &mut events[OTHER_END] {
        other.end = 899;
        other.slot = SlotCount { starts: 2, ends: 2 };
    }
    assert_eq!(run(events).report().verdicts.stale_install, 1);
}

#[test]
fn an_idle_slot_does_not_split_the_next_overlap() {
    // Seen on 6.1: a holder is in progress when the idle slot is processed, and the waiters have ended by then.
    let mut engine = feed(vec![
        Event::Ended(fault(3, 10, 20, 1, 1)),
        Event::Ended(fault(2, 5_000_000, 9_000_000, 3, 2)),
        Event::Ended(fault(1, 1_000_000, 30_000_000, 3, 3)),
    ]);
    engine.advance(15_000_000 + REORDER_DELAY);
    engine.finish();
    let durations: Vec<_> = engine.report().overlaps.iter().map(Overlap::duration).collect();
    assert_eq!(durations, [4_000_000]);
}

#[test]
fn a_change_whose_record_is_later_than_the_fault_is_not_missing() {
    // Seen on 5.10: a program increments the slot's number and is preempted, the fault ends, the record gets its time.
    let mut events = aba();
    if let Event::Ended(victim) = &mut events[VICTIM_END] {
        victim.end = 505;
    }
    let engine = run(events);
    assert_eq!((engine.report().verdicts.stale_install, engine.report().dropped.incomplete_readers), (1, 0));
    assert!(engine.unjudged.is_empty());
}

#[test]
fn a_fault_is_judged_after_all_its_changes_can_have_arrived() {
    // Otherwise each such fault would take one of the few places for pending readers.
    let mut events = aba();
    if let Event::Changed(allocated) = &mut events[ALLOCATED] {
        allocated.at = JUDGE_DELAY / 2;
    }
    let mut engine = feed(events);
    engine.advance(JUDGE_DELAY / 4 + REORDER_DELAY);
    assert_eq!((engine.unjudged.len(), engine.pending.len()), (2, 0));
    engine.finish();
    assert_eq!((engine.report().verdicts.stale_install, engine.report().dropped.incomplete_readers), (1, 0));
}

#[test]
fn a_reader_waits_for_a_missing_change() {
    // Seen on 5.10 with more virtual CPUs than the host had: a program was off its CPU for longer than faults are held.
    for (delay, complete, incomplete) in [(500_000_000, 1, 0), (3_000_000_000, 0, 1)] {
        let mut events = aba();
        let Event::Changed(mut change) = events.remove(ALLOCATED) else { panic!("not the allocation") };
        assert_eq!(change.kind, ChangeKind::Allocated);
        change.at += delay;
        let mut engine = feed(events);
        engine.advance(100_000_000 + REORDER_DELAY);
        assert_eq!((engine.pending.len(), engine.report().dropped.incomplete_readers), (1, 0));
        engine.advance(change.at - 1 + REORDER_DELAY);
        engine.feed(Event::Changed(change));
        engine.finish();
        let report = engine.report();
        let findings = report.findings.iter();
        let with_allocation = findings.filter(|finding| finding.allocated.is_some() && !finding.others.is_empty());
        assert_eq!(with_allocation.count(), complete, "{delay} ns late");
        assert_eq!(report.dropped.incomplete_readers, incomplete, "{delay} ns late");
        assert_eq!((engine.pending.len(), report.findings.len()), (0, 1));
    }
}

/// The same, later.
fn aba_at(start: Nanos) -> Vec<Event> {
    let mut events = aba();
    for event in &mut events {
        match event {
            Event::Ended(fault) | Event::Started(fault) => {
                fault.start += start;
                fault.end += start;
            }
            Event::Changed(change) => change.at += start,
        }
    }
    events
}

#[test]
fn state_is_deleted_as_time_passes() {
    let mut engine = Engine::<()>::default();
    for round in 0..1_000u64 {
        let start = round * 1_000_000_000;
        for event in aba_at(start) {
            engine.feed(event);
        }
        engine.advance(start + 500_000_000);
        assert_eq!(engine.footprint(), Footprint::default());
    }
    assert_eq!(engine.report().verdicts.stale_install, 1_000);
}

/// Swap-ins from a device that stalls have taken ten minutes.
#[test]
fn no_fault_takes_too_long_to_be_reported() {
    let hour = 3_600_000_000_000;
    let mut engine = Engine::<()>::default();
    engine.feed(Event::Started(fault(1, 100, 0, 2, 0)));
    for at in 1..=120 {
        engine.advance(at * hour / 60);
    }
    assert_eq!((engine.faults_in_progress().count(), engine.report().dropped), (1, EngineDropped::default()));
    engine.feed(Event::Ended(fault(2, 50, 2 * hour, 2, 1)));
    engine.feed(Event::Ended(fault(1, 100, 2 * hour, 2, 2)));
    engine.finish();
    assert_eq!(engine.report().dropped, EngineDropped::default());
    assert_eq!(engine.report().overlaps.first().map(Overlap::duration), Some(2 * hour - 100));
}

#[test]
fn faults_whose_end_never_arrives_are_counted_and_bounded() {
    let mut engine = Engine::<()>::default();
    let start = |tid: u32, at: Nanos| Event::Started(fault(tid, at, 0, 2, 0));
    engine.feed(start(1, 100));
    engine.feed(start(1, 100));
    engine.feed(start(1, 200));
    engine.advance(REORDER_DELAY + 300);
    assert_eq!(engine.report().dropped.faults_without_end, 1, "the task has come back");
    let most = u32::try_from(MAX_FAULTS_IN_PROGRESS).unwrap();
    for tid in 2..=most + 5 {
        engine.feed(start(tid, 400 + u64::from(tid)));
    }
    engine.advance(REORDER_DELAY * 2);
    assert_eq!(engine.faults_in_progress().count(), MAX_FAULTS_IN_PROGRESS);
    assert_eq!(engine.report().dropped.faults_without_end, 6);
    engine.finish();
    assert_eq!(engine.report().dropped.faults_without_end, 6 + MAX_FAULTS_IN_PROGRESS as u64);
}

/// The type of the entry goes from one swap area to another between two overlaps, and the change arrives in time.
#[test]
fn what_happened_is_attributed_to_the_area_that_had_the_type_then() {
    const LATER: Nanos = 1_000_000_000;
    let mut engine = Engine::<()>::default();
    engine.start_tally();
    let pair = |at: Nanos| [fault(1, at + 100, at + 400, 2, 1), fault(2, at + 200, at + 900, 2, 2)];
    for fault in pair(0).into_iter().chain(pair(LATER)) {
        engine.feed(Event::Ended(fault));
    }
    engine.advance(LATER - 1);
    engine.change_area(ENTRY.swap_type(), LATER);
    engine.change_area(ENTRY.swap_type() + 1, 50);
    engine.finish();
    let report = engine.report();
    let rows: Vec<_> = report.entries.worst(9).iter().map(|stats| (stats.of.since_ns, stats.overlaps)).collect();
    assert_eq!(rows, [(0, 1), (LATER, 1)]);
    let mut shown: Vec<Nanos> = engine.tally().unwrap().entries().keys().map(|entry| entry.since_ns).collect();
    shown.sort_unstable();
    assert_eq!(shown, [0, LATER]);
}

#[test]
fn a_finding_belongs_to_the_area_that_had_the_type_when_its_read_started() {
    let mut engine = feed(aba());
    engine.change_area(ENTRY.swap_type(), 50);
    engine.change_area(ENTRY.swap_type(), 5_000);
    engine.finish();
    let worst = engine.report().entries.worst(9);
    let rows: Vec<_> = worst.iter().map(|stats| (stats.of.since_ns, stats.worst)).collect();
    assert_eq!(rows, [(50, Verdict::StaleInstall)]);
}

/// Every kind of what can be reported: a finding, overlaps, a wait for a pin and a pin hold.
fn reported(engine: &mut Engine<Vec<Nanos>>) -> Vec<Reported> {
    engine.keep_reported();
    for event in aba() {
        engine.feed(event);
    }
    let pin = |result| Some(Pin { tried: 2_001, result, failures: 0, dropped: Some(2_500) });
    let holder = Fault { pin: pin(PinResult::Taken), ..fault(3, 2_000, 2_600, 4, 3) };
    let failed = Some(Pin { tried: 2_101, result: PinResult::Held, failures: 1, dropped: None });
    let waiter = Fault { pin: failed, read_start: None, path: Path::None, ..fault(4, 2_100, 2_900, 4, 4) };
    for fault in [holder, waiter] {
        engine.feed(Event::Ended(fault));
    }
    engine.finish();
    engine.take_reported()
}

#[test]
fn what_was_reported_adds_up_to_the_report() {
    let mut engine = Engine::default();
    let all = reported(&mut engine);
    let kinds = |kind: fn(&Reported) -> bool| all.iter().filter(|reported| kind(reported)).count();
    assert_eq!(kinds(|reported| matches!(reported, Reported::Finding { .. })), 1);
    assert_eq!(kinds(|reported| matches!(reported, Reported::Wait { .. })), 1);
    assert_eq!(kinds(|reported| matches!(reported, Reported::PinHold { .. })), 1);
    assert!(all.iter().any(|reported| matches!(reported, Reported::Overlap { faults, .. } if faults.len() == 2)));
    let mut again = Report::<Vec<Nanos>>::default();
    for reported in all {
        again.add(reported);
    }
    let whole = engine.report();
    assert_eq!(again.verdicts, whole.verdicts);
    assert_eq!((&again.findings, &again.overlaps, &again.waits), (&whole.findings, &whole.overlaps, &whole.waits));
    assert_eq!(again.entries.worst(9), whole.entries.worst(9));
    assert_eq!(again.distributions.pin_hold, whole.distributions.pin_hold);
    assert_eq!((again.pin_retries, again.wait_costs.pin), (whole.pin_retries, whole.wait_costs.pin));
    assert!(engine.take_reported().is_empty(), "taken once");
}

#[test]
fn a_tally_of_a_selection_has_what_the_caller_adds() {
    let mut engine = Engine::default();
    engine.start_tally();
    let all = reported(&mut engine);
    let (revision, found) = engine.tally().map(|tally| (tally.revision, tally.found())).unwrap();
    assert_eq!((revision, found), (0, 0), "nothing was added yet");
    for reported in all.iter().filter(|reported| matches!(reported, Reported::Finding { .. })) {
        engine.add_to_tally(reported);
    }
    let tally = engine.tally().unwrap();
    assert_eq!((tally.found(), tally.findings().len()), (1, 1));
    assert!(tally.distributions.overlap.is_empty(), "the overlaps were not added");
}

#[test]
fn nothing_is_kept_for_a_caller_that_does_not_select() {
    let mut engine = feed(aba());
    engine.finish();
    assert_eq!(engine.report().findings.len(), 1);
    assert!(engine.take_reported().is_empty());
}

#[test]
fn each_finding_is_taken_once_with_its_final_verdict_and_without_a_limit() {
    assert_eq!(run(aba()).take_findings(), [], "they are kept on request");
    let mut engine = Engine::<()>::default();
    engine.keep_findings();
    let mut taken = Vec::new();
    for round in 0..=MAX_LISTED as u64 {
        let start = round * 1_000_000_000;
        for event in aba_at(start) {
            engine.feed(event);
        }
        // The free alone makes the reader a window, until the allocation is judged with it.
        for later in [REORDER_DELAY + 300, REORDER_DELAY + 600, 500_000_000] {
            engine.advance(start + later);
            taken.extend(engine.take_findings());
            assert!(taken.len() as u64 <= round + 1, "one is taken again");
        }
    }
    engine.finish();
    taken.extend(engine.take_findings());
    assert_eq!((taken.len(), engine.report().findings.len()), (MAX_LISTED + 1, MAX_LISTED));
    assert!(taken.iter().all(|finding| finding.verdict == Verdict::StaleInstall));
    assert_eq!(engine.take_findings(), []);
}

#[test]
fn judgement_is_awaited_from_the_event_to_the_verdict() {
    let mut engine = Engine::<()>::default();
    assert!(!engine.awaits_judgement());
    for event in aba() {
        engine.feed(event);
    }
    assert!(engine.awaits_judgement(), "its events are held");
    engine.advance(1_000 + REORDER_DELAY);
    assert!(engine.awaits_judgement(), "its reader is not judged");
    engine.advance(1_000 + REORDER_DELAY + JUDGE_DELAY);
    assert_eq!((engine.awaits_judgement(), engine.report().verdicts.stale_install), (false, 1));
}
