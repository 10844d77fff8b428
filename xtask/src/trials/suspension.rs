//! The machine is suspended during a recording.

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::{
    clock::{Finding, Phase, Summary},
    step::{Checked, Era, Finished, Step, ensure},
};

/// The race, a suspension to memory that the alarm of the hardware clock ends, and the race again. Each phase prints when
/// it started and ended by the guest's clock; around the suspension the kernel's clocks are printed: `/proc/uptime` goes
/// on while the machine is suspended, the `now` of `/proc/timer_list` does not. Last the summaries of the live observation
/// and of the recording, and its findings.
pub(super) const SUSPENSION: Step = Step {
    name: "suspension",
    command: "observer record -o /tmp/suspended.obs --json --widen 20ms --widen-comm victim -- sh -c ' \
                  race() { from=$(date +%s); /witness aba --rounds 8 --fork >/dev/null; \
                           echo \"{\\\"from_s\\\": $from, \\\"to_s\\\": $(date +%s)}\" >>/tmp/phases; }; \
                  clocks() { read -r up idle </proc/uptime; \
                             now=$(sed -n \"s/^now at \\([0-9]*\\) nsecs/\\1/p\" /proc/timer_list); \
                             echo \"{\\\"uptime_s\\\": $up, \\\"monotonic_ns\\\": $now}\" >>/tmp/phases; }; \
                  race; sleep 1; clocks; \
                  alarm=/sys/class/rtc/rtc0/wakealarm; echo 0 >$alarm; echo +10 >$alarm; echo mem >/sys/power/state; \
                  clocks; sleep 2; race'; \
              observer report --json /tmp/suspended.obs; cat /tmp/phases; \
              observer report --format ndjson /tmp/suspended.obs; rm -f /tmp/suspended.obs /tmp/phases",
    check,
};

/// How much the length may differ: a slow guest takes time between reading its two clocks.
const TOLERANCE_S: f64 = 1.0;
/// A shorter one could not be distinguished from none.
const SHORTEST_S: f64 = 3.0;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Printed {
    Phase(Phase),
    Clocks(Clocks),
    Finding(Finding),
    Summary(Summary),
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Clocks {
    uptime_s: f64,
    monotonic_ns: f64,
}

impl Clocks {
    /// How far the clock that goes on is ahead, seconds.
    fn ahead(self) -> f64 {
        self.uptime_s - self.monotonic_ns / 1e9
    }
}

fn check(era: Era, finished: &Finished) -> Checked {
    let (mut summaries, mut phases, mut clocks, mut findings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for object in finished.objects::<Value>()? {
        match from_value(object).map_err(|error| error.to_string())? {
            Printed::Phase(phase) => phases.push(phase),
            Printed::Clocks(reading) => clocks.push(reading),
            Printed::Finding(finding) => findings.push(finding.at()?),
            Printed::Summary(summary) => summaries.push(summary),
        }
    }
    let ([live, recorded], [before, after]) = (&summaries[..], &clocks[..]) else {
        return Err(format!("{summaries:?}, {clocks:?}; standard error: {}", finished.stderr.trim()));
    };
    let suspended_s = after.ahead() - before.ahead();
    ensure(suspended_s > SHORTEST_S, || format!("suspended for {suspended_s} s; standard error: {}", finished.stderr))?;
    for summary in [live, recorded] {
        let [change] = summary.changes() else { return Err(format!("clocks: {:?}", summary.changes())) };
        let found_s = change.suspended_ns as f64 / 1e9;
        let is_right = change.suspensions == 1 && change.stepped_ns == 0 && (found_s - suspended_s).abs() < TOLERANCE_S;
        ensure(is_right, || format!("{change:?}, by the kernel's clocks {suspended_s} s"))?;
        ensure(summary.noted("suspended") == Some(1), || format!("notes {:?}", summary.notes))?;
    }
    ensure(phases.len() == 2, || format!("phases {phases:?}"))?;
    let stray = findings.iter().find(|at| !phases.iter().any(|phase| phase.contains(**at)));
    ensure(stray.is_none(), || format!("a finding at {stray:?} outside {phases:?}"))?;
    let found = phases.iter().map(|phase| findings.iter().filter(|at| phase.contains(**at)).count());
    let found: Vec<usize> = found.collect();
    // A fixed kernel has no findings.
    ensure(era != Era::Unfixed || found.iter().all(|count| *count > 0), || format!("findings per phase: {found:?}"))?;
    Ok(format!("suspended for {suspended_s:.1} s; findings before and after: {found:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NANOS: u64 = 1_000_000_000;
    const START: u64 = 1_800_000_000;

    fn summary(suspended_s: u64, stepped_ns: i64) -> Value {
        let change = json!({
            "after_monotonic_ns": 5, "monotonic_ns": 6, "stepped_ns": stepped_ns, "suspensions": 1,
            "suspended_ns": suspended_s * NANOS,
        });
        json!({ "sources": [{ "clock_changes": [change] }], "notes": [{ "code": "suspended", "times": 1 }] })
    }

    /// The machine was suspended for this many seconds.
    fn ran(live: &Value, recorded: &Value, seconds: f64, findings: &[u64]) -> Checked {
        let phases = [START, START + 20].map(|from_s| json!({ "from_s": from_s, "to_s": from_s + 9 }));
        let clocks = [(0.0, 50.0), (seconds, 51.0)]
            .map(|(slept, now)| json!({ "uptime_s": now + slept, "monotonic_ns": now * 1e9 }));
        let findings = findings.iter().map(|at_s| json!({ "at_unix_ns": (at_s * NANOS).to_string() }));
        let objects = [live.clone(), recorded.clone()].into_iter().chain(phases).chain(clocks).chain(findings);
        let stdout: Vec<String> = objects.map(|object| object.to_string()).collect();
        check(Era::Unfixed, &Finished { code: 10, stdout: stdout.join("\n"), stderr: String::new() })
    }

    #[test]
    fn a_suspension_must_have_its_length_and_findings_the_time_of_day() {
        let (right, at) = (summary(8, 0), [START + 3, START + 23]);
        assert!(ran(&right, &right, 7.9, &at).is_ok(), "{:?}", ran(&right, &right, 7.9, &at));
        assert!(ran(&right, &summary(5, 0), 7.9, &at).is_err(), "the recording differs");
        assert!(ran(&summary(8, 3), &right, 7.9, &at).is_err(), "a step");
        assert!(ran(&right, &right, 0.1, &at).is_err(), "it was not suspended");
        assert!(ran(&right, &right, 7.9, &[START + 3, START + 15]).is_err(), "eight seconds early");
        assert!(ran(&right, &right, 7.9, &at[..1]).is_err());
        let mut none = right.clone();
        none["sources"][0]["clock_changes"] = json!([]);
        assert!(ran(&none, &none, 7.9, &at).is_err());
        let mut unnoted = right.clone();
        unnoted["notes"] = json!([]);
        assert!(ran(&unnoted, &right, 7.9, &at).is_err());
    }
}
