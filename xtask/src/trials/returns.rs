//! Return probes see every end of a fault, leave nothing behind, and where they cannot, it is reported.

use serde_json::Value;

use super::{
    agreement::{counts_agree, none_dropped},
    step::{Checked, Era, Finished, Step, ensure},
};
use crate::output::{doctor::Doctor, summary::Summary};

/// More tasks in faults than a return probe has instances by default.
pub(super) const KPROBE_ENDS: Step = Step {
    name: "kprobe-ends",
    command: "observer record --backend kprobe --json -- /witness churn --pages 8192 --threads 16 --rounds 4",
    check: |_, finished| every_end_seen(finished),
};

/// A thousand tasks inside `do_swap_page` at the same moment, where reads from zram can be held up: up to 6.2 they do not
/// pass the queue of its device.
pub(super) const KPROBE_CROWD: Step = Step {
    name: "kprobe-crowd",
    command: "observer record --backend kprobe --json -- /witness crowd --threads 1000 --rounds 1",
    check: crowd_inside,
};

/// An observer that is killed leaves its event behind, and the next one removes it: the numbers of events before, after
/// the kill and at the end.
pub(super) const KILLED: Step = Step {
    name: "killed",
    command: "count() { grep -c :observer/ /sys/kernel/tracing/kprobe_events; }; count; \
              observer record --backend kprobe --json >/dev/null & \
              for i in $(seq 100); do [ $(count) = 0 ] || break; sleep 0.1; done; sleep 1; \
              kill -9 $!; wait $!; count; \
              observer record --backend kprobe --json --duration 1s >/dev/null; count; true",
    check: killed,
};

/// Without tracefs in the file system, which observer then mounts for itself.
pub(super) const NO_TRACEFS: Step = Step {
    name: "no-tracefs",
    command: "umount /sys/kernel/tracing; \
              observer record --backend kprobe --json -- /witness churn --pages 2048 --threads 16 --rounds 2; code=$?; \
              mount -t tracefs tracefs /sys/kernel/tracing; exit $code",
    check: |_, finished| every_end_seen(finished),
};

/// With tracefs read-only.
pub(super) const FEW_INSTANCES: Step = Step {
    name: "few-instances",
    command: "mount -o remount,ro /sys/kernel/tracing; observer doctor --json --backend kprobe; code=$?; \
              mount -o remount,rw /sys/kernel/tracing; exit $code",
    check: few_instances,
};

fn every_end_seen(finished: &Finished) -> Checked {
    let summary: Summary = finished.summary()?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    let (started, ended) = (summary.faults.started, summary.faults.ended);
    ensure(started == ended && ended > 0, || format!("{started} faults started, {ended} ended"))?;
    finished.expect_code(summary.clean_code())?;
    Ok(format!("{seen} swap-ins by {ended} faults, every end seen"))
}

fn crowd_inside(era: Era, finished: &Finished) -> Checked {
    let seen = every_end_seen(finished)?;
    let witness: Value = finished.on_stderr()?;
    let inside = witness.get("inside").and_then(Value::as_u64).unwrap_or(0);
    let can_be_held = era != Era::Unfixed && !finished.summary()?.kernel.release.starts_with("6.1.");
    ensure(inside >= 1_000 || !can_be_held, || format!("only {inside} tasks were inside at once"))?;
    Ok(format!("{seen}; {inside} tasks inside at once"))
}

fn killed(_era: Era, finished: &Finished) -> Checked {
    let counts: Vec<&str> = finished.stdout.split_whitespace().collect();
    let [before, killed, after] = counts.as_slice() else { return Err(format!("numbers of events: {counts:?}")) };
    ensure(*before == "0" && *killed != "0", || format!("{before} events before, {killed} after the kill"))?;
    ensure(*after == "0", || format!("{after} of {killed} events are left"))?;
    Ok(format!("{killed} events left by the kill, and removed"))
}

fn few_instances(_era: Era, finished: &Finished) -> Checked {
    let value: Value = finished.json()?;
    let doctor: Doctor = finished.json()?;
    let cause = value.pointer("/trial/no_return_events").and_then(Value::as_str);
    ensure(cause == Some("read_only"), || format!("return probes: {cause:?}"))?;
    let reported = doctor.kernel.degraded.iter().any(|gap| gap.meaning == "fault_end");
    ensure(reported, || "the end of faults is not reported as degraded".to_owned())?;
    Ok("reported as degraded".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    #[test]
    fn every_started_fault_must_end() {
        let ran = |started: u64, ended: u64, missed: u64| {
            let summary = with(&json!({ "swapins": { "seen": 9, "kernel": 9 },
                "faults": { "started": started, "ended": ended }, "dropped": { "fault_end_missed": missed } }));
            every_end_seen(&finished(0, &summary.to_string(), ""))
        };
        assert!(ran(9, 9, 0).is_ok(), "{:?}", ran(9, 9, 0));
        assert!(ran(9, 8, 0).is_err());
        assert!(ran(9, 8, 1).unwrap_err().contains("dropped"));
        assert!(ran(0, 0, 0).is_err());
    }

    #[test]
    fn a_kill_must_leave_events_and_the_next_observer_none() {
        let ran = |counts: &str| killed(Era::Unfixed, &finished(0, counts, ""));
        assert!(ran("0\n1\n0\n").is_ok());
        assert!(ran("0\n0\n0\n").is_err(), "the observer was not there yet");
        assert!(ran("0\n1\n1\n").is_err());
        assert!(ran("0\n1\n").is_err());
    }
}
