use std::sync::Arc;

use observer_engine::{
    areas::AreaEntry,
    event::Fault,
    overlap::Overlap,
    verdict::{Action, Finding},
    wait::{Hold, Wait, WaitKind, WaitOutcome},
};
use observer_observation::{
    CgroupPath, Context, EndReason, Engine, FinalState, History, Outcome, Overhead, Sample, exit::Exit,
};

use super::*;
use crate::{
    fixtures,
    observed::{Observed, Reported as Shown},
    summary::{Summary, listing::Listing, place::Placed, remarks::Budget},
    words,
};

const SECOND: u64 = 1_000_000_000;
/// 2026-01-01.
const NEW_YEAR: u64 = 1_767_225_600 * SECOND;

/// The clocks of an observation that starts at 100 s.
const fn start() -> Clocks {
    Clocks { monotonic_ns: 100 * SECOND, realtime_ns: NEW_YEAR, boottime_ns: None }
}

fn task(pid: u32, comm: &str) -> Task {
    Task { tid: pid + 1, pid, comm: comm.into() }
}

fn of(entry: Entry) -> AreaEntry {
    AreaEntry { entry, since_ns: 0 }
}

const ENTRY: Entry = Entry::new(0, 40);

/// `victim` (7) reads, `freer` (8) frees, `writer` (9) writes; from 110 s to 111 s.
fn finding() -> Reported {
    let action = |by| Some(Action { at_ns: 110 * SECOND + 5, by });
    let finding = Finding {
        verdict: Verdict::StaleInstall,
        entry: ENTRY,
        reader: task(7, "victim"),
        freed: action(task(8, "freer")),
        allocated: None,
        written: action(task(9, "writer")),
        cgroup: 5,
        start_ns: 110 * SECOND,
        end_ns: 111 * SECOND,
        others: Vec::new(),
        ..fixtures::stale()
    };
    Reported::Finding { finding: Box::new(finding), of: of(ENTRY) }
}

/// `waiter` (7) waits for a range of 16 entries from 0:32 on that `holder` (8) holds, until 112 s.
fn wait() -> Reported {
    let first = Entry::new(0, 32);
    let holder = Hold { task: task(8, "holder"), taken_ns: 1, dropped_ns: 2, nr: 16, page_entry: first };
    let wait = Wait {
        kind: WaitKind::Pin,
        entry: first,
        page_entry: Entry::new(0, 33),
        task: task(7, "waiter"),
        cgroup: 5,
        address: 0,
        from_ns: 111 * SECOND,
        to_ns: 112 * SECOND,
        slept_ns: 0,
        retries: 1,
        gone: 0,
        outcome: WaitOutcome::PagePresent,
        holder: Some(holder),
        oversleep_ns: None,
    };
    Reported::Wait { wait: Box::new(wait), of: of(first) }
}

/// Of more tasks than an overlap lists, the last in control group 6.
fn overlap() -> Reported {
    let fault = |pid: u32| {
        let cgroup = if pid == 30 { 6 } else { 5 };
        Arc::new(Fault { task: task(pid, "crowd"), cgroup, entry: ENTRY, base: ENTRY, nr: 1, ..Fault::default() })
    };
    let overlap = Overlap {
        entry: ENTRY,
        nr: 1,
        from_ns: 110 * SECOND,
        to_ns: 113 * SECOND,
        depth: 30,
        tasks: (1..=16).map(|pid| task(pid, "crowd")).collect(),
        address_spaces: 1,
    };
    Reported::Overlap { overlap, of: of(ENTRY), faults: (1..=30).map(fault).collect() }
}

fn hold() -> Reported {
    let fault =
        Fault { task: task(8, "holder"), cgroup: 5, entry: ENTRY, base: Entry::new(0, 32), nr: 16, ..Fault::default() };
    let hold = Hold { task: fault.task.clone(), taken_ns: 1, dropped_ns: 112 * SECOND, nr: 16, page_entry: ENTRY };
    Reported::PinHold { hold, fault: Arc::new(fault) }
}

fn all() -> [Reported; 4] {
    [finding(), wait(), overlap(), hold()]
}

fn area(path: &str, kind: u32, from_ns: u64, until_ns: Option<u64>) -> Swap {
    Swap { kind, path: path.into(), from_ns, until_ns, ..Swap::default() }
}

