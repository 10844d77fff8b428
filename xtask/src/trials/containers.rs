//! Inside a container: namespaces in which numbers, clocks and paths differ from those of the kernel. `witness contain`
//! makes it as container engines do with `--privileged`.

use super::{
    agreement::{counts_agree, none_dropped},
    host::{refused, self_test},
    race::targeted_rounds,
    step::{Checked, Era, Finished, Step, ensure},
    witness::Churn,
};
use crate::output::{doctor::Doctor, summary::Summary};

/// In a PID namespace the command has another number than the programs see. In a cgroup namespace `/` is the group of the
/// container.
pub(super) const CONTAINED_COUNTS: Step = Step {
    name: "contained-counts",
    command: "box=/sys/fs/cgroup/box; mkdir $box; (echo 0 >$box/cgroup.procs; \
              exec /witness contain --with host-dev observer record --json --cgroup / -- \
              /witness churn --pages 1024 --threads 4 --rounds 4 --shared); code=$?; rmdir $box; exit $code",
    check: |_, finished| counts(finished),
};

/// Also in a time namespace: the clock of the container is a day ahead. With debugfs and tracefs, as `daemonset.yaml` has it,
/// the same hooks are used as outside.
pub(super) const CONTAINED_TARGETED: Step = Step {
    name: "contained-targeted",
    command: "/witness contain --with debugfs,tracefs --ahead 86400 observer stress targeted --rounds 20 --json",
    check: |era, finished| targeted_rounds(era, 20, finished),
};

/// Kprobes and their return probes without tracefs, and a clock that is behind.
pub(super) const CONTAINED_KPROBES: Step = Step {
    name: "contained-kprobes",
    command: "/witness contain --with host-dev --ahead -20 observer record --backend kprobe --json -- \
              /witness thread-exec /witness churn --pages 1024 --threads 1 --rounds 2",
    check: |_, finished| counts(finished),
};

/// In a user namespace the kernel does not honour capabilities for eBPF.
pub(super) const CONTAINED_USER: Step = Step {
    name: "contained-user",
    command: "unshare -U -r observer record --duration 1s",
    check: |_, finished| refused(finished, "user namespace"),
};

/// Without `--privileged` no swap device can be set up. Reading `hot_add` would add one that cannot be removed.
pub(super) const CONTAINED_READ_ONLY: Step = Step {
    name: "contained-read-only",
    command: "modprobe zram num_devices=0; \
              /witness contain --with read-only-sys observer stress targeted --rounds 4; code=$?; \
              ls /sys/block | grep zram; rmmod zram; exit $code",
    check: |_, finished| read_only(finished),
};

pub(super) const CONTAINED_SELF_TEST: Step = Step {
    name: "contained-self-test",
    command: "/witness contain observer doctor --self-test --json",
    check: |_, finished| self_test(finished),
};

/// Without `--privileged`: two capabilities and a read-only /sys. A program outside swaps in.
pub(super) const CONTAINED_SERVE: Step = Step {
    name: "contained-serve",
    command: "paranoid=/proc/sys/kernel/perf_event_paranoid; echo 2 >$paranoid; \
              /witness contain --with read-only-sys /witness service /bin/observer serve --listen 127.0.0.1:9842 >&2 & \
              pid=$!; url=http://127.0.0.1:9842; \
              until wget -q -O /dev/null $url/metrics; do kill -0 $pid || exit 1; sleep 1; done; \
              /witness churn --pages 1024 --threads 1 --rounds 2 >&2; sleep 3; wget -q -O - $url/metrics; \
              killall -TERM observer; wait $pid; code=$?; echo 3 >$paranoid; exit $code",
    check: |_, finished| serve(finished),
};

/// Swap that was switched on outside has a path that the container does not have. Its device is found in sysfs: by
/// `--device`, and by the judgement whether the race is possible. A process of the container cannot be named.
pub(super) const CONTAINED_DEVICE: Step = Step {
    name: "contained-device",
    command: "modprobe zram num_devices=0; z=zram$(cat /sys/class/zram-control/hot_add); \
              echo 32M >/sys/block/$z/disksize; mkswap /dev/$z >&2; swapon /dev/$z; \
              /witness contain observer record --json --device $z -- \
              /witness churn --here --pages 1024 --threads 1 --rounds 2; \
              /witness contain observer doctor --json; \
              for filter in '--device nowhere' '--pid 1'; do \
              /witness contain observer record --json --duration 1s $filter; echo \"{\\\"code\\\": $?}\"; done; \
              /witness contain --with host-pid observer record --json --duration 1s --pid $$; \
              swapoff /dev/$z; echo 1 >/sys/block/$z/reset; rmmod zram",
    check: device,
};

