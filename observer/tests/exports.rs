//! Every format, made from recordings. `tests/tools/check_exports.py` reads them with other programs.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use std::{collections::BTreeSet, fs, path::Path};

use observer_observation::{DropCause, Outcome};
use observer_record::{Replay, replay};
use observer_recordings::released;
use observer_report::{
    comparison::{Caveat, Counted, Diff, Side},
    formats::{Format, perfetto::Trace},
    observed::{Observed, Reported},
};
use serde_json::Value;

fn outcome() -> Outcome {
    replay(&released("v1.obs")).unwrap()
}

fn storm() -> Observed {
    Observed::new(&replay(&released("v1-storm-5.10.obs")).unwrap())
}

fn written(format: Format, parts: Vec<Observed>) -> String {
    let whole = Observed::merged(&parts).unwrap();
    let mut out = Vec::new();
    format.write(&Reported { parts, whole }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(parts: Vec<Observed>) -> Value {
    serde_json::from_str(&written(Format::Json, parts)).unwrap()
}

#[test]
fn the_json_object_has_its_stable_keys() {
    let json = json(vec![Observed::new(&outcome())]);
    assert_eq!(json["schema"], "observer/2");
    for pointer in [
        "/kernel/release",
        "/kernel/state",
        "/kernel/hook_set",
        "/kernel/hooks/0/meaning",
        "/kernel/hooks/0/backend",
        "/kernel/hooks/0/symbol",
        "/kernel/hooks/0/reason/code",
        "/kernel/degraded/0/meaning",
        "/kernel/degraded/0/reason",
        "/kernel/degraded/0/consequence",
        "/swapins/seen",
        "/swapins/direct",
        "/swapins/cached",
        "/swapins/dropped",
        "/faults/started",
        "/verdicts/overlap",
        "/verdicts/pin_wait",
        "/verdicts/lock_wait",
        "/locks/failed",
        "/pins/outside/shmem",
        "/verdicts/window",
        "/verdicts/reuse",
        "/verdicts/stale_install",
        "/findings/0/verdict",
        "/dropped/ring_full_fault",
        "/overhead/user_ns",
        "/filters",
        "/wait_cost/pin/waits",
        "/wait_cost/pin/rates/per_1000_swapins",
        "/wait_cost/folio_lock/slept_ns",
        "/wait_cost/command_edges",
        "/budget",
        "/remarks",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    assert_eq!(json["sources"][0]["clocks"]["realtime_ns"], "1767225600000000000", "a string above 2^53");
}

/// Every number of a JSON value.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Object(values) => values.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn no_json_number_exceeds_2_to_the_53() {
    for observed in [Observed::new(&outcome()), storm()] {
        let mut values = vec![json(vec![observed.clone()])];
        values.extend(written(Format::Ndjson, vec![observed]).lines().map(|line| serde_json::from_str(line).unwrap()));
        let largest = values.iter().flat_map(numbers).fold(0.0, f64::max);
        assert!(largest > 0.0, "no numbers");
        assert!(largest < (1u64 << 53) as f64, "{largest}");
    }
}

#[test]
fn counts_and_distributions_of_several_observations_add_up() {
    let one = Observed::new(&outcome());
    let (single, double) = (json(vec![one.clone()]), json(vec![one.clone(), one.clone()]));
    for pointer in [
        "/swapins/seen",
        "/swapins/kernel",
        "/faults/started",
        "/pins/taken",
        "/wait_cost/pin/waits",
        "/wait_cost/folio_lock/waited_ns",
        "/verdicts/overlap",
        "/verdicts/stale_install",
        "/distributions/overlap/count",
        "/distributions/fault_direct/count",
        "/distributions/window/count",
        "/overhead/records",
    ] {
        let number = |json: &Value| json.pointer(pointer).and_then(Value::as_u64).unwrap();
        assert_eq!(number(&double), 2 * number(&single), "{pointer}");
    }
    let len = |json: &Value, name: &str| json[name].as_array().unwrap().len();
    assert_eq!(len(&double, "findings"), 2 * len(&single, "findings"));
    assert_eq!((len(&double, "sources"), len(&double, "swaps")), (2, 1));
    assert_eq!(double["distributions"]["overlap"]["p99_ns"], single["distributions"]["overlap"]["p99_ns"]);
    assert_eq!(written(Format::Ndjson, vec![one.clone(), one]).lines().count(), len(&double, "findings"));
}

#[test]
fn hosts_and_kernels_of_several_observations_are_listed() {
    let double = json(vec![Observed::new(&outcome()), storm()]);
    assert_eq!(double["kernel"]["state"], "unknown", "the two differ");
    let states: Vec<_> = double["sources"].as_array().unwrap().iter().map(|source| &source["state"]).collect();
    assert_eq!(states, ["pinned_wait_queue", "vulnerable"]);
    let text = written(Format::Text, vec![Observed::new(&outcome()), storm()]);
    let kernels: Vec<_> = text.lines().filter(|line| line.starts_with("kernel ")).collect();
    assert_eq!(kernels.len(), 2, "{text}");
    assert!(kernels[0].ends_with("fixed by pin, wait queue"), "{kernels:?}");
    assert!(kernels[1].ends_with("vulnerable (no fix for CVE-2024-26759)"), "{kernels:?}");
}

#[test]
fn a_recording_does_not_differ_from_itself() {
    let one = Observed::new(&outcome());
    let diff = Diff::new(&one, &one);
    assert_eq!(diff.caveats, []);
    for count in diff.counts.iter().filter(|count| count.a > 0) {
        assert_eq!(count.ratio, Some(1.0), "{count:?}");
    }
    assert_eq!(diff.times.len(), 8);
    for times in &diff.times {
        assert_eq!((times.p50_ratio, times.p99_ratio), (Some(1.0), Some(1.0)), "{times:?}");
    }
}

#[test]
fn a_diff_compares_the_time_of_waits_and_warns_of_a_sample() {
    let whole = Observed::new(&outcome());
    let mut sampled = outcome();
    sampled.context.sample_one_in = 4;
    let diff = Diff::new(&whole, &Observed::new(&sampled));
    let waited = diff.counts.iter().find(|count| count.name == Counted::Waited).unwrap();
    let cost = &whole.summary.wait_cost;
    assert_eq!(waited.a, (cost.pin.sums.waited_ns + cost.folio_lock.sums.waited_ns) / 1_000);
    assert!(waited.a > 0);
    assert_eq!(waited.b, waited.a, "times are not multiplied");
    assert!(diff.caveats.contains(&Caveat::Sampled { side: Side::B, one_in: 4 }), "{:?}", diff.caveats);
}

#[test]
fn a_cut_recording_is_reported() {
    let whole = fs::read(released("v1.obs")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.obs");
    fs::write(&path, whole.get(..whole.len() / 2).unwrap()).unwrap();
    let observed = Observed::new(&replay(&path).unwrap());
    assert_eq!(observed.summary.dropped.get(&DropCause::RecordingIncomplete), Some(&1));
    assert!(observed.summary.verdicts.counts.overlap > 0);
    let text = written(Format::Text, vec![observed.clone()]);
    assert!(text.contains("the file was cut"), "{text}");
    assert!(text.contains("overhead        unknown"), "{text}");
    assert!(written(Format::Html, vec![observed.clone()]).contains("the file was cut"));
    assert!(written(Format::Openmetrics, vec![observed]).contains("recording_incomplete\"} 1"));
}

#[test]
fn the_page_loads_nothing() {
    let html = written(Format::Html, vec![Observed::new(&outcome())]);
    for outside in ["http:", "https:", "<script", "<link", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let pictures: Vec<_> = html.split("src=\"").skip(1).collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(picture.starts_with("data:image/svg+xml,"), "{}", &picture[..40]);
    }
    assert!(html.contains("img-src data:"), "browsers would not show the pictures");
    assert_eq!(html.matches("<figure>").count(), 8);
}

#[test]
fn the_trace_has_an_arrow_for_each_free_under_a_reader() {
    let replay = Replay::open(&released("v1.obs")).unwrap();
    let mut trace = Trace::new(Vec::new(), replay.context().clocks.monotonic_ns);
    let outcome = replay.finish_with(&mut |input| trace.input(input));
    let json: Value = serde_json::from_slice(&trace.finish(&outcome).unwrap()).unwrap();
    let phase = |name: &str| json["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == name).count();
    let freed = outcome.engine.report().findings.iter().filter(|finding| finding.freed.is_some()).count();
    assert!(freed > 0);
    assert_eq!((phase("s"), phase("f")), (freed, freed));
}

#[test]
fn every_finding_has_its_device_in_each_list() {
    let reported = || vec![Observed::new(&outcome()), storm()];
    let (csv, ndjson) = (written(Format::Csv, reported()), written(Format::Ndjson, reported()));
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let column = rows.headers().unwrap().iter().position(|name| name == "device").unwrap();
    let of_csv: Vec<String> = rows.records().map(|row| row.unwrap()[column].to_owned()).collect();
    let of_line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["device"].as_str().unwrap_or("").to_owned();
    let of_ndjson: Vec<String> = ndjson.lines().map(of_line).collect();
    assert_eq!(of_csv, of_ndjson);
    assert!(of_csv.iter().any(|device| device == "/dev/zram0"), "{of_csv:?}");
}

#[test]
fn the_published_schema_describes_every_key_of_a_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/finding-2.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let findings = written(Format::Ndjson, vec![Observed::new(&outcome()), storm()]);
    assert!(findings.lines().count() > 100);
    for line in findings.lines() {
        let finding: Value = serde_json::from_str(line).unwrap();
        assert_eq!(finding["schema"], schema["properties"]["schema"]["const"]);
        assert_eq!(keys(&finding), keys(&schema["properties"]));
        assert!(schema["properties"]["verdict"]["enum"].as_array().unwrap().contains(&finding["verdict"]));
        for other in finding["others"].as_array().unwrap() {
            assert_eq!(keys(other), keys(&schema["$defs"]["fault"]["properties"]));
        }
    }
}
