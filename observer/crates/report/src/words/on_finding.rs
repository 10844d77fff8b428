//! Commands that run on findings.

use crate::units::counted;
use observer_observation::{CommandFailure, NotRun, OnFinding};

/// What became of the findings.
pub(crate) fn on_finding(counts: &OnFinding) -> String {
    let OnFinding { command, findings, succeeded, failed, not_run } = counts;
    let failed = failed.iter().map(|(cause, count)| format!(", {count} failed ({})", failure(*cause)));
    let not_run = not_run.iter().map(|(cause, count)| format!(", {count} not run ({})", skipped(*cause)));
    let others: String = failed.chain(not_run).collect();
    format!("{}: {succeeded} succeeded{others}: {command}", counted(*findings, "finding"))
}

const fn failure(cause: CommandFailure) -> &'static str {
    match cause {
        CommandFailure::NotStarted => "not started",
        CommandFailure::ExitCode => "exit code not 0",
        CommandFailure::Signal => "ended by a signal",
        CommandFailure::TimedOut => "ended after the time limit",
        CommandFailure::CutShort => "ended with the observer",
        CommandFailure::Unknown => "for a reason that this version does not know",
    }
}

const fn skipped(cause: NotRun) -> &'static str {
    match cause {
        NotRun::RateLimited => "rate limit",
        NotRun::AtEnd => "the observer ended first",
        NotRun::Unknown => "for a reason that this version does not know",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_that_is_not_0_is_named_with_its_cause() {
        let mut counts = OnFinding { command: "notify -x".into(), findings: 1, succeeded: 1, ..OnFinding::default() };
        assert_eq!(on_finding(&counts), "1 finding: 1 succeeded: notify -x");
        counts.findings = 9;
        counts.failed.insert(CommandFailure::ExitCode, 2);
        counts.failed.insert(CommandFailure::TimedOut, 1);
        counts.not_run.insert(NotRun::RateLimited, 5);
        assert_eq!(
            on_finding(&counts),
            "9 findings: 1 succeeded, 2 failed (exit code not 0), 1 failed (ended after the time limit), 5 not run (rate \
             limit): notify -x"
        );
    }
}
