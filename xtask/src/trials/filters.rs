//! Filters: each leaves exactly the swap-ins that it selects; the kernel's counts include all.

use serde_json::{Value, from_value};

use super::{
    agreement::none_dropped,
    step::{Checked, Era, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Two zram devices. With the first one swapped off, the second one is the only swap area and has type 1. Then the
/// filters select: everything (the second device), nothing (the first device, once it is swapped on again: the other is
/// used first), one command of two, one control group of two, one process of two.
pub(super) const FILTERS: Step = Step {
    name: "filters",
    command: "churn='churn --here --pages 1024 --threads 1 --rounds 4'; cp /witness /tmp/other; \
              modprobe zram num_devices=0; add=/sys/class/zram-control/hot_add; a=zram$(cat $add); b=zram$(cat $add); \
              for z in $a $b; do echo 32M >/sys/block/$z/disksize; mkswap /dev/$z; swapon /dev/$z; done >&2; \
              swapoff /dev/$a; \
              observer record --json --device $b -- /witness $churn; \
              swapon /dev/$a; \
              observer record --json --device /dev/$a -- /witness $churn; \
              observer record --json --comm witness -- sh -c \"/witness $churn; /tmp/other $churn\"; \
              mkdir -p /sys/fs/cgroup/outer/inner; \
              observer record --json --cgroup /outer -- \
              sh -c \"(echo 0 >/sys/fs/cgroup/outer/inner/cgroup.procs; exec /witness $churn); /tmp/other $churn\"; \
              (until [ -e /tmp/go ]; do sleep 1; done; exec /witness $churn >&2) & pid=$!; \
              observer record --json --pid $pid >/tmp/filters.json 2>/tmp/filters.log & observer=$!; \
              until grep -q observing /tmp/filters.log; do kill -0 $observer || break; sleep 1; done; touch /tmp/go; \
              wait $pid; cat /tmp/filters.log >&2; \
              /tmp/other $churn >&2; kill -TERM $observer; wait $observer; cat /tmp/filters.json; \
              observer record --device nowhere; echo \"{\\\"code\\\": $?}\"; \
              for z in $a $b; do swapoff /dev/$z; echo 1 >/sys/block/$z/reset; done; rmmod zram; \
              rmdir /sys/fs/cgroup/outer/inner /sys/fs/cgroup/outer; rm -f /tmp/other /tmp/go /tmp/filters.*",
    check,
};

/// Each run's filter and the part of the swap-ins that it leaves.
const CASES: [(&str, Leaves); 5] = [
    ("device", Leaves::All),
    ("device", Leaves::Nothing),
    ("comm", Leaves::Half),
    ("cgroup", Leaves::Half),
    ("pid", Leaves::Half),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    All,
    Half,
    Nothing,
}

fn check(_era: Era, finished: &Finished) -> Checked {
    let objects: Vec<Value> = finished.objects()?;
    ensure(objects.len() == CASES.len() + 1, || {
        format!("{} objects on standard output; standard error: {}", objects.len(), finished.stderr.trim())
    })?;
    let mut seen = Vec::new();
    for (object, (filter, leaves)) in objects.iter().zip(CASES) {
        let summary = from_value(object.clone()).map_err(|error| error.to_string());
        let checked = summary.and_then(|summary| check_filter(&summary, filter, leaves));
        seen.push(checked.map_err(|wrong| format!("--{filter} ({leaves:?}): {wrong}"))?);
    }
    let code = objects.last().and_then(|object| object.get("code")?.as_u64());
    ensure(code == Some(2), || format!("a missing device gave exit code {code:?}"))?;
    Ok(seen.join(", "))
}

/// Each program of the step swaps in the same number of pages, so one of two is a half.
fn check_filter(summary: &Summary, filter: &str, leaves: Leaves) -> Checked {
    none_dropped(summary)?;
    let value = summary.filters.get(filter);
    ensure(value.is_some_and(|value| !value.is_empty()), || "the filter is not in the summary".to_owned())?;
    let (seen, kernel) = (summary.swapins.seen, summary.swapins.kernel.ok_or("the kernel's count is missing")?);
    let right = match leaves {
        Leaves::All => seen == kernel,
        Leaves::Half => seen * 2 == kernel,
        Leaves::Nothing => seen == 0,
    };
    ensure(right && kernel >= 4_096, || format!("{seen} of {kernel} swap-ins seen"))?;
    if leaves == Leaves::All {
        let kind = summary.swaps.first().map(|swap| swap.kind);
        ensure(kind == Some(1), || format!("the only swap area has type {kind:?}, not 1"))?;
    }
    Ok(format!("{filter} {seen} of {kernel}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::summary::example::with;

    fn ran(counts: [(u64, u64); 5], code: i32) -> Checked {
        let summary = |((filter, _), (seen, kernel)): (&(&str, Leaves), (u64, u64))| {
            let swapins = json!({ "seen": seen, "kernel": kernel });
            with(&json!({ "filters": { *filter: "x" }, "swaps": [{ "kind": 1 }], "swapins": swapins })).to_string()
                + "\n"
        };
        let stdout: String = CASES.iter().zip(counts).map(summary).collect();
        let stdout = stdout + &json!({ "code": code }).to_string();
        check(Era::Pinned, &Finished { code: 0, stdout, stderr: String::new() })
    }

    #[test]
    fn each_filter_must_leave_exactly_its_part() {
        let right = [(4096, 4096), (0, 4096), (4096, 8192), (4096, 8192), (4096, 8192)];
        assert!(ran(right, 2).is_ok(), "{:?}", ran(right, 2));
        assert!(ran(right, 0).is_err());
        for case in 0..right.len() {
            let mut wrong = right;
            wrong[case].0 += 1;
            assert!(ran(wrong, 2).is_err(), "{case}");
        }
        assert!(ran([(0, 0); 5], 2).is_err(), "no swap-ins");
    }
}
