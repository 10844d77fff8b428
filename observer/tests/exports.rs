//! Every format, made from the fixture. What other people's programs say of them: `tests/tools/check_exports.py`.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use std::path::PathBuf;

use observer_observation::Outcome;
use observer_record::{Replay, replay};
use observer_report::{
    diff::Diff,
    formats::{Format, perfetto::Trace},
    observed::{Observed, Reported},
};
use serde_json::Value;

fn fixture() -> PathBuf {
    observer_recordings::released("v1.obs")
}

fn outcome() -> Outcome {
    replay(&fixture()).unwrap()
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
fn the_json_object_keeps_the_names_of_the_contract() {
    let json = json(vec![Observed::new(&outcome())]);
    for pointer in [
        "/schema",
        "/kernel/release",
        "/kernel/state",
        "/kernel/backend/fault start",
        "/swapins/seen",
        "/swapins/direct",
        "/swapins/cached",
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
        "/self_cost/user_ns",
        "/filters",
        "/price/pin/waits",
        "/price/pin/rates/per_1000_swapins",
        "/price/folio_lock/slept_ns",
        "/price/command_edges",
        "/budget",
        "/remarks",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn counts_and_distributions_of_several_add_up() {
    let one = Observed::new(&outcome());
    let (single, double) = (json(vec![one.clone()]), json(vec![one.clone(), one.clone()]));
    for pointer in [
        "/swapins/seen",
        "/swapins/kernel",
        "/faults/started",
        "/pins/taken",
        "/price/pin/waits",
        "/price/folio_lock/waited_ns",
        "/verdicts/overlap",
        "/verdicts/stale_install",
        "/distributions/overlap/count",
        "/distributions/fault_direct/count",
        "/distributions/window/count",
        "/self_cost/records",
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
fn a_recording_is_no_different_from_itself() {
    let one = Observed::new(&outcome());
    let diff = Diff::new(&one, &one);
    assert!(diff.caveats.is_empty());
    assert!(diff.counts.iter().filter(|count| count.a > 0).all(|count| count.ratio == Some(1.0)));
    assert_eq!(diff.times.len(), 8);
    assert!(diff.times.iter().all(|times| times.p50_ratio == Some(1.0) && times.p99_ratio == Some(1.0)));
}

#[test]
fn a_diff_tells_time_lost_and_warns_of_a_sample() {
    let whole = Observed::new(&outcome());
    let mut sampled = outcome();
    sampled.context.sample_one_in = 4;
    let diff = Diff::new(&whole, &Observed::new(&sampled));
    let waited = diff.counts.iter().find(|count| count.name == "us waited").unwrap();
    let price = &whole.summary.price;
    assert_eq!(waited.a, (price.pin.sums.waited_ns + price.folio_lock.sums.waited_ns) / 1_000);
    assert!(waited.a > 0 && waited.b == waited.a, "times are not multiplied: {waited:?}");
    assert!(
        diff.caveats.iter().any(|caveat| caveat.starts_with("B observed one swap entry in 4")),
        "{:?}",
        diff.caveats
    );
}

#[test]
fn a_cut_recording_says_so_in_every_format_that_has_words() {
    let whole = std::fs::read(fixture()).unwrap();
    let path = std::env::temp_dir().join(format!("observer-cut-{}.obs", std::process::id()));
    std::fs::write(&path, whole.get(..whole.len() / 2).unwrap()).unwrap();
    let outcome = replay(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let observed = Observed::new(&outcome);
    assert_eq!(observed.summary.dropped.get("recording_incomplete"), Some(&1));
    assert!(observed.summary.verdicts.overlap > 0);
    let text = written(Format::Text, vec![observed.clone()]);
    assert!(text.contains("the file was cut") && text.contains("overhead   not known"), "{text}");
    assert!(written(Format::Html, vec![observed.clone()]).contains("the file was cut"));
    assert!(written(Format::Openmetrics, vec![observed]).contains("recording_incomplete\"} 1"));
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let html = written(Format::Html, vec![Observed::new(&outcome())]);
    for outside in ["http:", "https:", "<script", "<link", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let pictures: Vec<_> = html.split("src=\"").skip(1).collect();
    assert!(!pictures.is_empty() && pictures.iter().all(|source| source.starts_with("data:image/svg+xml,")));
    assert!(html.contains("img-src data:"), "a browser would leave the pictures out");
    assert_eq!(html.matches("<figure>").count(), 8);
}

#[test]
fn the_trace_has_an_arrow_for_each_free_under_a_reader() {
    let mut trace = Trace::new(Vec::new());
    let outcome = Replay::open(&fixture()).unwrap().finish_with(&mut |input| trace.input(input));
    let json: Value = serde_json::from_slice(&trace.finish(&outcome).unwrap()).unwrap();
    let phase = |name: &str| json["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == name).count();
    let freed = outcome.engine.report().findings.iter().filter(|finding| finding.freed.is_some()).count();
    assert!(freed > 0);
    assert_eq!((phase("s"), phase("f")), (freed, freed));
}
