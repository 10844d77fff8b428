//! Control groups are named by their paths, live and in a recording, also those that are removed meanwhile.

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::{
    agreement::none_dropped,
    step::{Checked, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Two programs, each in another group, swap in the same pages in two threads: the first group is removed as soon as its
/// program has ended, the second one has an escape sequence in its name. Then the recording.
pub(super) const CGROUPS: Step = Step {
    name: "cgroups",
    command: "export G=/sys/fs/cgroup/outer; export ODD=\"$G/$(printf 'a\\033b')\"; mkdir -p $G/one \"$ODD\"; \
              cp /witness /tmp/one; cp /witness /tmp/two; \
              observer record -o /tmp/groups.obs --json --widen 5ms -- sh -c ' \
                  in_group() { (group=$1; shift; echo 0 >\"$group/cgroup.procs\"; exec \"$@\"); }; \
                  churn=\"churn --shared --pages 6 --threads 2 --rounds 2\"; \
                  in_group $G/one /tmp/one $churn; rmdir $G/one; in_group \"$ODD\" /tmp/two $churn'; code=$?; \
              observer report --json /tmp/groups.obs; \
              rmdir \"$ODD\" $G; rm -f /tmp/one /tmp/two /tmp/groups.obs; exit $code",
    check: |_, finished| cgroups(finished),
};

/// The group of each program, as it is printed.
const GROUPS: [(&str, &str); 2] = [("one", "/outer/one"), ("two", r"/outer/a\x1bb")];

#[derive(Debug, PartialEq, Deserialize)]
struct Observed {
    findings: Vec<Finding>,
    waits: Vec<Wait>,
    wait_cost: WaitCost,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Finding {
    reader: Task,
    cgroup_path: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Wait {
    task: Task,
    cgroup_path: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Task {
    comm: String,
}

#[derive(Debug, PartialEq, Deserialize)]
struct WaitCost {
    commands: Vec<Row>,
    cgroups: Vec<Row>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    name: String,
    waits: u64,
}

fn cgroups(finished: &Finished) -> Checked {
    let objects: Vec<Value> = finished.objects()?;
    // The programs print as well.
    let summaries: Vec<&Value> = objects.iter().filter(|object| object.get("schema").is_some()).collect();
    let [live, replayed] = summaries.as_slice() else {
        return Err(format!("{} summaries; standard error: {}", summaries.len(), finished.stderr.trim()));
    };
    let error = |error: serde_json::Error| error.to_string();
    none_dropped(&from_value::<Summary>((*live).clone()).map_err(error)?)?;
    let live: Observed = from_value((*live).clone()).map_err(error)?;
    let replayed: Observed = from_value((*replayed).clone()).map_err(error)?;
    ensure(live == replayed, || format!("replayed: {replayed:?}, live: {live:?}"))?;
    let of_findings = live.findings.iter().map(|finding| (&finding.reader, &finding.cgroup_path));
    let named: Vec<_> = of_findings.chain(live.waits.iter().map(|wait| (&wait.task, &wait.cgroup_path))).collect();
    for (task, path) in &named {
        let group = GROUPS.iter().find(|(program, _)| *program == task.comm).map(|(_, group)| *group);
        ensure(group.is_some() && path.as_deref() == group, || format!("{task:?} in {path:?}, not {group:?}"))?;
    }
    for (program, group) in GROUPS {
        ensure(named.iter().any(|(task, _)| task.comm == program), || format!("nothing of {program}"))?;
        let waits = |rows: &[Row], name| rows.iter().filter(|row| row.name == name).map(|row| row.waits).sum::<u64>();
        let (of_program, of_group) = (waits(&live.wait_cost.commands, program), waits(&live.wait_cost.cgroups, group));
        ensure(of_program == of_group, || format!("{of_program} waits of {program}, {of_group} in {group}"))?;
    }
    finished.expect_code(0)?;
    Ok(format!("{} findings and waits in their groups", named.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    fn right() -> Value {
        let wait = |comm: &str, path: &str| {
            json!({
                "task": { "pid": 1, "tid": 2, "comm": comm }, "from_ns": 1, "to_ns": 2, "retries": 1,
                "cgroup_path": path,
            })
        };
        let row = |name: &str, waits: u64| json!({ "name": name, "waits": waits });
        with(&json!({
            "schema": "observer/2",
            "findings": [],
            "waits": [wait("one", "/outer/one"), wait("two", r"/outer/a\x1bb")],
            "wait_cost": {
                "commands": [row("one", 4), row("two", 5)],
                "cgroups": [row("/outer/one", 4), row(r"/outer/a\x1bb", 5)],
            },
        }))
    }

    fn ran(live: &Value, replayed: &Value) -> Checked {
        cgroups(&finished(0, &format!("{live}\n{replayed}"), ""))
    }

    #[test]
    fn everything_must_be_in_the_group_of_its_program() {
        assert!(ran(&right(), &right()).is_ok(), "{:?}", ran(&right(), &right()));
        for (pointer, value) in [
            ("/waits/0/cgroup_path", json!(null)),
            ("/waits/1/cgroup_path", json!("/outer/one")),
            ("/waits/1/task/comm", json!("three")),
            ("/waits/1", right()["waits"][0].clone()),
            ("/wait_cost/cgroups/0/name", json!("45")),
            ("/wait_cost/cgroups/1/waits", json!(4)),
        ] {
            let mut wrong = right();
            *wrong.pointer_mut(pointer).unwrap() = value;
            assert!(ran(&wrong, &wrong).is_err(), "{pointer}");
            assert!(ran(&right(), &wrong).is_err(), "{pointer}, replayed");
        }
    }
}
