//! Waits of known length: who held the page, who waited, and for how long beyond the hold, compared with the times that
//! the threads measured themselves on the clock of observer's records.

use std::collections::BTreeSet;

use super::{
    agreement::none_dropped,
    step::{Checked, Era, Finished, Step, ensure},
    witness::{Hold, Touch},
};
use crate::output::summary::{Summary, Wait};

/// One thread is delayed for 90 ms in the fault, two others wait for it. All these waits exceed the budget.
pub(super) const HOLD: Step = Step {
    name: "hold",
    command: "observer record --widen 90ms --widen-comm victim --budget 1ms --json \
              -- /witness hold --rounds 24 --threads 2",
    check,
};

const ROUNDS: u64 = 24;
const WAITERS: u64 = 2;

/// The observed waits of one touch.
#[derive(Clone, Copy, Debug, Default)]
struct Observed {
    ns: u64,
    retries: u64,
    oversleep_ns: u64,
    /// Length of the victim's hold.
    held_ns: u64,
}

/// Sums over all touches that waited for the victim: `observed` by observer, `measured` by the threads.
#[derive(Clone, Debug, Default)]
struct Sums {
    touches: u64,
    waits: Pair,
    holds: Pair,
    oversleep: Pair,
    retries: u64,
    faults: u64,
    differences: Differences,
}

/// Between what was observed and what was measured, of each wait, hold and oversleep, nanoseconds.
#[derive(Clone, Debug, Default)]
struct Differences {
    waits: Vec<u64>,
    holds: Vec<u64>,
    oversleep: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    observed: u64,
    measured: u64,
}

impl Pair {
    const fn difference(self) -> u64 {
        self.observed.abs_diff(self.measured)
    }

    /// Within 5% of `of`.
    const fn is_close(self, of: u64) -> bool {
        self.difference() * 20 <= of
    }

    fn add(&mut self, other: Self) {
        self.observed += other.observed;
        self.measured += other.measured;
    }
}

/// A thread can lose its CPU between two readings of the clock, which its touch then has and its wait has not: the
/// emulated CPUs take turns of up to 0.1 s.
fn median(differences: &[u64]) -> u64 {
    let mut sorted = differences.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(u64::MAX)
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} us (measured {})", self.observed / 1_000, self.measured / 1_000)
    }
}

fn check(era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let Hold { rounds, touches } = finished.on_stderr()?;
    ensure(rounds == ROUNDS, || "not all rounds were run".to_owned())?;
    waits_fit_into_touches(&touches, &summary.waits)?;
    budget_is_exceeded(&summary)?;
    finished.expect_code(11)?;
    none_dropped(&summary)?;
    let sums = add_up(&touches, &summary.waits)?;
    let Sums { waits, holds, oversleep, retries, faults, .. } = &sums;
    let seen = format!(
        "{} of {} touches waited for the victim: waits {waits}, holds {holds}, oversleep {oversleep} (median difference {} \
         us), {retries} retries, {faults} faults",
        sums.touches,
        ROUNDS * WAITERS,
        median(&sums.differences.oversleep) / 1_000
    );
    let tick_ns = summary.kernel.tick_ns.ok_or("kernel.tick_ns is missing")?;
    compare(era, &sums, tick_ns).map_err(|wrong| format!("{wrong}: {seen}"))?;
    Ok(seen)
}

