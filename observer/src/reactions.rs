//! What observer does about findings: it ends (`--stop-on`), and runs a command (`--on-finding`).

mod child;
mod command_line;
mod commands;
mod queue;
mod stop_on;

use std::{fs::File, ops::ControlFlow, sync::Arc};

pub(crate) use self::{
    command_line::{CommandLine, ProgramError},
    stop_on::StopOn,
};
use self::{commands::Commands, stop_on::StopCounter};
use crate::{
    cli::ReactionArgs,
    session::{Observer, View},
};
use observer_engine::verdict::Finding;
use observer_observation::{Known, Outcome, clock};
use observer_report::formats::ndjson;

/// An observer that reacts to findings.
pub(crate) struct Reactions {
    stop: Option<StopCounter>,
    commands: Option<Commands>,
}

impl Reactions {
    /// # Errors
    /// When the program of `--on-finding` does not exist or cannot be executed.
    pub(crate) fn new(args: &ReactionArgs) -> Result<Self, ProgramError> {
        let commands = args.on_finding.as_ref().map(|line| Commands::new(line, args.on_verdict.into())).transpose()?;
        Ok(Self { stop: args.stop_on.map(StopCounter::new), commands })
    }

    /// Whether a command is to run for one of the findings.
    pub(crate) fn takes(&self, findings: &[Finding]) -> bool {
        let commands = self.commands.as_ref();
        commands.is_some_and(|commands| findings.iter().any(|finding| commands.takes(finding.verdict)))
    }

    /// Reacts to findings, which are in the `recording`. `Break` ends the observation.
    pub(crate) fn react(&mut self, findings: &[Finding], view: &View<'_>, recording: Option<File>) -> ControlFlow<()> {
        if let Some(commands) = &mut self.commands {
            let recording = recording.map(Arc::new);
            for finding in findings {
                let json = || ndjson::line(finding, &Known::from(view));
                commands.add(finding.verdict, json, recording.as_ref());
            }
            commands.update(clock::now());
        }
        let is_over = self.stop.as_mut().is_some_and(|stop| stop.add(findings));
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Observer for Reactions {
    fn wants_findings(&self) -> bool {
        self.stop.is_some() || self.commands.is_some()
    }

    fn found(&mut self, findings: &[Finding], view: &View<'_>) -> ControlFlow<()> {
        self.react(findings, view, None)
    }

    fn tick(&mut self, _view: &View<'_>) -> ControlFlow<()> {
        if let Some(commands) = &mut self.commands {
            commands.update(clock::now());
        }
        ControlFlow::Continue(())
    }

    async fn ended(&mut self, outcome: &mut Outcome) {
        if let Some(commands) = &mut self.commands {
            outcome.ending.on_finding = Some(commands.finish().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use observer_engine::{
        event::{Entry, Task},
        verdict::{Finding, Verdict},
    };

    pub(super) fn finding(verdict: Verdict) -> Finding {
        Finding {
            verdict,
            entry: Entry::new(0, 5),
            reader: Task::default(),
            address: 0,
            mm: 0,
            cgroup: 0,
            start_ns: 0,
            read_start_ns: 0,
            read_end_ns: None,
            freed: None,
            allocated: None,
            written: None,
            end_ns: 0,
            installed: true,
            changes: 0,
            read_during_write: false,
            read_before_change: true,
            others: Vec::new(),
        }
    }
}
