use super::*;
use crate::event::{Path, Pin, PinResult, Seen, SlotCount};

const ENTRY: Entry = Entry::new(0, 7);

/// A direct, unpinned reader: read 10..12, ended at 40, with one change and one free of its slot in between.
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
        frees: Seen { at_read: 3, at_end: 4 },
        changes: Seen { at_read: 8, at_end: 9 },
        ..Fault::default()
    }
}

fn change(kind: ChangeKind, at: Nanos, seq: u32) -> Change {
    let by = Task { tid: 2, pid: 1, comm: "main".into() };
    Change { kind, entry: ENTRY, at, seq, by, slot: SlotCount { opens: 2, closes: 1 } }
}

fn verdict(fault: &Fault, changes: &[Change]) -> Option<Verdict> {
    match judge(fault, &changes.iter()) {
        Judgement::Clear => None,
        Judgement::Found(finding) => Some(finding.verdict),
        Judgement::Incomplete(_) => panic!("unexpected loss"),
    }
}

#[test]
fn freed_and_allocated_and_installed_is_a_stale_install() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    let Judgement::Found(finding) = judge(&reader(), &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_before_change);
    assert_eq!(finding.freed.map(|action| (action.at_ns, action.by.tid)), Some((20, 2)));
    assert_eq!(finding.allocated.map(|action| action.at_ns), Some(30));
}

#[test]
fn the_same_without_an_install_is_a_reuse() {
    let fault = Fault { installed: false, ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::Reuse));
}

#[test]
fn freed_alone_is_a_window() {
    let fault = Fault { changes: Seen { at_read: 8, at_end: 8 }, ..reader() };
    assert_eq!(verdict(&fault, &[change(ChangeKind::Freed, 20, 4)]), Some(Verdict::Window));
}

#[test]
fn a_free_by_the_reader_itself_is_no_window() {
    let mut freed = change(ChangeKind::Freed, 20, 4);
    freed.by.tid = reader().task.tid;
    let fault = Fault { changes: Seen { at_read: 8, at_end: 8 }, ..reader() };
    assert_eq!(verdict(&fault, &[freed]), None);
}

#[test]
fn a_read_that_began_after_the_allocation_is_fresh() {
    let fault = Fault { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let freed_and_out = [change(ChangeKind::Freed, 6, 4), change(ChangeKind::Allocated, 7, 8)];
    let [freed, allocated] = freed_and_out;
    assert_eq!(verdict(&fault, &[freed, allocated, change(ChangeKind::Written, 8, 9)]), None);
}

#[test]
fn a_read_between_the_allocation_and_the_write_is_stale() {
    let fault = Fault { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = [change(ChangeKind::Freed, 6, 4), change(ChangeKind::Allocated, 8, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall));
    // Another entry of the slot was written last; that proves nothing about this one.
    let fault = Fault { changes: Seen { at_read: 10, at_end: 10 }, ..fault };
    let other = Change { entry: Entry::new(0, 7 + (1 << 16)), ..change(ChangeKind::Written, 9, 10) };
    assert_eq!(verdict(&fault, &[changes[1].clone(), other]), Some(Verdict::StaleInstall));
    // A change in between did not arrive: it may have been the write.
    assert_eq!(judge(&fault, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn what_happens_after_the_own_free_is_not_under_the_reader() {
    // The fault freed the entry itself when the slot stood at 8; the allocation numbered 9 came before it returned.
    let fault = Fault { changes: Seen { at_read: 8, at_end: 8 }, frees: Seen { at_read: 3, at_end: 3 }, ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    assert_eq!(verdict(&fault, &changes), None);
}

#[test]
fn a_write_under_a_read_that_began_after_the_allocation_is_stale() {
    // Freed and allocated between the fault's start and its read; written under the read.
    let fault = Fault { frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = [change(ChangeKind::Allocated, 8, 8), change(ChangeKind::Written, 30, 9)];
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall));
}

#[test]
fn a_pinned_reader_is_safe_and_so_is_a_cached_one() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::Allocated, 30, 9)];
    let pin = Some(Pin { tried: 7, result: PinResult::Taken, fails: 0, dropped: Some(39) });
    assert_eq!(verdict(&Fault { pin, ..reader() }, &changes), None);
    assert_eq!(verdict(&Fault { path: Path::Cached, ..reader() }, &changes), None);
}

#[test]
fn another_entry_of_the_same_slot_does_not_count() {
    let other = Entry::new(0, 7 + (1 << 16));
    let freed = Change { entry: other, ..change(ChangeKind::Freed, 20, 4) };
    let allocated = Change { entry: other, ..change(ChangeKind::Allocated, 30, 9) };
    assert_eq!(verdict(&reader(), &[freed, allocated]), None);
}

#[test]
fn a_change_that_did_not_arrive_is_a_loss_and_lowers_the_verdict() {
    let changes = [change(ChangeKind::Freed, 20, 4)];
    let Judgement::Incomplete(Some(finding)) = judge(&reader(), &changes.iter()) else { panic!("loss not noticed") };
    assert_eq!(finding.verdict, Verdict::Window);
}

/// Missed the page in the swap cache at 5; the entry was allocated (8) and its write started (9) before the read at 10.
fn reader_in_a_write() -> (Fault, Vec<Change>) {
    let fault = Fault { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = vec![
        change(ChangeKind::Freed, 6, 4),
        change(ChangeKind::Allocated, 7, 8),
        change(ChangeKind::WriteStarted, 9, 9),
    ];
    (fault, changes)
}

#[test]
fn a_read_in_the_middle_of_a_write_is_stale_though_nothing_changes_after_it() {
    let (fault, changes) = reader_in_a_write();
    let Judgement::Found(finding) = judge(&fault, &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_during_write && !finding.read_before_change);
    let at = |action: &Option<Action>| action.as_ref().map(|action| action.at_ns);
    assert_eq!([at(&finding.freed), at(&finding.allocated), at(&finding.written)], [Some(6), Some(7), Some(9)]);
}

#[test]
fn a_read_after_the_write_is_fresh() {
    let (mut fault, mut changes) = reader_in_a_write();
    changes.push(change(ChangeKind::Written, 10, 10));
    fault.changes = Seen { at_read: 10, at_end: 10 };
    assert_eq!(verdict(&fault, &changes), None);
    fault.changes = Seen { at_read: 9, at_end: 10 };
    assert_eq!(verdict(&fault, &changes), Some(Verdict::StaleInstall), "the write came back under the read");
}

#[test]
fn a_write_whose_end_did_not_arrive_raises_no_verdict() {
    let (mut fault, changes) = reader_in_a_write();
    fault.changes = Seen { at_read: 10, at_end: 10 };
    assert_eq!(judge(&fault, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn a_write_that_began_before_the_fault_is_over_or_the_reader_is_cached() {
    let (fault, changes) = reader_in_a_write();
    assert_eq!(verdict(&Fault { start: 10, ..fault }, &changes), None);
}
