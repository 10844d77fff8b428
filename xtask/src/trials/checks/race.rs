//! The race, on purpose and by chance: truth and flags must agree.

use serde_json::Value;

use super::{Checked, Finished, counts_agree, ensure, is_degraded, none_dropped, number, on_stderr, witness};
use crate::trials::steps::Era;

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
    let seen = format!("{rounds} rounds, {lost} lost, {flagged} flagged, {}", waits(era, &value)?);
    let wrong = |what: &str| format!("{what}: {seen}");
    ensure(rounds == wanted, || wrong("not all rounds were played"))?;
    if is_degraded(&value) && total("missed")? > 0 {
        // Told beforehand, and again by the exit code; what is flagged is still true.
        ensure(total("false")? == 0, || wrong("false flags"))?;
        counts_agree(&value)?;
        finished.expect_code(20)?;
        return Ok(format!("{seen}; degraded, and exit code 20 says so"));
    }
    ensure(total("missed")? == 0 && total("false")? == 0, || wrong("flags and dropped differ"))?;
    counts_agree(&value)?;
    none_dropped(&value)?;
    if era == Era::Unfixed {
        ensure(lost * 10 >= rounds && total("matched")? == lost, || wrong("too few rounds lost a page"))?;
        evidence_is_whole(&value)?;
        finished.expect_code(10)?;
    } else {
        ensure(lost == 0 && flagged == 0, || wrong("a fixed kernel lost a page"))?;
        // Where nothing is pinned, faults meet on the folio's lock.
        let (kind, verdict) = waits_of(era);
        let least = if era == Era::NoBypass { rounds / 2 } else { 1 };
        ensure(number(&value, verdict)? >= least, || wrong(&format!("too few waited on the {kind}")))?;
        finished.expect_code(0)?;
    }
    Ok(seen)
}

/// What losers wait for on such a kernel, and where they are counted.
fn waits_of(era: Era) -> (&'static str, &'static str) {
    match era {
        Era::NoBypass => ("folio lock", "/verdicts/lock_wait"),
        _ => ("pin", "/verdicts/pin_wait"),
    }
}

/// How many waits of that kind; without the bypass there is no pin to wait for.
fn waits(era: Era, value: &Value) -> Result<String, String> {
    let pins = number(value, "/verdicts/pin_wait")?;
    if era != Era::NoBypass {
        return Ok(format!("{pins} pin waits"));
    }
    ensure(pins == 0, || format!("{pins} waits for a pin that this kernel does not have"))?;
    Ok(format!("{} lock waits", number(value, "/verdicts/lock_wait")?))
}

/// The waits of the witness's other thread against the time that it measured itself: it is held up by the victim, and by
/// hardly anything else.
fn waits_as_measured(era: Era, value: &Value, witness: &Value) -> Result<String, String> {
    let (rounds, touch_us) = (number(witness, "/rounds")?, number(witness, "/touch_us")?);
    let toucher = number(witness, "/toucher")?;
    let all = value.get("waits").and_then(Value::as_array).ok_or("no waits")?;
    let own = || all.iter().filter(|wait| wait.pointer("/task/tid").and_then(Value::as_u64) == Some(toucher));
    let (mut waited_ns, mut held) = (0, 0);
    for wait in own() {
        waited_ns += number(wait, "/to_ns")?.saturating_sub(number(wait, "/from_ns")?);
        held += u64::from(wait.pointer("/holder/task/comm").and_then(Value::as_str) == Some("victim"));
    }
    let (kind, _) = waits_of(era);
    let waited_us = waited_ns / 1_000;
    let seen = format!(
        "{} waits on the {kind} in {rounds} rounds, {held} of them for the victim, {waited_us} us of the {touch_us} us \
         that the thread measured",
        own().count()
    );
    ensure(waited_us <= touch_us, || format!("more waited than there was time: {seen}"))?;
    // What is left is the fault's own work, which is long where a CPU is emulated.
    ensure(held * 2 >= rounds && waited_us * 10 >= touch_us * 8, || format!("waits are missing: {seen}"))?;
    Ok(seen)
}

