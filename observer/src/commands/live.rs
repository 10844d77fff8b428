//! `observer live`: a line a second while it runs, every finding as it comes, the summary at the end.

use std::io::{self, Write as _};

use super::{Planned, printed};
use crate::{
    cli::ObserveArgs,
    engine::Engine,
    exit::Exit,
    export::{losses, summary::Summary, text},
    probe::Probes,
    session::Onlooker,
    setup,
};

/// Observes and shows.
///
/// # Errors
/// [`setup::Refusal`] when this host does not allow it; else I/O errors.
pub fn run(args: &ObserveArgs) -> anyhow::Result<Exit> {
    let planned = Planned::new(setup::prepare(args.backend)?, args, false);
    let (host, plan) = (&planned.ready.host, &planned.ready.plan);
    let mut ticker = Ticker { findings: true, ..Ticker::default() };
    say(&format!("{}, {}; attaching {} programs ...", host.release.text, plan.state.words(), plan.hooks.len()));
    let outcome = planned.run(None, &mut ticker)?;
    let summary = Summary::new(&host.release.text, host.tick_ns, plan, &outcome)
        .with_widener(planned.options.widen.map(|widen| widen.ns), &outcome)
        .with_command(&args.cmd, &outcome);
    printed(io::stdout().lock().write_all(text::summary(&summary).as_bytes()), summary.exit())
}

/// Prints what is new, a line a second.
#[derive(Default)]
pub(crate) struct Ticker {
    /// Whether to print each finding as well.
    pub(crate) findings: bool,
    ticks: u32,
    shown: usize,
    swap_ins: u64,
}

/// Ticks in a second.
const TICKS_A_SECOND: u32 = 10;

/// A line for the person who looks on. If nobody does any more, the observation goes on all the same.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

impl Onlooker for Ticker {
    fn tick(&mut self, probes: &Probes, engine: &Engine) {
        let report = engine.report();
        for finding in report.findings.iter().skip(self.shown).filter(|_| self.findings) {
            say(&text::finding(finding));
        }
        self.shown = report.findings.len();
        self.ticks += 1;
        if !self.ticks.is_multiple_of(TICKS_A_SECOND) {
            return;
        }
        let Ok(snapshot) = probes.snapshot() else { return };
        let counters = &snapshot.counters;
        let swap_ins = counters.read_direct + counters.read_cached;
        let lost = losses::total(&losses::collect(&snapshot, probes.undecodable(), &report.losses));
        let verdicts = &report.verdicts;
        say(&format!(
            "{:>4} s  {:>7} swap-ins/s  {swap_ins} in all ({} direct)  overlaps {}  pin-waits {}  windows {}  reuses {}  \
             stale-installs {}",
            self.ticks / TICKS_A_SECOND,
            swap_ins - self.swap_ins,
            counters.read_direct,
            text::seen(verdicts.overlap, lost),
            verdicts.pin_wait,
            verdicts.window,
            verdicts.reuse,
            verdicts.stale_install,
        ));
        self.swap_ins = swap_ins;
    }
}
