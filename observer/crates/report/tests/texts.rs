//! The texts that people read, as snapshots.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use insta::assert_snapshot;

use observer_engine::verdict::Verdict;
use observer_kernel::{
    errno::Errno,
    fixtures::survey,
    host::Release,
    plan::TrialRefusal,
    swaps::{AreaKind, Device, DeviceNumber, Driver, SwapArea, SwapLine, Synchronous, SynchronousReason},
};
use observer_record::{Replay, replay};
use observer_recordings::released;
use observer_report::{
    comparison::Diff,
    diff,
    doctor::{self, Doctor},
    formats::{
        openmetrics::{self, Dialect, ServeCost},
        text,
    },
    observed::Observed,
    selection::{Moment, Picked, Selection},
};
use serde_json::Map;

fn observed(recording: &str) -> Observed {
    Observed::new(&replay(&released(recording)).unwrap())
}

#[test]
fn report_of_pin_waits() {
    assert_snapshot!(text::summary(&observed("v1.obs").summary));
}

#[test]
fn report_of_lock_waits() {
    assert_snapshot!(text::summary(&observed("v1.1-locks-7.3.obs").summary));
}

#[test]
fn report_of_data_loss() {
    let text = text::summary(&observed("v1-storm-5.10.obs").summary);
    // The other findings look alike.
    let findings = text.lines().position(|line| line.starts_with("reuse of")).unwrap();
    assert_snapshot!(text.lines().take(findings + 16).collect::<Vec<_>>().join("\n"));
}

/// What is selected of a recording.
fn selected(recording: &str, selection: &Selection) -> Observed {
    let mut replay = Replay::open(&released(recording)).unwrap();
    let mut picked = Picked::new(selection, replay.context().clocks);
    replay.engine_mut().keep_reported();
    let mut outcome = replay.finish();
    picked.finish(&mut outcome);
    Observed::selected(&outcome, &picked)
}

/// The waits of the first half second, and no finding.
#[test]
fn report_of_a_selection() {
    let selection = Selection {
        verdicts: vec![Verdict::PinWait],
        until: Some(Moment::Offset(500_000_000)),
        ..Selection::default()
    };
    let observed = selected("v1.obs", &selection);
    assert_snapshot!("report_of_a_selection", text::summary(&observed.summary));
    let json = serde_json::to_value(&observed.summary).unwrap();
    let part = ["selection", "verdicts", "not_observable", "unlisted", "left_out", "remarks", "wait_cost"];
    let part: Map<_, _> = part.iter().map(|key| ((*key).to_owned(), json[*key].clone())).collect();
    assert_snapshot!("json_of_a_selection", serde_json::to_string_pretty(&part).unwrap());
}

#[test]
fn comparison_of_a_selection() {
    let selection = Selection { since: Some(Moment::Offset(500_000_000)), ..Selection::default() };
    let (a, b) = (selected("v1.obs", &selection), selected("v1-storm-5.10.obs", &selection));
    assert_snapshot!(diff::text(&Diff::new(&a, &b), &a, &b));
}

#[test]
fn comparison() {
    let (a, b) = (observed("v1.obs"), observed("v1-storm-5.10.obs"));
    assert_snapshot!(diff::text(&Diff::new(&a, &b), &a, &b));
}

/// Without the settings of the host on which the test runs.
fn doctor(kernel: &str, fentry: &Result<(), TrialRefusal>) -> String {
    let mut survey = survey(kernel, fentry, fentry.is_ok());
    let line = SwapLine {
        path: "/dev/zram0".into(),
        kind: AreaKind::Partition,
        size_kib: 32_764,
        used_kib: 128,
        priority: -2,
    };
    let number = DeviceNumber { major: 254, minor: 0 };
    let device = Device { number, name: "zram0".into(), disk: "zram0".into(), zram_backing: None };
    let reason = SynchronousReason::Driver { driver: Driver::Zram };
    let synchronous = Synchronous::Yes;
    survey.facts.swaps = Some(vec![SwapArea { line, ordinal: 0, device: Some(device), synchronous, reason }]);
    survey.facts.host.release = Release::parse(kernel);
    let text = doctor::text(&Doctor::new(&survey), doctor::Layout::default());
    text.split("\nhost\n").next().unwrap().to_owned()
}

#[test]
fn doctor_on_a_vulnerable_kernel() {
    assert_snapshot!(doctor("5.10.223", &Ok(())));
}

#[test]
fn doctor_on_a_fixed_kernel() {
    assert_snapshot!(doctor("6.12.117", &Ok(())));
}

#[test]
fn doctor_on_a_host_that_refuses() {
    let refused = Err(TrialRefusal::Load { errno: Errno::PERM, verifier: None });
    assert_snapshot!(doctor("6.18.15", &refused));
}

#[test]
fn help_of_the_metrics() {
    let text = openmetrics::text(&observed("v1.obs"), &ServeCost::default(), Dialect::OpenMetrics);
    let help = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    assert_snapshot!(help.collect::<Vec<_>>().join("\n"));
}
