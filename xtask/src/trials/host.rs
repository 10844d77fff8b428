//! What observer reports about a host, what it refuses, and what it leaves behind.

use serde_json::Value;

use super::{
    agreement::none_dropped,
    step::{Checked, Era, Finished, Step, ensure},
};
use crate::output::{
    doctor::{Doctor, Race},
    summary::State,
};

pub(super) const DOCTOR: Step = Step { name: "doctor", command: "observer doctor --json", check: doctor };

/// With all kernel addresses hidden.
pub(super) const SELF_TEST: Step = Step {
    name: "self-test",
    command: "echo 2 >/proc/sys/kernel/kptr_restrict; observer doctor --self-test --json; code=$?; \
              echo 0 >/proc/sys/kernel/kptr_restrict; exit $code",
    check: self_test_without_addresses,
};

pub(super) const LEAN_SELF_TEST: Step = Step {
    name: "lean-self-test",
    command: "observer doctor --self-test --hooks lean --json",
    check: |_, finished| self_test(finished),
};

/// Swap on a loop device only: there the swap cache is never skipped.
pub(super) const DISK_SWAP: Step = Step {
    name: "disk-swap",
    command: "modprobe loop; truncate -s 16M /tmp/disk; losetup /dev/loop0 /tmp/disk; mkswap /dev/loop0 >&2; \
              swapon /dev/loop0; observer doctor --self-test --json; code=$?; \
              swapoff /dev/loop0; losetup -d /dev/loop0; rm /tmp/disk; rmmod loop; exit $code",
    check: disk_swap,
};

pub(super) const ZSWAP: Step = Step {
    name: "zswap",
    command: "echo 1 >/sys/module/zswap/parameters/enabled; observer doctor --self-test --json; code=$?; \
              echo 0 >/sys/module/zswap/parameters/enabled; exit $code",
    check: zswap,
};

pub(super) const NO_KPROBES: Step = Step {
    name: "no-kprobes",
    command: "echo 0 >/sys/kernel/debug/kprobes/enabled; observer record --backend kprobe; code=$?; \
              echo 1 >/sys/kernel/debug/kprobes/enabled; exit $code",
    check: |_, finished| refused(finished, "kprobes are switched off"),
};

/// Without ftrace hooks are refused, or never run.
pub(super) const NO_FTRACE: Step = Step {
    name: "no-ftrace",
    command: "echo 0 >/proc/sys/kernel/ftrace_enabled; observer record; code=$?; \
              echo 1 >/proc/sys/kernel/ftrace_enabled; exit $code",
    check: |_, finished| refused(finished, "kernel.ftrace_enabled is 0"),
};

pub(super) const ATTACHES: Step =
    Step { name: "attaches", command: "observer record --json --duration 1s", check: |_, finished| attaches(finished) };

pub(super) const ATTACHES_KPROBES: Step = Step {
    name: "attaches-kprobes",
    command: "observer record --json --duration 1s --backend kprobe",
    check: attaches_kprobes,
};

/// With lockdown=confidentiality kprobe programs may not read kernel memory.
pub(super) const REFUSES_KPROBES: Step = Step {
    name: "refuses-kprobes",
    command: "observer record --backend kprobe",
    check: |_, finished| refused(finished, "may not copy kernel memory"),
};

pub(super) const FAILING_COMMAND: Step =
    Step { name: "failing-command", command: "observer record --json -- false", check: failing_command };

pub(super) const NO_SUCH_COMMAND: Step =
    Step { name: "no-such-command", command: "observer record --json -- /no/such", check: failing_command };

/// The time limit ends before the command does.
pub(super) const CUT_SHORT: Step =
    Step { name: "cut-short", command: "observer record --json --duration 1s -- sleep 60", check: cut_short };

pub(super) const NOT_ROOT: Step = Step {
    name: "not-root",
    command: "mkdir -p /etc; echo user:x:1000:1000::/:/bin/sh >/etc/passwd; \
              start-stop-daemon -S -c user -x /bin/observer -- record",
    check: |_, finished| refused(finished, "user 1000"),
};

pub(super) const NO_BTF: Step = Step {
    name: "no-btf",
    command: "touch /tmp/empty; mount -o bind /tmp/empty /sys/kernel/btf/vmlinux; observer record; code=$?; \
              umount /sys/kernel/btf/vmlinux; exit $code",
    check: |_, finished| refused(finished, "/sys/kernel/btf/vmlinux"),
};

/// A hierarchy of cgroup v1 beside that of v2, as systemd's hybrid mode has it. The JSON object before it is mounted, and
/// with it: text on standard error, JSON, trace.
pub(super) const CGROUP_V1: Step = Step {
    name: "cgroup-v1",
    command: "observer record --json --duration 1s; mkdir /tmp/v1; mount -t cgroup -o none,name=old none /tmp/v1; \
              observer record --duration 1s -o /tmp/v1.obs >&2; umount /tmp/v1; rmdir /tmp/v1; \
              for format in json perfetto; do observer report --format $format /tmp/v1.obs; done; rm -f /tmp/v1.obs",
    check: cgroup_v1,
};

