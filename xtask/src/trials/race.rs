//! The race, reproduced and by chance: what was flagged must agree with the ground truth.

use serde_json::{Map, Value};

use super::{
    agreement::{counts_agree, misses_allocations, none_dropped},
    step::{Checked, Era, Finished, Step, ensure},
    witness::Aba,
};
use crate::output::summary::{Finding, Summary, Totals};

pub(super) const TARGETED: Step =
    Step { name: "targeted", command: "observer stress targeted --rounds 200 --json", check: targeted };

pub(super) const LEAN_TARGETED: Step = Step {
    name: "lean-targeted",
    command: "observer stress targeted --rounds 200 --hooks lean --json",
    check: targeted,
};

/// Without delay injection nearly every round is safe, even on a vulnerable kernel.
pub(super) const NATURAL: Step =
    Step { name: "natural", command: "observer stress targeted --rounds 200 --widen 0s --json", check: natural };

pub(super) const STORM: Step =
    Step { name: "storm", command: "observer stress storm --duration 20s --json", check: storm };

pub(super) const LEAN_STORM: Step =
    Step { name: "lean-storm", command: "observer stress storm --duration 20s --hooks lean --json", check: storm };

/// The race and contended pages, recorded: the live summary on standard output, that of the recording on standard error.
///
/// Nothing is attached or detached while other CPUs run the hooked functions. The kernel puts a breakpoint there for a
/// moment, and QEMU 7.2 and 8.0 were seen to execute it after it was gone: the guest panics with `Oops: int3`
/// (LKML, July 2023, "int3: when running LTP tracing testing").
pub(super) const RECORDED: Step = Step {
    name: "recorded",
    command: "observer record -o /tmp/recorded.obs --json --widen 20ms --widen-comm victim -- sh -c \
                  '/witness aba --rounds 20 --fork >/dev/null; \
                   /witness churn --pages 1024 --threads 8 --rounds 4 --shared >/dev/null'; code=$?; \
              observer report /tmp/recorded.obs --format json >&2; rm -f /tmp/recorded.obs; exit $code",
    check: recorded,
};

/// A program that is not part of observer, in a process that it forks, with delay injection.
pub(super) const INDEPENDENT: Step = Step {
    name: "independent",
    command: "observer record --widen 20ms --widen-comm victim --json -- /witness aba --rounds 60 --fork",
    check: independent,
};

/// Ended by SIGTERM during the rounds. The workload's device must be removed, which the last step checks.
pub(super) const TERMINATED: Step = Step {
    name: "terminated",
    command: "observer stress targeted --rounds 100000 --json & pid=$!; \
              until grep -q slots /out/terminated.stderr; do sleep 1; done; sleep 3; kill -TERM $pid; wait $pid",
    check: terminated,
};

fn targeted(era: Era, finished: &Finished) -> Checked {
    targeted_rounds(era, 200, finished)
}

/// On a vulnerable kernel at least one round in ten loses data, and exactly these rounds are flagged. On a fixed kernel
/// nothing is lost and nothing is flagged, and waits are seen.
pub(crate) fn targeted_rounds(era: Era, expected: u64, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let totals = totals(&summary)?;
    let Totals { rounds, lost, flagged, matched, missed, false_flags, .. } = *totals;
    let seen = format!("{rounds} rounds, {lost} lost data, {flagged} flagged, {}", waits(era, &summary)?);
    let wrong = |what: &str| format!("{what}: {seen}");
    ensure(rounds == expected, || wrong("not all rounds were run"))?;
    if misses_allocations(&summary) && missed > 0 {
        ensure(false_flags == 0, || wrong("false flags"))?;
        counts_agree(&summary)?;
        finished.expect_code(20)?;
        return Ok(format!("{seen}; degraded, exit code 20"));
    }
    ensure(missed == 0 && false_flags == 0, || wrong("flags and lost rounds differ"))?;
    counts_agree(&summary)?;
    none_dropped(&summary)?;
    if era == Era::Unfixed {
        ensure(lost * 10 >= rounds && matched == lost, || wrong("too few rounds lost data"))?;
        // Where allocations are not observed, a finding has the write alone.
        if !misses_allocations(&summary) {
            check_evidence(&summary.findings)?;
        }
        finished.expect_code(10)?;
    } else {
        ensure(lost == 0 && flagged == 0, || wrong("data loss on a fixed kernel"))?;
        let (kind, waits) = contention(era, &summary);
        let least = if era == Era::NoBypass { rounds / 2 } else { 1 };
        ensure(waits >= least, || wrong(&format!("too few waits on the {kind}")))?;
        finished.expect_code(0)?;
    }
    Ok(seen)
}