fn decided(selection: &Selection, swaps: &[Swap], groups: &[(u64, &str)]) -> [Option<bool>; 4] {
    let mut cgroups = CgroupPaths::default();
    for (id, path) in groups {
        cgroups.add(CgroupPath { id: *id, path: (*path).into() });
    }
    let wall_clock = WallClock::new(start());
    let selector = Selector::new(selection, start());
    let seen = Seen { swaps, cgroups: &cgroups, wall_clock: &wall_clock };
    all().map(|reported| selector.selects(&reported, seen))
}

/// What is selected of [`all`].
fn selected(selection: &Selection) -> [bool; 4] {
    decided(selection, &[area("/dev/zram0", 0, 0, None)], &[(5, "/a/b")]).map(|decided| decided == Some(true))
}

#[test]
fn an_empty_selection_selects_everything() {
    assert!(Selection::default().is_empty());
    assert_eq!(selected(&Selection::default()), [true; 4]);
    assert_eq!(decided(&Selection::default(), &[], &[]), [Some(true); 4], "even what is on an unknown device");
}

#[test]
fn a_verdict_is_that_verdict_alone() {
    let of = |verdicts: &[Verdict]| selected(&Selection { verdicts: verdicts.to_vec(), ..Selection::default() });
    assert_eq!(of(&[Verdict::StaleInstall]), [true, false, false, false]);
    assert_eq!(of(&[Verdict::PinWait, Verdict::Overlap]), [false, true, true, false]);
    assert_eq!(of(&[Verdict::Reuse]), [false; 4]);
}

#[test]
fn a_task_is_selected_wherever_it_is_in_the_evidence() {
    let pids = |pids: &[u32]| selected(&Selection { pids: pids.to_vec(), ..Selection::default() });
    assert_eq!(pids(&[7]), [true, true, true, false]);
    assert_eq!(pids(&[8]), [true, true, true, true]);
    assert_eq!(pids(&[9]), [true, false, true, false]);
    assert_eq!(pids(&[30]), [false, false, true, false], "beyond the tasks that an overlap lists");
    assert_eq!(pids(&[31]), [false; 4]);
    assert_eq!(pids(&[31, 9]), [true, false, true, false]);
    let comm = |comm: &str| selected(&Selection { comms: vec![comm.into()], ..Selection::default() });
    assert_eq!(comm("holder"), [false, true, false, true]);
    assert_eq!(comm("writer"), [true, false, false, false]);
    let both = Selection { pids: vec![7], comms: vec!["freer".into()], ..Selection::default() };
    assert_eq!(selected(&both), [false; 4], "one task has both");
}

#[test]
fn an_entry_selects_the_ranges_that_contain_it() {
    let of = |offset| selected(&Selection { entries: vec![Entry::new(0, offset)], ..Selection::default() });
    assert_eq!(of(40), [true, true, true, true]);
    assert_eq!(of(47), [false, true, false, true]);
    assert_eq!(of(48), [false; 4]);
    let other_type = Selection { entries: vec![Entry::new(1, 40)], ..Selection::default() };
    assert_eq!(selected(&other_type), [false; 4]);
}

#[test]
fn a_thing_belongs_to_the_time_at_which_it_ended() {
    let between = |since, until| selected(&Selection { since, until, ..Selection::default() });
    let offset = |seconds| Some(Moment::Offset(seconds * SECOND));
    let unix = |seconds| Some(Moment::Unix(NEW_YEAR + seconds * SECOND));
    for at in [&offset as &dyn Fn(u64) -> _, &unix] {
        assert_eq!(between(at(12), None), [false, true, true, true]);
        assert_eq!(between(None, at(12)), [true, false, false, false], "the rest");
        assert_eq!(between(at(11), at(13)), [true, true, false, true]);
        assert_eq!(between(at(14), None), [false; 4], "after the end");
    }
    assert_eq!(between(Some(Moment::Unix(0)), None), [true; 4], "before the start");
    assert_eq!(between(Some(Moment::TimeOfDay(12 * SECOND)), None), [false, true, true, true]);
    let yesterday = Moment::TimeOfDay(24 * 3_600 * SECOND - SECOND);
    assert_eq!(between(Some(yesterday), None), [true; 4], "a second before the start");
}

