//! Waits by construction: who held, for how long, who waited, for how long, and for how long beyond the hold, as the threads
//! measured it themselves on the clock of the records.

use serde_json::Value;

use crate::trials::{
    checks::{Checked, Finished, ensure, none_dropped, number, skipped, witness},
    steps::Era,
};

/// Rounds and waiting threads of the step.
const ROUNDS: u64 = 24;
const WAITERS: u64 = 2;

/// One touch of the page by a thread.
#[derive(Clone, Copy, Debug)]
struct Touch {
    round: u64,
    tid: u64,
    holds: bool,
    start: u64,
    end: u64,
    faults: u64,
}

/// What was observed under one touch: all its waits together.
#[derive(Clone, Copy, Debug, Default)]
struct Waited {
    ns: u64,
    retries: u64,
    overslept: u64,
    /// Length of the victim's hold; 0: somebody else held it.
    held: u64,
}

/// Sums over all touches behind the victim.
#[derive(Clone, Debug, Default)]
struct Sums {
    touches: u64,
    waited: u64,
    measured: u64,
    overslept: u64,
    beyond: u64,
    retries: u64,
    faults: u64,
    holds: u64,
    held: u64,
    holding: u64,
    /// By how much each oversleep differs from what was measured.
    differ: Vec<u64>,
}

impl Sums {
    /// The difference in the middle: on a busy machine single threads are held up between two readings of the clock.
    fn middle(&self) -> u64 {
        let mut differ = self.differ.clone();
        differ.sort_unstable();
        differ.get(differ.len() / 2).copied().unwrap_or(u64::MAX)
    }
}

pub(super) fn check(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let witness = witness(finished)?;
    ensure(number(&witness, "/rounds")? == ROUNDS, || "not all rounds were played".to_owned())?;
    let touches = touches(&witness)?;
    let waits = value.get("waits").and_then(Value::as_array).ok_or("no waits")?;
    no_task_waited_longer_than_it_was_there(&touches, waits)?;
    over_budget(&value)?;
    finished.expect_code(11)?;
    let skipped = skipped(&value);
    if skipped > 0 {
        // Their waits are missing on one side, so that sums cannot agree: what is bounded by the witness holds all the same.
        return Ok(format!("{skipped} programs skipped in each of three runs, and told: sums not compared"));
    }
    none_dropped(&value)?;
    let sums = add_up(&touches, waits)?;
    let seen = format!(
        "{} of {} touches behind the victim: waited {} us, measured {}; held {}, measured {}; overslept {}, measured {} (half of \
         them differ by {} at most); {} retries, {} faults",
        sums.touches,
        ROUNDS * WAITERS,
        sums.waited / 1_000,
        sums.measured / 1_000,
        sums.held / 1_000,
        sums.holding / 1_000,
        sums.overslept / 1_000,
        sums.beyond / 1_000,
        sums.middle() / 1_000,
        sums.retries,
        sums.faults
    );
    as_measured(era, &sums, number(&value, "/kernel/tick_ns")?).map_err(|wrong| format!("{wrong}: {seen}"))?;
    Ok(seen)
}

/// Within 5% of what was measured; of oversleep: within 5% of the time waited, and half of them within a tick.
fn as_measured(era: Era, sums: &Sums, tick: u64) -> Result<(), String> {
    let near = |seen: u64, measured: u64, of: u64| seen.abs_diff(measured) * 20 <= of;
    ensure(sums.touches * 5 >= ROUNDS * WAITERS * 4, || "too few touches were behind the victim".to_owned())?;
    ensure(near(sums.waited, sums.measured, sums.measured), || "waits differ".to_owned())?;
    ensure(near(sums.held, sums.holding, sums.holding), || "holds differ".to_owned())?;
    ensure(near(sums.overslept, sums.beyond, sums.measured), || "oversleeps differ".to_owned())?;
    ensure(sums.middle() <= tick, || "half of the oversleeps differ by more than a tick".to_owned())?;
    // A fault that lost the pin is one of the kernel's count, and one may follow that finds the page there. One that gives
    // the lock up is not in that count, the one that follows it is.
    let (least, most) = match era {
        Era::NoBypass => (sums.touches, 2 * sums.touches),
        _ => (sums.faults - sums.touches.min(sums.faults), sums.faults),
    };
    ensure((least..=most).contains(&sums.retries), || "retries and faults differ".to_owned())
}

fn touches(witness: &Value) -> Result<Vec<Touch>, String> {
    let all = witness.get("touches").and_then(Value::as_array).ok_or("no touches")?;
    let one = |touch: &Value| {
        Ok(Touch {
            round: number(touch, "/round")?,
            tid: number(touch, "/tid")?,
            holds: touch.get("holds").and_then(Value::as_bool) == Some(true),
            start: number(touch, "/start_ns")?,
            end: number(touch, "/end_ns")?,
            faults: number(touch, "/faults")?,
        })
    };
    all.iter().map(one).collect()
}

fn is_of(wait: &Value, touch: &Touch) -> Result<bool, String> {
    let from = number(wait, "/from_ns")?;
    Ok(number(wait, "/task/tid")? == touch.tid && (touch.start..=touch.end).contains(&from))
}

fn no_task_waited_longer_than_it_was_there(touches: &[Touch], waits: &[Value]) -> Result<(), String> {
    for touch in touches {
        let mut waited = 0;
        for wait in waits {
            if is_of(wait, touch)? {
                waited += number(wait, "/to_ns")?.saturating_sub(number(wait, "/from_ns")?);
            }
        }
        let there = touch.end - touch.start;
        ensure(waited <= there, || format!("thread {} waited {waited} of {there} ns", touch.tid))?;
    }
    Ok(())
}

