//! Times since 1970 where the wall clock was stepped, or the machine was suspended.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use observer_observation::{Clocks, Outcome, WallClock};
use observer_record::replay;
use observer_recordings::released;
use observer_report::{
    formats::{Format, text},
    observed::{Observed, Reported},
};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// Findings, and a change of the wall clock right after the fifth of them.
fn outcome(stepped: i64, suspended: u64) -> Outcome {
    let mut outcome = replay(&released("v1.obs")).unwrap();
    let start = Clocks { boottime_ns: Some(outcome.context.clocks.monotonic_ns), ..outcome.context.clocks };
    let monotonic_ns = outcome.engine.report().findings.get(4).unwrap().end_ns + 1;
    let mut wall_clock = WallClock::new(start);
    wall_clock.add(Clocks {
        monotonic_ns,
        realtime_ns: (start.realtime(monotonic_ns) + suspended).saturating_add_signed(stepped),
        boottime_ns: Some(monotonic_ns + suspended),
    });
    outcome.wall_clock = wall_clock;
    outcome
}

fn written(format: Format, parts: Vec<Observed>) -> String {
    let whole = Observed::merged(&parts).unwrap();
    let mut out = Vec::new();
    format.write(&Reported { parts, whole }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// How far the time of each finding is from that by the clock at the start, seconds.
fn shifts(times: impl Iterator<Item = u64>, outcome: &Outcome) -> Vec<i64> {
    let findings = outcome.engine.report().findings.iter();
    let by_start = findings.map(|finding| outcome.wall_clock.start().realtime(finding.end_ns));
    times.zip(by_start).map(|(time, start)| (time.cast_signed() - start.cast_signed()) / SECOND.cast_signed()).collect()
}

#[test]
fn findings_have_the_time_of_the_clock_when_they_happened() {
    for seconds in [3_600, -3_600] {
        let outcome = outcome(seconds * SECOND.cast_signed(), 0);
        let observed = Observed::new(&outcome);
        let expected: Vec<i64> = [[0; 5].as_slice(), &[seconds; 8]].concat();
        let ndjson = written(Format::Ndjson, vec![observed.clone()]);
        let at = |line: &str| -> u64 {
            serde_json::from_str::<Value>(line).unwrap()["at_unix_ns"].as_str().unwrap().parse().unwrap()
        };
        assert_eq!(shifts(ndjson.lines().map(at), &outcome), expected);
        let csv = written(Format::Csv, vec![observed]);
        let at = |line: &str| -> u64 { line.split(',').nth(2).unwrap().parse().unwrap() };
        assert_eq!(shifts(csv.lines().skip(1).map(at), &outcome), expected);
    }
}

#[test]
fn each_of_several_observations_has_its_own_clock() {
    let (stepped, plain) = (outcome(HOUR.cast_signed(), 0), replay(&released("v1.obs")).unwrap());
    let ndjson = written(Format::Ndjson, [&stepped, &plain].map(Observed::new).to_vec());
    let times = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["at_unix_ns"].clone());
    let times: Vec<u64> = times.map(|at| at.as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(times[..13].iter().zip(&times[13..]).filter(|(a, b)| **a == **b + HOUR).count(), 8);
    assert_eq!(times[..13].iter().zip(&times[13..]).filter(|(a, b)| a == b).count(), 5);
}

#[test]
fn changes_are_in_the_json_of_their_observation() {
    let outcome = outcome(-HOUR.cast_signed(), 8 * HOUR);
    let read = |observed| serde_json::from_str::<Value>(&written(Format::Json, vec![observed])).unwrap();
    let json = read(Observed::new(&outcome));
    let source = &json["sources"][0];
    assert_eq!(
        source["clocks"],
        json!({ "monotonic_ns": outcome.context.clocks.monotonic_ns, "realtime_ns": "1767225600000000000" })
    );
    let change = outcome.wall_clock.changes()[0];
    let expected = json!({
        "after_monotonic_ns": outcome.context.clocks.monotonic_ns,
        "monotonic_ns": change.clocks.monotonic_ns,
        "realtime_ns": change.clocks.realtime_ns.to_string(),
        "stepped_ns": -3_600_000_000_000_i64,
        "suspended_ns": 28_800_000_000_000_u64,
        "steps": 1,
        "suspensions": 1,
    });
    assert_eq!(source["clock_changes"], json!([expected]));
    let codes: Vec<&Value> = json["notes"].as_array().unwrap().iter().map(|note| &note["code"]).collect();
    assert_eq!(codes, ["clock_stepped", "suspended"]);
    let older = read(Observed::new(&replay(&released("v1.2.obs")).unwrap()));
    assert_eq!((&older["sources"][0]["clock_changes"], &older["notes"]), (&json!([]), &json!([])), "no readings");
}

/// What a report says about the clock in text and HTML.
fn noted(outcome: &Outcome) -> String {
    let observed = Observed::new(outcome);
    let text = text::summary(&observed.summary);
    let notes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("note            ")).collect();
    let html = written(Format::Html, vec![observed.clone()]);
    assert!(notes.iter().all(|note| html.contains(note)), "{notes:?}");
    notes.join("\n")
}

#[test]
fn a_step_and_a_suspension_are_noted() {
    assert_eq!(noted(&outcome(0, 0)), "");
    let expected = [
        "the wall clock was stepped by +3600.000 s, from 2026-01-01T00:00:01.135Z to 2026-01-01T01:00:01.135Z: findings have the \
         time that it showed when they happened, and durations are not affected",
        "the wall clock was stepped by -1.500 s, from 2026-01-01T00:00:01.135Z to 2025-12-31T23:59:59.635Z: findings have the time \
         that it showed when they happened, and durations are not affected",
        "the machine was suspended for 28800 s, until 2026-01-01T08:00:01.135Z: durations, rates and --duration leave that time \
         out",
    ];
    let outcomes = [outcome(HOUR.cast_signed(), 0), outcome(-1_500_000_000, 0), outcome(0, 8 * HOUR)];
    assert_eq!(outcomes.each_ref().map(noted), expected);
    let mut twice = outcome(HOUR.cast_signed(), 60 * SECOND);
    let clocks = twice.wall_clock.changes()[0].clocks;
    twice.wall_clock.add(Clocks {
        monotonic_ns: clocks.monotonic_ns + SECOND,
        realtime_ns: clocks.realtime_ns + SECOND + 4 * HOUR,
        boottime_ns: clocks.boottime_ns.map(|boottime_ns| boottime_ns + SECOND + 2 * HOUR),
    });
    assert_eq!(
        noted(&twice),
        "the wall clock was stepped 2 times, at most by +7200.000 s, from 2026-01-01T03:01:02.135Z to 2026-01-01T05:01:02.135Z: \
         findings have the time that it showed when they happened, and durations are not affected\n\
         the machine was suspended 2 times, for 7260 s in all, the longest until 2026-01-01T05:01:02.135Z: durations, rates \
         and --duration leave that time out"
    );
}
