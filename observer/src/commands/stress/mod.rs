//! `observer stress`: runs a workload under observation and compares its ground truth with the observer's flags.

mod process;
mod storm;
mod targeted;

use std::{collections::BTreeMap, fs::File, os::fd::OwnedFd, sync::Arc, time::Duration};

use anyhow::Context as _;

pub(crate) use self::process::run_workload;
use self::process::{Ending, WorkloadOptions};
use super::{
    output,
    prepared::{Prepared, widen},
    progress::Progress,
};
use crate::{
    cli::{StressArgs, Workload},
    dashboard::terminal,
    launch::{self, Launch},
    session::{AreaList, Observer},
};
use observer_engine::verdict::{Finding, Verdict};
use observer_observation::{Outcome, exit::Exit};
use observer_probe::{Options, setup};
use observer_report::{formats::text, summary::Summary};
use observer_tui::settings::Settings;
use observer_workload::stress::messages::Message;

/// # Errors
/// [`Refusal`](observer_kernel::survey::Refusal) or [`WorkloadRefused`](super::error::WorkloadRefused) when this host
/// does not allow it; otherwise the error of the workload.
pub(crate) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    match args.workload {
        Workload::Targeted => targeted::run(args),
        Workload::Storm => storm::run(args),
    }
}

/// Settings of delay injection for a workload.
#[derive(Clone, Copy)]
struct DelayInjection {
    /// Zero: none.
    delay: Duration,
    /// The threads to delay.
    comm: &'static str,
    one_in: u32,
}

/// A workload that is ready to start.
struct StressRun {
    prepared: Prepared,
    read_end: OwnedFd,
    write_end: OwnedFd,
    dashboard: bool,
}

impl StressRun {
    fn new(args: &StressArgs, options: &WorkloadOptions, injection: DelayInjection) -> anyhow::Result<Self> {
        let ready = setup::prepare(&args.setup())?;
        let (read_end, write_end) = launch::message_pipe().context("cannot create a pipe")?;
        let DelayInjection { delay, comm, one_in } = injection;
        let command = process::command(options, &write_end)?;
        let prepared = Prepared {
            ready,
            launch: Some(Launch { command, stdout_to_stderr: args.json, no_stdin: false }),
            options: Options {
                watch: true,
                delay: (!delay.is_zero()).then(|| widen(delay, Some(&comm.into()), one_in)),
                ..Options::default()
            },
            duration: None,
            budget_ns: None,
            // The workload adds a device.
            area_list: AreaList::open().ok(),
            swaps: Vec::new(),
            devices: Vec::new(),
            filters: BTreeMap::new(),
            command_pid: Arc::default(),
        };
        Ok(Self { prepared, read_end, write_end, dashboard: has_dashboard(args) })
    }

    /// Runs the workload. `on_message` is called in another thread.
    fn run(
        self,
        observer: &mut impl Observer,
        on_message: impl FnMut(Message) + Send + 'static,
    ) -> anyhow::Result<(Outcome, Ending)> {
        let Self { prepared, read_end, write_end, dashboard } = self;
        let receiver = process::receive(File::from(read_end), Arc::clone(&prepared.command_pid), on_message);
        let outcome = if dashboard {
            prepared.run_with_dashboard(Settings::default(), Some(&write_end), observer)
        } else {
            prepared.run(&prepared.context(), Some(&write_end), observer)
        };
        drop(write_end);
        let ending = receiver.join().map_err(|_| anyhow::anyhow!("the thread that receives messages panicked"))?;
        ending.clean_up()?;
        Ok((outcome?, ending))
    }
}

fn stale_installs(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::StaleInstall)
}

/// The address of the page.
const fn page_of(address: u64) -> u64 {
    address & !4095
}

/// The exit code of the observation, unless flags and ground truth differ or the workload did not end.
fn exit(summary: &Summary, agree: bool, complete: bool) -> Exit {
    if agree && complete { summary.exit() } else { Exit::Inconclusive }
}

/// Prints the JSON object, or the summary and the comparison.
fn print(value: &impl serde::Serialize, json: bool, summary: &Summary, comparison: &str) -> anyhow::Result<()> {
    if json { output::print_json(value) } else { output::print(text::summary(summary) + comparison) }
}

/// Progress lines, unless JSON is printed or the dashboard is open.
fn progress(args: &StressArgs) -> Option<Progress> {
    (!args.json && !has_dashboard(args)).then(Progress::default)
}

fn has_dashboard(args: &StressArgs) -> bool {
    args.dashboard && terminal::is_there()
}