/// Of the touches whose waits were all for the victim.
fn add_up(touches: &[Touch], waits: &[Value]) -> Result<Sums, String> {
    let mut sums = Sums::default();
    let mut rounds = Vec::new();
    for touch in touches.iter().filter(|touch| !touch.holds) {
        let holder = touches.iter().find(|other| other.holds && other.round == touch.round).ok_or("no holder")?;
        let Some(waited) = waited(touch, waits)? else { continue };
        let beyond = touch.end.saturating_sub(holder.end.max(touch.start));
        sums.touches += 1;
        sums.waited += waited.ns;
        sums.measured += touch.end - touch.start;
        sums.overslept += waited.overslept;
        sums.beyond += beyond;
        sums.differ.push(waited.overslept.abs_diff(beyond));
        sums.retries += waited.retries;
        sums.faults += touch.faults;
        if !rounds.contains(&touch.round) {
            rounds.push(touch.round);
            sums.holds += 1;
            sums.held += waited.held;
            sums.holding += holder.end - holder.start;
        }
    }
    Ok(sums)
}

/// The waits under one touch; `None`: there was none, or not only for the victim.
fn waited(touch: &Touch, waits: &[Value]) -> Result<Option<Waited>, String> {
    let mut all = Waited::default();
    for wait in waits {
        if !is_of(wait, touch)? {
            continue;
        }
        if wait.pointer("/holder/task/comm").and_then(Value::as_str) != Some("victim") {
            return Ok(None);
        }
        all.ns += number(wait, "/to_ns")?.saturating_sub(number(wait, "/from_ns")?);
        all.retries += number(wait, "/retries")?;
        all.overslept += number(wait, "/oversleep_ns")?;
        all.held = number(wait, "/holder/dropped_ns")?.saturating_sub(number(wait, "/holder/taken_ns")?);
    }
    Ok((all.ns > 0).then_some(all))
}

/// All these waits are longer than a millisecond: that is said in words.
fn over_budget(value: &Value) -> Result<(), String> {
    ensure(number(value, "/budget/over")? > 0, || "no wait was over the budget".to_owned())?;
    let remarks = value.get("remarks").and_then(Value::as_array).ok_or("no remarks")?;
    let told = |rule: &str| remarks.iter().any(|remark| remark.get("rule").and_then(Value::as_str) == Some(rule));
    ensure(told("over-budget") && told("one-hot-holder"), || format!("what stands out is not told: {remarks:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MS: u64 = 1_000_000;

    /// Rounds of 90 ms, in which waiters come after 8 ms and get on 2 ms after the holder.
    fn run(change: impl Fn(&mut Value), code: i32) -> Checked {
        let (mut touches, mut waits) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let at = round * 200 * MS;
            touches.push(
                json!({ "round": round, "tid": 1, "holds": true, "start_ns": at, "end_ns": at + 90 * MS, "faults": 1 }),
            );
            for tid in 2..2 + WAITERS {
                touches.push(json!({ "round": round, "tid": tid, "holds": false, "start_ns": at + 8 * MS,
                    "end_ns": at + 92 * MS, "faults": 3 }));
                let mut wait = json!({ "task": { "tid": tid }, "from_ns": at + 8 * MS + 9, "to_ns": at + 92 * MS - 9,
                    "retries": 3, "oversleep_ns": 2 * MS, "holder": { "task": { "comm": "victim" }, "taken_ns": at,
                    "dropped_ns": at + 90 * MS - 99 } });
                change(&mut wait);
                waits.push(wait);
            }
        }
        let value = json!({ "waits": waits, "dropped": {}, "kernel": { "tick_ns": 4 * MS }, "budget": { "over": 96 },
            "remarks": [{ "rule": "over-budget" }, { "rule": "one-hot-holder" }] });
        let witness = json!({ "rounds": ROUNDS, "touches": touches });
        check(Era::Pinned, &Finished { code, stdout: value.to_string(), stderr: witness.to_string() })
    }

    #[test]
    fn what_was_measured_is_what_must_be_seen() {
        assert!(run(|_| (), 11).is_ok(), "{:?}", run(|_| (), 11));
        assert!(run(|_| (), 0).is_err(), "the budget was exceeded");
    }

    #[test]
    fn each_measure_that_is_off_fails() {
        let add = |pointer: &'static str, by: u64| {
            move |wait: &mut Value| {
                let value = number(wait, pointer).unwrap();
                *wait.pointer_mut(pointer).unwrap() = (value + by).into();
            }
        };
        assert!(run(add("/from_ns", 5 * MS), 11).unwrap_err().contains("waits differ"));
        assert!(run(add("/to_ns", MS), 11).unwrap_err().contains("waited"), "longer than it was there");
        assert!(run(add("/holder/taken_ns", 5 * MS), 11).unwrap_err().contains("holds differ"));
        assert!(run(add("/oversleep_ns", 5 * MS), 11).unwrap_err().contains("oversleeps differ"));
        assert!(run(add("/retries", 1), 11).unwrap_err().contains("retries"));
        let other = |wait: &mut Value| *wait.pointer_mut("/holder/task/comm").unwrap() = "other".into();
        assert!(run(other, 11).unwrap_err().contains("too few"));
    }
}
