//! What must come out of each step. Pure: files in, a verdict out.

use std::{fs, path::Path};

use serde_json::Value;

use super::steps::Era;

/// A step that has run.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// What was seen, or what is wrong.
pub type Checked = Result<String, String>;

impl Finished {
    /// Reads what a step left in `dir`.
    ///
    /// # Errors
    /// When the step was not run.
    pub fn read(dir: &Path, name: &str) -> Result<Self, String> {
        let text = |kind: &str| {
            fs::read_to_string(dir.join(format!("{name}.{kind}"))).map_err(|error| format!("no {name}.{kind}: {error}"))
        };
        let code = text("code")?.trim().parse().map_err(|error| format!("bad {name}.code: {error}"))?;
        Ok(Self { code, stdout: text("stdout")?, stderr: text("stderr")? })
    }

    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.stdout).map_err(|error| {
            format!(
                "standard output is not one JSON object ({error}); exit code {}, standard error: {}",
                self.code,
                self.stderr.trim()
            )
        })
    }

    /// The JSON objects on standard output, one after the other.
    pub(super) fn objects(&self) -> Result<Vec<Value>, String> {
        let objects = serde_json::Deserializer::from_str(&self.stdout).into_iter();
        objects.collect::<Result<_, _>>().map_err(|error| format!("standard output is not JSON objects: {error}"))
    }

    pub(super) fn expect_code(&self, wanted: i32) -> Result<(), String> {
        if self.code == wanted {
            return Ok(());
        }
        Err(format!("exit code {} instead of {wanted}; standard error: {}", self.code, self.stderr.trim()))
    }
}

/// A number in a JSON object, by JSON pointer.
pub fn number(value: &Value, pointer: &str) -> Result<u64, String> {
    value.pointer(pointer).and_then(Value::as_u64).ok_or_else(|| format!("no number at {pointer}"))
}

pub(super) fn ensure(right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong()) }
}

/// Every loss must be 0, or no count can be exact.
pub(super) fn no_losses(value: &Value) -> Result<(), String> {
    let losses = value.get("losses").and_then(Value::as_object).ok_or("no losses")?;
    let some: Vec<_> = losses.iter().filter(|(_, count)| count.as_u64() != Some(0)).collect();
    ensure(some.is_empty(), || format!("losses: {some:?}"))
}

/// Swap-ins seen and lost equal the kernel's own count. A kernel before 5.12 does not tell what it skipped: null.
fn counts_agree(value: &Value) -> Result<u64, String> {
    let (seen, kernel) = (number(value, "/swapins/seen")?, number(value, "/swapins/kernel")?);
    let lost = value.pointer("/swapins/lost").and_then(Value::as_u64).unwrap_or(0);
    ensure(seen + lost == kernel, || format!("{seen} swap-ins seen, {lost} lost, the kernel counted {kernel}"))?;
    Ok(seen)
}

/// The race made on purpose: on an unfixed kernel every lost page is flagged and nothing else; on a fixed one nothing is
/// lost, nothing is flagged, and waits on the pin are seen.
pub fn targeted(era: Era, finished: &Finished) -> Checked {
    targeted_rounds(era, 200, finished)
}

/// The same, of so many rounds; on an unfixed kernel one in ten at least must lose a page.
pub fn targeted_rounds(era: Era, wanted: u64, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let total = |name: &str| number(&value, &format!("/totals/{name}"));
    let (rounds, lost, flagged) = (total("rounds")?, total("lost")?, total("flagged")?);
    let seen =
        format!("{rounds} rounds, {lost} lost, {flagged} flagged, {} pin waits", number(&value, "/verdicts/pin_wait")?);
    let wrong = |what: &str| format!("{what}: {seen}");
    ensure(rounds == wanted, || wrong("not all rounds were played"))?;
    if is_degraded(&value) && total("missed")? > 0 {
        // Told beforehand, and again by the exit code; what is flagged is still true.
        ensure(total("false")? == 0, || wrong("false flags"))?;
        counts_agree(&value)?;
        finished.expect_code(20)?;
        return Ok(format!("{seen}; degraded, and exit code 20 says so"));
    }
    ensure(total("missed")? == 0 && total("false")? == 0, || wrong("flags and losses differ"))?;
    counts_agree(&value)?;
    no_losses(&value)?;
    if era == Era::Unfixed {
        ensure(lost * 10 >= rounds && total("matched")? == lost, || wrong("too few rounds lost a page"))?;
        evidence_is_whole(&value)?;
        finished.expect_code(10)?;
    } else {
        ensure(lost == 0 && flagged == 0, || wrong("a fixed kernel lost a page"))?;
        // Where nothing is pinned, flights meet on the folio's lock; on 7.3 once in two hundred rounds of this kind.
        let waited = era == Era::NoBypass || number(&value, "/verdicts/pin_wait")? > 0;
        ensure(waited, || wrong("nobody waited on the pin"))?;
        finished.expect_code(0)?;
    }
    Ok(seen)
}

