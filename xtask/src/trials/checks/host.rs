//! What a host is told to be, what is refused on it, and what is left of the observer afterwards.

use serde_json::Value;

use super::{Checked, Finished, ensure, none_dropped, number};
use crate::trials::steps::Era;

/// The kernel's state, in the words of the contract.
pub fn doctor(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let state = value.pointer("/kernel/state").and_then(Value::as_str).ok_or("no kernel.state")?;
    let right = match era {
        Era::Unfixed => state == "unfixed: ABA possible",
        Era::Pinned | Era::LockedDown | Era::Integrity => state.starts_with("pinned"),
        Era::NoBypass => state == "no bypass",
    };
    ensure(right, || format!("state: {state}"))?;
    // There is no swap yet.
    race(era, &value, "no swap area is in use")?;
    finished.expect_code(0)?;
    Ok(state.to_owned())
}

/// Where no device reads synchronously, no page can be lost; why is told. Without the bypass devices do not matter.
fn race(era: Era, value: &Value, because: &str) -> Result<(), String> {
    let race = value.get("race").ok_or("no race")?;
    let told = |name: &str| race.get(name).and_then(Value::as_str).unwrap_or_default();
    let because = if era == Era::NoBypass { "closed by design" } else { because };
    ensure(told("answer") == "no" && told("reason").contains(because), || format!("race: {race}"))
}

/// What `doctor --self-test` found where every address is hidden.
pub fn self_test_without_addresses(era: Era, finished: &Finished) -> Checked {
    let hidden = finished.json()?.pointer("/facts/symbols/addresses_hidden").and_then(Value::as_bool);
    ensure(hidden == Some(true), || format!("addresses_hidden: {hidden:?}"))?;
    self_test(era, finished)
}

/// The race is out of reach, and the self-test, on its own device, passes beside the other swap.
pub fn disk_swap(era: Era, finished: &Finished) -> Checked {
    race(era, &finished.json()?, "no synchronous swap device")?;
    self_test(era, finished)
}

/// zswap is told, and faults are seen behind it.
pub fn zswap(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let zswap = value.pointer("/facts/memory/zswap").and_then(Value::as_str);
    ensure(zswap == Some("on"), || format!("zswap: {zswap:?}"))?;
    self_test(era, finished)
}

/// Kprobes are off.
pub fn no_kprobes(_era: Era, finished: &Finished) -> Checked {
    refused(finished, "kprobes are switched off")
}

/// ftrace is off.
pub fn no_ftrace(_era: Era, finished: &Finished) -> Checked {
    refused(finished, "kernel.ftrace_enabled is 0")
}

/// Kprobe programs may not read kernel memory.
pub fn refuses_kprobes(_era: Era, finished: &Finished) -> Checked {
    refused(finished, "kprobe programs may not read kernel memory here")
}

/// Attaches, and all hooks are kprobes.
pub fn attaches_kprobes(era: Era, finished: &Finished) -> Checked {
    let seen = attaches(era, finished)?;
    let value = finished.json()?;
    let hooks = value.pointer("/kernel/backend").and_then(Value::as_object).ok_or("no kernel.backend")?;
    let all = hooks.values().all(|how| how.as_str().is_some_and(|how| how.starts_with('k')));
    ensure(all, || format!("hooks: {hooks:?}"))?;
    Ok(seen)
}

/// What `doctor --self-test` found.
pub fn self_test(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let test = value.get("self_test").ok_or("no self_test")?;
    let passed = test.get("passed").and_then(Value::as_bool);
    ensure(passed == Some(true), || format!("self-test: {test}"))?;
    finished.expect_code(0)?;
    Ok(format!("{} pages out and in, all seen", number(test, "/pages")?))
}

/// The command's failure is told by 30, and the JSON is there all the same.
pub fn failing_command(_era: Era, finished: &Finished) -> Checked {
    let code = number(&finished.json()?, "/command/code")?;
    ensure(code != 0, || "the command's failure is not in the JSON".to_owned())?;
    finished.expect_code(30)?;
    Ok(format!("the command's {code} becomes 30"))
}

/// A command that the observer itself ended has not failed.
pub fn cut_short(_era: Era, finished: &Finished) -> Checked {
    let cut = finished.json()?.pointer("/command/cut_short").and_then(Value::as_bool);
    ensure(cut == Some(true), || format!("command.cut_short: {cut:?}"))?;
    finished.expect_code(0)?;
    Ok("the command was ended, and that is no failure".to_owned())
}

/// One message with reason and remedy, exit code 3.
fn refused(finished: &Finished, because: &str) -> Checked {
    finished.expect_code(3)?;
    let said = &finished.stderr;
    ensure(said.contains(because) && said.contains("to do:"), || format!("no reason or no remedy: {said}"))?;
    Ok("refused, with reason and remedy".to_owned())
}

/// Not root.
pub fn not_root(_era: Era, finished: &Finished) -> Checked {
    refused(finished, "user 1000")
}

/// No BTF.
pub fn no_btf(_era: Era, finished: &Finished) -> Checked {
    refused(finished, "/sys/kernel/btf/vmlinux")
}

/// Refuses to run beside other swap, which is still there afterwards.
pub fn other_swap(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stderr.lines().any(|line| line == "1"), || format!("the other swap is gone: {}", finished.stderr))?;
    refused(finished, "other swap is in use")
}

/// Attaches where the kernel is locked down, and says what is degraded; nothing swaps, for no module can be loaded there.
pub fn attaches(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    none_dropped(&value)?;
    finished.expect_code(0)?;
    let degraded = value.pointer("/kernel/degraded").and_then(Value::as_array).ok_or("no kernel.degraded")?;
    let hooks = value.pointer("/kernel/backend").and_then(Value::as_object).ok_or("no kernel.backend")?;
    ensure(hooks.contains_key("fault start") && hooks.contains_key("fault end"), || format!("hooks: {hooks:?}"))?;
    Ok(format!("{} meanings hooked, {} degraded", hooks.len(), degraded.len()))
}

/// Ended by SIGTERM: the JSON so far is there, and says that it is not the whole.
pub fn terminated(_era: Era, finished: &Finished) -> Checked {
    let rounds = number(&finished.json()?, "/totals/rounds")?;
    ensure(rounds > 0 && rounds < 100_000, || format!("{rounds} rounds"))?;
    Ok(format!("stopped after {rounds} rounds"))
}

/// Swap, devices, probes: all gone.
pub fn nothing_left(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stdout.trim().is_empty(), || format!("left behind: {}", finished.stdout.trim()))?;
    Ok("no swap, no device, no probe".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::finished, *};

    #[test]
    fn a_refusal_needs_reason_and_remedy() {
        assert!(not_root(Era::Pinned, &finished(3, "", "because: it runs as user 1000\n to do: sudo")).is_ok());
        assert!(not_root(Era::Pinned, &finished(3, "", "because: it runs as user 1000")).is_err());
        assert!(not_root(Era::Pinned, &finished(1, "", "user 1000 to do: sudo")).is_err());
    }
}
