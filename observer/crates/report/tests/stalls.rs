//! Faults and waits that last: shown while they do, reported by a recording that ends meanwhile, seen by `--budget`.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

mod shared;

use observer_ebpf::counters::Counters;
use observer_engine::{
    Engine,
    event::{Entry, Event, Fault, Nanos, Path, Pin, PinResult, SlotCount, Task},
};
use observer_observation::{
    CgroupPaths, Context, EndReason, FinalState, History, Known, Outcome, Sample, Snapshot, Stall, Stalls, Swap,
    WallClock, exit::Exit,
};
use observer_report::{
    formats::{
        Format,
        openmetrics::{self, Dialect, ServeCost},
        text,
    },
    observed::Observed,
};
use shared::{uneventful, written};

const SECOND: Nanos = 1_000_000_000;
const ENTRY: Entry = Entry::new(0, 0x40);

fn task(tid: u32, comm: &str) -> Task {
    Task { tid, pid: tid, comm: comm.into() }
}

/// A reader for 667 s, and a task that has waited 666 s of them for its folio.
fn stalls(now: Nanos) -> Stalls {
    let fault = |task, start_ns, waits_since_ns| Stall { task, entry: ENTRY, start_ns, waits_since_ns };
    let reader = fault(task(7, "reader"), now - 667 * SECOND, None);
    let waiter = fault(task(8, "waiter"), now - 666 * SECOND - 1, Some(now - 666 * SECOND));
    Stalls::of([waiter, reader], now)
}

fn outcome(stalls: Option<Stalls>, budget_ns: Option<u64>, at: Nanos) -> Outcome {
    let counters = Counters { started: 9, ended: 7, ..Counters::default() };
    let sample = Sample { at, stalls, snapshot: Snapshot { counters, ..Snapshot::default() }, ..Sample::default() };
    Outcome { sample, ..uneventful(Context { budget_ns, ..Context::default() }) }
}

