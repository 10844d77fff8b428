use super::*;
use crate::event::{PinResult, SlotCount};

const ENTRY: Entry = Entry::new(0, 7);

/// An unprotected reader: read 10 to 12, ended at 40, with one free and one content change of its slot in between.
fn reader() -> Fault {
    Fault {
        entry: ENTRY,
        base: ENTRY,
        nr: 1,
        task: Task { tid: 1, pid: 1, comm: "victim".into() },
        start: 5,
        end: 40,
        read_start: Some(10),
        read_end: Some(12),
        path: Path::Direct,
        installed: true,
        frees: SequenceSpan { at_read: 3, at_end: 4 },
        changes: SequenceSpan { at_read: 8, at_end: 9 },
        ..Fault::default()
    }
}

const fn span(at_read: u32, at_end: u32) -> SequenceSpan {
    SequenceSpan { at_read, at_end }
}

fn change(kind: ChangeKind, at: Nanos, seq: u32) -> Change {
    let by = Task { tid: 2, pid: 1, comm: "main".into() };
    Change { kind, entry: ENTRY, at, seq, by, slot: SlotCount { starts: 2, ends: 1 } }
}

fn verdict(fault: &Fault, changes: &[Change]) -> Option<Verdict> {
    match judge(fault, &changes.iter()) {
        Judgement::Clear => None,
        Judgement::Found(finding) => Some(finding.verdict),
        Judgement::Incomplete(finding) => panic!("incomplete: {finding:?}"),
    }
}

#[test]
fn a_verdict_serializes_as_its_code_and_displays_with_a_hyphen() {
    for (verdict, code, text) in [
        (Verdict::Overlap, "overlap", "overlap"),
        (Verdict::LockWait, "lock_wait", "lock-wait"),
        (Verdict::PinWait, "pin_wait", "pin-wait"),
        (Verdict::Window, "window", "window"),
        (Verdict::Reuse, "reuse", "reuse"),
        (Verdict::StaleInstall, "stale_install", "stale-install"),
    ] {
        assert_eq!(serde_json::to_value(verdict).unwrap(), code);
        assert_eq!((verdict.code(), verdict.to_string().as_str()), (code, text));
    }
}

#[test]
fn a_free_and_an_allocation_before_an_install_are_a_stale_install() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    let Judgement::Found(finding) = judge(&reader(), &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_before_change);
    assert_eq!(finding.freed.map(|action| (action.at_ns, action.by.tid)), Some((20, 2)));
    assert_eq!(finding.allocated.map(|action| action.at_ns), Some(30));
}

/// Seen on 5.10.223 with lean hooks: the fault was interrupted for ten milliseconds before its read, and meanwhile the
/// entry was freed.
#[test]
fn a_free_that_the_read_found_is_evidence() {
    let fault = Fault { frees: span(4, 4), ..reader() };
    let freed = |changes: &[Change]| {
        let Judgement::Found(finding) = judge(&fault, &changes.iter()) else { panic!("no finding") };
        assert_eq!(finding.verdict, Verdict::StaleInstall);
        finding.freed.map(|action| action.at_ns)
    };
    let allocated = change(ChangeKind::Allocated, 30, 9);
    assert_eq!(freed(&[change(ChangeKind::Freed, 8, 4), allocated.clone()]), Some(8));
    assert_eq!(freed(&[change(ChangeKind::Freed, 4, 4), allocated.clone()]), None, "before the fault");
    let earlier = [
        change(ChangeKind::Freed, 6, 4),
        change(ChangeKind::Allocated, 7, 7),
        change(ChangeKind::Written, 8, 8),
        allocated.clone(),
    ];
    assert_eq!(freed(&earlier), None, "of an earlier use");
    let both = [change(ChangeKind::Allocated, 7, 8), change(ChangeKind::Freed, 9, 4), allocated];
    assert_eq!(freed(&both), Some(9), "after an allocation");
}

#[test]
fn a_free_and_an_allocation_without_an_install_are_a_reuse() {
    let fault = Fault { installed: false, ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::Reuse));
}

#[test]
fn a_free_alone_is_a_window() {
    let fault = Fault { changes: span(8, 8), ..reader() };
    assert_eq!(verdict(&fault, &[change(ChangeKind::Freed, 20, 4)]), Some(Verdict::Window));
}

#[test]
fn a_free_by_the_reader_itself_is_not_a_window() {
    let mut freed = change(ChangeKind::Freed, 20, 4);
    freed.by.tid = reader().task.tid;
    let fault = Fault { changes: span(8, 8), ..reader() };
    assert_eq!(verdict(&fault, &[freed]), None);
}

#[test]
fn a_read_that_starts_after_the_write_is_current() {
    let fault = Fault { changes: span(9, 9), frees: span(4, 4), ..reader() };
    let changes =
        [change(ChangeKind::Freed, 6, 4), change(ChangeKind::Allocated, 7, 8), change(ChangeKind::Written, 8, 9)];
    assert_eq!(verdict(&fault, &changes), None);
}