#[test]
fn no_time_is_between_a_time_and_an_earlier_one() {
    let never = |since, until| {
        Selector::new(&Selection { since: Some(since), until: Some(until), ..Selection::default() }, start())
            .is_never(start())
    };
    assert!(never(Moment::Offset(5), Moment::Offset(5)));
    assert!(never(Moment::Offset(2 * SECOND), Moment::Unix(NEW_YEAR + SECOND)));
    assert!(never(Moment::TimeOfDay(9), Moment::Offset(9)));
    assert!(!never(Moment::Offset(SECOND), Moment::Unix(NEW_YEAR + 2 * SECOND)));
    assert!(Moment::Offset(5).is_after(Moment::Offset(5)));
    assert!(!Moment::Offset(5).is_after(Moment::Unix(1)), "depends on the recording");
}

#[test]
fn a_device_is_the_area_that_had_the_type_at_that_time() {
    let of = |device: &str, swaps: &[Swap]| {
        decided(&Selection { devices: vec![device.into()], ..Selection::default() }, swaps, &[])[0]
    };
    let zram = [area("/dev/zram0", 0, 0, None), area("/dev/zram1", 1, 0, None)];
    for (device, expected) in [("zram0", true), ("/dev/zram0", true), ("zram1", false), ("zram", false)] {
        assert_eq!(of(device, &zram), Some(expected), "{device}");
    }
    // The type went from one area to another before the finding.
    let turns = [area("/dev/zram0", 0, 0, Some(105 * SECOND)), area("/dev/zram1", 0, 105 * SECOND, None)];
    assert_eq!((of("zram0", &turns), of("zram1", &turns)), (Some(false), Some(true)));
    let gone = [area("/dev/zram0", 0, 0, Some(105 * SECOND))];
    assert_eq!(of("zram0", &gone), None, "unknown by then");
    let alike = [area("/a/zram0", 0, 0, None), area("/dev/zram0", 1, 0, None)];
    assert_eq!((of("/dev/zram0", &alike), of("zram0", &alike)), (Some(false), Some(true)), "a path is that path");
}

#[test]
fn a_control_group_selects_what_is_below_it() {
    let of = |group: &str, groups: &[(u64, &str)]| {
        decided(&Selection { cgroups: vec![group.into()], ..Selection::default() }, &[], groups)
    };
    let known = [(5, "/a/b"), (6, "/c")];
    for group in ["/a", "/a/", "a", "/a/b", "/sys/fs/cgroup/a", "/", "5"] {
        assert_eq!(of(group, &known)[0], Some(true), "{group}");
    }
    for group in ["/a/b/c", "/a/bc", "/b", "/a/", "7"].into_iter().filter(|group| *group != "/a/") {
        assert_eq!(of(group, &known)[0], Some(false), "{group}");
    }
    assert_eq!(of("/c", &known), [Some(false), Some(false), Some(true), Some(false)], "one task of the overlap");
    assert_eq!(of("/a", &[])[0], None, "its path is not known");
    assert_eq!(of("/a", &[(6, "/c")])[2], None, "nor that of the others");
}

#[test]
fn what_is_unknown_does_not_matter_where_something_else_does_not_match() {
    let selection = Selection { pids: vec![999], devices: vec!["zram0".into()], ..Selection::default() };
    assert_eq!(decided(&selection, &[], &[]), [Some(false); 4]);
}

#[test]
fn a_name_that_no_recording_has_is_missing() {
    let mut names = Names { swaps: vec![area("/dev/zram0", 0, 0, None)], ..Names::default() };
    names.cgroups.insert((5, "/a/b".into()));
    let missing =
        |names: &Names, selection: Selection| names.missing(&selection).map(|missing| (missing.option, missing.known));
    let device = |name: &str| Selection { devices: vec![name.into()], ..Selection::default() };
    let cgroup = |name: &str| Selection { cgroups: vec![name.into()], ..Selection::default() };
    let comm = |name: &str| Selection { comms: vec![name.into()], ..Selection::default() };
    assert_eq!(missing(&names, device("nope")), Some(("device", vec!["/dev/zram0".into()])));
    assert_eq!(missing(&names, cgroup("/b")), Some(("cgroup", vec!["/a/b".into()])));
    assert_eq!(missing(&names, comm("java")), None, "no task is known");
    names.add_comm("redis".into());
    assert_eq!(missing(&names, comm("java")), Some(("comm", vec!["redis".into()])));
    for known in [device("zram0"), cgroup("/a"), cgroup("77"), comm("redis")] {
        assert_eq!(missing(&names, known), None);
    }
    let mut more = Names::default();
    more.merge(&names);
    assert_eq!(missing(&more, device("zram0")), None, "one of several recordings has it");
}