/// Half of the waits and of the holds within 5% of the mean measured time; oversleep within 5% of the waits, and half of
/// them within a tick.
fn compare(era: Era, sums: &Sums, tick_ns: u64) -> Result<(), String> {
    ensure(sums.touches * 5 >= ROUNDS * WAITERS * 4, || "too few touches waited for the victim".to_owned())?;
    let half_are_close = |differences: &[u64], of: Pair| {
        let number = u64::try_from(differences.len()).unwrap_or(u64::MAX);
        median(differences).saturating_mul(20).saturating_mul(number) <= of.measured
    };
    ensure(half_are_close(&sums.differences.waits, sums.waits), || "waits differ".to_owned())?;
    ensure(half_are_close(&sums.differences.holds, sums.holds), || "holds differ".to_owned())?;
    ensure(sums.oversleep.is_close(sums.waits.measured), || "oversleep differs".to_owned())?;
    ensure(median(&sums.differences.oversleep) <= tick_ns, || {
        "half of the oversleep differs by more than a tick".to_owned()
    })?;
    // The kernel counts a fault that fails to take the pin, and the last one, which may find the page present. It does
    // not count one that gives up on the lock, but its retry.
    let (least, most) = match era {
        Era::NoBypass => (sums.touches, 2 * sums.touches),
        _ => (sums.faults.saturating_sub(sums.touches), sums.faults),
    };
    ensure((least..=most).contains(&sums.retries), || "retries and faults differ".to_owned())
}

fn is_during(wait: &Wait, touch: &Touch) -> bool {
    wait.task.tid == touch.tid && (touch.start_ns..=touch.end_ns).contains(&wait.from_ns)
}

fn waits_fit_into_touches(touches: &[Touch], waits: &[Wait]) -> Result<(), String> {
    for touch in touches {
        let waited: u64 = waits.iter().filter(|wait| is_during(wait, touch)).map(Wait::length_ns).sum();
        let length = touch.end_ns - touch.start_ns;
        ensure(waited <= length, || {
            format!("thread {} waited {waited} ns in a touch that took {length} ns", touch.tid)
        })?;
    }
    Ok(())
}

/// Over the touches that waited only for the victim.
fn add_up(touches: &[Touch], waits: &[Wait]) -> Result<Sums, String> {
    let mut sums = Sums::default();
    let mut rounds = BTreeSet::new();
    for touch in touches.iter().filter(|touch| !touch.holds) {
        let holder = touches.iter().find(|other| other.holds && other.round == touch.round);
        let holder = holder.ok_or_else(|| format!("round {} has no holder", touch.round))?;
        let Some(observed) = observed(touch, waits)? else { continue };
        let oversleep = touch.end_ns.saturating_sub(holder.end_ns.max(touch.start_ns));
        sums.touches += 1;
        let wait = Pair { observed: observed.ns, measured: touch.end_ns - touch.start_ns };
        let oversleep = Pair { observed: observed.oversleep_ns, measured: oversleep };
        sums.waits.add(wait);
        sums.differences.waits.push(wait.difference());
        sums.oversleep.add(oversleep);
        sums.differences.oversleep.push(oversleep.difference());
        sums.retries += observed.retries;
        sums.faults += touch.faults;
        if rounds.insert(touch.round) {
            let hold = Pair { observed: observed.held_ns, measured: holder.end_ns - holder.start_ns };
            sums.holds.add(hold);
            sums.differences.holds.push(hold.difference());
        }
    }
    Ok(sums)
}

/// The waits during a touch. None: there was none, or one for another task than the victim.
fn observed(touch: &Touch, waits: &[Wait]) -> Result<Option<Observed>, String> {
    let mut all = Observed::default();
    for wait in waits.iter().filter(|wait| is_during(wait, touch)) {
        let Some(holder) = wait.holder.as_ref().filter(|_| wait.is_for("victim")) else { return Ok(None) };
        let (Some(taken), Some(dropped)) = (holder.taken_ns, holder.dropped_ns) else {
            return Err(format!("a hold without start or end: {holder:?}"));
        };
        all.ns += wait.length_ns();
        all.retries += wait.retries;
        all.oversleep_ns += wait.oversleep_ns.ok_or_else(|| format!("a wait without oversleep: {wait:?}"))?;
        all.held_ns = dropped.saturating_sub(taken);
    }
    Ok((all.ns > 0).then_some(all))
}

