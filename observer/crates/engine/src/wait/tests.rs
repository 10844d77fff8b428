use std::{iter, slice};

use super::*;
use crate::event::{LockWait, Pin, SequenceSpan, SlotCount, VM_FAULT_RETRY};

const ADDRESS: u64 = 0x7000;

/// All waits that have ended are complete by then.
const LATER: Nanos = 10_000_000_000;

fn fault(tid: u32, start: Nanos, end: Nanos, pin: Option<(Nanos, PinResult)>) -> Fault {
    Fault {
        task: Task { tid, pid: 1, comm: format!("t{tid}").into() },
        address: ADDRESS,
        nr: 1,
        start,
        end,
        pin: pin.map(|(tried, result)| Pin { tried, result, failures: 0, dropped: (tried != end).then_some(end - 1) }),
        ..Fault::default()
    }
}

fn locked(tried: Nanos, ended: Nanos, retry: bool, fault: Fault) -> Fault {
    let fault_ret = if retry { VM_FAULT_RETRY } else { 0 };
    Fault { lock: Some(LockWait { tried, ended: Some(ended) }), fault_ret, ..fault }
}

fn reader(tid: u32, read: (Nanos, Nanos), end: Nanos) -> Fault {
    Fault { path: Path::Cached, read_start: Some(read.0), read_end: Some(read.1), ..fault(tid, read.0 - 1, end, None) }
}

/// Waits after these faults have ended on a slot without changes.
fn waits_of<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Waits {
    let mut waits = Waits::default();
    for fault in faults {
        waits.add_fault(fault, SlotContext::of(fault, iter::empty()));
    }
    waits
}

