//! The matrix: every kernel, on every backend that it offers, with a short programme each.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Programs, Verdict,
    checks::{self, Checked, Finished},
    steps::Era,
    table::Row,
};
use crate::{
    kernels::Kernel,
    vm::{Guest, GuestFile, Output},
};

/// Rounds of the race made on purpose.
const ROUNDS: u64 = 60;
/// Pages that the witness sends out and back, and how often.
const PAGES: u64 = 4096;
const TIMES: u64 = 2;
/// Backends, as `--backend` names them. The first is always tried; the others only where they are something else.
const BACKENDS: [&str; 3] = ["auto", "kprobe", "fentry"];

/// What one guest has shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Rows for the table.
    pub rows: Vec<Row>,
    /// Every check.
    pub verdicts: Vec<Verdict>,
}

/// The script of the guest. Kprobes are another backend where `auto` uses trampolines, trampolines alone are where it
/// uses both.
fn script() -> String {
    let (rounds, pages, times) = (ROUNDS, PAGES, TIMES);
    format!(
        r#"mkdir -p /out
step() {{ name=$1; shift; timeout 120 "$@" >/out/$name.stdout 2>/out/$name.stderr; echo $? >/out/$name.code; }}
programme() {{
    step self-test-$1 observer doctor --self-test --json --backend $1
    step targeted-$1 observer stress targeted --rounds {rounds} --json --backend $1
    step counts-$1 observer record --json --backend $1 -- /witness churn --pages {pages} --threads 1 --rounds {times}
}}
uses() {{ grep -Eq "\"backend\": ?\"($1)\"" /out/self-test-auto.stdout; }}
programme auto
uses 'fentry|fexit' && programme kprobe
uses 'fentry|fexit' && uses 'kprobe|kretprobe' && programme fentry
true
"#
    )
}

/// Runs the programme in one guest. Each step's output lies in `keep` afterwards.
///
/// # Errors
/// When the guest could not be run to its end.
pub fn run(kernel: Kernel, programs: &Programs, keep: &Path) -> Result<Shown> {
    let (arch, release) = (kernel.arch, kernel.release.clone());
    if keep.exists() {
        fs::remove_dir_all(keep).with_context(|| format!("cannot clear {}", keep.display()))?;
    }
    let guest = Guest {
        files: vec![GuestFile { source: programs.witness.clone(), target: "/witness".into() }],
        observer: Some(programs.observer.clone()),
        out: Some(keep.to_owned()),
        output: Output::Capture,
        timeout: Some(Duration::from_mins(8)),
        ..Guest::new(kernel)
    };
    guest.run(&["sh".to_owned(), "-c".to_owned(), script()])?;
    let mut shown = Shown::default();
    for backend in BACKENDS {
        if backend != "auto" && !keep.join(format!("self-test-{backend}.code")).exists() {
            continue;
        }
        let step = |name: &str| Finished::read(keep, &format!("{name}-{backend}"));
        let looked = step("self-test").and_then(|finished| finished.json());
        let doctor = looked.unwrap_or_default();
        let state = doctor.pointer("/kernel/state").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let era = era_of(&state);
        let self_test = step("self-test").and_then(|finished| checks::self_test(era, &finished));
        let targeted = step("targeted").and_then(|finished| checks::targeted_rounds(era, ROUNDS, &finished));
        let counts = step("counts").and_then(|finished| checks::counts_of(PAGES * TIMES, &finished));
        shown.rows.push(Row {
            release: release.clone(),
            arch,
            state,
            hooks: format!("{backend}: {}", hooks(&doctor)),
            self_test: told(&self_test),
            counts: told(&counts),
            race: told(&targeted),
        });
        let name = |step: &str| format!("{release}{} {step}, {backend}", arch.suffix());
        let named = [("self-test", self_test), ("targeted", targeted), ("counts", counts)];
        shown.verdicts.extend(named.map(|(step, outcome)| Verdict { name: name(step), outcome }));
    }
    Ok(shown)
}

/// What to expect of a kernel that says this of itself. That it says the right thing is checked by the race: an unfixed
/// kernel loses pages, a pinning one makes tasks wait, and one without the bypass does neither.
fn era_of(state: &str) -> Era {
    match state {
        "unfixed: ABA possible" => Era::Unfixed,
        "no bypass" => Era::NoBypass,
        _ => Era::Pinned,
    }
}

/// How many hooks of which kind, and what is degraded.
fn hooks(doctor: &Value) -> String {
    let all = doctor.get("hooks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kinds: Vec<&str> = all.iter().filter_map(|hook| hook.get("backend").and_then(Value::as_str)).collect();
    let count = |of: [&str; 2]| kinds.iter().filter(|kind| of.contains(kind)).count();
    let (trampolines, probes) = (count(["fentry", "fexit"]), count(["kprobe", "kretprobe"]));
    let degraded = doctor.pointer("/kernel/degraded").and_then(Value::as_array).map_or(0, Vec::len);
    let parts = [(trampolines, "fentry/fexit"), (probes, "kprobe/kretprobe"), (degraded, "degraded")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn told(checked: &Checked) -> String {
    match checked {
        Ok(seen) => seen.clone(),
        Err(_) => "**wrong**".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_counted_by_kind() {
        let doctor = serde_json::json!({"hooks": [{"backend": "fentry"}, {"backend": "fexit"}, {"backend": "kprobe"}],
            "kernel": {"degraded": [{}]}});
        assert_eq!(hooks(&doctor), "2 fentry/fexit, 1 kprobe/kretprobe, 1 degraded");
        assert_eq!(hooks(&Value::Null), "");
    }

    #[test]
    fn the_script_is_a_valid_one() {
        let status = std::process::Command::new("sh").args(["-n", "-c", &script()]).status();
        assert!(status.unwrap().success());
    }
}
