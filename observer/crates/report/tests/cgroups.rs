//! A host with cgroup v1 is noted wherever results by control group may be.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

mod shared;

use observer_kernel::cgroups::CgroupMode;
use observer_observation::{Context, Outcome, exit::Exit};
use observer_report::{
    formats::{Format, perfetto::Trace, text},
    observed::Observed,
};
use serde_json::Value;
use shared::{uneventful, written};

fn outcome(host: &str, cgroups: CgroupMode) -> Outcome {
    uneventful(Context { host: host.into(), cgroups, ..Context::default() })
}

fn observed(host: &str, cgroups: CgroupMode) -> Observed {
    Observed::new(&outcome(host, cgroups))
}

#[test]
fn groups_that_programs_do_not_see_are_noted_in_every_report() {
    for (mode, words) in
        [(CgroupMode::V1, "every task is in one group"), (CgroupMode::Hybrid, "tasks of several groups of v1")]
    {
        let observed = observed("a", mode);
        assert_ne!(observed.summary.exit(), Exit::Inconclusive, "nothing was missed");
        // Lines of text may be wrapped.
        let text = text::summary(&observed.summary).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("by control group: cgroup v1") && text.contains(words), "{text}");
        assert!(written(Format::Html, &observed).contains(words));
        let json: Value = serde_json::from_str(&written(Format::Json, &observed)).unwrap();
        assert_eq!(json["notes"][0]["code"], "cgroup_v1");
        assert_eq!(json["notes"][0]["mode"], mode.code());
        let trace = Trace::new(Vec::new(), 0).finish(&outcome("a", mode)).unwrap();
        let trace: Value = serde_json::from_slice(&trace).unwrap();
        assert_eq!(trace["otherData"]["notes"], serde_json::json!([{"code": "cgroup_v1", "mode": mode.code()}]));
    }
}

#[test]
fn a_host_with_cgroup_v2_or_none_is_not_noted() {
    for mode in [CgroupMode::V2, CgroupMode::None, CgroupMode::Unknown] {
        let observed = observed("a", mode);
        assert!(!text::summary(&observed.summary).contains("control group"), "{mode:?}");
        assert!(observed.summary.notes.is_empty());
    }
}

#[test]
fn a_merged_report_names_the_host_with_cgroup_v1() {
    let merged = Observed::merged(&[observed("new", CgroupMode::V2), observed("old", CgroupMode::V1)]).unwrap();
    let [note] = &merged.summary.notes[..] else { panic!("{:?}", merged.summary.notes) };
    assert_eq!(note.host, "old");
}
