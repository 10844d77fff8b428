//! `observer stress storm`: the crowd, pass by pass: pages that came up short, and flags.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use super::{Staged, Widening, child::Play, exit, page_of, print, stale_installs, summary, ticker};
use crate::{
    cli::StressArgs,
    commands::{live::Ticker, printed},
    session::{SessionObserver, View},
};
use observer_engine::{event::Nanos, verdict::Finding};
use observer_observation::{clock::now, exit::Exit};
use observer_report::summary::Summary;
use observer_workload::stress::{
    ledger::{HarmlessFlag, Ledger, LostPage, StormFlag, StormTotals},
    messages::Message,
    storm::StormOptions,
};

const DURATION: Duration = Duration::from_mins(1);
const DELAY: Duration = Duration::from_millis(5);
const ONE_IN: u32 = 16;
/// Every flag on a pass has come this long after its end: events are held back 100 ms, and are looked at ten times a
/// second. Nanoseconds.
const FLAGS_COME_WITHIN: Nanos = 5_000_000_000;
/// A word of progress each so many passes.
const PROGRESS: u64 = 2_000;

/// The summary, with the truth beside it.
#[derive(Serialize)]
struct StormSummary {
    #[serde(flatten)]
    summary: Summary,
    totals: StormTotals,
    /// Pages that came up short, each with its flags.
    lost_pages: Vec<LostPage>,
    /// Flags on pages that lost nothing, each with its explanation: no write in between.
    flags_without_loss: Vec<HarmlessFlag>,
}

/// Runs the storm under observation.
pub(super) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let options = StormOptions {
        passes: args.rounds.map(u64::from),
        duration: args.duration.or_else(|| args.rounds.is_none().then_some(DURATION)),
        threads: args.threads,
        pages: args.pages,
        free: args.free_slots,
        allow_other_swap: args.allow_other_swap,
        ..StormOptions::default()
    };
    let widening =
        Widening { delay: args.widen.unwrap_or(DELAY), comm: "walker", one_in: args.widen_one_in.unwrap_or(ONE_IN) };
    let mut watch = Watch { ticker: ticker(args), ledger: Arc::default(), taken: 0 };
    let hear = hear(&watch.ledger);
    let (outcome, mut said) = Staged::new(args, &Play::Storm(options), &widening)?.run(&mut watch, hear)?;
    said.check()?;
    let summary = summary(&outcome);
    watch.take(&summary.findings);
    let mut ledger = lock(&watch.ledger);
    ledger.settle(Nanos::MAX);
    let whole = StormSummary {
        totals: ledger.totals(),
        lost_pages: ledger.lost().to_vec(),
        flags_without_loss: ledger.harmless().to_vec(),
        summary,
    };
    let totals = &whole.totals;
    let agree = totals.missed == 0 && totals.false_flags == 0 && totals.corrupt == 0;
    let exit = exit(&whole.summary, agree, said.finished);
    printed(print(&whole, args.json, &whole.summary, &truth(totals)), exit)
}

/// Compares flags and truth as both come in.
struct Watch {
    ticker: Option<Ticker>,
    ledger: Arc<Mutex<Ledger>>,
    /// Findings taken so far.
    taken: usize,
}

impl Watch {
    fn take(&mut self, findings: &[Finding]) {
        let mut ledger = lock(&self.ledger);
        for finding in stale_installs(findings.get(self.taken..).unwrap_or_default()) {
            ledger.flag(StormFlag {
                pid: finding.reader.pid,
                address: page_of(finding.address),
                read_ns: finding.read_start_ns,
                at_ns: finding.end_ns,
            });
        }
        self.taken = findings.len();
    }
}

impl SessionObserver for Watch {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        self.take(&view.engine.report().findings);
        lock(&self.ledger).settle(now().saturating_sub(FLAGS_COME_WITHIN));
        self.ticker.tick(view)
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hear(ledger: &Arc<Mutex<Ledger>>) -> impl FnMut(Message) + Send + use<> {
    let ledger = Arc::clone(ledger);
    let mut short = 0;
    move |message| match message {
        Message::Storm(ready) => eprintln!(
            "{} with {} slots, {} of them free; {} threads over {} pages ...",
            ready.device, ready.slots, ready.free, ready.threads, ready.pages
        ),
        Message::Pass(truth) => {
            short += truth.short.len();
            if truth.pass.is_multiple_of(PROGRESS) {
                eprintln!("pass {}: {short} pages came up short", truth.pass);
            }
            lock(&ledger).pass(truth);
        }
        _ => {}
    }
}

fn truth(totals: &StormTotals) -> String {
    format!(
        "truth      {} passes: {} pages came up short of {} updates, {} flagged; {} matched, {} missed, {} explained \
         (nobody wrote in between), {} false\n",
        totals.rounds,
        totals.lost,
        totals.lost_updates,
        totals.flagged,
        totals.matched,
        totals.missed,
        totals.explained,
        totals.false_flags
    )
}
