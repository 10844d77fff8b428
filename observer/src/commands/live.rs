//! `observer live`: the dashboard; or, where there is no terminal, a line a second and every finding as it comes. The
//! summary at the end.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    os::fd::OwnedFd,
};

use anyhow::Context as _;

use super::{Planned, printed};
use crate::dashboard;
use crate::{
    cli::LiveArgs,
    session::{SessionObserver, View},
};
use observer_observation::{Outcome, exit::Exit};
use observer_probe::setup;
use observer_report::{
    formats::text,
    summary::{Summary, dropped},
    words,
};

/// Observes and shows.
///
/// # Errors
/// [`Refusal`] when this host does not allow it; else I/O errors.
pub(crate) fn run(args: &LiveArgs) -> anyhow::Result<Exit> {
    let planned = Planned::new(setup::prepare(&args.observe.options())?, &args.observe, false)?;
    let outcome = if dashboard::terminal::is_there() {
        with_dashboard(planned, None, args.ascii, &mut ())?
    } else {
        eprintln!(
            "observer: no terminal here, so no dashboard: a line a second instead; `observer record -o FILE` keeps it all"
        );
        let (context, hooks) = (planned.context(), planned.ready.plan.hooks.len());
        say(&format!("{}, {}; attaching {hooks} programs ...", context.kernel.release, context.kernel.state));
        planned.run(&context, None, &mut Ticker { findings: true, ..Ticker::default() })?
    };
    let summary = Summary::new(&outcome);
    printed(io::stdout().lock().write_all(text::summary(&summary).as_bytes()), summary.exit())
}

/// Observes with the dashboard open, and `beside` looking on as well. The screen and the keys belong to the dashboard: what
/// the command prints is shown when it is closed.
///
/// # Errors
/// As [`Planned::run`], or when the terminal cannot be taken over.
pub(crate) fn with_dashboard(
    mut planned: Planned,
    inherit: Option<&OwnedFd>,
    ascii: bool,
    beside: &mut impl SessionObserver,
) -> anyhow::Result<Outcome> {
    let context = planned.context();
    if let Some(launch) = &mut planned.launch {
        launch.stdout_to_stderr = true;
        launch.no_stdin = true;
    }
    super::runtime()?.block_on(async {
        let note = format!("attaching {} programs ...", planned.ready.plan.hooks.len());
        // Dropped at the end of this block: the terminal is given back before anything is printed.
        let mut live = dashboard::Live::open(&context, ascii, &note).context("cannot take over the terminal")?;
        planned.observe(&context, inherit, &mut (beside, &mut live)).await
    })
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

impl SessionObserver for Ticker {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        let report = view.engine.report();
        for finding in report.findings.iter().skip(self.shown).filter(|_| self.findings) {
            say(&text::finding(finding));
        }
        self.shown = report.findings.len();
        self.ticks += 1;
        if !self.ticks.is_multiple_of(TICKS_A_SECOND) {
            return ControlFlow::Continue(());
        }
        let counters = &view.sample.snapshot.counters;
        let swap_ins = counters.read_direct + counters.read_cached;
        let lost = dropped::total(&dropped::collect(view.sample, &report.dropped));
        let verdicts = &report.verdicts;
        // A kernel that does not pin has waits of the other kind only.
        let waits = match verdicts.lock_wait {
            0 => format!("pin-waits {}", verdicts.pin_wait),
            locks => format!("pin-waits {}  lock-waits {locks}", verdicts.pin_wait),
        };
        say(&format!(
            "{:>4} s  {:>7} swap-ins/s  {swap_ins} in all ({} direct)  overlaps {}  {waits}  windows {}  reuses {}  \
             stale-installs {}",
            self.ticks / TICKS_A_SECOND,
            swap_ins - self.swap_ins,
            counters.read_direct,
            words::seen(verdicts.overlap, lost),
            verdicts.window,
            verdicts.reuse,
            verdicts.stale_install,
        ));
        self.swap_ins = swap_ins;
        ControlFlow::Continue(())
    }
}
