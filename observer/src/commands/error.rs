//! Errors of the commands: their messages and exit codes.

use super::filters::FilterError;
use crate::reactions::ProgramError;
use observer_kernel::survey::Refusal;
use observer_observation::exit::Exit;
use observer_report::words;
use observer_text::{Name, lines};
use observer_workload::{ErrorCode, Failure};

/// A workload that this host does not allow.
#[derive(Debug, thiserror::Error)]
#[error("cannot run the workload on this host; nothing was changed\n  because: {0}")]
struct WorkloadRefused(Failure);

/// Arguments that cannot be meant, or that no recording has.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error("standard input can be read once: give - only once")]
    StandardInputTwice,
    #[error(
        "standard input is a terminal: give a recording, or send one there, e.g. ssh HOST cat swap.obs | observer report -"
    )]
    TerminalAsInput,
    #[error("no time is selected: --since must be before --until")]
    SinceAfterUntil,
    #[error("--{option}: there is no {given} in the recording; there is: {known}")]
    NotRecorded { option: &'static str, given: Name, known: String },
    #[error(
        "--{option} does not apply to this format: --top and --all are for lists of findings, --summary for more than those"
    )]
    ListOption { option: &'static str },
}

/// The error of a workload, as a refusal if it is one.
pub(super) fn workload_error(failure: Failure) -> anyhow::Error {
    match failure.code {
        code if code.is_refusal() => WorkloadRefused(failure).into(),
        ErrorCode::Interrupted => failure.into(),
        _ => anyhow::Error::new(failure).context("the workload failed"),
    }
}

/// Prints an error and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => eprintln!("observer: {}", words::refusal(refusal)),
        None => eprintln!("observer: {}", lines(&format!("{error:#}"))),
    }
    exit(error)
}

fn exit(error: &anyhow::Error) -> Exit {
    if error.is::<FilterError>() || error.is::<UsageError>() || error.is::<ProgramError>() {
        Exit::Usage
    } else if error.is::<Refusal>() || error.is::<WorkloadRefused>() {
        Exit::Refused
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_that_the_host_does_not_allow_is_refused() {
        let failure = |code| Failure { code, message: "no zram".into(), remedy: Some("load it".into()) };
        let refused = workload_error(failure(ErrorCode::NoZram));
        assert_eq!(exit(&refused), Exit::Refused);
        assert!(
            refused.to_string().ends_with("nothing was changed\n  because: no zram\n  to do: load it"),
            "{refused}"
        );
        let failed = workload_error(failure(ErrorCode::Timeout));
        assert_eq!(exit(&failed), Exit::Failed);
        assert!(format!("{failed:#}").starts_with("the workload failed: no zram"), "{failed:#}");
    }

    #[test]
    fn a_filter_that_matches_nothing_is_wrong_usage() {
        assert_eq!(exit(&FilterError::NoProcess { pid: 1 }.into()), Exit::Usage);
        assert_eq!(exit(&anyhow::anyhow!("cannot read")), Exit::Failed);
    }
}
