//! A read of a swap device that takes many seconds.

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::step::{Checked, Era, Finished, Step, ensure};

/// The control group of the tasks reads 512 bytes per second, so each of two pages takes eight seconds. Two threads fault on them: one
/// reads, the other waits. The first observation ends before the read does, the second one sees its end.
pub(super) const STALL: Step = Step {
    name: "stall",
    command: "case $(uname -r) in 6.1.*) exit 77;; esac; \
              churn='churn --here --pages 2 --threads 2 --shared --rounds 1'; slow=/sys/fs/cgroup/slow; \
              modprobe zram num_devices=0; z=zram$(cat /sys/class/zram-control/hot_add); \
              echo 32M >/sys/block/$z/disksize; mkswap /dev/$z >&2; swapon /dev/$z; \
              echo +io >/sys/fs/cgroup/cgroup.subtree_control; mkdir -p $slow; \
              echo $(cat /sys/block/$z/dev) rbps=512 >$slow/io.max; \
              observer record --json --budget 1s --duration 6s >/tmp/stall.json 2>/tmp/stall.log & observer=$!; \
              until grep -q observing /tmp/stall.log; do kill -0 $observer || break; sleep 1; done; \
              (echo 0 >$slow/cgroup.procs; exec /witness $churn) >&2 & pid=$!; \
              wait $observer; echo \"{\\\"code\\\": $?}\"; cat /tmp/stall.json; wait $pid; \
              observer record --json --budget 1s -- \
              sh -c \"echo 0 >$slow/cgroup.procs; exec /witness $churn\"; echo \"{\\\"code\\\": $?}\"; \
              swapoff /dev/$z; echo 1 >/sys/block/$z/reset; rmmod zram; rmdir $slow; rm -f /tmp/stall.json /tmp/stall.log",
    check,
};

/// Of a summary.
#[derive(Debug, Deserialize)]
struct Summary {
    stalled: Stalled,
    waits: Vec<Wait>,
}

#[derive(Debug, Deserialize)]
struct Stalled {
    faults: u64,
    longest: Vec<Task>,
    over_budget: u64,
}

#[derive(Debug, Deserialize)]
struct Task {
    for_ns: u64,
    waits_for: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Wait {
    from_ns: u64,
    to_ns: u64,
}

const SECOND: u64 = 1_000_000_000;
/// Exit code where a wait exceeded the budget.
const OVER_BUDGET: u64 = 11;

/// Exit code of the command where a group cannot be slowed down: before 6.3 zram is read without a bio.
const NOT_SLOW: i32 = 77;

fn check(era: Era, finished: &Finished) -> Checked {
    if finished.code == NOT_SLOW {
        return Ok("reads of zram cannot be slowed down on this kernel".to_owned());
    }
    let objects: Vec<Value> = finished.objects()?;
    let [first_code, first, second, second_code] = &objects[..] else {
        return Err(format!("{} objects; standard error: {}", objects.len(), finished.stderr.trim()));
    };
    let code = |object: &Value| object.get("code").and_then(Value::as_u64);
    let summary = |object: &Value| from_value::<Summary>(object.clone()).map_err(|error| error.to_string());
    let (during, after) = (summary(first)?, summary(second)?);
    let longest = during.stalled.longest.iter().map(|task| task.for_ns).max().unwrap_or(0);
    ensure(during.stalled.faults > 0 && longest > SECOND, || format!("no stall of the read: {:?}", during.stalled))?;
    let length = after.waits.iter().map(|wait| wait.to_ns - wait.from_ns).max().unwrap_or(0);
    ensure(after.stalled.faults == 0, || format!("stalls after the end: {:?}", after.stalled))?;
    // A wait for a pin is reported as far as it went; a wait for the folio lock is part of a fault that has not ended.
    let waits = match era {
        Era::NoBypass => during.stalled.longest.iter().filter(|task| task.waits_for.is_some()).count(),
        _ => during.waits.len(),
    };
    ensure(waits > 0, || format!("no wait that lasts: {during:?}"))?;
    ensure(era != Era::NoBypass || during.stalled.over_budget > 0, || format!("within the budget: {during:?}"))?;
    ensure(code(first_code) == Some(OVER_BUDGET), || format!("exit code {first_code} during the stall"))?;
    ensure(length > 6 * SECOND, || format!("the longest wait took {length} ns"))?;
    ensure(code(second_code) == Some(OVER_BUDGET), || format!("exit code {second_code} after the stall"))?;
    Ok(format!("a stall of {} s during it, a wait of {} s after it", longest / SECOND, length / SECOND))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ran(era: Era, during: &Value, codes: (u64, u64), wait_s: u64) -> Checked {
        let after = json!({
            "stalled": { "faults": 0, "longest": [], "over_budget": 0 },
            "waits": [{ "from_ns": 5, "to_ns": 5 + wait_s * SECOND }],
        });
        let objects = [json!({ "code": codes.0 }), during.clone(), after, json!({ "code": codes.1 })];
        let stdout = objects.map(|object| object.to_string()).join("\n");
        check(era, &Finished { code: 0, stdout, stderr: String::new() })
    }

    fn during(faults: u64, waits_for: Option<&str>, over_budget: u64, waits: &[u64]) -> Value {
        let longest = json!([
            { "for_ns": 4 * SECOND, "waits_for": null },
            { "for_ns": 3 * SECOND, "waits_for": waits_for },
        ]);
        let waits: Vec<_> = waits.iter().map(|to_ns| json!({ "from_ns": 0, "to_ns": to_ns })).collect();
        json!({ "stalled": { "faults": faults, "longest": longest, "over_budget": over_budget }, "waits": waits })
    }

    #[test]
    fn a_stall_must_be_reported_during_it_and_after_it() {
        let pinned = |during: &Value, codes, wait_s| ran(Era::Pinned, during, codes, wait_s);
        let right = during(1, None, 0, &[4]);
        assert!(pinned(&right, (11, 11), 8).is_ok(), "{:?}", pinned(&right, (11, 11), 8));
        assert!(pinned(&during(0, None, 0, &[4]), (11, 11), 8).is_err());
        assert!(pinned(&during(1, None, 0, &[]), (11, 11), 8).is_err());
        assert!(pinned(&right, (0, 11), 8).is_err());
        assert!(pinned(&right, (11, 0), 8).is_err());
        assert!(pinned(&right, (11, 11), 5).is_err());
        let cached = |during: &Value| ran(Era::NoBypass, during, (11, 11), 8);
        assert!(cached(&during(2, Some("folio_lock"), 1, &[])).is_ok());
        assert!(cached(&during(2, Some("folio_lock"), 0, &[])).is_err());
        assert!(cached(&during(2, None, 1, &[4])).is_err());
    }
}
