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
/// What `/init` writes to the console right before the command.
const COMMAND_STARTS: &str = "guest: the command starts";

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

    /// Whether the guest died before its command started: emulated kernels occasionally panic while they boot on a busy
    /// host, and no program of ours was running in it yet.
    pub(crate) fn is_during_boot(&self) -> bool {
        matches!(self, Self::Died(evidence) if !evidence.started)
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
    /// Whether the command was started.
    pub(crate) started: bool,
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
            started: String::from_utf8_lossy(&console).contains(COMMAND_STARTS),
            console: last_lines(&console, CONSOLE_LINES),
            stderr: streams.map(|streams| last_lines(&streams.stderr, OTHER_LINES)).unwrap_or_default(),
            qemu: streams.map(|streams| last_lines(&streams.qemu, OTHER_LINES)).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    fn only_a_guest_that_died_before_its_command_failed_during_boot() {
        assert!(Failure::Died(Evidence::default()).is_during_boot());
        assert!(!Failure::Interrupted.is_during_boot());
        let later = Evidence { started: true, ..Evidence::default() };
        assert!(!Failure::Died(later).is_during_boot());
        assert!(include_str!("init.sh").contains(COMMAND_STARTS));
    }
}
