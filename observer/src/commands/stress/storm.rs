//! `observer stress storm`: compares lost increments with flags, pass by pass.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use super::{DelayInjection, StressRun, exit, page_of, print, process::WorkloadOptions, progress, stale_installs};
use crate::{
    cli::StressArgs,
    commands::progress::Progress,
    session::{Observer, View},
};
use observer_engine::{event::Nanos, verdict::Finding};
use observer_observation::exit::Exit;
use observer_report::summary::Summary;
use observer_workload::stress::{
    ledger::{HarmlessFlag, Ledger, LostPage, StormFlag, StormTotals},
    messages::Message,
    storm::StormOptions,
};

const DURATION: Duration = Duration::from_mins(1);
const DELAY: Duration = Duration::from_millis(5);
const ONE_IN: u32 = 16;
/// The engine has judged all faults that ended this long before the time that it has reached: it holds events back for
/// 100 ms, and a reader waits up to a second for missing changes.
const FLAG_DELAY: Nanos = 5_000_000_000;
/// Passes between two progress lines.
const PROGRESS_INTERVAL: u64 = 2_000;

/// The summary and the comparison with the ground truth.
#[derive(Serialize)]
struct StormSummary {
    #[serde(flatten)]
    summary: Summary,
    totals: StormTotals,
    lost_pages: Vec<LostPage>,
    flags_without_loss: Vec<HarmlessFlag>,
}

pub(super) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let defaults = StormOptions::default();
    let options = StormOptions {
        passes: args.rounds.map(u64::from),
        duration: args.duration.or_else(|| args.rounds.is_none().then_some(DURATION)),
        threads: args.threads.unwrap_or(defaults.threads),
        pages: args.pages.unwrap_or(defaults.pages),
        free: args.free_slots.unwrap_or(defaults.free),
        allow_other_swap: args.allow_other_swap,
        ..defaults
    };
    let injection = DelayInjection {
        delay: args.widen.unwrap_or(DELAY),
        comm: "walker",
        one_in: args.widen_one_in.unwrap_or(ONE_IN),
    };
    let mut comparison = Comparison { progress: progress(args), ledger: Arc::default(), findings: 0 };
    let on_message = on_message(&comparison.ledger);
    let run = StressRun::new(args, &WorkloadOptions::Storm(options), injection)?;
    let (outcome, mut ending) = run.run(&mut comparison, on_message)?;
    ending.check()?;
    let summary = Summary::without_command(&outcome);
    comparison.add_findings(&outcome.engine.report().findings);
    let mut ledger = lock(&comparison.ledger);
    ledger.finish();
    let storm = StormSummary {
        totals: ledger.totals(),
        lost_pages: ledger.lost().to_vec(),
        flags_without_loss: ledger.harmless().to_vec(),
        summary,
    };
    let totals = &storm.totals;
    let agree = totals.missed == 0 && totals.false_flags == 0 && totals.corrupt == 0;
    print(&storm, args.json, &storm.summary, &text(totals))?;
    Ok(exit(&storm.summary, agree, ending.complete))
}

/// Compares flags with the ground truth while both arrive.
struct Comparison {
    progress: Option<Progress>,
    ledger: Arc<Mutex<Ledger>>,
    /// Findings that were added to the ledger.
    findings: usize,
}

impl Comparison {
    fn add_findings(&mut self, findings: &[Finding]) {
        let mut ledger = lock(&self.ledger);
        for finding in stale_installs(findings.get(self.findings..).unwrap_or_default()) {
            ledger.add_flag(StormFlag {
                pid: finding.reader.pid,
                address: page_of(finding.address),
                read_ns: finding.read_start_ns,
                at_ns: finding.end_ns,
            });
        }
        self.findings = findings.len();
    }
}

impl Observer for Comparison {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        self.add_findings(&view.engine.report().findings);
        lock(&self.ledger).settle(view.now.saturating_sub(FLAG_DELAY));
        self.progress.tick(view)
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_message(ledger: &Arc<Mutex<Ledger>>) -> impl FnMut(Message) + Send + use<> {
    let ledger = Arc::clone(ledger);
    let mut wrong = 0;
    move |message| match message {
        Message::StormReady(ready) => eprintln!(
            "{} with {} slots, {} of them free; {} threads on {} pages ...",
            ready.device, ready.slots, ready.free, ready.threads, ready.pages
        ),
        Message::Pass(truth) => {
            wrong += truth.wrong.len();
            if truth.pass.is_multiple_of(PROGRESS_INTERVAL) {
                eprintln!("pass {}: {wrong} pages with a wrong count", truth.pass);
            }
            lock(&ledger).add_pass(truth);
        }
        _ => {}
    }
}

fn text(totals: &StormTotals) -> String {
    format!(
        "stress     {} passes: {} pages with data loss ({} lost increments), {} flagged; {} matched, {} missed, {} \
         explained (the page was not written in between), {} false, {} corrupt\n",
        totals.rounds,
        totals.lost,
        totals.lost_updates,
        totals.flagged,
        totals.matched,
        totals.missed,
        totals.explained,
        totals.false_flags,
        totals.corrupt
    )
}
