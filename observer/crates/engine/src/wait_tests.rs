//! What one wait is.

use super::*;
use crate::event::{LockWait, Pin, Seen, VM_FAULT_RETRY};

const PAGE: u64 = 0x7000;

fn fault(tid: u32, start: Nanos, end: Nanos, pin: Option<(Nanos, PinResult)>) -> Fault {
    Fault {
        task: Task { tid, pid: 1, comm: format!("t{tid}").into() },
        address: PAGE,
        nr: 1,
        start,
        end,
        pin: pin.map(|(tried, result)| Pin { tried, result, fails: 0, dropped: (tried != end).then_some(end - 1) }),
        ..Fault::default()
    }
}

/// A fault ends on a slot that is quiet.
fn ended(waits: &mut Waits, fault: &Fault) {
    waits.fault(fault, Around::of(fault, None::<&Vec<Change>>));
}

const LATER: Nanos = 1_000_000_000;

#[test]
fn refaults_of_one_page_are_one_wait_with_its_holder() {
    let mut waits = Waits::default();
    let holder = fault(9, 0, 50, Some((5, PinResult::Taken)));
    let lost = [fault(1, 10, 30, Some((12, PinResult::Held))), fault(1, 31, 60, Some((33, PinResult::Held)))];
    for fault in &lost {
        ended(&mut waits, fault);
    }
    waits.holders(&[holder, lost[0].clone(), lost[1].clone()]);
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!((wait.from_ns, wait.to_ns, wait.retries), (12, 60, 2));
    assert_eq!(wait.holder.map(|hold| (hold.task.tid, hold.dropped_ns)), Some((9, 49)));
    assert_eq!(wait.oversleep_ns, Some(11));
}

#[test]
fn a_holder_that_is_told_after_the_next_fault_still_counts() {
    let mut waits = Waits::default();
    ended(&mut waits, &fault(1, 10, 60, Some((12, PinResult::Held))));
    ended(&mut waits, &Fault { address: PAGE + 4096, ..fault(1, 70, 80, None) });
    waits.holders(&[fault(9, 0, 50, Some((5, PinResult::Taken)))]);
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!(wait.oversleep_ns, Some(11));
}

#[test]
fn a_task_that_takes_the_pin_itself_has_got_on() {
    let mut waits = Waits::default();
    ended(&mut waits, &fault(1, 10, 30, Some((12, PinResult::Gone))));
    ended(&mut waits, &fault(1, 31, 90, Some((40, PinResult::Taken))));
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!((wait.duration(), wait.retries, wait.gone, wait.oversleep_ns), (28, 1, 1, None));
    assert!(waits.is_empty());
}

#[test]
fn the_same_page_and_entry_after_a_allocation_is_another_wait() {
    let mut waits = Waits::default();
    ended(&mut waits, &fault(1, 10, 30, Some((12, PinResult::Held))));
    let changes = Seen { at_read: 2, at_end: 2 };
    ended(&mut waits, &Fault { changes, ..fault(1, 20_000, 30_000, Some((20_001, PinResult::Held))) });
    let told: Vec<_> = waits.advance(LATER).iter().map(|wait| (wait.duration(), wait.retries)).collect();
    assert_eq!(told, [(18, 1), (9_999, 1)]);
}

#[test]
fn another_page_is_another_wait() {
    let mut waits = Waits::default();
    ended(&mut waits, &fault(1, 10, 30, Some((12, PinResult::Held))));
    ended(&mut waits, &Fault { address: PAGE + 4096, ..fault(1, 40, 60, Some((45, PinResult::Held))) });
    assert_eq!(waits.advance(LATER).len(), 2);
}

fn locked(tried: Nanos, ended: Nanos, again: bool, fault: Fault) -> Fault {
    let fault_ret = if again { VM_FAULT_RETRY } else { 0 };
    Fault { lock: Some(LockWait { tried, ended: Some(ended) }), fault_ret, ..fault }
}

fn reader(tid: u32, read: (Nanos, Nanos), end: Nanos) -> Fault {
    Fault { path: Path::Cached, read_start: Some(read.0), read_end: Some(read.1), ..fault(tid, read.0 - 1, end, None) }
}

#[test]
fn the_lock_is_waited_for_over_refaults_and_its_reader_holds_it() {
    let mut waits = Waits::default();
    let woken = locked(12, 41, true, fault(1, 10, 42, None));
    let has_it = locked(46, 60, false, fault(1, 44, 70, None));
    ended(&mut waits, &woken);
    ended(&mut waits, &has_it);
    waits.holders(&[reader(9, (5, 40), 65), woken, has_it]);
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!((wait.kind, wait.from_ns, wait.to_ns, wait.retries), (WaitKind::FolioLock, 12, 60, 2));
    assert_eq!((wait.ended, wait.oversleep_ns, wait.gone), (WaitEnd::Acquired, Some(20), 0));
    assert_eq!(wait.holder.map(|hold| (hold.task.tid, hold.taken_ns, hold.dropped_ns)), Some((9, 5, 40)));
}

#[test]
fn who_is_woken_and_finds_the_lock_free_has_waited_until_then() {
    let mut waits = Waits::default();
    ended(&mut waits, &locked(12, 41, true, fault(1, 10, 42, None)));
    ended(&mut waits, &fault(1, 50, 60, None));
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!((wait.to_ns, wait.ended, wait.holder), (42, WaitEnd::PageThere, None));
}

#[test]
fn nobody_can_be_named_for_a_wait_that_starts_after_the_read() {
    let mut waits = Waits::default();
    let late = locked(50, 60, false, fault(1, 48, 70, None));
    ended(&mut waits, &late);
    waits.holders(&[reader(9, (5, 40), 65), late]);
    let [wait] = waits.advance(LATER).try_into().unwrap();
    assert_eq!((wait.duration(), wait.holder, wait.oversleep_ns), (10, None, None));
}

#[test]
fn a_reader_does_not_wait_for_itself() {
    let mut waits = Waits::default();
    let own = locked(50, 60, false, Fault { read_end: None, ..reader(9, (5, 40), 65) });
    ended(&mut waits, &own);
    waits.holders(&[own]);
    assert_eq!(waits.advance(LATER).first().map(|wait| wait.holder.clone()), Some(None));
}

#[test]
fn a_wait_for_the_pin_that_ends_at_the_lock_is_two_waits() {
    let mut waits = Waits::default();
    ended(&mut waits, &locked(30, 40, false, fault(1, 10, 45, Some((12, PinResult::Held)))));
    let told: Vec<_> = waits.advance(LATER).iter().map(|wait| (wait.kind, wait.from_ns, wait.to_ns)).collect();
    assert_eq!(told, [(WaitKind::Pin, 12, 30), (WaitKind::FolioLock, 30, 40)]);
}
