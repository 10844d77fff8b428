//! The dashboard in a guest. The spectator runs it in a pseudo-terminal in the guest, and once outside it, through
//! `cargo xtask vm --tty`.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    guest::{self, Programs, Verdict},
    host::NOTHING_LEFT,
    step::{Checked, Era, Finished, Step},
};
use crate::{
    kernels::Kernel,
    vm::{Accel, Failure, GuestFile},
};

pub(super) const KERNELS: &[(&str, Era)] = &[("5.10.223", Era::Unfixed), ("6.12.117", Era::Pinned)];

/// What the first answer says on a vulnerable kernel; the header has room for the full text on wider screens only.
const NO_FIX: &str = "no fix for CVE-2024-26759";

/// All views and keys, with data loss.
const VIEWS: Step = Step {
    name: "views",
    command: "/spectator views 'no fix for CVE-2024-26759' loss",
    check: |_, finished| check(finished),
};

/// All views and keys, without data loss.
const VIEWS_FIXED: Step = Step {
    name: "views",
    command: "/spectator views 'fixed by pin, wait queue'",
    check: |_, finished| check(finished),
};

/// In a container, where the storm's process and the clock have other numbers than the programs see.
const CONTAINED: Step = Step {
    name: "contained",
    command: "/witness contain --ahead 86400 /spectator overview 'fixed by pin, wait queue'",
    check: |_, finished| check(finished),
};

/// Every way to leave it, and the state of the terminal afterwards.
const WAYS_OUT: Step = Step { name: "ways-out", command: "/spectator exits", check: |_, finished| check(finished) };

fn steps(era: Era) -> Vec<Step> {
    match era {
        Era::Unfixed => vec![VIEWS, WAYS_OUT, NOTHING_LEFT],
        _ => vec![VIEWS_FIXED, CONTAINED, NOTHING_LEFT],
    }
}

/// Runs the spectator in a guest. The output of each step is kept in `keep`.
///
/// # Errors
/// When the guest does not run to its end. A step that fails is a [`Verdict`].
pub(super) fn run(
    kernel: Kernel,
    era: Era,
    programs: &Programs,
    spectator: &Path,
    keep: &Path,
) -> Result<Vec<Verdict>> {
    let mut files = guest::witness(programs);
    files.push(GuestFile { source: spectator.to_owned(), target: "/spectator".into() });
    guest::run(kernel, era, Accel::Auto, &steps(era), &programs.observer, files, keep)
}

/// Runs the spectator on this machine, with `cargo xtask vm --tty` in its terminal.
///
/// # Errors
/// When the spectator cannot be started, or is ended by a signal.
pub(super) fn through_vm(release: &str, kernels: Option<&Path>, spectator: &Path) -> Result<Verdict> {
    let mut command = Command::new(spectator);
    command.args(["vm", NO_FIX, "--"]);
    command.arg(env::current_exe().context("cannot get the path of this program")?);
    command.args(["vm", "--tty", "--timeout", "180", "--kernel", release]);
    if let Some(kernels) = kernels {
        command.arg("--kernels").arg(kernels);
    }
    command.args(["--", "observer", "stress", "storm", "--dashboard", "--duration", "10m"]).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start {}", spectator.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(code) = output.status.code() else { return Err(Failure::Interrupted.into()) };
    let finished = Finished { code, stdout: text(&output.stdout), stderr: text(&output.stderr) };
    Ok(Verdict { name: format!("{release} vm-terminal"), outcome: check(&finished) })
}

/// The spectator prints a line for each check that passes, and on failure the screen.
fn check(finished: &Finished) -> Checked {
    let passed = finished.stdout.lines().collect::<Vec<_>>();
    if finished.code == 0 && !passed.is_empty() {
        return Ok(passed.join("; "));
    }
    let last = passed.last().unwrap_or(&"none");
    Err(format!("exit code {}; the last check that passed: {last}\n{}", finished.code, finished.stderr.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{super::step::finished, *};
    use crate::output::summary::State;

    #[test]
    fn a_spectator_without_a_passed_check_has_failed() {
        assert_eq!(check(&finished(0, "a\nb\n", "")), Ok("a; b".to_owned()));
        assert!(check(&finished(0, "", "")).is_err());
        let wrong = check(&finished(101, "a\n", "screen")).unwrap_err();
        assert!(wrong.contains("passed: a"), "{wrong}");
        assert!(wrong.contains("screen"), "{wrong}");
    }

    #[test]
    fn the_spectator_looks_for_the_text_of_the_state() {
        assert!(State::Vulnerable.text().contains(NO_FIX));
        assert!(VIEWS.command.contains(NO_FIX));
        assert!(VIEWS_FIXED.command.contains(State::PinnedWaitQueue.text()));
    }
}
