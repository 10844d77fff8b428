//! The wall clock is stepped during a recording.

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::step::{Checked, Era, Finished, Step, ensure};

/// The race three times, in turn: with the clock as it was, an hour ahead, and an hour behind. Each phase prints when it
/// started and ended by the clock. Then some small steps, and an hour forwards. Last the summaries of the live observation
/// and of the recording, and its findings.
///
/// The clock is set in whole seconds, so a step is up to a second less than asked for.
pub(super) const CLOCK: Step = Step {
    name: "clock",
    command: "observer record -o /tmp/clock.obs --json --widen 20ms --widen-comm victim -- sh -c ' \
                  race() { from=$(date +%s); /witness aba --rounds 8 --fork >/dev/null; \
                           echo \"{\\\"from_s\\\": $from, \\\"to_s\\\": $(date +%s)}\" >>/tmp/phases; }; \
                  step() { date -s @$(($(date +%s) + $1)) >/dev/null; sleep 3; }; \
                  race; step 3600; race; step -7200; race; \
                  for i in 1 2 3 4 5 6 7 8; do date -s @$(($(date +%s) + 60)) >/dev/null; sleep 0.37; done; \
                  step 3600'; \
              observer report --json /tmp/clock.obs; cat /tmp/phases; \
              observer report --format ndjson /tmp/clock.obs; rm -f /tmp/clock.obs /tmp/phases",
    check,
};

/// The steps around the phases, seconds.
const STEPS: [i64; 2] = [3_600, -7_200];
/// All later ones together, seconds.
const REST_S: i64 = 8 * 60 + 3_600;
/// Shorter than the time between two samples. A step after which none was taken at once is found only by the next, so
/// the readings around it are further apart.
const PROMPT_NS: u64 = 850_000_000;
/// How much a step may differ: a slow guest takes time between reading the clock and setting it.
const TOLERANCE_S: u64 = 60;
const NANOS: u64 = 1_000_000_000;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Printed {
    Phase(Phase),
    Finding(Finding),
    Summary(Summary),
}

/// By the guest's clock, seconds since 1970.
#[derive(Debug, Deserialize)]
pub(super) struct Phase {
    from_s: u64,
    to_s: u64,
}

