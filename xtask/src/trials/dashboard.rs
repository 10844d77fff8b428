//! The dashboard, live in guests: the spectator (an example of the package `observer`) sits at a real pseudo-terminal with
//! it, inside the guest; and once outside, at the terminal that a guest was lent.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    Verdict,
    checks::{Checked, Finished},
    play,
    steps::{Era, NOTHING_LEFT, Step},
};
use crate::{
    kernels::Kernel,
    vm::{Failure, GuestFile},
};

/// The kernels that it is looked at on.
pub const KERNELS: &[(&str, Era)] = &[("5.10.223", Era::Unfixed), ("6.12.117", Era::Pinned)];

/// What the dashboard must say of an unfixed kernel.
const UNFIXED: &str = "unfixed: ABA possible";

/// All views and keys, with pages that get lost.
const VIEWS: Step = Step { name: "views", command: "/spectator views 'unfixed: ABA possible' loss", check: looked_at };

/// The same where nothing gets lost.
const VIEWS_FIXED: Step = Step { name: "views", command: "/spectator views 'pinned, wait queue'", check: looked_at };

/// Every way out, and the terminal after it.
const WAYS_OUT: Step = Step { name: "ways-out", command: "/spectator ways-out", check: looked_at };

fn steps(era: Era) -> Vec<Step> {
    match era {
        Era::Unfixed => vec![VIEWS, WAYS_OUT, NOTHING_LEFT],
        _ => vec![VIEWS_FIXED, NOTHING_LEFT],
    }
}

/// Looks at it in one guest. Each step's output lies in `keep` afterwards.
///
/// # Errors
/// When the guest could not be run to its end; a step that failed is a [`Verdict`].
pub fn run(kernel: Kernel, era: Era, observer: &Path, spectator: &Path, keep: &Path) -> Result<Vec<Verdict>> {
    let files = vec![GuestFile { source: spectator.to_owned(), target: "/spectator".into() }];
    play(kernel, era, &steps(era), observer, files, keep)
}

/// Looks at it through `cargo xtask vm --tty`, which this program is.
///
/// # Errors
/// When the spectator could not be started, or Ctrl-C came.
pub fn lent(release: &str, kernels: Option<&Path>, spectator: &Path) -> Result<Verdict> {
    let mut command = Command::new(spectator);
    command.args(["borrowed", UNFIXED, "--"]).arg(env::current_exe().context("this program has no path")?);
    command.args(["vm", "--tty", "--timeout", "180", "--kernel", release]);
    if let Some(kernels) = kernels {
        command.arg("--kernels").arg(kernels);
    }
    command.args(["--", "observer", "stress", "storm", "--dashboard", "--duration", "10m"]).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start {}", spectator.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(code) = output.status.code() else { return Err(Failure::Interrupted.into()) };
    let finished = Finished { code, stdout: text(&output.stdout), stderr: text(&output.stderr) };
    Ok(Verdict { name: format!("{release} lent-terminal"), outcome: looked_at(Era::Unfixed, &finished) })
}

/// The spectator tells of each thing it saw, or with which screen it was not content.
fn looked_at(_era: Era, finished: &Finished) -> Checked {
    let seen = finished.stdout.lines().collect::<Vec<_>>();
    if finished.code == 0 && !seen.is_empty() {
        return Ok(seen.join("; "));
    }
    let so_far = seen.last().unwrap_or(&"nothing");
    Err(format!("exit code {}; the last that was right: {so_far}\n{}", finished.code, finished.stderr.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spectator_that_saw_nothing_is_not_content() {
        let finished = |code, stdout: &str| Finished { code, stdout: stdout.to_owned(), stderr: "screen".to_owned() };
        assert_eq!(looked_at(Era::Unfixed, &finished(0, "a\nb\n")), Ok("a; b".to_owned()));
        assert!(looked_at(Era::Unfixed, &finished(0, "")).is_err());
        let wrong = looked_at(Era::Unfixed, &finished(101, "a\n")).unwrap_err();
        assert!(wrong.contains("right: a") && wrong.contains("screen"), "{wrong}");
    }

    #[test]
    fn the_words_are_those_of_the_step() {
        assert!(VIEWS.command.contains(UNFIXED));
    }
}
