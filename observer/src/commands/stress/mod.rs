//! `observer stress`: a workload with its own ground truth, observed, and the two compared.

mod child;
mod storm;
mod targeted;

use std::{collections::BTreeMap, fs::File, io, os::fd::OwnedFd, time::Duration};

use anyhow::Context as _;

pub(crate) use child::{WORKLOAD, workload};

use super::{
    Planned,
    live::{Ticker, with_dashboard},
    widen,
};
use crate::{
    cli::{StressArgs, Workload},
    launch::{self, Launch},
    session::SessionObserver,
};
use observer_engine::verdict::{Finding, Verdict};
use observer_kernel::survey::SetupOptions;
use observer_observation::{Outcome, exit::Exit};
use observer_probe::{Options, setup};
use observer_report::summary::Summary;

/// Runs the workload under observation.
///
/// # Errors
/// [`Refusal`] when this host does not allow it; else what kept the workload from running.
pub(crate) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    match args.workload {
        Workload::Targeted => targeted::run(args),
        Workload::Storm => storm::run(args),
    }
}

/// How delay injection is set for a workload.
struct Widening {
    /// Delay; zero: none.
    delay: Duration,
    /// Name of the threads to delay.
    comm: &'static str,
    one_in: u32,
}

/// A workload that is ready to start.
struct Staged {
    planned: Planned,
    read_end: OwnedFd,
    write_end: OwnedFd,
    dashboard: bool,
}

impl Staged {
    fn new(args: &StressArgs, play: &child::Play, widening: &Widening) -> anyhow::Result<Self> {
        let ready = setup::prepare(&SetupOptions { backends: args.backend.into(), set: args.hooks.into(), btf: None })?;
        let (read_end, write_end) = launch::message_pipe().context("cannot make a pipe")?;
        let Widening { delay, comm, one_in } = *widening;
        let command = child::command(play, &write_end)?;
        let planned = Planned {
            ready,
            launch: Some(Launch { command, stdout_to_stderr: args.json, no_stdin: false }),
            options: Options {
                watch: true,
                widen: (!delay.is_zero()).then(|| widen(delay, Some(comm), one_in)),
                ..Options::default()
            },
            duration: None,
            budget_ns: None,
            swaps: Vec::new(),
            filters: BTreeMap::new(),
        };
        let dashboard = has_dashboard(args);
        Ok(Self { planned, read_end, write_end, dashboard })
    }

    /// Runs the workload; `hear` takes in what it says that is its own, on a thread of its own.
    fn run(
        self,
        session_observer: &mut impl SessionObserver,
        hear: impl FnMut(observer_workload::stress::messages::Message) + Send + 'static,
    ) -> anyhow::Result<(Outcome, child::Said)> {
        let Self { planned, read_end, write_end, dashboard } = self;
        let listener = child::listen(File::from(read_end), hear);
        let outcome = if dashboard {
            with_dashboard(planned, Some(&write_end), false, session_observer)
        } else {
            planned.run(&planned.context(), Some(&write_end), session_observer)
        };
        drop(write_end);
        let said = listener.join().map_err(|_| anyhow::anyhow!("the thread that listens to the workload failed"))?;
        said.tidy_up()?;
        Ok((outcome?, said))
    }
}

/// The summary of an observed workload.
fn summary(outcome: &Outcome) -> Summary {
    Summary::without_command(outcome)
}

/// The observer's stale installs.
fn stale_installs(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::StaleInstall)
}

/// The page of an address.
const fn page_of(address: u64) -> u64 {
    address & !4095
}

/// As for any observation; but where truth and flags differ, or the workload was cut short, nothing is conclusive.
fn exit(summary: &Summary, agree: bool, finished: bool) -> Exit {
    if agree && finished { summary.exit() } else { Exit::Inconclusive }
}

/// Prints the JSON object, or the summary with the truth below it.
fn print(value: &impl serde::Serialize, json: bool, summary: &Summary, truth: &str) -> io::Result<()> {
    use std::io::Write as _;
    if json {
        return observer_report::formats::json::print(value);
    }
    let mut out = io::stdout().lock();
    out.write_all(observer_report::formats::text::summary(summary).as_bytes())?;
    out.write_all(truth.as_bytes())
}

/// What is shown while it runs: nothing where one JSON object is wanted, or where the dashboard shows it all.
fn ticker(args: &StressArgs) -> Option<Ticker> {
    (!args.json && !has_dashboard(args)).then(Ticker::default)
}

/// Whether the dashboard is wanted, and there is somebody to look at it.
fn has_dashboard(args: &StressArgs) -> bool {
    args.dashboard && crate::dashboard::terminal::is_there()
}
