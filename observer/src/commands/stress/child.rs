//! The workload's own process, from both sides.

use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead as _, BufReader},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::PathBuf,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use crate::cli::WorkloadArgs;
use observer_kernel::survey::Refusal;
use observer_observation::exit::Exit;
use observer_workload::stress::{
    device::{Claim, SwapDevice},
    messages::{self, Message},
    storm::{self, StormOptions},
    targeted::{self, TargetedOptions},
};

/// Name of the hidden subcommand that runs the workload in a process of its own.
pub(crate) const WORKLOAD: &str = "__workload";

/// What to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Play {
    Targeted(TargetedOptions),
    Storm(StormOptions),
}

/// The command that starts the workload's process.
pub(super) fn command(play: &Play, messages: &OwnedFd) -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let options = serde_json::to_string(play).context("cannot encode the workload's options")?;
    Ok(vec![program.into_os_string(), WORKLOAD.into(), messages.as_raw_fd().to_string().into(), options.into()])
}

/// The workload's own process.
pub(crate) fn workload(args: &WorkloadArgs) -> Exit {
    // SAFETY: the parent made this descriptor for us and told its number; nobody else in this process knows it.
    let messages = File::from(unsafe { OwnedFd::from_raw_fd(args.messages) });
    let Ok(play) = serde_json::from_str(&args.options) else { return Exit::Usage };
    let outcome = match play {
        Play::Targeted(options) => targeted::run_child(&options, messages),
        Play::Storm(options) => storm::run_child(&options, messages),
    };
    match outcome {
        Ok(()) => Exit::Clean,
        // The parent prints what went wrong: it was told.
        Err(_) => Exit::Failed,
    }
}

/// What every workload says.
#[derive(Debug, Default)]
pub(super) struct Said {
    claim: Option<Claim>,
    /// It came to its end in order, which an error or a signal is too.
    pub(super) finished: bool,
    failed: Option<Failure>,
}

/// Why the workload did not run to its end.
#[derive(Debug)]
struct Failure {
    error: String,
    refusal: bool,
}

impl From<Failure> for anyhow::Error {
    fn from(failure: Failure) -> Self {
        let (why, remedy) = failure.error.split_once("; ").unwrap_or((&failure.error, "see the message above"));
        if !failure.refusal {
            return anyhow!("the workload could not run: {}", failure.error);
        }
        let what = "cannot run the workload on this host as it is; nothing was changed".to_owned();
        Refusal { what, why: vec![why.to_owned()], remedy: remedy.to_owned() }.into()
    }
}

impl Said {
    /// A workload that ended without a word was killed, and may have left its device behind.
    pub(super) fn tidy_up(&self) -> anyhow::Result<()> {
        match &self.claim {
            Some(claim) if !self.finished => SwapDevice::leftover_cleanup(claim)
                .map(drop)
                .context("the workload was killed, and what it left behind could not be removed"),
            _ => Ok(()),
        }
    }

    /// The error that it ended with, if it did.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.failed.take().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn take(&mut self, message: Message, hear: &mut impl FnMut(Message)) {
        match message {
            Message::Claimed(claim) => self.claim = Some(claim),
            Message::Done(_) => self.finished = true,
            Message::Failed { error, refusal } => {
                self.finished = true;
                self.failed = Some(Failure { error, refusal });
            }
            Message::Ready(_) | Message::Round(_) | Message::Storm(_) | Message::Pass(_) => hear(message),
        }
    }
}

/// Takes in what the workload says until it closes its end.
pub(super) fn listen(read_end: File, mut hear: impl FnMut(Message) + Send + 'static) -> JoinHandle<Said> {
    thread::spawn(move || {
        let mut said = Said::default();
        for line in BufReader::new(read_end).lines() {
            let Ok(line) = line else { break };
            match messages::parse(&line) {
                Ok(message) => said.take(message, &mut hear),
                Err(error) => said.failed = Some(Failure { error: error.to_string(), refusal: false }),
            }
        }
        said
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_play_survives_the_command_line() {
        for play in [Play::Targeted(TargetedOptions::default()), Play::Storm(StormOptions::default())] {
            let text = serde_json::to_string(&play).unwrap();
            assert_eq!(serde_json::from_str::<Play>(&text).unwrap(), play);
        }
    }
}
