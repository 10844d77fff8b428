//! The ways in which a guest ends without an exit code of its command.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::streams::Streams;
use crate::process::last_lines;

const CONSOLE_LINES: usize = 30;
const OTHER_LINES: usize = 10;
/// The start of console lines that show how far the guest has come.
pub(crate) const PROGRESS: &str = "guest: ";

#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The kernel panicked, process 1 ended, or QEMU ended.
    #[error(
        "the guest with kernel {} ended without an exit code: it panicked, was switched off, or QEMU failed\n{}",
        .0.release, .0
    )]
    Died(Evidence),
    #[error(
        "the guest with kernel {} was stopped at its time limit of {:.0} s; set a longer one with --timeout\n{evidence}",
        .evidence.release, .limit.as_secs_f64()
    )]
    TimedOut { limit: Duration, evidence: Evidence },
    /// This process got SIGINT, SIGTERM or SIGHUP.
    #[error("interrupted; the guest was stopped")]
    Interrupted,
}

impl Failure {
    /// The exit code that `cargo xtask vm` ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Died(_) => 125,
            Self::TimedOut { .. } => 124,
            Self::Interrupted => 130,
        }
    }
}

/// What is known about a guest that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) release: String,
    /// Path of the complete console log.
    pub(crate) log: PathBuf,
    /// The last lines of the console.
    pub(crate) console: Vec<String>,
    /// The last line of the console with [`PROGRESS`].
    pub(crate) progress: Option<String>,
    /// The last lines of the command's captured errors.
    pub(crate) stderr: Vec<String>,
    /// The last lines of QEMU's own errors.
    pub(crate) qemu: Vec<String>,
}

impl Evidence {
    pub(super) fn collect(release: &str, log: &Path, streams: Option<&Streams<Vec<u8>>>) -> Self {
        let console = fs::read(log).unwrap_or_default();
        Self {
            release: release.to_owned(),
            log: log.to_path_buf(),
            progress: last_progress(&String::from_utf8_lossy(&console)),
            console: last_lines(&console, CONSOLE_LINES),
            stderr: streams.map(|streams| last_lines(&streams.stderr, OTHER_LINES)).unwrap_or_default(),
            qemu: streams.map(|streams| last_lines(&streams.qemu, OTHER_LINES)).unwrap_or_default(),
        }
    }
}

/// Kernel messages may stand before it on its line.
fn last_progress(console: &str) -> Option<String> {
    let lines = console.lines().rev().filter_map(|line| line.split_once(PROGRESS));
    lines.map(|(_, progress)| progress.trim().to_owned()).next()
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  progress | {}", self.progress.as_deref().unwrap_or("died during boot"))?;
        for (source, lines) in [("qemu", &self.qemu), ("stderr", &self.stderr), ("console", &self.console)] {
            for line in lines {
                writeln!(f, "  {source} | {line}")?;
            }
        }
        write!(f, "  complete console log: {}", self.log.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_the_console_and_the_path_of_the_log() {
        let evidence = Evidence {
            release: "5.10.223".to_owned(),
            log: PathBuf::from("/l/x.log"),
            console: vec!["Kernel panic".to_owned()],
            ..Evidence::default()
        };
        let failure = Failure::Died(evidence.clone());
        let text = failure.to_string();
        for part in ["5.10.223", "console | Kernel panic", "/l/x.log"] {
            assert!(text.contains(part), "{part:?} is missing from {text:?}");
        }
        assert_eq!(failure.exit_code(), 125);
        assert_eq!(Failure::TimedOut { limit: Duration::from_secs(3), evidence }.exit_code(), 124);
        assert_eq!(Failure::Interrupted.exit_code(), 130);
    }

    #[test]
    fn a_failure_shows_how_far_the_guest_had_come() {
        let console = format!(
            "{PROGRESS}the command starts\r\n[ 8.1] zram: {PROGRESS}step storm at 8.2 s\r\n[ 30.1] watchdog: BUG\r\n"
        );
        let evidence = Evidence { progress: last_progress(&console), ..Evidence::default() };
        assert!(Failure::Died(evidence).to_string().contains("progress | step storm at 8.2 s\n"));
        assert!(Failure::Died(Evidence::default()).to_string().contains("progress | died during boot\n"));
        assert!(include_str!("init.sh").contains(&format!("echo \"{PROGRESS}the command starts\" >$CONSOLE")));
    }
}