impl Phase {
    /// The end may be anywhere in its second.
    pub(super) fn contains(&self, unix_ns: u64) -> bool {
        (self.from_s..=self.to_s).contains(&(unix_ns / NANOS))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    at_unix_ns: String,
}

impl Finding {
    pub(super) fn at(&self) -> Result<u64, String> {
        self.at_unix_ns.parse().map_err(|error| format!("at_unix_ns {}: {error}", self.at_unix_ns))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    sources: Vec<Source>,
    pub(super) notes: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Source {
    clock_changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Change {
    after_monotonic_ns: u64,
    monotonic_ns: u64,
    pub(super) stepped_ns: i64,
    pub(super) suspended_ns: u64,
    pub(super) suspensions: u64,
}

impl Summary {
    pub(super) fn changes(&self) -> &[Change] {
        self.sources.first().map_or(&[], |source| &source.clock_changes)
    }

    /// How often the note with this code says that it happened.
    pub(super) fn noted(&self, code: &str) -> Option<u64> {
        let note = self.notes.iter().find(|note| note.get("code").is_some_and(|found| found == code))?;
        note.get("times")?.as_u64()
    }
}

fn check(era: Era, finished: &Finished) -> Checked {
    let (mut summaries, mut phases, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for object in finished.objects::<Value>()? {
        match from_value(object).map_err(|error| error.to_string())? {
            Printed::Phase(phase) => phases.push(phase),
            Printed::Finding(finding) => findings.push(finding.at()?),
            Printed::Summary(summary) => summaries.push(summary),
        }
    }
    let [live, recorded] = &summaries[..] else {
        return Err(format!("{} summaries; standard error: {}", summaries.len(), finished.stderr.trim()));
    };
    check_steps(live)?;
    ensure(live.changes() == recorded.changes(), || {
        format!("live {:?}, recorded {:?}", live.changes(), recorded.changes())
    })?;
    ensure(phases.len() == STEPS.len() + 1, || format!("phases {phases:?}"))?;
    let stray = findings.iter().find(|at| !phases.iter().any(|phase| phase.contains(**at)));
    ensure(stray.is_none(), || format!("a finding at {stray:?} outside {phases:?}"))?;
    let found = phases.iter().map(|phase| findings.iter().filter(|at| phase.contains(**at)).count());
    let found: Vec<usize> = found.collect();
    // A fixed kernel has no findings.
    ensure(era != Era::Unfixed || found.iter().all(|count| *count > 0), || format!("findings per phase: {found:?}"))?;
    let steps = live.changes().len();
    Ok(format!("{steps} steps of the clock; findings before, between and after the first two: {found:?}"))
}

fn check_steps(summary: &Summary) -> Result<(), String> {
    let changes = summary.changes();
    let wrong = |what: &str| format!("{what}: {changes:?}");
    let rest = changes.iter().skip(STEPS.len()).map(|change| change.stepped_ns).sum();
    let found = changes.iter().map(|change| change.stepped_ns).take(STEPS.len()).chain([rest]);
    let expected = STEPS.into_iter().chain([REST_S]).map(|step| step * NANOS.cast_signed());
    ensure(changes.len() > STEPS.len(), || wrong("steps are missing"))?;
    let is_close = |(found, step): (i64, i64)| found.abs_diff(step) < TOLERANCE_S * NANOS;
    ensure(found.zip(expected).all(is_close), || wrong("other steps"))?;
    ensure(changes.iter().all(|change| change.suspensions == 0), || wrong("suspended"))?;
    let is_prompt = |change: &Change| change.monotonic_ns - change.after_monotonic_ns < PROMPT_NS;
    ensure(changes.iter().any(is_prompt), || wrong("no step was found at once"))?;
    let noted = summary.noted("clock_stepped");
    ensure(noted == Some(changes.len() as u64), || format!("steps in the note: {noted:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: u64 = 1_800_000_000;
    /// What the clock showed at the start of each phase.
    const PHASES: [u64; 3] = [START, START + 3_600, START - 3_600];

    const STEPPED: [i64; 4] = [3_600, -7_200, 480, 3_600];

    fn summary(steps: &[i64], noted: u64) -> Value {
        summary_after(steps, noted, NANOS / 2)
    }

    /// Each step was found so long after the reading before it.
    fn summary_after(steps: &[i64], noted: u64, ns: u64) -> Value {
        let change = |step: &i64| json!({ "after_monotonic_ns": 5, "monotonic_ns": 5 + ns, "stepped_ns": step * NANOS.cast_signed(), "suspended_ns": 0, "suspensions": 0 });
        let changes: Vec<Value> = steps.iter().map(change).collect();
        json!({ "sources": [{ "clock_changes": changes }], "notes": [{ "code": "clock_stepped", "times": noted }] })
    }

    fn ran(era: Era, live: &Value, recorded: &Value, findings: &[u64]) -> Checked {
        let phases = PHASES.map(|from_s| json!({ "from_s": from_s, "to_s": from_s + 9 }));
        let findings = findings.iter().map(|at_s| json!({ "at_unix_ns": (at_s * NANOS + NANOS / 2).to_string() }));
        let objects = [live.clone(), recorded.clone()].into_iter().chain(phases).chain(findings);
        let stdout: Vec<String> = objects.map(|object| object.to_string()).collect();
        check(era, &Finished { code: 10, stdout: stdout.join("\n"), stderr: String::new() })
    }

    #[test]
    fn findings_must_have_the_time_of_the_clock_when_they_happened() {
        let right = summary(&STEPPED, 4);
        let unfixed = |findings: &[u64]| ran(Era::Unfixed, &right, &right, findings);
        let at = PHASES.map(|from| from + 9);
        assert!(unfixed(&at).is_ok(), "{:?}", unfixed(&at));
        assert!(unfixed(&at[..2]).is_err(), "a phase without a finding");
        assert!(
            unfixed(&[at[0], at[1], at[2], START + 11]).is_err(),
            "a finding of the second phase by the first clock"
        );
        assert!(ran(Era::Pinned, &right, &right, &[]).is_ok());
    }

    #[test]
    fn every_step_must_be_found_and_noted() {
        let right = summary(&STEPPED, 4);
        let pinned = |live: &Value, recorded: &Value| ran(Era::Pinned, live, recorded, &[]);
        assert!(pinned(&right, &right).is_ok());
        let slow = summary(&[3_599, -7_201, 4_100], 3);
        assert!(pinned(&slow, &slow).is_ok());
        for wrong in [
            summary(&STEPPED[..2], 2),
            summary(&STEPPED[..3], 3),
            summary(&[3_600, 7_200, 480, 3_600], 4),
            summary(&STEPPED, 3),
            summary_after(&STEPPED, 4, NANOS),
        ] {
            assert!(pinned(&wrong, &wrong).is_err(), "{wrong}");
        }
        assert!(pinned(&right, &slow).is_err(), "the recording differs");
    }
}