#[test]
fn options_are_listed_as_they_are_given() {
    let selection = Selection {
        verdicts: vec![Verdict::Reuse, Verdict::StaleInstall],
        comms: vec![Comm::from_bytes(b"a\x1b")],
        since: Some(Moment::Offset(53 * SECOND)),
        until: Some(Moment::TimeOfDay(3_600 * SECOND)),
        ..Selection::default()
    };
    let options: Vec<_> =
        selection.options(start()).iter().map(|(option, value)| format!("{option}={value}")).collect();
    let expected = [r"comm=a\x1b", "since=53s", "until=2026-01-01T01:00:00.000Z", "verdict=reuse, stale-install"];
    assert_eq!(options, expected);
}

fn outcome(cgroups: CgroupPaths, sample_one_in: u32) -> Outcome {
    Outcome {
        context: Context { clocks: start(), sample_one_in, budget_ns: Some(1), ..Context::default() },
        engine: Engine::default(),
        sample: Sample::default(),
        wall_clock: WallClock::new(start()),
        cgroups,
        history: History::default(),
        ending: FinalState {
            overhead: Overhead { elapsed_ns: 20 * SECOND, ..Overhead::default() },
            ..FinalState::unknown(EndReason::Duration)
        },
        damage: Vec::new(),
        notes: Vec::new(),
    }
}

/// What is picked of [`all`], which is reported while no control group is known.
fn picked(selection: &Selection, outcome: &mut Outcome) -> Picked {
    let mut picked = Picked::new(selection, start());
    let seen = Seen { swaps: &[], cgroups: &CgroupPaths::default(), wall_clock: &outcome.wall_clock };
    picked.see(all().to_vec(), seen);
    picked.finish(outcome);
    picked
}

fn picked_of(selection: &Selection, outcome: &mut Outcome) -> Observed {
    let picked = picked(selection, outcome);
    Observed::selected(outcome, &picked)
}

#[test]
fn a_control_group_whose_path_is_found_later_is_selected_then() {
    let selection = Selection { cgroups: vec!["/a".into()], ..Selection::default() };
    let mut known = CgroupPaths::default();
    known.add(CgroupPath { id: 5, path: "/a/b".into() });
    let mut later = outcome(known, 1);
    let observed = picked_of(&selection, &mut later);
    let counts = |observed: &Observed| {
        let counts = observed.summary.verdicts.counts;
        (counts.stale_install, counts.pin_wait, counts.overlap)
    };
    assert_eq!(counts(&observed), (1, 1, 1));
    let undecided = |observed: &Observed| observed.summary.selection.as_ref().map(|selected| selected.undecided);
    assert_eq!(undecided(&observed), Some(0));
    let mut never = outcome(CgroupPaths::default(), 1);
    let observed = picked_of(&selection, &mut never);
    assert_eq!((counts(&observed), undecided(&observed)), ((0, 0, 0), Some(4)));
    let notes = words::selection_notes(&observed.summary);
    assert!(notes.iter().any(|note| note.starts_with("4 more may belong to the selection")), "{notes:?}");
}

#[test]
fn counts_of_a_selection_of_a_sample_are_estimates_as_those_of_the_whole_are() {
    let selection = Selection { pids: vec![7], ..Selection::default() };
    let mut sampled = outcome(CgroupPaths::default(), 4);
    let observed = picked_of(&selection, &mut sampled);
    assert_eq!(observed.summary.verdicts.counts.stale_install, 4);
    assert_eq!(observed.summary.findings.len(), 1);
}