fn totals(summary: &Summary) -> Result<&Totals, String> {
    summary.totals.as_ref().ok_or_else(|| "totals is missing".to_owned())
}

/// What a contended fault waits for on this kernel, and the number of waits. Without pins it is the folio lock.
fn contention(era: Era, summary: &Summary) -> (&'static str, u64) {
    match era {
        Era::NoBypass => ("folio lock", summary.verdicts.lock_wait),
        _ => ("pin", summary.verdicts.pin_wait),
    }
}

fn waits(era: Era, summary: &Summary) -> Checked {
    let pins = summary.verdicts.pin_wait;
    if era != Era::NoBypass {
        return Ok(format!("{pins} pin waits"));
    }
    ensure(pins == 0, || format!("{pins} pin waits on a kernel without pins"))?;
    Ok(format!("{} lock waits", summary.verdicts.lock_wait))
}

/// The waits of the witness's second thread are close to the duration that it measured: it waits for the victim, and
/// for almost nothing else.
fn waits_match(era: Era, summary: &Summary, witness: &Aba) -> Checked {
    let own: Vec<_> = summary.waits.iter().filter(|wait| wait.task.tid == witness.toucher).collect();
    let waited_us = own.iter().map(|wait| wait.length_ns()).sum::<u64>() / 1_000;
    let for_victim = own.iter().filter(|wait| wait.is_for("victim")).count() as u64;
    let (kind, _) = contention(era, summary);
    let Aba { rounds, touch_us, .. } = *witness;
    let seen = format!(
        "{} waits on the {kind} in {rounds} rounds, {for_victim} of them for the victim: {waited_us} us, {touch_us} us by \
         the thread's own clock",
        own.len()
    );
    ensure(waited_us <= touch_us, || format!("waits are too long: {seen}"))?;
    // The rest is the fault's own work, which takes long on an emulated CPU.
    ensure(for_victim * 2 >= rounds && waited_us * 10 >= touch_us * 8, || format!("waits are missing: {seen}"))?;
    Ok(seen)
}

/// Every page that lost data is flagged, and every other flag has an explanation. A preemptible kernel skips programs
/// under this load, which is reported and makes the exit code 20.
fn storm(era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let totals = totals(&summary)?;
    let Totals { rounds, lost, flagged, missed, false_flags, .. } = *totals;
    let explained = totals.explained.ok_or("totals.explained is missing")?;
    let seen = format!("{rounds} passes, {lost} pages lost data, {flagged} flagged, {explained} explained");
    ensure(rounds > 0, || "no pass was run".to_owned())?;
    ensure(missed == 0 && false_flags == 0, || format!("flags and lost pages differ: {seen}"))?;
    ensure(totals.corrupt == Some(0), || format!("a page holds more than was added: {seen}"))?;
    ensure(era == Era::Unfixed || lost + flagged == 0, || format!("data loss on a fixed kernel: {seen}"))?;
    counts_agree(&summary)?;
    ensure(summary.verdicts.overlap > 0, || "a storm without an overlap".to_owned())?;
    let nothing_dropped = summary.dropped.values().all(|count| *count == 0);
    finished.expect_code(match (flagged > 0, nothing_dropped) {
        (true, _) => 10,
        (false, true) => summary.clean_code(),
        (false, false) => 20,
    })?;
    Ok(seen)
}

/// Each stale install has its tasks, page and entry, and its times are in the order of an ABA.
fn check_evidence(findings: &[Finding]) -> Result<(), String> {
    for finding in findings.iter().filter(|finding| finding.verdict == "stale_install") {
        let wrong = |what: &str| format!("{what}: {finding:?}");
        let (Some(freed), Some(allocated)) = (&finding.freed, &finding.allocated) else {
            return Err(wrong("no free or no allocation"));
        };
        let (start, end, read) = (finding.start_ns, finding.end_ns, finding.read_start_ns);
        // A reader that is delayed before its read may start it after the free, or even after the allocation: it is
        // stale as long as the new content is not written.
        let is_stale = read <= allocated.at_ns || finding.written.as_ref().is_some_and(|written| read <= written.at_ns);
        let is_ordered = [start, freed.at_ns, allocated.at_ns, end].is_sorted() && start <= read && is_stale;
        ensure(is_ordered, || wrong("times out of order"))?;
        ensure(finding.reader.comm == "victim", || wrong("another reader"))?;
        ensure(freed.by.tid != finding.reader.tid, || wrong("freed by the reader"))?;
        ensure(finding.reader.pid > 0 && finding.address != "0x0", || wrong("no pid or no address"))?;
        ensure(finding.entry.contains(':'), || wrong("not an entry"))?;
    }
    Ok(())
}

