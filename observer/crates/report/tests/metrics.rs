//! The metrics.

use observer_engine::verdict::Verdict;
use observer_record::replay;
use observer_recordings::released;
use observer_report::{
    formats::openmetrics::{self, Dialect, ServeCost},
    observed::Observed,
};

#[test]
fn the_time_of_the_last_stale_install_is_exported() {
    let observed = Observed::new(&replay(&released("v1-storm-5.10.obs")).unwrap());
    let stale = observed.summary.findings.iter().filter(|finding| finding.verdict == Verdict::StaleInstall);
    let last = stale.filter_map(|finding| finding.at_unix_ns).max().unwrap();
    let text = openmetrics::text(&observed, &ServeCost::default(), Dialect::OpenMetrics);
    let start = "observer_verdict_last_timestamp_seconds{verdict=\"stale_install\"} ";
    let value: f64 = text.lines().find_map(|line| line.strip_prefix(start)).unwrap().parse().unwrap();
    // Floating point keeps microseconds.
    assert!((value - last as f64 / 1e9).abs() < 1e-5, "{value} {last}");
    assert!(!text.contains("timestamp_seconds{verdict=\"pin_wait\"}"), "none was seen");
}
