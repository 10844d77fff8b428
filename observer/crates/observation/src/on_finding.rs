//! What became of the findings for which a command was to run (`--on-finding`).

use std::collections::BTreeMap;

use observer_kernel::codes;
use observer_text::Name;
use serde::{Deserialize, Serialize};

use crate::recording::Note;

codes! {
    /// Why a command that got a finding failed.
    pub enum CommandFailure {
        /// It could not be started.
        NotStarted = "not_started",
        /// Its exit code was not 0.
        ExitCode = "exit_code",
        /// A signal ended it, not sent by the observer.
        Signal = "signal",
        /// It took longer than the time limit and was ended.
        TimedOut = "timed_out",
        /// It was ended together with the observer.
        CutShort = "cut_short",
    } else {
        Unknown = "unknown"
    }
}

codes! {
    /// Why no command got a finding.
    pub enum NotRun {
        /// Findings came faster than commands may start or than they end, and the queue was full.
        RateLimited = "rate_limited",
        /// It was still in the queue when the observer ended.
        AtEnd = "at_end",
    } else {
        Unknown = "unknown"
    }
}

/// Each of the `findings` is in exactly one of the other counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnFinding {
    /// As given.
    pub command: Name,
    /// Findings of the verdict asked for, or above.
    pub findings: u64,
    /// Commands whose exit code was 0.
    pub succeeded: u64,
    pub failed: BTreeMap<CommandFailure, u64>,
    pub not_run: BTreeMap<NotRun, u64>,
}

impl OnFinding {
    /// What a reader of the results must know: the findings that no command has handled.
    pub fn notes(&self) -> impl Iterator<Item = Note> + use<> {
        let (failed, not_run) = (self.failed.values().sum::<u64>(), self.not_run.values().sum::<u64>());
        [
            (failed > 0).then_some(Note::CommandsFailed { failed }),
            (not_run > 0).then_some(Note::CommandsNotRun { not_run }),
        ]
        .into_iter()
        .flatten()
    }

    /// Adds the counts of another observation; the commands may differ.
    pub fn add(&mut self, other: &Self) {
        let Self { command, findings, succeeded, failed, not_run } = other;
        if self.command != *command {
            self.command = observer_text::joined([&self.command, command], ", ");
        }
        self.findings += findings;
        self.succeeded += succeeded;
        for (cause, count) in failed {
            *self.failed.entry(*cause).or_default() += count;
        }
        for (cause, count) in not_run {
            *self.not_run.entry(*cause).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(failed: u64, not_run: u64) -> OnFinding {
        let nonzero = |count: u64| (count > 0).then_some(count);
        OnFinding {
            command: "notify".into(),
            findings: 1 + failed + not_run,
            succeeded: 1,
            failed: nonzero(failed).map(|count| (CommandFailure::TimedOut, count)).into_iter().collect(),
            not_run: nonzero(not_run).map(|count| (NotRun::RateLimited, count)).into_iter().collect(),
        }
    }

    #[test]
    fn only_what_no_command_handled_is_noted() {
        assert_eq!(counts(0, 0).notes().count(), 0);
        let both: Vec<Note> = counts(2, 3).notes().collect();
        assert_eq!(both, [Note::CommandsFailed { failed: 2 }, Note::CommandsNotRun { not_run: 3 }]);
        assert!(!both.iter().any(Note::leaves_gap), "what was observed is complete");
    }

    #[test]
    fn counts_of_observations_add_up() {
        let mut sum = counts(2, 0);
        sum.add(&counts(1, 3));
        assert_eq!(sum, OnFinding { findings: 8, succeeded: 2, ..counts(3, 3) });
        sum.add(&OnFinding { command: "mail".into(), ..OnFinding::default() });
        assert_eq!(sum.command, "notify, mail");
    }
}