/// Whether or not rounds lose data, flags agree.
fn natural(_era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let Totals { rounds, lost, flagged, missed, false_flags, .. } = *totals(&summary)?;
    let seen = format!("{rounds} rounds, {lost} lost data, {flagged} flagged");
    ensure(rounds == 200, || format!("not all rounds were run: {seen}"))?;
    ensure(missed == 0 && false_flags == 0, || format!("flags and lost rounds differ: {seen}"))?;
    counts_agree(&summary)?;
    none_dropped(&summary)?;
    Ok(seen)
}

/// As many stale installs as the program lost pages.
fn independent(era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let witness: Aba = finished.on_stderr()?;
    let (lost, flagged) = (witness.lost, summary.verdicts.stale_install);
    let seen = format!("{lost} rounds lost data, {flagged} flagged");
    ensure(lost == flagged, || format!("flags and lost rounds differ: {seen}"))?;
    ensure(witness.corrupt == 0, || format!("{} pages have contents that they never had: {seen}", witness.corrupt))?;
    none_dropped(&summary)?;
    counts_agree(&summary)?;
    ensure((lost > 0) == (era == Era::Unfixed), || format!("unexpected on this kernel: {seen}"))?;
    finished.expect_code(if lost > 0 { 10 } else { summary.clean_code() })?;
    if era == Era::Unfixed {
        return Ok(seen);
    }
    Ok(format!("{seen}; {}", waits_match(era, &summary, &witness)?))
}

/// The summary of the recording equals the live one.
fn recorded(era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let (live, replay): (Map<String, Value>, Map<String, Value>) = (finished.json()?, finished.on_stderr()?);
    let different: Vec<&String> = live.keys().filter(|key| live.get(*key) != replay.get(*key)).collect();
    ensure(different.is_empty(), || format!("live and replay differ in {different:?}"))?;
    let (overlaps, findings) = (summary.verdicts.overlap, summary.findings.len());
    ensure(overlaps > 0, || "no overlap was recorded".to_owned())?;
    ensure(findings > 0 || era != Era::Unfixed, || "no finding was recorded".to_owned())?;
    Ok(format!("{overlaps} overlaps and {findings} findings, live and replayed"))
}