#[test]
fn a_stalled_fault_is_in_every_report() {
    let now = 5_000 * SECOND;
    let observed = Observed::new(&outcome(Some(stalls(now)), None, now));
    let text = text::summary(&observed.summary);
    for line in [
        "stalled         reader (pid 7, tid 7) has been in a fault on entry 0:64 for 667 s",
        "stalled         waiter (pid 8, tid 8) has been in a fault on entry 0:64 for 666 s, and has waited for 666 s of \
         that for the folio lock",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    assert!(written(Format::Html, &observed).contains("Stalled: reader (pid 7, tid 7) has been in a fault"));
    let metrics = openmetrics::text(&observed, &ServeCost::default(), Dialect::Prometheus);
    assert!(metrics.contains("\nobserver_stalled_faults 2\n"), "{metrics}");
    assert!(metrics.contains("\nobserver_longest_stall_seconds 667\n"), "{metrics}");
    let json = serde_json::to_value(&observed.summary).unwrap();
    assert_eq!(json["stalled"]["faults"], 2);
    assert_eq!(json["stalled"]["longest"][1]["waits_for"], "folio_lock");
    assert_eq!(json["stalled"]["longest"][0]["for_ns"], 667 * SECOND);
}

/// Its type went to another area after the fault had started.
#[test]
fn a_stall_is_on_the_area_that_had_the_type_at_its_start() {
    let now = 5_000 * SECOND;
    let swap = |path: &str, from_ns, until_ns| Swap { path: path.into(), from_ns, until_ns, ..Swap::default() };
    let changed = now - SECOND;
    let swaps = vec![swap("/dev/zram0", 0, Some(changed)), swap("/dev/sda2", changed, None)];
    let stalled = outcome(Some(stalls(now)), None, now);
    let outcome = Outcome { context: Context { swaps, ..stalled.context.clone() }, ..stalled };
    let text = text::summary(&Observed::new(&outcome).summary);
    assert!(
        text.contains("reader (pid 7, tid 7) has been in a fault on entry 0:64 (/dev/zram0) for 667 s\n"),
        "{text}"
    );
}

#[test]
fn a_stalled_wait_exceeds_the_budget_before_it_ends() {
    let now = 5_000 * SECOND;
    let exit = |stalls, budget| Observed::new(&outcome(stalls, budget, now)).summary.exit();
    assert_eq!(exit(Some(stalls(now)), None), Exit::Clean, "no budget");
    assert_eq!(exit(Some(stalls(now)), Some(SECOND)), Exit::OverBudget);
    assert_eq!(exit(Some(stalls(now)), Some(666 * SECOND)), Exit::Clean, "the reader does not wait for a task");
    assert_eq!(exit(None, Some(SECOND)), Exit::Clean);
    let text = text::summary(&Observed::new(&outcome(Some(stalls(now)), Some(SECOND), now)).summary);
    assert!(text.contains("budget          1.00 s, exceeded by 0 waits, and by 1 wait in progress\n"), "{text}");
}

#[test]
fn without_a_stall_nothing_is_said_and_the_metric_is_zero() {
    let observed = Observed::new(&outcome(Some(Stalls::default()), Some(SECOND), 9 * SECOND));
    assert!(!text::summary(&observed.summary).contains("\nstalled"));
    let metrics = openmetrics::text(&observed, &ServeCost::default(), Dialect::OpenMetrics);
    assert!(
        metrics.contains("\nobserver_stalled_faults 0\n") && metrics.contains("\nobserver_longest_stall_seconds 0")
    );
}

#[test]
fn stalls_of_several_hosts_are_merged_longest_first() {
    let now = 5_000 * SECOND;
    let at = |host: &str, later: Nanos| {
        let outcome = outcome(Some(stalls(now)), Some(SECOND), now + later);
        Observed::new(&Outcome { context: Context { host: host.into(), ..outcome.context.clone() }, ..outcome })
    };
    let merged = Observed::merged(&[at("a", 0), at("b", 10 * SECOND)]).unwrap();
    assert_eq!((merged.summary.stalled.faults, merged.summary.stalled.over_budget), (4, 2));
    let text = text::summary(&merged.summary);
    assert!(
        text.contains("stalled         b: reader (pid 7, tid 7) has been in a fault on entry 0:64 for 677 s\n"),
        "{text}"
    );
    assert!(text.contains("stalled         4 faults in all\n"), "{text}");
}

/// A pin wait is many faults, each of which ends. The holder is in the table of the programs; this is what the engine
/// shows.
#[test]
fn a_pin_wait_is_reported_while_its_holder_stalls() {
    let mut engine = Engine::<observer_observation::Durations>::default();
    for second in 0..=60 {
        let start = second * SECOND;
        let pin = Pin { tried: start + 1, result: PinResult::Held, failures: 1, dropped: None };
        engine.feed(Event::Ended(Fault {
            entry: ENTRY,
            base: ENTRY,
            nr: 1,
            task: task(8, "waiter"),
            start,
            end: start + 50,
            path: Path::None,
            pin: Some(pin),
            slot: SlotCount { starts: 2, ends: 1 },
            ..Fault::default()
        }));
        engine.advance(start + SECOND / 2);
    }
    let context = Context { budget_ns: Some(SECOND), ..Context::default() };
    let (sample, ending) = (Sample { at: 61 * SECOND, ..Sample::default() }, FinalState::unknown(EndReason::Running));
    let known = |engine: &observer_observation::Engine| {
        let report = engine.report();
        Observed::new(Known {
            context: &context,
            swaps: &[],
            report,
            sample: &sample,
            wall_clock: &WallClock::default(),
            cgroups: &CgroupPaths::default(),
            history: &History::default(),
            ending: &ending,
            damage: &[],
            notes: &[],
        })
    };
    let running = known(&engine);
    assert_eq!(running.summary.exit(), Exit::OverBudget);
    let text = text::summary(&running.summary);
    assert!(
        text.contains("stalled         waiter (pid 8, tid 8) has waited for 60.0 s for the pin of entry 0:64\n"),
        "{text}"
    );
    engine.finish();
    let ended = known(&engine);
    assert_eq!((ended.summary.stalled.over_budget, ended.summary.budget.unwrap().over), (0, 1), "it is counted once");
    assert_eq!(ended.summary.exit(), Exit::OverBudget);
}
