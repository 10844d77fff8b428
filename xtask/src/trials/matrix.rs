//! The matrix: every kernel, on every backend that it supports, with three steps each.

use std::path::Path;

use anyhow::Result;

use super::{
    counts::counts_of,
    guest::{self, Programs, Verdict},
    host::self_test,
    race::targeted_rounds,
    step::{Checked, Era, Finished},
    table::Row,
};
use crate::{
    kernels::Kernel,
    output::{
        doctor::Doctor,
        summary::{Backend, State},
    },
};

const ROUNDS: u64 = 60;
/// Pages of the witness, and how often each is swapped in.
const PAGES: u64 = 4096;
const TIMES: u64 = 2;
/// Values of `--backend`. The first one always runs, the others only if they differ from it.
const BACKENDS: [&str; 3] = ["auto", "kprobe", "fentry"];

/// The script of a guest. `kprobe` differs from `auto` if that has trampolines, `fentry` if it has both, or has kprobes
/// because tasks are preempted.
fn script() -> String {
    let (rounds, pages, times) = (ROUNDS, PAGES, TIMES);
    format!(
        r#"mkdir -p /out
step() {{ name=$1; shift; timeout 120 "$@" >/out/$name.stdout 2>/out/$name.stderr; echo $? >/out/$name.code; }}
steps() {{
    step self-test-$1 observer doctor --self-test --json --backend $1
    step targeted-$1 observer stress targeted --rounds {rounds} --json --backend $1
    step counts-$1 observer record --json --backend $1 -- /witness churn --pages {pages} --threads 1 --rounds {times}
}}
uses() {{ grep -Eq "\"backend\": ?\"($1)\"" /out/self-test-auto.stdout; }}
steps auto
uses 'fentry|fexit' && steps kprobe
if grep -q '"preemptible"' /out/self-test-auto.stdout || uses 'fentry|fexit' && uses 'kprobe|kretprobe'; then
    steps fentry
fi
"#
    )
}

/// Runs the steps in one guest. Their output is kept in `keep`.
///
/// # Errors
/// When the guest does not run to its end. A step that fails is a [`Verdict`].
pub(super) fn run(kernel: Kernel, programs: &Programs, keep: &Path) -> Result<(Vec<Row>, Vec<Verdict>)> {
    let (arch, release) = (kernel.arch, kernel.release.clone());
    let guest = guest::guest(kernel, &programs.observer, guest::witness(programs), keep)?;
    guest.run(&["sh".to_owned(), "-c".to_owned(), script()])?;
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    for backend in BACKENDS {
        if backend != "auto" && !keep.join(format!("self-test-{backend}.code")).exists() {
            continue;
        }
        let step = |name: &str| Finished::read(keep, &format!("{name}-{backend}"));
        let doctor = step("self-test").and_then(|finished| finished.json::<Doctor>()).ok();
        let state = doctor.as_ref().and_then(|doctor| doctor.kernel.state);
        let era = era(state);
        let self_test = step("self-test").and_then(|finished| self_test(&finished));
        let targeted = step("targeted").and_then(|finished| targeted_rounds(era, ROUNDS, &finished));
        let counts = step("counts").and_then(|finished| counts_of(PAGES * TIMES, &finished));
        rows.push(Row {
            release: release.clone(),
            arch,
            state: state.map_or("unknown", State::text).to_owned(),
            hooks: format!("{backend}: {}", doctor.as_ref().map(hooks).unwrap_or_default()),
            self_test: cell(&self_test),
            counts: cell(&counts),
            race: cell(&targeted),
        });
        let name = |step: &str| format!("{release}{} {step}, {backend}", arch.suffix());
        let named = [("self-test", self_test), ("targeted", targeted), ("counts", counts)];
        verdicts.extend(named.map(|(step, outcome)| Verdict { name: name(step), outcome }));
    }
    Ok((rows, verdicts))
}

/// What is expected of a kernel in this state. Whether the state is right is checked by the race: a vulnerable kernel
/// loses data, a kernel with the pin makes tasks wait, and one without the bypass does neither.
fn era(state: Option<State>) -> Era {
    match state {
        Some(State::Vulnerable) => Era::Unfixed,
        Some(State::NoBypass) => Era::NoBypass,
        _ => Era::Pinned,
    }
}

/// Numbers of hooks by kind, and of degraded ones.
fn hooks(doctor: &Doctor) -> String {
    let count = |kinds: [Backend; 2]| doctor.kernel.hooks.iter().filter(|hook| kinds.contains(&hook.backend)).count();
    let parts = [
        (count([Backend::Fentry, Backend::Fexit]), "fentry/fexit"),
        (count([Backend::Kprobe, Backend::Kretprobe]), "kprobe/kretprobe"),
        (doctor.kernel.degraded.len(), "degraded"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn cell(checked: &Checked) -> String {
    match checked {
        Ok(seen) => seen.clone(),
        Err(_) => "**failed**".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::{super::host::example, *};
    use crate::output::summary::example::merged;

    #[test]
    fn hooks_are_counted_by_kind() {
        let kernel = json!({ "kernel": { "degraded": [{ "meaning": "x" }], "hooks": [
            { "meaning": "a", "backend": "fentry" }, { "meaning": "b", "backend": "fexit" },
            { "meaning": "c", "backend": "kprobe" }] } });
        let doctor = serde_json::from_value(merged(example(), &kernel)).unwrap();
        assert_eq!(hooks(&doctor), "2 fentry/fexit, 1 kprobe/kretprobe, 1 degraded");
    }

    #[test]
    fn the_script_is_valid() {
        let status = Command::new("sh").args(["-n", "-c", &script()]).status();
        assert!(status.unwrap().success());
    }
}
