//! `observer stress targeted`: compares data losses with flags, round by round.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use super::{DelayInjection, StressRun, exit, page_of, print, process::WorkloadOptions, progress, stale_installs};
use crate::cli::StressArgs;
use observer_observation::exit::Exit;
use observer_report::summary::Summary;
use observer_workload::stress::{
    matching::{Flag, Totals, match_flags},
    messages::{Message, RoundTruth},
    targeted::TargetedOptions,
};

const ROUNDS: u32 = 200;
const DELAY: Duration = Duration::from_millis(20);
/// Rounds between two progress lines.
const PROGRESS_INTERVAL: u32 = 50;

/// The summary and the comparison with the ground truth.
#[derive(Serialize)]
struct TargetedSummary {
    #[serde(flatten)]
    summary: Summary,
    totals: Totals,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Round {
    #[serde(flatten)]
    truth: RoundTruth,
    flagged: bool,
}

pub(super) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let rounds = args.rounds.unwrap_or(ROUNDS);
    let options = TargetedOptions { rounds, allow_other_swap: args.allow_other_swap, ..TargetedOptions::default() };
    let injection =
        DelayInjection { delay: args.widen.unwrap_or(DELAY), comm: "victim", one_in: args.widen_one_in.unwrap_or(1) };
    let truths = Arc::new(Mutex::new(Vec::new()));
    let run = StressRun::new(args, &WorkloadOptions::Targeted(options), injection)?;
    let (outcome, mut ending) = run.run(&mut progress(args), on_message(&truths, rounds))?;
    ending.check()?;
    let summary = Summary::without_command(&outcome);
    let truths = std::mem::take(&mut *truths.lock().unwrap_or_else(PoisonError::into_inner));
    let flags: Vec<Flag> = stale_installs(&outcome.engine.report().findings)
        .map(|finding| Flag { pid: finding.reader.pid, address: page_of(finding.address), at_ns: finding.end_ns })
        .collect();
    let matching = match_flags(&truths, &flags);
    let rounds = truths.into_iter().zip(matching.flagged).map(|(truth, flagged)| Round { truth, flagged }).collect();
    let targeted = TargetedSummary { summary, totals: matching.totals, rounds };
    let totals = &targeted.totals;
    print(&targeted, args.json, &targeted.summary, &text(totals))?;
    Ok(exit(&targeted.summary, totals.missed == 0 && totals.false_flags == 0, ending.complete))
}

/// Collects the rounds and prints progress.
fn on_message(truths: &Arc<Mutex<Vec<RoundTruth>>>, rounds: u32) -> impl FnMut(Message) + Send + use<> {
    let truths = Arc::clone(truths);
    let mut lost = 0;
    move |message| match message {
        Message::TargetedReady(ready) => {
            eprintln!("{} with {} slots, {} rounds ...", ready.device, ready.slots, ready.rounds);
        }
        Message::Round(truth) => {
            lost += u32::from(truth.lost);
            if truth.round.is_multiple_of(PROGRESS_INTERVAL) {
                eprintln!("round {}/{rounds}: {lost} rounds with data loss", truth.round);
            }
            truths.lock().unwrap_or_else(PoisonError::into_inner).push(truth);
        }
        _ => {}
    }
}

fn text(totals: &Totals) -> String {
    format!(
        "stress     {} rounds: {} with data loss, {} flagged; {} matched, {} missed, {} false\n",
        totals.rounds, totals.lost, totals.flagged, totals.matched, totals.missed, totals.false_flags
    )
}