/// Whether this plan does not see where entries are handed out: then it may flag too little, never too much.
fn is_degraded(value: &Value) -> bool {
    let degraded = value.pointer("/kernel/degraded").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    degraded.iter().any(|gap| gap.get("meaning").and_then(Value::as_str) == Some("handed_out"))
}

/// The crowd: every page that came up short is flagged, each other flag is explained, nothing else happened to any page.
/// A preemptible kernel skips programs under a crowd, which is told and is the exit code.
pub fn storm(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let total = |name: &str| number(&value, &format!("/totals/{name}"));
    let (passes, lost, flagged) = (total("rounds")?, total("lost")?, total("flagged")?);
    let seen = format!("{passes} passes, {lost} pages lost, {flagged} flagged, {} explained", total("explained")?);
    ensure(passes > 0, || "no pass was played".to_owned())?;
    ensure(total("missed")? == 0 && total("false")? == 0, || format!("flags and losses differ: {seen}"))?;
    ensure(total("corrupt")? == 0, || format!("a page holds more than was added: {seen}"))?;
    ensure(era == Era::Unfixed || lost + flagged == 0, || format!("a fixed kernel lost a page: {seen}"))?;
    counts_agree(&value)?;
    ensure(number(&value, "/verdicts/overlap")? > 0, || "a storm without an overlap".to_owned())?;
    let losses = value.get("losses").and_then(Value::as_object).ok_or("no losses")?;
    let lossless = losses.values().all(|count| count.as_u64() == Some(0));
    finished.expect_code(if flagged > 0 {
        10
    } else if lossless {
        0
    } else {
        20
    })?;
    Ok(seen)
}

/// Each flag names its tasks and page and entry, and its times are in the order of an ABA.
fn evidence_is_whole(value: &Value) -> Result<(), String> {
    let findings = value.get("findings").and_then(Value::as_array).ok_or("no findings")?;
    for finding in
        findings.iter().filter(|finding| finding.get("verdict").and_then(Value::as_str) == Some("stale-install"))
    {
        let time = |pointer: &str| number(finding, pointer);
        let order = [
            time("/begin_ns")?,
            time("/read_begin_ns")?,
            time("/freed/at_ns")?,
            time("/handed_out/at_ns")?,
            time("/end_ns")?,
        ];
        ensure(order.is_sorted(), || format!("times out of order in {finding}"))?;
        ensure(finding.pointer("/reader/comm").and_then(Value::as_str) == Some("victim"), || {
            format!("reader: {finding}")
        })?;
        ensure(number(finding, "/freed/by/tid")? != number(finding, "/reader/tid")?, || {
            format!("freed by the reader: {finding}")
        })?;
        ensure(number(finding, "/reader/pid")? > 0 && number(finding, "/address")? > 0, || {
            format!("no pid or address: {finding}")
        })?;
        ensure(finding.get("entry").and_then(Value::as_str).is_some_and(|entry| entry.contains(':')), || {
            format!("entry: {finding}")
        })?;
    }
    Ok(())
}

/// The same without the widener: whatever happens, truth and flags agree.
pub fn natural(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let total = |name: &str| number(&value, &format!("/totals/{name}"));
    let seen = format!("{} lost, {} flagged", total("lost")?, total("flagged")?);
    ensure(total("missed")? == 0 && total("false")? == 0, || format!("flags and losses differ: {seen}"))?;
    counts_agree(&value)?;
    no_losses(&value)?;
    Ok(seen)
}

/// A program that knows nothing of observer: as many stale installs as it lost pages.
pub fn independent(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let witness = witness(finished)?;
    let (lost, flagged) = (number(&witness, "/lost")?, number(&value, "/verdicts/stale_install")?);
    let seen = format!("{lost} lost, {flagged} flagged");
    ensure(lost == flagged, || format!("flags and losses differ: {seen}"))?;
    no_losses(&value)?;
    counts_agree(&value)?;
    let enough = if era == Era::Unfixed { lost > 0 } else { lost == 0 };
    ensure(enough, || format!("not what this kernel does: {seen}"))?;
    finished.expect_code(if lost > 0 { 10 } else { 0 })?;
    Ok(seen)
}

