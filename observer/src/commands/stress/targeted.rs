//! `observer stress targeted`: round by round, lost or not, and flagged or not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use super::{Staged, Widening, child::Play, exit, page_of, print, stale_installs, summary, ticker};
use crate::{cli::StressArgs, commands::printed};
use observer_observation::exit::Exit;
use observer_report::summary::Summary;
use observer_workload::stress::{
    matching::{Flag, Totals, match_flags},
    messages::{Message, RoundTruth},
    targeted::TargetedOptions,
};

const ROUNDS: u32 = 200;
const DELAY: Duration = Duration::from_millis(20);

/// The summary, with the truth beside it.
#[derive(Serialize)]
struct TargetedSummary {
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

/// Runs the rounds under observation.
pub(super) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let rounds = args.rounds.unwrap_or(ROUNDS);
    let options = TargetedOptions { rounds, allow_other_swap: args.allow_other_swap, ..TargetedOptions::default() };
    let widening =
        Widening { delay: args.widen.unwrap_or(DELAY), comm: "victim", one_in: args.widen_one_in.unwrap_or(1) };
    let truths = Arc::new(Mutex::new(Vec::new()));
    let (outcome, mut said) =
        Staged::new(args, &Play::Targeted(options), &widening)?.run(&mut ticker(args), hear(&truths, rounds))?;
    said.check()?;
    let summary = summary(&outcome);
    let truths = std::mem::take(&mut *truths.lock().unwrap_or_else(PoisonError::into_inner));
    let flags: Vec<Flag> = stale_installs(&summary.findings)
        .map(|finding| Flag { pid: finding.reader.pid, address: page_of(finding.address), at_ns: finding.end_ns })
        .collect();
    let matching = match_flags(&truths, &flags);
    let rounds = truths.into_iter().zip(matching.flagged).map(|(truth, flagged)| Round { truth, flagged }).collect();
    let whole = TargetedSummary { summary, totals: matching.totals, rounds };
    let totals = &whole.totals;
    let exit = exit(&whole.summary, totals.missed == 0 && totals.false_flags == 0, said.finished);
    printed(print(&whole, args.json, &whole.summary, &truth(totals)), exit)
}

/// Keeps the rounds, and says from time to time how far it has come.
fn hear(truths: &Arc<Mutex<Vec<RoundTruth>>>, rounds: u32) -> impl FnMut(Message) + Send + use<> {
    let truths = Arc::clone(truths);
    let mut lost = 0;
    move |message| match message {
        Message::Ready(ready) => {
            eprintln!("{} with {} slots, {} rounds ...", ready.device, ready.slots, ready.rounds);
        }
        Message::Round(truth) => {
            lost += u32::from(truth.lost);
            if truth.round % 50 == 0 {
                eprintln!("round {}/{rounds}: {lost} lost a page", truth.round);
            }
            truths.lock().unwrap_or_else(PoisonError::into_inner).push(truth);
        }
        _ => {}
    }
}

fn truth(totals: &Totals) -> String {
    format!(
        "truth      {} rounds: {} lost a page, {} flagged; {} matched, {} missed, {} false\n",
        totals.rounds, totals.lost, totals.flagged, totals.matched, totals.missed, totals.false_flags
    )
}