/// The summary covers the rounds until the signal.
fn terminated(_era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let rounds = totals(&summary)?.rounds;
    ensure(rounds > 0 && rounds < 100_000, || format!("{rounds} rounds"))?;
    Ok(format!("stopped after {rounds} rounds"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::{merged, with};

    fn stress(lost: u64, flagged: u64, missed: u64, pin_wait: u64) -> Value {
        with(&json!({
            "totals": { "rounds": 200, "lost": lost, "flagged": flagged, "matched": lost - missed, "missed": missed,
                "false": 0 },
            "verdicts": { "pin_wait": pin_wait },
            "swapins": { "seen": 400, "kernel": 400 },
        }))
    }

    fn ran(era: Era, code: i32, summary: &Value) -> Checked {
        targeted(era, &finished(code, &summary.to_string(), ""))
    }

    #[test]
    fn a_missed_round_fails_the_step() {
        assert!(ran(Era::Unfixed, 10, &stress(50, 50, 0, 0)).is_ok());
        assert!(ran(Era::Unfixed, 10, &stress(50, 49, 1, 0)).is_err());
        assert!(ran(Era::Unfixed, 10, &stress(10, 10, 0, 0)).is_err());
        assert!(ran(Era::Unfixed, 0, &stress(50, 50, 0, 0)).is_err());
    }

    #[test]
    fn all_rounds_must_be_run_without_delay_injection() {
        let check = |summary: &Value| natural(Era::Unfixed, &finished(10, &summary.to_string(), ""));
        let all = stress(1, 1, 0, 0);
        assert!(check(&all).is_ok());
        assert!(check(&merged(all, &json!({ "totals": { "rounds": 0 } }))).is_err());
    }

    #[test]
    fn a_degraded_plan_may_miss_rounds_with_exit_code_20() {
        let kernel = json!({ "kernel": { "degraded": [{ "meaning": "entry_allocated" }] } });
        let degraded = merged(stress(50, 49, 1, 0), &kernel);
        assert!(ran(Era::Unfixed, 20, &degraded).is_ok());
        assert!(ran(Era::Unfixed, 10, &degraded).is_err());
        assert!(ran(Era::Unfixed, 20, &merged(degraded, &json!({ "totals": { "false": 1 } }))).is_err());
    }

    #[test]
    fn a_fixed_kernel_must_have_waits_and_no_data_loss() {
        assert!(ran(Era::Pinned, 0, &stress(0, 0, 0, 7)).is_ok());
        assert!(ran(Era::Pinned, 0, &stress(0, 0, 0, 0)).is_err());
        assert!(ran(Era::Pinned, 0, &stress(1, 1, 0, 7)).is_err());
    }

    #[test]
    fn a_kernel_without_pins_must_have_lock_waits() {
        let locks = merged(stress(0, 0, 0, 0), &json!({ "verdicts": { "lock_wait": 170 } }));
        assert!(ran(Era::NoBypass, 0, &locks).is_ok());
        assert!(ran(Era::NoBypass, 0, &stress(0, 0, 0, 0)).is_err());
        assert!(ran(Era::NoBypass, 0, &stress(0, 0, 0, 7)).is_err());
    }

    #[test]
    fn each_lost_round_of_the_witness_must_be_flagged_and_no_page_corrupt() {
        let check = |lost: u64, corrupt: u64| {
            let witness = json!({ "rounds": 60, "lost": lost, "corrupt": corrupt, "toucher": 7, "touch_us": 100 });
            let summary = with(&json!({ "verdicts": { "stale_install": 58 }, "swapins": { "seen": 4, "kernel": 4 } }));
            independent(Era::Unfixed, &finished(10, &summary.to_string(), &witness.to_string()))
        };
        assert_eq!(check(58, 0), Ok("58 rounds lost data, 58 flagged".to_owned()));
        assert!(check(57, 0).is_err());
        assert!(check(58, 1).is_err());
    }

    #[test]
    fn waits_must_be_close_to_the_measured_time() {
        let check = |to_ns: u64| {
            let task = |tid: u64, comm: &str| json!({ "pid": 1, "tid": tid, "comm": comm });
            let holder = json!({ "task": task(8, "victim"), "taken_ns": null, "dropped_ns": null });
            let wait = json!({ "task": task(7, "x"), "from_ns": 0, "to_ns": to_ns, "retries": 1, "oversleep_ns": null,
                "holder": holder });
            let summary = serde_json::from_value(with(&json!({ "waits": [wait] }))).unwrap();
            waits_match(Era::NoBypass, &summary, &Aba { rounds: 1, lost: 0, corrupt: 0, toucher: 7, touch_us: 100 })
        };
        assert!(check(90_000).is_ok());
        assert!(check(70_000).is_err());
        assert!(check(101_000).is_err());
    }

    #[test]
    fn dropped_events_and_differing_counts_fail() {
        let base = stress(0, 0, 0, 7);
        assert!(ran(Era::Pinned, 0, &merged(base.clone(), &json!({ "dropped": { "ring": 1 } }))).is_err());
        assert!(ran(Era::Pinned, 0, &merged(base, &json!({ "swapins": { "kernel": 401 } }))).is_err());
    }

    #[test]
    fn the_times_of_a_finding_must_be_in_order() {
        let check = |change: &Value| {
            let by = |tid: u64| json!({ "pid": 1, "tid": tid, "comm": "victim" });
            let base = json!({ "verdict": "stale_install", "entry": "0:1", "address": "0x1", "start_ns": 1, "read_start_ns": 2,
                "end_ns": 9, "reader": by(1), "freed": { "at_ns": 3, "by": by(2) },
                "allocated": { "at_ns": 4, "by": by(2) }, "written": null });
            check_evidence(&[serde_json::from_value(merged(base, change)).unwrap()])
        };
        assert_eq!(check(&json!({})), Ok(()));
        assert!(check(&json!({ "allocated": { "at_ns": 2 } })).is_err());
        assert!(check(&json!({ "reader": { "comm": "other" } })).is_err());
        // Both seen on 5.10 under load: the read started between free and allocation, or between allocation and write.
        assert_eq!(check(&merged(json!({ "read_start_ns": 4 }), &json!({ "allocated": { "at_ns": 5 } }))), Ok(()));
        let late = json!({ "read_start_ns": 5 });
        assert!(check(&late).is_err());
        let written = |at: u64| {
            merged(late.clone(), &json!({ "written": { "at_ns": at, "by": { "pid": 1, "tid": 2, "comm": "x" } } }))
        };
        assert_eq!(check(&written(6)), Ok(()));
        assert!(check(&written(4)).is_err());
    }
}
