//! The workload's process, from both sides.

use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead as _, BufReader},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::PathBuf,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{cli, commands::error::workload_error};
use observer_observation::{clock, exit::Exit};
use observer_workload::{
    Failure,
    stress::{
        messages::{self, Message},
        storm::{self, StormOptions},
        targeted::{self, TargetedOptions},
    },
    swap_device::{Claim, SwapDevice},
};

/// A workload and what its process cannot know, passed to it as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WorkloadStart {
    workload: WorkloadOptions,
    /// How far the clock of the events is ahead of that of this process and its child.
    clock_ahead_ns: i64,
}

/// Options of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkloadOptions {
    Targeted(TargetedOptions),
    Storm(StormOptions),
}

/// The command that starts the workload's process.
pub(super) fn command(options: &WorkloadOptions, messages: &OwnedFd) -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let start = WorkloadStart { workload: *options, clock_ahead_ns: clock::ahead() };
    let options = serde_json::to_string(&start).context("cannot encode the workload's options")?;
    let messages = messages.as_raw_fd().to_string();
    Ok(vec![program.into_os_string(), cli::WORKLOAD.into(), messages.into(), options.into()])
}

/// The workload's process: runs the workload and sends its messages to the descriptor `messages`.
pub(crate) fn run_workload(messages: i32, options: &str) -> Exit {
    // SAFETY: the parent created this descriptor for the child and passed its number; no other value in this process
    // owns it.
    let messages = File::from(unsafe { OwnedFd::from_raw_fd(messages) });
    let Ok(WorkloadStart { workload, clock_ahead_ns }) = serde_json::from_str(options) else { return Exit::Usage };
    clock::align(clock_ahead_ns);
    let outcome = match workload {
        WorkloadOptions::Targeted(options) => targeted::run_child(&options, messages),
        WorkloadOptions::Storm(options) => storm::run_child(&options, messages),
    };
    // The parent prints the error, which it has received as a message.
    if outcome.is_ok() { Exit::Clean } else { Exit::Failed }
}

/// How the workload's process ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    claim: Option<Claim>,
    /// It sent its last message. Otherwise it was killed, and its device may still exist.
    pub(super) complete: bool,
    failure: Option<anyhow::Error>,
}

impl Ending {
    /// Removes the device of a process that was killed.
    ///
    /// # Errors
    /// When the device could not be removed.
    pub(super) fn clean_up(&self) -> anyhow::Result<()> {
        match &self.claim {
            Some(claim) if !self.complete => SwapDevice::remove_leftover(claim)
                .map(drop)
                .map_err(Failure::from)
                .context("the workload was killed, and its swap device could not be removed"),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// The error that the workload sent.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn receive(&mut self, message: Message, on_message: &mut impl FnMut(Message)) {
        match message {
            Message::Claimed(claim) => self.claim = Some(claim),
            Message::Done(_) => self.complete = true,
            Message::Failed(failure) => {
                self.complete = true;
                self.failure = Some(workload_error(failure));
            }
            Message::TargetedReady(_) | Message::Round(_) | Message::StormReady(_) | Message::Pass(_) => {
                on_message(message);
            }
        }
    }
}

/// Receives messages in a new thread until the workload closes its end of the pipe. `on_message` gets those that are
/// specific to a workload, with `pid` as the id of its process: in a PID namespace the process knows another one.
pub(super) fn receive(
    read_end: File,
    pid: Arc<OnceLock<u32>>,
    mut on_message: impl FnMut(Message) + Send + 'static,
) -> JoinHandle<Ending> {
    thread::spawn(move || {
        let mut ending = Ending::default();
        for line in BufReader::new(read_end).lines() {
            let Ok(line) = line else { break };
            match messages::parse(&line) {
                Ok(message) => ending.receive(with_pid(message, pid.get().copied()), &mut on_message),
                Err(error) => ending.failure = Some(workload_error(error.into())),
            }
        }
        ending
    })
}

/// The message with the process id that the events have.
fn with_pid(mut message: Message, pid: Option<u32>) -> Message {
    let of_process = match &mut message {
        Message::Round(truth) => Some(&mut truth.pid),
        Message::Pass(truth) => Some(&mut truth.pid),
        _ => None,
    };
    if let (Some(own), Some(pid)) = (of_process, pid) {
        *own = pid;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_workload::{
        ErrorCode,
        stress::messages::{PassTruth, RoundTruth},
    };

    #[test]
    fn options_are_read_back_from_the_command_line() {
        for options in
            [WorkloadOptions::Targeted(TargetedOptions::default()), WorkloadOptions::Storm(StormOptions::default())]
        {
            let start = WorkloadStart { workload: options, clock_ahead_ns: -3 };
            let text = serde_json::to_string(&start).unwrap();
            assert_eq!(serde_json::from_str::<WorkloadStart>(&text).unwrap(), start);
        }
    }

    #[test]
    fn rounds_and_passes_get_the_process_id_of_the_events() {
        let round = |pid| Message::Round(RoundTruth { pid, ..RoundTruth::default() });
        let pass = |pid| Message::Pass(PassTruth { pid, ..PassTruth::default() });
        assert_eq!(with_pid(round(7), Some(1_234)), round(1_234));
        assert_eq!(with_pid(pass(7), Some(1_234)), pass(1_234));
        assert_eq!(with_pid(round(7), None), round(7));
    }

    #[test]
    fn a_failure_of_the_workload_is_returned_once() {
        let failure = Failure { code: ErrorCode::Timeout, message: "x".into(), remedy: None };
        let mut ending = Ending::default();
        ending.receive(Message::Failed(failure), &mut |_| ());
        assert!(ending.complete);
        assert!(ending.check().is_err());
        assert!(ending.check().is_ok());
    }
}
