//! How a guest fails without an exit code of its command.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::session::Streams;
use crate::process::last_lines;

const CONSOLE_LINES: usize = 30;
const OTHER_LINES: usize = 10;
/// What `/init` writes to the console right before the command.
const COMMAND_STARTS: &str = "guest: the command starts";

/// Why there is no exit code.
#[derive(Debug, Error)]
pub enum Failure {
    /// It panicked, lost process 1, or QEMU ended.
    #[error("the guest with kernel {} ended without an exit code: it panicked, was switched off, or QEMU failed\n{}", .0.release, .0)]
    Died(Evidence),
    /// It was stopped at its time limit.
    #[error("the guest with kernel {} was stopped at its time limit, after {:.0} s; a longer one: --timeout\n{evidence}", .evidence.release, .limit.as_secs_f64())]
    TimedOut {
        /// How long it was given.
        limit: Duration,
        /// What is known of it.
        evidence: Evidence,
    },
    /// It was stopped because this process was asked to stop.
    #[error("interrupted; the guest is gone")]
    Interrupted,
}

impl Failure {
    /// The exit code that `cargo xtask vm` ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Died(_) => 125,
            Self::TimedOut { .. } => 124,
            Self::Interrupted => 130,
        }
    }

    /// Whether the guest died before its command started: an emulator on a busy host does that to a kernel once in a while,
    /// and nothing of ours was running in it yet.
    pub fn is_of_boot(&self) -> bool {
        matches!(self, Self::Died(evidence) if !evidence.started)
    }

    /// The failure on one line, with QEMU's own last word if it had one.
    pub fn headline(&self) -> String {
        let text = self.to_string();
        let first = text.lines().next().unwrap_or_default();
        match self {
            Self::Died(evidence) | Self::TimedOut { evidence, .. } if !evidence.qemu.is_empty() => {
                format!("{first}: {}", evidence.qemu.join(" "))
            }
            _ => first.to_owned(),
        }
    }
}

/// What a guest left behind that may say why it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The kernel's release.
    pub release: String,
    /// The whole console log.
    pub log: PathBuf,
    /// The last lines of the console.
    pub console: Vec<String>,
    /// Whether it came as far as its command.
    pub started: bool,
    /// The last lines of the command's captured errors.
    pub stderr: Vec<String>,
    /// The last lines of QEMU's own errors.
    pub qemu: Vec<String>,
}

impl Evidence {
    /// Reads what there is.
    pub(super) fn gather(release: &str, log: &Path, streams: Option<&Streams<Vec<u8>>>) -> Self {
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
        for (who, lines) in [("qemu", &self.qemu), ("stderr", &self.stderr), ("console", &self.console)] {
            for line in lines {
                writeln!(f, "  {who} | {line}")?;
            }
        }
        write!(f, "  the whole console: {}", self.log.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_console_and_where_the_rest_is() {
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
        assert!(!failure.headline().contains('\n'));
        assert_eq!(failure.exit_code(), 125);
        assert_eq!(Failure::TimedOut { limit: Duration::from_secs(3), evidence }.exit_code(), 124);
        assert_eq!(Failure::Interrupted.exit_code(), 130);
        assert!(failure.is_of_boot() && !Failure::Interrupted.is_of_boot());
        let later = Evidence { started: true, ..Evidence::default() };
        assert!(!Failure::Died(later).is_of_boot(), "the command may have done it");
        assert!(include_str!("init.sh").contains(COMMAND_STARTS));
    }
}