fn budget_is_exceeded(summary: &Summary) -> Result<(), String> {
    let over = summary.budget.as_ref().ok_or("budget is missing")?.over;
    ensure(over > 0, || "no wait exceeded the budget".to_owned())?;
    let has = |rule: &str| summary.remarks.iter().any(|remark| remark.rule == rule);
    ensure(has("over_budget") && has("one_hot_holder"), || format!("missing remarks: {:?}", summary.remarks))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::summary::example::with;

    const MS: u64 = 1_000_000;

    /// Rounds of 90 ms, in which the waiters start after 8 ms and end 2 ms after the holder.
    fn run(change: impl Fn(&mut Value), code: i32) -> Checked {
        let (mut touches, mut waits) = (Vec::new(), Vec::new());
        let task = |tid: u64, comm: &str| json!({ "pid": 1, "tid": tid, "comm": comm });
        for round in 1..=ROUNDS {
            let at = round * 200 * MS;
            touches.push(
                json!({ "round": round, "tid": 1, "holds": true, "start_ns": at, "end_ns": at + 90 * MS, "faults": 1 }),
            );
            for tid in 2..2 + WAITERS {
                touches.push(json!({ "round": round, "tid": tid, "holds": false, "start_ns": at + 8 * MS,
                    "end_ns": at + 92 * MS, "faults": 3 }));
                let mut wait = json!({ "task": task(tid, "waiter"), "from_ns": at + 8 * MS + 9, "to_ns": at + 92 * MS - 9,
                    "retries": 3, "oversleep_ns": 2 * MS, "holder": { "task": task(1, "victim"), "taken_ns": at,
                    "dropped_ns": at + 90 * MS - 99 } });
                change(&mut wait);
                waits.push(wait);
            }
        }
        let summary = with(&json!({ "waits": waits, "budget": { "over": 96 },
            "remarks": [{ "rule": "over_budget" }, { "rule": "one_hot_holder" }] }));
        let witness = json!({ "rounds": ROUNDS, "touches": touches });
        check(Era::Pinned, &Finished { code, stdout: summary.to_string(), stderr: witness.to_string() })
    }

    #[test]
    fn observed_and_measured_times_must_agree() {
        assert!(run(|_| (), 11).is_ok(), "{:?}", run(|_| (), 11));
        assert!(run(|_| (), 0).is_err(), "the budget was exceeded");
    }

    #[test]
    fn a_thread_may_lose_its_cpu_now_and_then() {
        let late = |from_round: u64| {
            move |wait: &mut Value| {
                let from = wait["from_ns"].as_u64().unwrap();
                if from >= from_round * 200 * MS {
                    wait["from_ns"] = (from + 20 * MS).into();
                }
            }
        };
        assert!(run(late(ROUNDS - 5), 11).is_ok(), "{:?}", run(late(ROUNDS - 5), 11));
        assert!(run(late(ROUNDS / 3), 11).unwrap_err().contains("waits differ"));
    }

    #[test]
    fn each_wrong_time_fails() {
        let add = |pointer: &'static str, by: u64| {
            move |wait: &mut Value| {
                let value = wait.pointer(pointer).and_then(Value::as_u64).unwrap();
                *wait.pointer_mut(pointer).unwrap() = (value + by).into();
            }
        };
        assert!(run(add("/from_ns", 5 * MS), 11).unwrap_err().contains("waits differ"));
        assert!(run(add("/to_ns", MS), 11).unwrap_err().contains("in a touch"));
        assert!(run(add("/holder/taken_ns", 5 * MS), 11).unwrap_err().contains("holds differ"));
        assert!(run(add("/oversleep_ns", 5 * MS), 11).unwrap_err().contains("oversleep differs"));
        assert!(run(add("/retries", 1), 11).unwrap_err().contains("retries"));
        let other = |wait: &mut Value| *wait.pointer_mut("/holder/task/comm").unwrap() = "other".into();
        assert!(run(other, 11).unwrap_err().contains("too few"));
    }
}