/// The workload refuses to run with other swap in use. The witness leaves the module loaded without a device, so a
/// device is added.
pub(super) const OTHER_SWAP: Step = Step {
    name: "other-swap",
    command: "modprobe zram num_devices=0; zram=zram$(cat /sys/class/zram-control/hot_add); \
              echo 16M >/sys/block/$zram/disksize; mkswap /dev/$zram >&2; swapon /dev/$zram; \
              observer stress targeted --json; code=$?; grep -c $zram /proc/swaps >&2; \
              swapoff /dev/$zram; echo 1 >/sys/block/$zram/reset; rmmod zram; exit $code",
    check: other_swap,
};

/// The last step: no program, no swap and no device is left.
pub(super) const NOTHING_LEFT: Step = Step {
    name: "nothing-left",
    command: "tail -n +2 /proc/swaps; ls -d /sys/block/zram* 2>/dev/null; cat /sys/kernel/debug/kprobes/list; \
              cat /sys/kernel/tracing/enabled_functions /sys/kernel/tracing/kprobe_events; true",
    check: nothing_left,
};

fn doctor(era: Era, finished: &Finished) -> Checked {
    let doctor: Doctor = finished.json()?;
    let state = doctor.kernel.state.ok_or("the state is unknown")?;
    let is_expected = match era {
        Era::Unfixed => state == State::Vulnerable,
        Era::Pinned | Era::LockedDown | Era::Integrity => state.is_pinned(),
        Era::NoBypass => state == State::NoBypass,
    };
    ensure(is_expected, || format!("state: {state:?}"))?;
    // No swap is in use yet, which does not make the kernel less vulnerable.
    is_unreachable(era, &doctor.race, "no_swap_area")?;
    let race = &doctor.race;
    let vulnerable = if era == Era::Unfixed { "yes" } else { "no" };
    let facts_hold = race.vulnerable == vulnerable && race.observed == "not_observed";
    ensure(facts_hold, || format!("race: {race:?}"))?;
    finished.expect_code(0)?;
    Ok(state.text().to_owned())
}

/// Without a synchronous swap device the race is not reachable; on a kernel without the bypass devices do not matter.
fn is_unreachable(era: Era, race: &Race, reason: &str) -> Result<(), String> {
    let reason = if era == Era::NoBypass { "no_bypass" } else { reason };
    let as_expected = race.reachable == "no" && race.data_loss == "no" && race.reason == reason;
    ensure(as_expected, || format!("race: {race:?}"))
}

fn self_test_without_addresses(_era: Era, finished: &Finished) -> Checked {
    let doctor: Doctor = finished.json()?;
    let is_hidden = doctor.facts.symbols.map(|symbols| symbols.addresses_hidden);
    ensure(is_hidden == Some(true), || format!("addresses_hidden: {is_hidden:?}"))?;
    self_test(finished)
}

/// The race is not reachable, and the self-test passes on its own device.
fn disk_swap(era: Era, finished: &Finished) -> Checked {
    let doctor: Doctor = finished.json()?;
    is_unreachable(era, &doctor.race, "no_synchronous_device")?;
    self_test(finished)
}

fn zswap(_era: Era, finished: &Finished) -> Checked {
    let doctor: Doctor = finished.json()?;
    let zswap = doctor.facts.memory.zswap;
    ensure(zswap.as_deref() == Some("on"), || format!("zswap: {zswap:?}"))?;
    self_test(finished)
}

pub(super) fn self_test(finished: &Finished) -> Checked {
    let doctor: Doctor = finished.json()?;
    let test = doctor.self_test.ok_or("no self-test was run")?;
    ensure(test.passed, || format!("self-test failed; standard error: {}", finished.stderr.trim()))?;
    finished.expect_code(0)?;
    Ok(format!("{} pages out and in, all seen", test.pages))
}

/// On a locked-down kernel no module can be loaded, so nothing is swapped.
fn attaches(finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    none_dropped(&summary)?;
    finished.expect_code(0)?;
    let kernel = &summary.kernel;
    let has_both = kernel.is_hooked("fault_start") && kernel.is_hooked("fault_end");
    ensure(has_both, || format!("hooks: {:?}", kernel.hooks))?;
    Ok(format!("{} hooks, {} degraded", kernel.hooks.len(), kernel.degraded.len()))
}

fn attaches_kprobes(_era: Era, finished: &Finished) -> Checked {
    let seen = attaches(finished)?;
    let hooks = finished.summary()?.kernel.hooks;
    ensure(hooks.iter().all(|hook| hook.backend.is_kprobe()), || format!("hooks: {hooks:?}"))?;
    Ok(seen)
}

/// A failing command makes the exit code 30, and the summary is printed.
fn failing_command(_era: Era, finished: &Finished) -> Checked {
    let command = finished.summary()?.command.ok_or("command is missing")?;
    let code = command.code.ok_or("command.code is missing")?;
    ensure(code != 0, || "the summary has exit code 0 for the command".to_owned())?;
    finished.expect_code(30)?;
    Ok(format!("the command's exit code {code} makes the exit code 30"))
}