/// The crowd: every page that came up short is flagged, each other flag is explained, nothing else happened to any page.
/// A preemptible kernel skips programs under a crowd, which is told and is the exit code.
pub fn storm(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let total = |name: &str| number(&value, &format!("/totals/{name}"));
    let (passes, lost, flagged) = (total("rounds")?, total("lost")?, total("flagged")?);
    let seen = format!("{passes} passes, {lost} pages lost, {flagged} flagged, {} explained", total("explained")?);
    ensure(passes > 0, || "no pass was played".to_owned())?;
    ensure(total("missed")? == 0 && total("false")? == 0, || format!("flags and dropped differ: {seen}"))?;
    ensure(total("corrupt")? == 0, || format!("a page holds more than was added: {seen}"))?;
    ensure(era == Era::Unfixed || lost + flagged == 0, || format!("a fixed kernel lost a page: {seen}"))?;
    counts_agree(&value)?;
    ensure(number(&value, "/verdicts/overlap")? > 0, || "a storm without an overlap".to_owned())?;
    let dropped = value.get("dropped").and_then(Value::as_object).ok_or("no dropped")?;
    let lossless = dropped.values().all(|count| count.as_u64() == Some(0));
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
        let (start, end, read) = (time("/start_ns")?, time("/end_ns")?, time("/read_start_ns")?);
        let (freed, allocated, written) = (time("/freed/at_ns")?, time("/allocated/at_ns")?, time("/written/at_ns"));
        // A reader that is held up before its read may start it between the allocation and the write: stale all the same.
        let in_transit = allocated <= read && written.is_ok_and(|written| read <= written);
        let ordered = [start, freed, allocated, end].is_sorted() && start <= read && (read <= freed || in_transit);
        ensure(ordered, || format!("times out of order in {finding}"))?;
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

/// The same without delay injection: whatever happens, truth and flags agree.
pub fn natural(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let total = |name: &str| number(&value, &format!("/totals/{name}"));
    let (rounds, lost, flagged) = (total("rounds")?, total("lost")?, total("flagged")?);
    let seen = format!("{rounds} rounds, {lost} lost, {flagged} flagged");
    ensure(rounds == 200, || format!("not all rounds were played: {seen}"))?;
    ensure(total("missed")? == 0 && total("false")? == 0, || format!("flags and dropped differ: {seen}"))?;
    counts_agree(&value)?;
    none_dropped(&value)?;
    Ok(seen)
}

/// A program that knows nothing of observer: as many stale installs as it lost pages.
pub fn independent(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let witness = witness(finished)?;
    let (lost, flagged) = (number(&witness, "/lost")?, number(&value, "/verdicts/stale_install")?);
    let seen = format!("{lost} lost, {flagged} flagged");
    ensure(lost == flagged, || format!("flags and dropped differ: {seen}"))?;
    none_dropped(&value)?;
    counts_agree(&value)?;
    let enough = if era == Era::Unfixed { lost > 0 } else { lost == 0 };
    ensure(enough, || format!("not what this kernel does: {seen}"))?;
    finished.expect_code(if lost > 0 { 10 } else { 0 })?;
    if era == Era::Unfixed {
        return Ok(seen);
    }
    Ok(format!("{seen}; {}", waits_as_measured(era, &value, &witness)?))
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
    // A fixed kernel may be too slow here for faults to meet while a second observer looks on.
    let enough = seen > 0 && (overlaps > 0 || era != Era::Unfixed);
    ensure(enough, || "nothing happened that could have been recorded".to_owned())?;
    let findings = live.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(format!("{overlaps} overlaps and {findings} findings, live and replayed"))
}

#[cfg(test)]
mod tests {
    use super::{super::finished, *};

    fn stress(lost: u64, flagged: u64, missed: u64, pin_wait: u64) -> String {
        let matched = lost - missed;
        format!(
            r#"{{"totals":{{"rounds":200,"lost":{lost},"flagged":{flagged},"matched":{matched},"missed":{missed},"false":0}},
                "verdicts":{{"pin_wait":{pin_wait},"lock_wait":0}},"swapins":{{"seen":400,"kernel":400}},"dropped":{{}},"findings":[]}}"#
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
    fn rounds_that_were_not_played_fail_without_the_widener_as_well() {
        let played = stress(1, 1, 0, 0);
        assert!(natural(Era::Unfixed, &finished(10, &played, "")).is_ok());
        assert!(natural(Era::Unfixed, &finished(0, &played.replace("\"rounds\":200", "\"rounds\":0"), "")).is_err());
    }

    #[test]
    fn a_degraded_plan_may_miss_and_must_say_so() {
        let degraded = stress(50, 49, 1, 0)
            .replace("\"dropped\"", "\"kernel\":{\"degraded\":[{\"meaning\":\"allocated\"}]},\"dropped\"");
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
    fn without_the_bypass_it_is_the_lock_that_is_waited_for() {
        let locks = stress(0, 0, 0, 0).replace("\"lock_wait\":0", "\"lock_wait\":170");
        assert!(targeted(Era::NoBypass, &finished(0, &locks, "")).is_ok());
        assert!(targeted(Era::NoBypass, &finished(0, &stress(0, 0, 0, 0), "")).is_err());
        assert!(targeted(Era::NoBypass, &finished(0, &stress(0, 0, 0, 7), "")).is_err());
    }

    #[test]
    fn waits_must_be_as_long_as_the_waiter_says() {
        let of = |to_ns: u64| {
            let wait = serde_json::json!({"task": {"tid": 7}, "from_ns": 0, "to_ns": to_ns,
                "holder": {"task": {"comm": "victim"}}});
            waits_as_measured(
                Era::NoBypass,
                &serde_json::json!({"waits": [wait]}),
                &serde_json::json!({"rounds": 1, "touch_us": 100, "toucher": 7}),
            )
        };
        assert!(of(90_000).is_ok());
        assert!(of(70_000).is_err() && of(101_000).is_err());
    }

    #[test]
    fn losses_and_differing_counts_fail() {
        let text = stress(0, 0, 0, 7);
        assert!(
            targeted(Era::Pinned, &finished(0, &text.replace("\"dropped\":{}", "\"dropped\":{\"ring\":1}"), ""))
                .is_err()
        );
        assert!(targeted(Era::Pinned, &finished(0, &text.replace("\"kernel\":400", "\"kernel\":401"), "")).is_err());
    }

    #[test]
    fn times_of_a_finding_must_be_in_order() {
        let finding = r#"{"verdict":"stale-install","entry":"0:1","address":1,"start_ns":1,"read_start_ns":2,"end_ns":9,
            "reader":{"tid":1,"pid":1,"comm":"victim"},"freed":{"at_ns":3,"by":{"tid":2}},"allocated":{"at_ns":4}}"#;
        let whole = |finding: &str| serde_json::from_str(&format!("{{\"findings\":[{finding}]}}")).unwrap();
        assert_eq!(evidence_is_whole(&whole(finding)), Ok(()));
        assert!(evidence_is_whole(&whole(&finding.replace("\"at_ns\":4", "\"at_ns\":2"))).is_err());
        assert!(evidence_is_whole(&whole(&finding.replace("victim", "other"))).is_err());
        // Seen on 5.10 beside other work: held up before the read, which started before the write was done.
        let late = finding.replace("\"read_start_ns\":2", "\"read_start_ns\":5");
        assert!(evidence_is_whole(&whole(&late)).is_err());
        let written = |at: u64| format!("\"allocated\":{{\"at_ns\":4}},\"written\":{{\"at_ns\":{at}}}");
        assert_eq!(evidence_is_whole(&whole(&late.replace("\"allocated\":{\"at_ns\":4}", &written(6)))), Ok(()));
        assert!(evidence_is_whole(&whole(&late.replace("\"allocated\":{\"at_ns\":4}", &written(4)))).is_err());
    }
}
