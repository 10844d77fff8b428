//! A verdict that a missing hook may hide has no zero, in any format.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

mod shared;

use observer_engine::verdict::Verdict;
use observer_kernel::plan::{Consequence, Meaning, MissingReason, State};
use observer_observation::{Context, Degraded, Kernel, exit::Exit};
use observer_report::{formats::Format, observed::Observed};
use shared::{uneventful, written};

/// An observation in which nothing happened, on a vulnerable kernel without these hooks.
fn observed(missing: &[Meaning]) -> Observed {
    let gap = |meaning: &Meaning| Degraded {
        meaning: *meaning,
        reason: MissingReason::Unknown,
        consequence: Consequence::of(*meaning),
        partial: false,
    };
    let kernel = Kernel { state: State::Vulnerable, degraded: missing.iter().map(gap).collect(), ..Kernel::default() };
    Observed::new(&uneventful(Context { kernel, ..Context::default() }))
}

/// As on 5.10 with `--backend fentry`.
#[test]
fn without_the_hook_on_allocations_nothing_is_concluded() {
    let degraded = observed(&[Meaning::Allocated]);
    assert_eq!(degraded.summary.exit(), Exit::Inconclusive);
    let text = written(Format::Text, &degraded);
    for verdict in [Verdict::Reuse, Verdict::StaleInstall] {
        assert!(text.contains(&format!("{:<15} not observable", verdict.to_string())), "{text}");
    }
    assert!(text.contains("\nwindow          0\n"), "{text}");
    let html = written(Format::Html, &degraded);
    assert!(html.contains("<b>not observable</b><span>stale-install</span>"), "{html}");
    assert!(html.contains("the hooks may miss reuse, stale-install."), "{html}");
    let metrics = written(Format::Openmetrics, &degraded);
    assert!(!metrics.contains("observer_verdicts_total{verdict=\"stale_install\"}"), "{metrics}");
    assert!(metrics.contains("observer_verdicts_total{verdict=\"window\"} 0\n"), "{metrics}");
    assert!(metrics.contains("observer_not_observable{verdict=\"stale_install\"} 1\n"), "{metrics}");
    let json: serde_json::Value = serde_json::from_str(&written(Format::Json, &degraded)).unwrap();
    assert_eq!(json["verdicts"]["stale_install"], serde_json::Value::Null);
    assert_eq!(json["not_observable"]["reuse"][0], "some_reuse_missed");
}

#[test]
fn with_every_hook_a_zero_is_a_result() {
    let whole = observed(&[]);
    assert_eq!(whole.summary.exit(), Exit::Clean);
    assert!(written(Format::Text, &whole).contains("\nstale-install   0\n"));
    let json: serde_json::Value = serde_json::from_str(&written(Format::Json, &whole)).unwrap();
    assert_eq!((&json["verdicts"]["stale_install"], &json["not_observable"]), (&0.into(), &serde_json::json!({})));
    let merged = Observed::merged(&[whole, observed(&[Meaning::LockTry])]).unwrap();
    assert_eq!(merged.summary.exit(), Exit::Inconclusive, "one of the two may have missed lock waits");
    assert!(written(Format::Text, &merged).contains("\nlock-wait       not observable\n"));
}

/// Ten thousand windows fill the list, and every further one is counted.
#[test]
fn a_full_list_is_no_dropped_event() {
    let mut full = observed(&[]);
    full.summary.unlisted.findings = 3;
    assert_eq!(full.summary.exit(), Exit::Clean);
    assert!(written(Format::Text, &full).contains("3 findings counted and not listed"));
    assert!(written(Format::Openmetrics, &full).contains("observer_unlisted_total{list=\"findings\"} 3\n"));
}