#[test]
fn refaults_on_one_page_are_one_wait() {
    let holder = fault(9, 0, 50, Some((5, PinResult::Taken)));
    let failed = [fault(1, 10, 30, Some((12, PinResult::Held))), fault(1, 31, 60, Some((33, PinResult::Held)))];
    let mut waits = waits_of(&failed);
    end_all(&mut waits, &[holder, failed[0].clone(), failed[1].clone()]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!((wait.from_ns, wait.to_ns, wait.retries), (12, 60, 2));
    assert_eq!(wait.holder.map(|hold| (hold.task.tid, hold.dropped_ns)), Some((9, 49)));
    assert_eq!(wait.oversleep_ns, Some(11));
}

#[test]
fn a_holder_is_attributed_after_the_wait_has_ended() {
    let other_page = Fault { address: ADDRESS + 4096, ..fault(1, 70, 80, None) };
    let mut waits = waits_of(&[fault(1, 10, 60, Some((12, PinResult::Held))), other_page]);
    end_all(&mut waits, &[fault(9, 0, 50, Some((5, PinResult::Taken)))]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!(wait.oversleep_ns, Some(11));
}

#[test]
fn a_wait_ends_when_its_task_takes_the_pin() {
    let gone = fault(1, 10, 30, Some((12, PinResult::Gone)));
    let mut waits = waits_of(&[gone, fault(1, 31, 90, Some((40, PinResult::Taken)))]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!((wait.duration(), wait.retries, wait.gone, wait.oversleep_ns), (28, 1, 1, None));
    assert_eq!(waits.len(), 0);
}

/// The faults have ended.
fn end_all(waits: &mut Waits, faults: &[Fault]) {
    for fault in faults {
        waits.note_end(fault);
        waits.attribute(fault);
    }
}

const MS: Nanos = 1_000_000;
const MINUTE: Nanos = 60_000 * MS;

/// On an overloaded host the task runs again 300 ms later.
#[test]
fn a_task_that_waits_for_a_cpu_still_waits() {
    let again = 300 * MS;
    let failed = [
        fault(1, 10, 30, Some((12, PinResult::Held))),
        fault(1, again, again + 60, Some((again + 20, PinResult::Held))),
    ];
    let mut waits = waits_of(&failed);
    let ended: Vec<_> = waits.take_ended(LATER).iter().map(|wait| (wait.duration(), wait.retries)).collect();
    assert_eq!(ended, [(again + 48, 2)]);
}

/// The device stalls; the task that waits runs only now and then.
#[test]
fn a_wait_lasts_as_long_as_its_holder() {
    let in_progress = SlotCount { starts: 2, ends: 1 };
    let held =
        |start: Nanos| Fault { slot: in_progress, ..fault(1, start, start + 20, Some((start + 2, PinResult::Held))) };
    let mut waits = waits_of(&[held(10)]);
    assert!(waits.long().is_empty());
    for minute in 1..=10 {
        assert!(waits.take_ended(minute * MINUTE).is_empty(), "the pin may still be held");
        waits.add_fault(&held(minute * MINUTE), SlotContext::default());
        let long: Vec<_> = waits.long().iter().map(|wait| (wait.task.tid, wait.duration())).collect();
        assert_eq!(long, [(1, minute * MINUTE + 20 - 12)], "shown while it lasts");
    }
    let end = 10 * MINUTE + 500;
    end_all(&mut waits, &[Fault { end, ..fault(9, 0, end, Some((5, PinResult::Taken))) }]);
    assert!(waits.take_ended(end + PIN_REFAULT_TIMEOUT).is_empty(), "the task may not have run yet");
    assert!(waits.long().is_empty(), "the holder is gone");
    let [wait] = waits.take_ended(end + PIN_REFAULT_TIMEOUT + 1).try_into().unwrap();
    assert_eq!((wait.duration(), wait.retries), (10 * MINUTE + 20 - 12, 11));
    assert_eq!(wait.holder.map(|hold| hold.task.tid), Some(9));
}

#[test]
fn a_wait_with_a_holder_is_reported_when_it_ends() {
    let taken = fault(1, 40, 90, Some((45, PinResult::Taken)));
    let holder = fault(9, 0, 35, Some((5, PinResult::Taken)));
    let failed = fault(1, 10, 30, Some((12, PinResult::Held)));
    let mut waits = waits_of(&[failed.clone(), taken.clone()]);
    assert!(waits.take_ended(100).is_empty(), "the holder may end later");
    end_all(&mut waits, slice::from_ref(&holder));
    assert_eq!(waits.take_ended(100).len(), 1);

    let mut waits = waits_of(slice::from_ref(&failed));
    end_all(&mut waits, slice::from_ref(&holder));
    assert!(waits.take_ended(100).is_empty(), "the task may try again");
}

#[test]
fn a_holder_whose_end_is_missed_does_not_keep_a_wait_for_ever() {
    let slot = SlotCount { starts: 2, ends: 1 };
    let mut waits = waits_of(&[Fault { slot, ..fault(1, 10, 30, Some((12, PinResult::Held))) }]);
    assert!(waits.take_ended(HOLDER_TIMEOUT).is_empty());
    assert_eq!(waits.take_ended(HOLDER_TIMEOUT + 31).len(), 1);
}

/// After a folio lock the kernel repeats the fault at once; later the page may have been in memory.
#[test]
fn a_late_fault_is_no_repetition_of_a_lock_wait() {
    let late = 60 * MS;
    let faults = [
        locked(12, 41, true, fault(1, 10, 42, None)),
        locked(late + 1, late + 9, true, fault(1, late, late + 10, None)),
    ];
    assert_eq!(waits_of(&faults).take_ended(LATER).len(), 2);
}

#[test]
fn a_fault_after_a_reallocation_is_another_wait() {
    let changes = SequenceSpan { at_read: 2, at_end: 2 };
    let next = Fault { changes, ..fault(1, 20_000, 30_000, Some((20_001, PinResult::Held))) };
    let mut waits = waits_of(&[fault(1, 10, 30, Some((12, PinResult::Held))), next]);
    let ended: Vec<_> = waits.take_ended(LATER).iter().map(|wait| (wait.duration(), wait.retries)).collect();
    assert_eq!(ended, [(18, 1), (9_999, 1)]);
}

#[test]
fn a_fault_on_another_page_is_another_wait() {
    let other_page = Fault { address: ADDRESS + 4096, ..fault(1, 40, 60, Some((45, PinResult::Held))) };
    let mut waits = waits_of(&[fault(1, 10, 30, Some((12, PinResult::Held))), other_page]);
    assert_eq!(waits.take_ended(LATER).len(), 2);
}

#[test]
fn a_lock_wait_extends_over_refaults_and_its_holder_is_the_reader() {
    let retried = locked(12, 41, true, fault(1, 10, 42, None));
    let acquired = locked(46, 60, false, fault(1, 44, 70, None));
    let mut waits = waits_of([&retried, &acquired]);
    end_all(&mut waits, &[reader(9, (5, 40), 65), retried, acquired]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!((wait.kind, wait.from_ns, wait.to_ns, wait.retries), (WaitKind::FolioLock, 12, 60, 2));
    assert_eq!((wait.outcome, wait.oversleep_ns, wait.gone), (WaitOutcome::Acquired, Some(20), 0));
    assert_eq!(wait.holder.map(|hold| (hold.task.tid, hold.taken_ns, hold.dropped_ns)), Some((9, 5, 40)));
}

#[test]
fn a_lock_wait_ends_before_a_refault_that_finds_the_lock_free() {
    let mut waits = waits_of(&[locked(12, 41, true, fault(1, 10, 42, None)), fault(1, 50, 60, None)]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!((wait.to_ns, wait.outcome, wait.holder), (42, WaitOutcome::PagePresent, None));
}

#[test]
fn a_lock_wait_that_starts_after_the_read_has_no_holder() {
    let late = locked(50, 60, false, fault(1, 48, 70, None));
    let mut waits = waits_of([&late]);
    end_all(&mut waits, &[reader(9, (5, 40), 65), late]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!((wait.duration(), wait.holder, wait.oversleep_ns), (10, None, None));
}

#[test]
fn a_task_is_not_the_holder_of_its_own_wait() {
    let own = locked(50, 60, false, Fault { read_end: None, ..reader(9, (5, 40), 65) });
    let mut waits = waits_of([&own]);
    end_all(&mut waits, &[own]);
    let [wait] = waits.take_ended(LATER).try_into().unwrap();
    assert_eq!(wait.holder, None);
}

#[test]
fn a_pin_wait_ends_where_a_lock_wait_starts() {
    let both = locked(30, 40, false, fault(1, 10, 45, Some((12, PinResult::Held))));
    let mut waits = waits_of([&both]);
    let ended: Vec<_> = waits.take_ended(LATER).iter().map(|wait| (wait.kind, wait.from_ns, wait.to_ns)).collect();
    assert_eq!(ended, [(WaitKind::Pin, 12, 30), (WaitKind::FolioLock, 30, 40)]);
}

#[test]
fn codes_are_the_serialized_names() {
    for kind in WaitKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.code());
    }
    for outcome in [WaitOutcome::Acquired, WaitOutcome::PagePresent, WaitOutcome::EntryGone] {
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.code());
    }
}
