//! Filters: each leaves exactly what it says, and the kernel's own counts say how much there was.

use serde_json::Value;

use super::{
    checks::{Checked, Finished, ensure, none_dropped, number},
    steps::{Era, Step},
};

/// Two zram devices. When one alone is left in the list its type is 1, which its place in the list does not tell. Then:
/// everything on it, nothing on the other that joins it (the one that came first is used first), one command of two, one control group of two, one process of two.
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
              observer record --json --pid $pid >/tmp/filters.json & seen=$!; \
              until grep -q do_swap_page /sys/kernel/tracing/enabled_functions; do sleep 1; done; sleep 2; touch /tmp/go; wait $pid; \
              /tmp/other $churn >&2; kill -INT $seen; wait $seen; cat /tmp/filters.json; \
              observer record --device nowhere; echo \"{\\\"code\\\": $?}\"; \
              for z in $a $b; do swapoff /dev/$z; echo 1 >/sys/block/$z/reset; done; rmmod zram; \
              rmdir /sys/fs/cgroup/outer/inner /sys/fs/cgroup/outer; rm -f /tmp/other /tmp/go /tmp/filters.*",
    check,
};

/// A filter: what is on, and the part of the swap-ins that it leaves.
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
    let objects = finished.objects()?;
    ensure(objects.len() == CASES.len() + 1, || {
        format!("{} objects on standard output; standard error: {}", objects.len(), finished.stderr.trim())
    })?;
    let mut told = Vec::new();
    for (object, (filter, leaves)) in objects.iter().zip(CASES) {
        told.push(one(object, filter, leaves).map_err(|wrong| format!("--{filter} ({leaves:?}): {wrong}"))?);
    }
    let refused = objects.last().map_or(Ok(0), |object| number(object, "/code"))?;
    ensure(refused == 2, || format!("a device that is not there gave exit code {refused}"))?;
    Ok(told.join(", "))
}

/// Each program of the step swaps in the same number of pages, so one of two is a half.
fn one(object: &Value, filter: &str, leaves: Leaves) -> Checked {
    none_dropped(object)?;
    let shown = object.pointer(&format!("/filters/{filter}")).and_then(Value::as_str);
    ensure(shown.is_some_and(|value| !value.is_empty()), || "not named in the output".to_owned())?;
    let (seen, kernel) = (number(object, "/swapins/seen")?, number(object, "/swapins/kernel")?);
    let right = match leaves {
        Leaves::All => seen == kernel,
        Leaves::Half => seen * 2 == kernel,
        Leaves::Nothing => seen == 0,
    };
    ensure(right && kernel >= 4_096, || format!("{seen} of {kernel} swap-ins seen"))?;
    if leaves == Leaves::All {
        // Type 1 though it is the first and only one in the list.
        let kind = number(object, "/swaps/0/kind")?;
        ensure(kind == 1, || format!("the device has type 1, told as {kind}"))?;
    }
    Ok(format!("{filter} {seen} of {kernel}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(filter: &str, seen: u64, kernel: u64) -> String {
        format!(
            r#"{{"filters":{{"{filter}":"x"}},"dropped":{{"a":0}},"swaps":[{{"kind":1}}],"swapins":{{"seen":{seen},"kernel":{kernel}}}}}"#
        )
    }

    fn ran(counts: [(u64, u64); 5], code: i32) -> Checked {
        let mut stdout: String =
            CASES.iter().zip(counts).map(|((filter, _), (seen, kernel))| object(filter, seen, kernel) + "\n").collect();
        stdout.push_str(&serde_json::json!({ "code": code }).to_string());
        check(Era::Pinned, &Finished { code: 0, stdout, stderr: String::new() })
    }

    #[test]
    fn each_filter_leaves_its_part_and_nothing_else() {
        let right = [(4096, 4096), (0, 4096), (4096, 8192), (4096, 8192), (4096, 8192)];
        assert!(ran(right, 2).is_ok(), "{:?}", ran(right, 2));
        assert!(ran(right, 0).is_err());
        for case in 0..right.len() {
            let mut wrong = right;
            wrong[case].0 += 1;
            assert!(ran(wrong, 2).is_err(), "{case}");
        }
        assert!(ran([(0, 0); 5], 2).is_err(), "nothing happened");
    }
}