#[test]
fn a_part_selected_by_time_has_the_rates_of_its_length() {
    let covered = |since, until| {
        let selection = Selection { since, until, ..Selection::default() };
        let mut outcome = outcome(CgroupPaths::default(), 1);
        picked_of(&selection, &mut outcome).summary.covered_ns() / SECOND
    };
    let offset = |seconds| Some(Moment::Offset(seconds * SECOND));
    assert_eq!(covered(None, None), 20);
    assert_eq!(covered(offset(5), offset(8)), 3);
    assert_eq!(covered(offset(15), None), 5);
    assert_eq!(covered(offset(15), offset(90)), 5, "up to the end");
    assert_eq!(covered(offset(40), None), 0);
    assert_eq!(covered(Some(Moment::Unix(NEW_YEAR + 19 * SECOND)), None), 1);
    assert_eq!(covered(Some(Moment::Unix(0)), None), 20, "before the start");
}

#[test]
fn a_selection_leaves_the_exit_code_and_has_no_rates_of_the_whole() {
    let selection = Selection { pids: vec![4_000_000], ..Selection::default() };
    let mut whole = outcome(CgroupPaths::default(), 1);
    whole.sample.snapshot.counters.read_direct = 1_000;
    let mut observed = picked_of(&selection, &mut whole);
    assert_eq!(observed.summary.exit(), Exit::Clean);
    let all = |observed: &mut Observed, change: fn(&mut Summary)| {
        change(observed.summary.selection.as_mut().and_then(|selected| selected.all.as_deref_mut()).unwrap());
    };
    all(&mut observed, |all| all.verdicts.counts.stale_install = 1);
    assert_eq!(observed.summary.exit(), Exit::StaleInstall, "none is selected");
    all(&mut observed, |all| {
        all.verdicts.counts.stale_install = 0;
        all.budget = Some(Budget { ns: 1, over: 1 });
    });
    assert_eq!(observed.summary.exit(), Exit::OverBudget);
    let selection = Selection { pids: vec![7], ..Selection::default() };
    let rates = picked_of(&selection, &mut whole).summary.wait_cost.pin.rates;
    assert_eq!((rates.per_1000_swapins, rates.share_of_swapin_time), (None, None));
    assert_eq!(rates.waited_ns_per_second, Some(SECOND / 20));
}

/// One recording has the time twice as late as the other.
#[test]
fn the_worst_and_newest_of_several_recordings_are_listed() {
    let part = |offset_ns: u64, verdicts: &[(Verdict, u64)]| {
        let mut part = Observed::new(&outcome(CgroupPaths::default(), 1));
        let start = Clocks { realtime_ns: NEW_YEAR + offset_ns, ..start() };
        part.summary.sources[0].wall_clock = WallClock::new(start);
        part.summary.findings = verdicts
            .iter()
            .map(|(verdict, end)| Placed {
                what: Finding { verdict: *verdict, end_ns: *end, ..fixtures::stale() },
                host: "a".into(),
                at_unix_ns: Some(NEW_YEAR + offset_ns + end - start.monotonic_ns),
                device: None,
                cgroup_path: None,
            })
            .collect();
        part
    };
    let (window, reuse, stale) = (Verdict::Window, Verdict::Reuse, Verdict::StaleInstall);
    let parts = || {
        vec![
            part(0, &[(window, 900 * SECOND), (reuse, 110 * SECOND), (stale, 120 * SECOND)]),
            part(60 * SECOND, &[(reuse, 110 * SECOND), (reuse, 115 * SECOND)]),
        ]
    };
    let listed = |listing| {
        let reported = Shown::listing(parts(), listing).unwrap();
        let ends = |observed: &Observed| {
            let ends = observed.summary.findings.iter().map(|finding| finding.end_ns / SECOND);
            ends.collect::<Vec<_>>()
        };
        assert_eq!(ends(&reported.whole), reported.parts.iter().flat_map(ends).collect::<Vec<_>>());
        (reported.parts.iter().map(ends).collect::<Vec<_>>(), reported.whole.summary.left_out.findings)
    };
    assert_eq!(listed(Listing::Top(1)), (vec![vec![120], vec![]], 4));
    assert_eq!(listed(Listing::Top(3)), (vec![vec![120], vec![110, 115]], 2), "the later recording is newer");
    assert_eq!(listed(Listing::Top(9)), (vec![vec![900, 110, 120], vec![110, 115]], 0));
    assert_eq!(listed(Listing::All), (vec![vec![900, 110, 120], vec![110, 115]], 0));
    assert_eq!(listed(Listing::Nothing), (vec![vec![], vec![]], 5));
    assert!(Shown::listing(Vec::new(), Listing::All).is_none());
}
