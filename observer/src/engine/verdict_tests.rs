use super::*;
use crate::engine::event::{Path, Pin, PinResult, Seen, SlotCount};

const ENTRY: Entry = Entry::new(0, 7);

/// A direct, unpinned reader: read 10..12, ended at 40, with one change and one free of its slot in between.
fn reader() -> Flight {
    Flight {
        entry: ENTRY,
        base: ENTRY,
        nr: 1,
        task: Task { tid: 1, pid: 1, comm: "victim".into() },
        begin: 5,
        end: 40,
        read_begin: Some(10),
        read_end: Some(12),
        path: Path::Direct,
        installed: true,
        frees: Seen { at_read: 3, at_end: 4 },
        changes: Seen { at_read: 8, at_end: 9 },
        ..Flight::default()
    }
}

fn change(kind: ChangeKind, at: Nanos, seq: u32) -> Change {
    let by = Task { tid: 2, pid: 1, comm: "main".into() };
    Change { kind, entry: ENTRY, at, seq, by, slot: SlotCount { opens: 2, closes: 1 } }
}

fn verdict(flight: &Flight, changes: &[Change]) -> Option<Verdict> {
    match judge(flight, &changes.iter()) {
        Judgement::Clear => None,
        Judgement::Found(finding) => Some(finding.verdict),
        Judgement::Incomplete(_) => panic!("unexpected loss"),
    }
}

#[test]
fn freed_and_handed_out_and_installed_is_a_stale_install() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::HandedOut, 30, 9)];
    let Judgement::Found(finding) = judge(&reader(), &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_before_change);
    assert_eq!(finding.freed.map(|deed| (deed.at_ns, deed.by.tid)), Some((20, 2)));
    assert_eq!(finding.handed_out.map(|deed| deed.at_ns), Some(30));
}

#[test]
fn the_same_without_an_install_is_a_reuse() {
    let flight = Flight { installed: false, ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::HandedOut, 30, 9)];
    assert_eq!(verdict(&flight, &changes), Some(Verdict::Reuse));
}

#[test]
fn freed_alone_is_a_window() {
    let flight = Flight { changes: Seen { at_read: 8, at_end: 8 }, ..reader() };
    assert_eq!(verdict(&flight, &[change(ChangeKind::Freed, 20, 4)]), Some(Verdict::Window));
}

#[test]
fn a_free_by_the_reader_itself_is_no_window() {
    let mut freed = change(ChangeKind::Freed, 20, 4);
    freed.by.tid = reader().task.tid;
    let flight = Flight { changes: Seen { at_read: 8, at_end: 8 }, ..reader() };
    assert_eq!(verdict(&flight, &[freed]), None);
}