fn counts(finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let own = finished.on_stderr::<Churn>()?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    ensure(own.corrupt == 0, || format!("{} pages with wrong contents", own.corrupt))?;
    ensure(seen == own.pswpin, || format!("{seen} swap-ins seen, {} by the witness's count", own.pswpin))?;
    ensure(seen >= 1_024, || format!("only {seen} swap-ins seen"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins, all seen"))
}

fn read_only(finished: &Finished) -> Checked {
    let left = finished.stdout.trim();
    ensure(left.is_empty(), || format!("left behind: {left}"))?;
    refused(finished, "/sys is read-only")
}

fn serve(finished: &Finished) -> Checked {
    let own = finished.on_stderr::<Churn>()?.pswpin;
    let count = |path: &str| {
        let sample = format!("observer_swapins_total{{path=\"{path}\"}}");
        let value = finished.stdout.lines().find_map(|line| line.strip_prefix(&sample));
        value.and_then(|value| value.trim().parse::<u64>().ok()).ok_or_else(|| format!("the page has no {sample}"))
    };
    let seen = count("direct")? + count("cached")?;
    finished.expect_code(0)?;
    ensure(seen == own && own > 0, || format!("{seen} swap-ins exported, {own} by the witness's count"))?;
    Ok(format!("{own} swap-ins exported"))
}

fn device(era: Era, finished: &Finished) -> Checked {
    let objects: Vec<serde_json::Value> = finished.objects()?;
    let [record, doctor, no_device, no_pid, host_pid] = objects.as_slice() else {
        return Err(format!("{} objects; standard error: {}", objects.len(), finished.stderr.trim()));
    };
    let read = |error: serde_json::Error| error.to_string();
    let summary: Summary = serde_json::from_value(record.clone()).map_err(read)?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    ensure(seen >= 1_024, || format!("only {seen} swap-ins seen"))?;
    let doctor: Doctor = serde_json::from_value(doctor.clone()).map_err(read)?;
    let reachable = if era == Era::NoBypass { "no" } else { "yes" };
    ensure(doctor.race.reachable == reachable, || format!("race: {:?}", doctor.race))?;
    for (filter, object) in [("--device nowhere", no_device), ("--pid 1", no_pid)] {
        let code = object.get("code").and_then(serde_json::Value::as_u64);
        ensure(code == Some(2), || format!("{filter}: exit code {code:?}"))?;
    }
    let summary: Summary = serde_json::from_value(host_pid.clone()).map_err(read)?;
    ensure(summary.filters.contains_key("pid"), || "no filter by process in the host's PID namespace".to_owned())?;
    Ok(format!("{seen} swap-ins on a device that was switched on outside"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    #[test]
    fn a_command_that_was_not_watched_fails_the_step() {
        let ran = |seen: u64, own: u64| {
            let summary = with(&json!({ "swapins": { "seen": seen, "kernel": own } })).to_string();
            let witness = json!({ "pswpin": own, "out": own, "corrupt": 0 }).to_string();
            counts(&finished(0, &summary, &witness))
        };
        assert!(ran(1_024, 1_024).is_ok(), "{:?}", ran(1_024, 1_024));
        assert!(ran(0, 1_024).is_err());
        assert!(ran(0, 0).is_err());
    }

    #[test]
    fn a_device_that_is_left_behind_fails_the_step() {
        let message = "because: /sys is read-only here\n to do: run it on the host";
        assert!(read_only(&finished(3, "", message)).is_ok());
        assert!(read_only(&finished(3, "zram0\n", message)).is_err());
        assert!(read_only(&finished(20, "", message)).is_err());
    }

    #[test]
    fn the_exporter_must_count_what_the_witness_counts() {
        let page = |direct: u64| {
            format!("observer_swapins_total{{path=\"direct\"}} {direct}\nobserver_swapins_total{{path=\"cached\"}} 0\n")
        };
        let witness = json!({ "pswpin": 9, "out": 9, "corrupt": 0 }).to_string();
        assert!(serve(&finished(0, &page(9), &witness)).is_ok());
        assert!(serve(&finished(0, &page(8), &witness)).is_err());
        assert!(serve(&finished(0, "", &witness)).is_err());
    }
}