/// The witness's own JSON line: with `--json` its output goes to standard error.
pub(super) fn witness(finished: &Finished) -> Result<Value, String> {
    on_stderr(finished, "the witness said nothing")
}

/// The last JSON object on a line of standard error.
fn on_stderr(finished: &Finished, without: &str) -> Result<Value, String> {
    let mut objects = finished.stderr.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects.find(Value::is_object).ok_or_else(|| format!("{without}: {}", finished.stderr.trim()))
}

/// At least 100 000 swap-ins, each counted once.
pub fn counts(_era: Era, finished: &Finished) -> Checked {
    counts_of(100_000, finished)
}

/// The same, of so many swap-ins at least.
pub fn counts_of(least: u64, finished: &Finished) -> Checked {
    let value = finished.json()?;
    no_losses(&value)?;
    let seen = counts_agree(&value)?;
    let witness = witness(finished)?;
    let own = number(&witness, "/pswpin")?;
    ensure(seen == own, || format!("{seen} swap-ins seen, the program measured {own}"))?;
    ensure(seen >= least, || format!("only {seen} swap-ins"))?;
    ensure(number(&witness, "/corrupt")? == 0, || "the program found pages corrupt".to_owned())?;
    if is_degraded(&value) {
        finished.expect_code(0)?;
        return Ok(format!("{seen} swap-ins, all seen; not where entries are handed out"));
    }
    let out = |name: &str| number(&value, &format!("/swapouts/{name}"));
    let (handed_out, written, kernel) = (out("handed_out")?, out("written")?, out("kernel")?);
    ensure(handed_out == kernel && written == kernel, || {
        format!("{handed_out} entries handed out and {written} written, the kernel counted {kernel} swap-outs")
    })?;
    let (begun, ended) = (number(&value, "/flights/begun")?, number(&value, "/flights/ended")?);
    ensure(begun == ended, || format!("{begun} flights begun, {ended} ended"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins and {kernel} swap-outs, all seen"))
}

/// Types from a file: every hook is a kprobe, and every swap-in is seen. A file without types is told.
pub fn btf_file(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stderr.contains("/tmp/empty"), || "a file without types was not named".to_owned())?;
    let value = finished.json()?;
    let backends = value.pointer("/kernel/backend").and_then(Value::as_object).ok_or("no backends")?;
    let of_kprobes =
        |how: &&Value| how.as_str().is_some_and(|how| how.starts_with("kprobe") || how.starts_with("kretprobe"));
    ensure(!backends.is_empty() && backends.values().all(|how| of_kprobes(&how)), || format!("hooks: {backends:?}"))?;
    counts_of(4_096, finished)
}

/// Under contention the counts still agree, and overlaps are seen. A preemptible kernel skips programs then (see
/// docs/decisions/preemption.md): that must be told, and be the exit code.
pub fn crowd(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let seen = counts_agree(&value)?;
    let overlaps = number(&value, "/verdicts/overlap")?;
    ensure(overlaps > 0, || "eight threads on the same pages, and no overlap".to_owned())?;
    let skipped = value.pointer("/losses/program_skipped").and_then(Value::as_u64).unwrap_or(0);
    if skipped == 0 {
        no_losses(&value)?;
    }
    finished.expect_code(if skipped == 0 { 0 } else { 20 })?;
    Ok(format!("{seen} swap-ins, {overlaps} overlaps, {skipped} programs skipped"))
}

/// What was recorded and what its replay says are equal, finding by finding and count by count.
pub fn recorded(era: Era, finished: &Finished) -> Checked {
    let live = finished.json()?;
    let replay = on_stderr(finished, "no report of the recording")?;
    let (live, replay) = (live.as_object().ok_or("no object")?, replay.as_object().ok_or("no object")?);
    let other: Vec<&String> = live.keys().filter(|key| live.get(*key) != replay.get(*key)).collect();
    ensure(other.is_empty(), || format!("live and replay differ in {other:?}"))?;
    let overlaps = live.get("verdicts").map_or(Ok(0), |verdicts| number(verdicts, "/overlap"))?;
    let seen = live.get("swapins").map_or(Ok(0), |swap_ins| number(swap_ins, "/seen"))?;
    // A fixed kernel may be too slow here for flights to meet while a second observer looks on.
    let enough = seen > 0 && (overlaps > 0 || era != Era::Unfixed);
    ensure(enough, || "nothing happened that could have been recorded".to_owned())?;
    let findings = live.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(format!("{overlaps} overlaps and {findings} findings, live and replayed"))
}

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

/// zswap is told, and flights are seen behind it.
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
    no_losses(&value)?;
    finished.expect_code(0)?;
    let degraded = value.pointer("/kernel/degraded").and_then(Value::as_array).ok_or("no kernel.degraded")?;
    let hooks = value.pointer("/kernel/backend").and_then(Value::as_object).ok_or("no kernel.backend")?;
    ensure(hooks.contains_key("flight begin") && hooks.contains_key("flight end"), || format!("hooks: {hooks:?}"))?;
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
    use super::*;

    fn finished(code: i32, stdout: &str, stderr: &str) -> Finished {
        Finished { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn stress(lost: u64, flagged: u64, missed: u64, pin_wait: u64) -> String {
        let matched = lost - missed;
        format!(
            r#"{{"totals":{{"rounds":200,"lost":{lost},"flagged":{flagged},"matched":{matched},"missed":{missed},"false":0}},
                "verdicts":{{"pin_wait":{pin_wait}}},"swapins":{{"seen":400,"kernel":400}},"losses":{{}},"findings":[]}}"#
        )
    }

    #[test]
    fn a_missed_page_fails_the_trial() {
        assert!(targeted(Era::Unfixed, &finished(10, &stress(50, 50, 0, 0), "")).is_ok());
        assert!(targeted(Era::Unfixed, &finished(10, &stress(50, 49, 1, 0), "")).is_err());
        assert!(targeted(Era::Unfixed, &finished(10, &stress(10, 10, 0, 0), "")).is_err());
        assert!(targeted(Era::Unfixed, &finished(0, &stress(50, 50, 0, 0), "")).is_err());
    }

    #[test]
    fn a_degraded_plan_may_miss_and_must_say_so() {
        let degraded = stress(50, 49, 1, 0)
            .replace("\"losses\"", "\"kernel\":{\"degraded\":[{\"meaning\":\"handed_out\"}]},\"losses\"");
        assert!(targeted(Era::Unfixed, &finished(20, &degraded, "")).is_ok());
        assert!(targeted(Era::Unfixed, &finished(10, &degraded, "")).is_err());
        assert!(targeted(Era::Unfixed, &finished(20, &degraded.replace("\"false\":0", "\"false\":1"), "")).is_err());
    }

    #[test]
    fn a_fixed_kernel_must_wait_and_not_lose() {
        assert!(targeted(Era::Pinned, &finished(0, &stress(0, 0, 0, 7), "")).is_ok());
        assert!(targeted(Era::Pinned, &finished(0, &stress(0, 0, 0, 0), "")).is_err());
        assert!(targeted(Era::Pinned, &finished(0, &stress(1, 1, 0, 7), "")).is_err());
    }

    #[test]
    fn losses_and_differing_counts_fail() {
        let text = stress(0, 0, 0, 7);
        assert!(
            targeted(Era::Pinned, &finished(0, &text.replace("\"losses\":{}", "\"losses\":{\"ring\":1}"), "")).is_err()
        );
        assert!(targeted(Era::Pinned, &finished(0, &text.replace("\"kernel\":400", "\"kernel\":401"), "")).is_err());
    }

    #[test]
    fn times_of_a_finding_must_be_in_order() {
        let finding = r#"{"verdict":"stale-install","entry":"0:1","address":1,"begin_ns":1,"read_begin_ns":2,"end_ns":9,
            "reader":{"tid":1,"pid":1,"comm":"victim"},"freed":{"at_ns":3,"by":{"tid":2}},"handed_out":{"at_ns":4}}"#;
        let whole = |finding: &str| serde_json::from_str(&format!("{{\"findings\":[{finding}]}}")).unwrap();
        assert_eq!(evidence_is_whole(&whole(finding)), Ok(()));
        assert!(evidence_is_whole(&whole(&finding.replace("\"at_ns\":4", "\"at_ns\":2"))).is_err());
        assert!(evidence_is_whole(&whole(&finding.replace("victim", "other"))).is_err());
    }

    #[test]
    fn a_refusal_needs_reason_and_remedy() {
        assert!(not_root(Era::Pinned, &finished(3, "", "because: it runs as user 1000\n to do: sudo")).is_ok());
        assert!(not_root(Era::Pinned, &finished(3, "", "because: it runs as user 1000")).is_err());
        assert!(not_root(Era::Pinned, &finished(1, "", "user 1000 to do: sudo")).is_err());
    }
}
