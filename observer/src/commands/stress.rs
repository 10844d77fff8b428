//! `observer stress`: a workload with its own ground truth, observed, and the two compared.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::PathBuf,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::{
    Planned,
    live::{Ticker, watch},
    printed, widen,
};
use crate::{
    cli::{StressArgs, Workload, WorkloadArgs},
    engine::verdict::{Finding, Verdict},
    exit::Exit,
    export::{json, summary::Summary, text},
    launch::{self, Launch},
    probe::Options,
    setup::{self, Refusal},
    stress::{
        device::{Claim, SwapDevice},
        matching::{Flag, Totals, match_flags},
        messages::{self, Message, RoundTruth},
        targeted::{TargetedOptions, run_child},
    },
};

/// Name of the hidden subcommand that runs the workload in a process of its own.
pub const WORKLOAD: &str = "__workload";

/// Name of the thread that the widener delays.
const VICTIM: &str = "victim";

/// The summary, with the truth beside it.
#[derive(Serialize)]
struct StressSummary {
    #[serde(flatten)]
    summary: Summary,
    totals: Totals,
    rounds: Vec<Round>,
}

/// One round: what happened, and whether it was flagged.
#[derive(Serialize)]
struct Round {
    #[serde(flatten)]
    truth: RoundTruth,
    flagged: bool,
}

/// What the workload said.
#[derive(Debug, Default)]
struct Said {
    claim: Option<Claim>,
    rounds: Vec<RoundTruth>,
    finished: bool,
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

/// Runs the workload under observation.
///
/// # Errors
/// [`setup::Refusal`] when this host does not allow it; else what kept the workload from running.
pub fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let Workload::Targeted = args.workload;
    let ready = setup::prepare()?;
    let (read_end, write_end) = launch::message_pipe().context("cannot make a pipe")?;
    let mut planned = Planned {
        ready,
        launch: Some(Launch {
            command: workload_command(args, &write_end),
            stdout_to_stderr: args.json,
            no_stdin: false,
        }),
        options: Options {
            watch: true,
            widen: (!args.widen.is_zero()).then(|| widen(args.widen, Some(VICTIM))),
            ..Options::default()
        },
        duration: None,
    };
    let listener = listen(read_end, args.rounds);
    let outcome = if args.dashboard {
        watch(&mut planned, Some(&write_end), false, Ticker::default())
    } else if args.json {
        planned.run(&planned.context(), Some(&write_end), &mut ())
    } else {
        planned.run(&planned.context(), Some(&write_end), &mut Ticker::default())
    };
    drop(write_end);
    let said = listener.join().map_err(|_| anyhow!("the thread that listens to the workload failed"))?;
    tidy_up(&said)?;
    let outcome = outcome?;
    if let Some(error) = said.failed {
        return Err(error.into());
    }
    let summary = Summary::without_command(&outcome);
    let matching = match_flags(&said.rounds, &flags(&summary.findings));
    let rounds =
        said.rounds.into_iter().zip(matching.flagged).map(|(truth, flagged)| Round { truth, flagged }).collect();
    let whole = StressSummary { summary, totals: matching.totals, rounds };
    let exit = exit(&whole, said.finished);
    let result = if args.json { json::print(&whole) } else { print_text(&whole) };
    printed(result, exit)
}

/// The workload's own process.
pub fn workload(args: &WorkloadArgs) -> Exit {
    // SAFETY: the parent made this descriptor for us and told its number; nobody else in this process knows it.
    let messages = unsafe { OwnedFd::from_raw_fd(args.messages) };
    let options =
        TargetedOptions { rounds: args.rounds, allow_other_swap: args.allow_other_swap, ..TargetedOptions::default() };
    match run_child(&options, File::from(messages)) {
        Ok(()) => Exit::Clean,
        // The parent prints what went wrong: it was told.
        Err(_) => Exit::Failed,
    }
}

fn workload_command(args: &StressArgs, messages: &OwnedFd) -> Vec<OsString> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let mut command = vec![
        program.into_os_string(),
        WORKLOAD.into(),
        messages.as_raw_fd().to_string().into(),
        args.rounds.to_string().into(),
    ];
    if args.allow_other_swap {
        command.push("--allow-other-swap".into());
    }
    command
}

/// Takes in what the workload says until it closes its end.
fn listen(read_end: OwnedFd, rounds: u32) -> JoinHandle<Said> {
    thread::spawn(move || {
        let mut said = Said::default();
        let mut lost = 0;
        for line in BufReader::new(File::from(read_end)).lines() {
            let Ok(line) = line else { break };
            match messages::parse(&line) {
                Ok(Message::Claimed(claim)) => said.claim = Some(claim),
                Ok(Message::Ready(ready)) => {
                    eprintln!("{} with {} slots, {} rounds ...", ready.device, ready.slots, ready.rounds);
                }
                Ok(Message::Round(truth)) => {
                    lost += u32::from(truth.lost);
                    if truth.round % 50 == 0 {
                        eprintln!("round {}/{rounds}: {lost} lost a page", truth.round);
                    }
                    said.rounds.push(truth);
                }
                Ok(Message::Done(_)) => said.finished = true,
                Ok(Message::Failed { error, refusal }) => {
                    said.finished = true;
                    said.failed = Some(Failure { error, refusal });
                }
                Err(error) => said.failed = Some(Failure { error: error.to_string(), refusal: false }),
            }
        }
        said
    })
}

/// A workload that ended without a word was killed, and may have left its device behind.
fn tidy_up(said: &Said) -> anyhow::Result<()> {
    match &said.claim {
        Some(claim) if !said.finished => SwapDevice::leftover_cleanup(claim)
            .map(drop)
            .context("the workload was killed, and what it left behind could not be removed"),
        _ => Ok(()),
    }
}

/// The observer's stale installs.
fn flags(findings: &[Finding]) -> Vec<Flag> {
    const PAGE: u64 = 4096;
    let stale = findings.iter().filter(|finding| finding.verdict == Verdict::StaleInstall);
    stale
        .map(|finding| Flag { pid: finding.reader.pid, address: finding.address & !(PAGE - 1), at_ns: finding.end_ns })
        .collect()
}

/// As for any observation; but where truth and flags differ, or the workload was cut short, nothing is conclusive.
fn exit(whole: &StressSummary, finished: bool) -> Exit {
    let agree = whole.totals.missed == 0 && whole.totals.false_flags == 0;
    if agree && finished { whole.summary.exit() } else { Exit::Inconclusive }
}

fn print_text(whole: &StressSummary) -> io::Result<()> {
    let totals = &whole.totals;
    let mut out = io::stdout().lock();
    out.write_all(text::summary(&whole.summary).as_bytes())?;
    writeln!(
        out,
        "truth      {} rounds: {} lost a page, {} flagged; {} matched, {} missed, {} false",
        totals.rounds, totals.lost, totals.flagged, totals.matched, totals.missed, totals.false_flags
    )
}
