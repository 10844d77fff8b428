//! `--stop-on` and `--on-finding`: how soon after a stale install they act, and that each finding is handed over once.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::{
    step::{Checked, Era, Finished, Step, ensure},
    witness::Churn,
};

/// Five observations of the race, which begins some seconds after swap was switched on: until the list of areas has been
/// read again, findings are held back. Each ends with its first stale install, and gives it to a command. The command
/// prints the time at which it runs and its standard input; the observed command prints the time at which it gets SIGTERM,
/// the first thing that the end of an observation does. `now` of `/proc/timer_list` is `CLOCK_MONOTONIC`, as are the times
/// of events. After each observation: its summary, the time, what the two have printed, and the findings in the recording.
///
/// It has a guest with a thread for each vCPU: in one thread a delayed fault, which spins, keeps the others waiting.
pub(super) const STOP_ON: Step = Step {
    name: "stop-on",
    command: "cat >/tmp/now <<'EOF'
now() { while read -r a b ns unit; do if [ \"$a $b\" = 'now at' ]; then echo $ns; return; fi; done </proc/timer_list; }
EOF
cat >/tmp/command <<'EOF'
. /tmp/now; ran=$(now); read -r finding; echo \"{\\\"ran_ns\\\": $ran, \\\"finding\\\": $finding}\" >>/tmp/ran
EOF
cat >/tmp/observed <<'EOF'
. /tmp/now; trap 'echo \"{\\\"stopped_ns\\\": $(now)}\" >>/tmp/ran' TERM
/witness aba --rounds 1000 --pause 4 --fork >/dev/null & wait $!; kill $!; wait $!
EOF
. /tmp/now
for run in 1 2 3 4 5; do
    observer record -o /tmp/stop.obs --json --stop-on stale-install --on-finding 'sh /tmp/command' \
        --on-verdict stale-install --widen 20ms --widen-comm victim -- sh /tmp/observed
    code=$?; echo \"{\\\"code\\\": $code, \\\"exited_ns\\\": $(now)}\"; cat /tmp/ran; echo
    observer report --format ndjson /tmp/stop.obs >/tmp/recorded; cat /tmp/recorded; rm -f /tmp/ran /tmp/stop.obs
done; rm -f /tmp/now /tmp/command /tmp/observed /tmp/recorded",
    check: stop_on,
};

/// The command swaps pages in while another command is observed, and once the observed one uses no swap any more.
pub(super) const ON_FINDING: Step = Step {
    name: "on-finding",
    command: "cat >/tmp/command <<'EOF'
cat >>/tmp/given; mkdir /tmp/once 2>/dev/null || exit 0
while grep -q zram /proc/swaps; do sleep 0.2; done
/witness churn --pages 2048 --threads 1 --rounds 1 >/tmp/churned.part; mv /tmp/churned.part /tmp/churned
EOF
observer record --json --on-finding 'sh /tmp/command' --widen 20ms --widen-comm victim -- \
    sh -c '/witness aba --rounds 3 --fork >/dev/null; until [ -e /tmp/churned ]; do sleep 0.2; done'
code=$?; cat /tmp/churned /tmp/given; rm -rf /tmp/command /tmp/once /tmp/churned /tmp/given; exit $code",
    check: on_finding,
};

/// From the end of the stale fault to the end of the observation. It is the limit of the fastest run: other guests and
/// programs of the host stop emulated CPUs, which only adds. (Idle host: 128 to 164 ms. With two to three busy tasks for
/// each CPU: 166 to 312 ms.)
const END_LIMIT_NS: u64 = 200_000_000;

/// From there to the time that the command prints, also in the fastest run. The command starts together with the end, but
/// an emulated CPU takes long to start its shell. (Idle host: 152 to 180 ms. Busy: 206 to 441 ms.)
const COMMAND_LIMIT_NS: u64 = 500_000_000;

#[derive(Debug, Deserialize)]
struct Summary {
    swapins: SwapIns,
    findings: Vec<Finding>,
    on_finding: Option<Counts>,
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
struct SwapIns {
    seen: u64,
    kernel: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Source {
    ended: String,
}

#[derive(Debug, Deserialize)]
struct Counts {
    findings: u64,
    succeeded: u64,
    failed: BTreeMap<String, u64>,
    not_run: BTreeMap<String, u64>,
}

/// What identifies a finding in all of its forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Finding {
    start_ns: u64,
    end_ns: u64,
    entry: String,
    verdict: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Printed {
    Ran { ran_ns: u64, finding: Finding },
    Stopped { stopped_ns: u64 },
    Exited { code: i32, exited_ns: u64 },
    Churned(Churn),
    Finding(Finding),
    Summary(Box<Summary>),
}

/// One observation, and what it has led to.
#[derive(Debug)]
struct Run {
    summary: Summary,
    ran: Vec<(u64, Finding)>,
    stopped_ns: Option<u64>,
    exited: Option<(i32, u64)>,
    churned: Option<Churn>,
    /// On lines of their own: those of the recording, or those that the commands were given.
    findings: Vec<Finding>,
}

fn runs(finished: &Finished) -> Result<Vec<Run>, String> {
    let mut runs: Vec<Run> = Vec::new();
    for object in finished.objects::<Value>()? {
        let printed = from_value(object.clone()).map_err(|error| format!("{error}: {object}"))?;
        if let Printed::Summary(summary) = printed {
            let (ran, findings) = (Vec::new(), Vec::new());
            runs.push(Run { summary: *summary, ran, stopped_ns: None, exited: None, churned: None, findings });
            continue;
        }
        let run = runs.last_mut().ok_or_else(|| format!("no summary; standard error: {}", finished.stderr.trim()))?;
        match printed {
            Printed::Ran { ran_ns, finding } => run.ran.push((ran_ns, finding)),
            Printed::Stopped { stopped_ns } => run.stopped_ns = Some(stopped_ns),
            Printed::Exited { code, exited_ns } => run.exited = Some((code, exited_ns)),
            Printed::Churned(churned) => run.churned = Some(churned),
            Printed::Finding(finding) => run.findings.push(finding),
            Printed::Summary(_) => {}
        }
    }
    Ok(runs)
}

/// Times from the end of the first stale fault, nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Latency {
    ran: u64,
    stopped: u64,
    exited: u64,
}

fn stop_on(_era: Era, finished: &Finished) -> Checked {
    let runs = runs(finished)?;
    ensure(runs.len() == 5, || format!("{} summaries; standard error: {}", runs.len(), finished.stderr.trim()))?;
    let latencies = runs.iter().map(latency).collect::<Result<Vec<_>, _>>()?;
    let least = |which: fn(&Latency) -> u64| latencies.iter().map(which).min().unwrap_or(u64::MAX);
    let all = |which: fn(&Latency) -> u64| {
        latencies.iter().map(|latency| (which(latency) / 1_000_000).to_string()).collect::<Vec<_>>().join(", ")
    };
    let seen = format!(
        "after the stale fault had ended, the command ran after {} ms, the observation ended after {} ms, observer exited \
         after {} ms",
        all(|latency| latency.ran),
        all(|latency| latency.stopped),
        all(|latency| latency.exited)
    );
    let (ran, stopped) = (least(|latency| latency.ran), least(|latency| latency.stopped));
    ensure(stopped <= END_LIMIT_NS && ran <= COMMAND_LIMIT_NS, || format!("too late: {seen}"))?;
    Ok(seen)
}

fn latency(run: &Run) -> Result<Latency, String> {
    let wrong = |what: &str| format!("{what}: {run:?}");
    let stale = |findings: &[Finding]| -> Vec<Finding> {
        let mut stale: Vec<_> = findings.iter().filter(|finding| finding.verdict == "stale_install").cloned().collect();
        stale.sort_unstable();
        stale
    };
    let found = stale(&run.summary.findings);
    let given = stale(&run.ran.iter().map(|(_, finding)| finding.clone()).collect::<Vec<_>>());
    let first = found.iter().map(|finding| finding.end_ns).min().ok_or_else(|| wrong("no stale install"))?;
    ensure(given == found && given.len() == run.ran.len(), || wrong("a command got other findings, or one twice"))?;
    ensure(stale(&run.findings) == found, || wrong("the recording has other findings"))?;
    let all_succeeded = run
        .summary
        .on_finding
        .as_ref()
        .is_some_and(|counts| counts.findings == found.len() as u64 && counts.succeeded == counts.findings);
    ensure(all_succeeded, || wrong("a command failed or was not counted"))?;
    ensure(run.summary.sources.iter().all(|source| source.ended == "stop_on"), || wrong("another end"))?;
    let (code, exited) = run.exited.ok_or_else(|| wrong("no exit"))?;
    ensure(code == 10, || wrong("another exit code"))?;
    let stopped = run.stopped_ns.ok_or_else(|| wrong("the command was not ended"))?;
    let ran = run.ran.iter().map(|(at, _)| *at).min().ok_or_else(|| wrong("no command"))?;
    let since = |at: u64| at.checked_sub(first).ok_or_else(|| wrong("before the finding"));
    Ok(Latency { ran: since(ran)?, stopped: since(stopped)?, exited: since(exited)? })
}

/// The observed command swaps in fewer pages than this.
const FEW: u64 = 500;

fn on_finding(_era: Era, finished: &Finished) -> Checked {
    let mut runs = runs(finished)?;
    let run = runs.pop().ok_or_else(|| format!("no summary; standard error: {}", finished.stderr.trim()))?;
    let Run { summary, churned, mut findings, .. } = run;
    let churned = churned.ok_or("the command has swapped nothing in")?.pswpin;
    let SwapIns { seen, kernel } = summary.swapins;
    let kernel = kernel.ok_or("the kernel's count is missing")?;
    let text =
        format!("{seen} swap-ins of the observed command, {churned} of the command on findings, {kernel} in all");
    ensure(churned >= 2_048 && kernel >= seen + churned, || format!("too few swap-ins: {text}"))?;
    ensure(seen > 0 && seen < FEW, || format!("the command on findings was observed: {text}"))?;
    let mut expected = summary.findings;
    expected.sort_unstable();
    findings.sort_unstable();
    ensure(!expected.is_empty() && findings == expected, || {
        format!("found {expected:?}, given to commands {findings:?}")
    })?;
    let counts = summary.on_finding.ok_or("on_finding is missing")?;
    let all = counts.findings == expected.len() as u64 && counts.succeeded == counts.findings;
    ensure(all && counts.failed.is_empty() && counts.not_run.is_empty(), || format!("{counts:?}"))?;
    finished.expect_code(10)?;
    Ok(format!("{text}; {} findings, each given to one command", expected.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};

    fn finding(start_ms: u64) -> Value {
        json!({ "verdict": "stale_install", "entry": "0:5", "start_ns": start_ms * 1_000_000,
            "end_ns": (start_ms + 20) * 1_000_000 })
    }

    /// An observation of `findings`, which a command was given at the time `ran_ms`.
    fn printed(findings: &[Value], given: &[Value], recorded: &[Value], ran_ms: u64, succeeded: u64) -> String {
        let summary = json!({ "swapins": { "seen": 9, "kernel": 3_000 }, "findings": findings,
            "on_finding": { "findings": findings.len(), "succeeded": succeeded, "failed": {}, "not_run": {} },
            "sources": [{ "ended": "stop_on" }] });
        let mut all = vec![summary, json!({ "code": 10, "exited_ns": 9_000_000_000_u64 })];
        all.extend(given.iter().map(|finding| json!({ "ran_ns": ran_ms * 1_000_000, "finding": finding })));
        all.push(json!({ "stopped_ns": 1_150_000_000_u64 }));
        all.extend(recorded.iter().cloned());
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn five(one: &str) -> Checked {
        stop_on(Era::Unfixed, &finished(0, &[one; 5].join("\n"), ""))
    }

    #[test]
    fn the_command_must_get_each_finding_once_and_soon() {
        let (one, other) = ([finding(1_000)], [finding(1_000), finding(1_030)]);
        assert!(five(&printed(&one, &one, &one, 1_180, 1)).is_ok(), "{:?}", five(&printed(&one, &one, &one, 1_180, 1)));
        assert!(five(&printed(&other, &other, &other, 1_180, 2)).is_ok());
        let twice = [finding(1_000), finding(1_000)];
        for (found, given, recorded, ran_ms, succeeded) in [
            (&one[..], &one[..], &one[..], 1_530, 1),
            (&one[..], &twice[..], &one[..], 1_180, 1),
            (&one[..], &[][..], &one[..], 1_180, 1),
            (&other[..], &one[..], &other[..], 1_180, 2),
            (&one[..], &one[..], &[][..], 1_180, 1),
            (&one[..], &one[..], &one[..], 1_180, 0),
            (&[][..], &[][..], &[][..], 1_180, 0),
            (&one[..], &one[..], &one[..], 1_000, 1),
        ] {
            assert!(five(&printed(found, given, recorded, ran_ms, succeeded)).is_err(), "{found:?} {given:?} {ran_ms}");
        }
        let fine = printed(&one, &one, &one, 1_180, 1);
        assert!(five(&fine.replace("1150000000", "1230000000")).is_err(), "the observation ends too late");
        assert!(five(&fine.replace("stop_on", "command")).is_err());
        assert!(five(&fine.replace("\"code\":10", "\"code\":20")).is_err());
        assert!(stop_on(Era::Unfixed, &finished(0, &fine, "")).is_err(), "one run of five");
    }

    #[test]
    fn swap_ins_of_the_command_must_not_be_observed() {
        let ran = |seen: u64, churned: u64, given: &[Value]| {
            let summary = json!({ "swapins": { "seen": seen, "kernel": 5_000 }, "findings": [finding(1)],
                "on_finding": { "findings": 1, "succeeded": 1, "failed": {}, "not_run": {} },
                "sources": [{ "ended": "command" }] });
            let churn = json!({ "pswpin": churned, "out": churned, "corrupt": 0 });
            let mut text = format!("{summary}\n{churn}\n");
            text.extend(given.iter().map(Value::to_string));
            on_finding(Era::Unfixed, &finished(10, &text, ""))
        };
        assert!(ran(12, 2_048, &[finding(1)]).is_ok(), "{:?}", ran(12, 2_048, &[finding(1)]));
        assert!(ran(2_060, 2_048, &[finding(1)]).unwrap_err().contains("was observed"));
        assert!(ran(12, 0, &[finding(1)]).is_err());
        assert!(ran(12, 2_048, &[]).is_err());
        assert!(ran(12, 2_048, &[finding(1), finding(1)]).is_err());
    }
}