#[test]
fn a_read_that_began_after_the_hand_out_is_fresh() {
    let flight = Flight { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let freed_and_out = [change(ChangeKind::Freed, 6, 4), change(ChangeKind::HandedOut, 7, 8)];
    let [freed, handed_out] = freed_and_out;
    assert_eq!(verdict(&flight, &[freed, handed_out, change(ChangeKind::Written, 8, 9)]), None);
}

#[test]
fn a_read_between_the_hand_out_and_the_write_is_stale() {
    let flight = Flight { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = [change(ChangeKind::Freed, 6, 4), change(ChangeKind::HandedOut, 8, 9)];
    assert_eq!(verdict(&flight, &changes), Some(Verdict::StaleInstall));
    // Another entry of the slot was written last; that proves nothing about this one.
    let flight = Flight { changes: Seen { at_read: 10, at_end: 10 }, ..flight };
    let other = Change { entry: Entry::new(0, 7 + (1 << 16)), ..change(ChangeKind::Written, 9, 10) };
    assert_eq!(verdict(&flight, &[changes[1].clone(), other]), Some(Verdict::StaleInstall));
    // A change in between did not arrive: it may have been the write.
    assert_eq!(judge(&flight, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn what_happens_after_the_own_free_is_not_under_the_reader() {
    // The flight freed the entry itself when the slot stood at 8; the hand-out numbered 9 came before it returned.
    let flight = Flight { changes: Seen { at_read: 8, at_end: 8 }, frees: Seen { at_read: 3, at_end: 3 }, ..reader() };
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::HandedOut, 30, 9)];
    assert_eq!(verdict(&flight, &changes), None);
}

#[test]
fn a_write_under_a_read_that_began_after_the_hand_out_is_stale() {
    // Freed and handed out between the flight's begin and its read; written under the read.
    let flight = Flight { frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = [change(ChangeKind::HandedOut, 8, 8), change(ChangeKind::Written, 30, 9)];
    assert_eq!(verdict(&flight, &changes), Some(Verdict::StaleInstall));
}

#[test]
fn a_pinned_reader_is_safe_and_so_is_a_cached_one() {
    let changes = [change(ChangeKind::Freed, 20, 4), change(ChangeKind::HandedOut, 30, 9)];
    let pin = Some(Pin { tried: 7, result: PinResult::Taken, fails: 0, dropped: Some(39) });
    assert_eq!(verdict(&Flight { pin, ..reader() }, &changes), None);
    assert_eq!(verdict(&Flight { path: Path::Cached, ..reader() }, &changes), None);
}

#[test]
fn another_entry_of_the_same_slot_does_not_count() {
    let other = Entry::new(0, 7 + (1 << 16));
    let freed = Change { entry: other, ..change(ChangeKind::Freed, 20, 4) };
    let handed_out = Change { entry: other, ..change(ChangeKind::HandedOut, 30, 9) };
    assert_eq!(verdict(&reader(), &[freed, handed_out]), None);
}

#[test]
fn a_change_that_did_not_arrive_is_a_loss_and_lowers_the_verdict() {
    let changes = [change(ChangeKind::Freed, 20, 4)];
    let Judgement::Incomplete(Some(finding)) = judge(&reader(), &changes.iter()) else { panic!("loss not noticed") };
    assert_eq!(finding.verdict, Verdict::Window);
}

/// Missed the page in the swap cache at 5; the entry was handed out (8) and its write begun (9) before the read at 10.
fn reader_in_a_write() -> (Flight, Vec<Change>) {
    let flight = Flight { changes: Seen { at_read: 9, at_end: 9 }, frees: Seen { at_read: 4, at_end: 4 }, ..reader() };
    let changes = vec![
        change(ChangeKind::Freed, 6, 4),
        change(ChangeKind::HandedOut, 7, 8),
        change(ChangeKind::WriteBegun, 9, 9),
    ];
    (flight, changes)
}

#[test]
fn a_read_in_the_middle_of_a_write_is_stale_though_nothing_changes_after_it() {
    let (flight, changes) = reader_in_a_write();
    let Judgement::Found(finding) = judge(&flight, &changes.iter()) else { panic!("no finding") };
    assert_eq!(finding.verdict, Verdict::StaleInstall);
    assert!(finding.read_during_write && !finding.read_before_change);
    let at = |deed: &Option<Deed>| deed.as_ref().map(|deed| deed.at_ns);
    assert_eq!([at(&finding.freed), at(&finding.handed_out), at(&finding.written)], [Some(6), Some(7), Some(9)]);
}

#[test]
fn a_read_after_the_write_is_fresh() {
    let (mut flight, mut changes) = reader_in_a_write();
    changes.push(change(ChangeKind::Written, 10, 10));
    flight.changes = Seen { at_read: 10, at_end: 10 };
    assert_eq!(verdict(&flight, &changes), None);
    flight.changes = Seen { at_read: 9, at_end: 10 };
    assert_eq!(verdict(&flight, &changes), Some(Verdict::StaleInstall), "the write came back under the read");
}

#[test]
fn a_write_whose_end_did_not_arrive_raises_no_verdict() {
    let (mut flight, changes) = reader_in_a_write();
    flight.changes = Seen { at_read: 10, at_end: 10 };
    assert_eq!(judge(&flight, &changes.iter()), Judgement::Incomplete(None));
}

#[test]
fn a_write_that_began_before_the_flight_is_over_or_the_reader_is_cached() {
    let (flight, changes) = reader_in_a_write();
    assert_eq!(verdict(&Flight { begin: 10, ..flight }, &changes), None);
}