/// A command that observer ends has not failed.
fn cut_short(_era: Era, finished: &Finished) -> Checked {
    let command = finished.summary()?.command.ok_or("command is missing")?;
    ensure(command.cut_short, || "command.cut_short is false".to_owned())?;
    finished.expect_code(0)?;
    Ok("a command that observer ended is not a failure".to_owned())
}

/// Exit code 3 and a message with reason and remedy.
pub(super) fn refused(finished: &Finished, because: &str) -> Checked {
    finished.expect_code(3)?;
    let message = &finished.stderr;
    ensure(message.contains(because) && message.contains("to do:"), || format!("no reason or no remedy: {message}"))?;
    Ok("refused, with reason and remedy".to_owned())
}

fn cgroup_v1(_era: Era, finished: &Finished) -> Checked {
    let objects: Vec<Value> = finished.objects()?;
    let [before, json, trace] = objects.as_slice() else {
        return Err(format!("{} objects; standard error: {}", objects.len(), finished.stderr.trim()));
    };
    let mode = |object: &Value, notes: &str| {
        let notes = object.pointer(notes)?.as_array()?;
        let note = notes.iter().find(|note| note.get("code").is_some_and(|code| code == "cgroup_v1"))?;
        Some(note.get("mode")?.as_str()?.to_owned())
    };
    let modes = [mode(before, "/notes"), mode(json, "/notes"), mode(trace, "/otherData/notes")];
    let hybrid = Some("hybrid".to_owned());
    ensure(modes == [None, hybrid.clone(), hybrid], || format!("notes: {modes:?}"))?;
    // Lines may be wrapped.
    let text = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure(text.contains("by control group: cgroup v1"), || format!("no note: {text}"))?;
    Ok("noted in text, JSON and trace".to_owned())
}

/// The other swap is still in use afterwards.
fn other_swap(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stderr.lines().any(|line| line == "1"), || format!("the other swap is off: {}", finished.stderr))?;
    refused(finished, "other swap is in use")
}

fn nothing_left(_era: Era, finished: &Finished) -> Checked {
    let left = finished.stdout.trim();
    ensure(left.is_empty(), || format!("left behind: {left}"))?;
    Ok("no swap, no device, no probe".to_owned())
}

/// The JSON of `doctor`, for tests.
#[cfg(test)]
pub(super) fn example() -> Value {
    serde_json::json!({
        "kernel": { "state": "pinned_wait_queue", "degraded": [],
            "hooks": [{ "meaning": "fault_start", "backend": "fentry" }, { "meaning": "fault_end", "backend": "fexit" }] },
        "race": { "vulnerable": "no", "reachable": "no", "observed": "not_observed", "reason": "no_swap_area",
            "data_loss": "no" },
        "facts": { "symbols": { "addresses_hidden": false }, "memory": { "zswap": "off" } },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};

    #[test]
    fn a_refusal_needs_reason_and_remedy() {
        let check = |code, stderr| (NOT_ROOT.check)(Era::Pinned, &finished(code, "", stderr));
        assert!(check(3, "because: it runs as user 1000\n to do: sudo").is_ok());
        assert!(check(3, "because: it runs as user 1000").is_err());
        assert!(check(1, "user 1000 to do: sudo").is_err());
    }

    #[test]
    fn a_hierarchy_of_v1_must_be_noted_in_every_format_and_only_then() {
        let note = json!([{ "code": "faults_timed" }, { "code": "cgroup_v1", "mode": "hybrid" }]);
        let ran = |before: &Value, json: &Value, trace: &Value, text| {
            let objects =
                [json!({ "notes": before }), json!({ "notes": json }), json!({ "otherData": { "notes": trace } })];
            cgroup_v1(Era::Pinned, &finished(0, &objects.map(|object| object.to_string()).concat(), text))
        };
        let (none, text) = (json!([]), "by control group:\n  cgroup v1 is");
        assert!(ran(&none, &note, &note, text).is_ok(), "{:?}", ran(&none, &note, &note, text));
        assert!(ran(&note, &note, &note, text).is_err());
        assert!(ran(&none, &none, &note, text).is_err());
        assert!(ran(&none, &note, &none, text).is_err());
        assert!(ran(&none, &note, &note, "").is_err());
    }

    fn finished_with(json: &Value) -> Finished {
        finished(0, &json.to_string(), "")
    }

    #[test]
    fn the_state_must_be_that_of_the_era() {
        let finished = finished_with(&example());
        assert!(doctor(Era::Pinned, &finished).is_ok(), "{:?}", doctor(Era::Pinned, &finished));
        assert!(doctor(Era::Unfixed, &finished).is_err());
        assert!(doctor(Era::NoBypass, &finished).is_err());
        let mut wrong = example();
        wrong["race"]["vulnerable"] = json!("yes");
        assert!(doctor(Era::Pinned, &finished_with(&wrong)).is_err());
    }
}