#[test]
fn a_read_between_the_allocation_and_the_write_is_stale() {
    let fault = Fault { changes: span(9, 9), frees: span(4, 4), ..reader() };
    let changes = [change(ChangeKind::Freed, 6, 4), change(ChangeKind::Allocated, 8, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall));
    // The last write was to another entry of the slot: it proves nothing about this one.
    let fault = Fault { changes: span(10, 10), ..fault };
    let other = Change { entry: Entry::new(0, 7 + (1 << 16)), ..change(ChangeKind::Written, 9, 10) };
    assert_eq!(verdict(&fault, &[changes[1].clone(), other]), Some(Verdict::StaleInstall));
    // A change in between did not arrive: it may have been the write.
    assert_eq!(judge(&fault, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn changes_after_the_readers_own_free_are_not_under_its_read() {
    // The fault freed the entry itself at number 8; the allocation with number 9 came before the fault returned.
    let fault = Fault { changes: span(8, 8), frees: span(3, 3), ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    assert_eq!(verdict(&fault, &changes), None);
}

#[test]
fn a_write_under_a_read_that_started_after_the_allocation_is_stale() {
    // Freed and allocated between the fault's start and its read; written under the read.
    let fault = Fault { frees: span(4, 4), ..reader() };
    let changes = [change(ChangeKind::Allocated, 8, 8), change(ChangeKind::Written, 30, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall));
}

#[test]
fn a_pinned_reader_is_protected() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    let pin = Some(Pin { tried: 7, result: PinResult::Taken, failures: 0, dropped: Some(39) });
    assert_eq!(verdict(&Fault { pin, ..reader() }, &changes), None);
}

#[test]
fn a_cached_reader_is_protected() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    assert_eq!(verdict(&Fault { path: Path::Cached, ..reader() }, &changes), None);
}

#[test]
fn changes_of_another_entry_on_the_same_slot_do_not_count() {
    let other = Entry::new(0, 7 + (1 << 16));
    let freed = Change { entry: other, ..change(ChangeKind::Freed, 20, 4) };
    let allocated = Change { entry: other, ..change(ChangeKind::Allocated, 30, 9) };
    assert_eq!(verdict(&reader(), &[freed, allocated]), None);
}

#[test]
fn a_missing_change_lowers_the_verdict_and_is_detected() {
    let changes = [change(ChangeKind::Freed, 20, 4)];
    let Judgement::Incomplete(Some(finding)) = judge(&reader(), &changes.iter()) else { panic!("gap not detected") };
    assert_eq!(finding.verdict, Verdict::Window);
}

/// Missed the page in the swap cache at 5; the entry was allocated (8) and its write started (9) before the read at 10.
fn reader_during_write() -> (Fault, Vec<Change>) {
    let fault = Fault { changes: span(9, 9), frees: span(4, 4), ..reader() };
    let changes = vec![
        change(ChangeKind::Freed, 6, 4),
        change(ChangeKind::Allocated, 7, 8),
        change(ChangeKind::WriteStarted, 9, 9),
    ];
    (fault, changes)
}

#[test]
fn a_read_during_a_write_is_stale_without_a_change_after_it() {
    let (fault, changes) = reader_during_write();
    let Judgement::Found(finding) = judge(&fault, &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_during_write);
    assert!(!finding.read_before_change);
    let at = |action: &Option<Action>| action.as_ref().map(|action| action.at_ns);
    let evidence = |finding: &Finding| [at(&finding.freed), at(&finding.allocated), at(&finding.written)];
    assert_eq!(evidence(&finding), [Some(6), Some(7), Some(9)]);
    // What happened later, and before the fault.
    let mut changes = changes;
    changes.extend([change(ChangeKind::Freed, 50, 5), change(ChangeKind::Allocated, 60, 10)]);
    changes.extend([change(ChangeKind::Freed, 3, 3), change(ChangeKind::WriteStarted, 70, 11)]);
    let Judgement::Found(finding) = judge(&fault, &changes.iter()) else { panic!("no finding") };
    assert_eq!(evidence(&finding), [Some(6), Some(7), Some(9)]);
}

/// With lean hooks the start of a read is that of its fault. Seen on 5.10.223: the fault was interrupted for a
/// millisecond, and its read was after the entry had been freed, allocated, and its write had started.
#[test]
fn a_read_that_was_not_timed_did_not_start_before_what_it_found() {
    let (timed, mut changes) = reader_during_write();
    changes.push(change(ChangeKind::Freed, 20, 5));
    let untimed = |start, end| Fault { start, read_start: Some(start), end, ..timed.clone() };
    let read_start = |fault: &Fault| {
        let Judgement::Found(finding) = judge(fault, &changes.iter()) else { panic!("no finding") };
        finding.read_start_ns
    };
    assert_eq!(read_start(&untimed(5, 40)), 9);
    assert_eq!(read_start(&timed), 10, "timed");
    let under = Fault { changes: span(8, 9), ..untimed(5, 40) };
    assert_eq!(read_start(&under), 7, "the write started under the read");
    let both_under = Fault { changes: span(7, 9), ..untimed(5, 40) };
    assert_eq!(read_start(&both_under), 6, "freed before");
    assert_eq!(read_start(&untimed(5, 8)), 8, "a clock that differs between CPUs");
}

#[test]
fn a_read_after_the_end_of_the_write_is_current() {
    let (mut fault, mut changes) = reader_during_write();
    changes.push(change(ChangeKind::Written, 10, 10));
    fault.changes = span(10, 10);
    assert_eq!(verdict(&fault, &changes), None);
    fault.changes = span(9, 10);
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall), "the write completed under the read");
}

#[test]
fn a_missing_end_of_a_write_raises_no_verdict() {
    let (mut fault, changes) = reader_during_write();
    fault.changes = span(10, 10);
    assert_eq!(judge(&fault, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn a_write_that_started_before_the_fault_does_not_count() {
    let (fault, changes) = reader_during_write();
    assert_eq!(verdict(&Fault { start: 10, ..fault }, &changes), None);
}
