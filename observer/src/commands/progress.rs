//! Progress on standard output: one line per second, and each finding when it occurs.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
};

use crate::session::{Observer, View};
use observer_engine::verdict::Verdict;
use observer_observation::dropped;
use observer_report::{formats::text, summary::place::device, words};

/// An observer that prints progress lines.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether to print each finding.
    findings: bool,
    ticks: u32,
    printed: usize,
    swap_ins: u64,
}

const TICKS_PER_SECOND: u32 = 10;

/// Prints a line. If standard output is closed, the observation continues.
pub(super) fn print_line(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

impl Progress {
    pub(super) fn with_findings() -> Self {
        Self { findings: true, ..Self::default() }
    }
}

impl Observer for Progress {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        let report = view.engine.report();
        for finding in report.findings.iter().skip(self.printed).filter(|_| self.findings) {
            let device = device(view.swaps, finding.entry, finding.start_ns);
            print_line(&text::finding(finding, device.as_ref()));
        }
        self.printed = report.findings.len();
        self.ticks += 1;
        if !self.ticks.is_multiple_of(TICKS_PER_SECOND) {
            return ControlFlow::Continue(());
        }
        let counters = &view.sample.snapshot.counters;
        let swap_ins = counters.read_direct + counters.read_cached;
        let dropped = dropped(view.sample, &report.dropped).values().sum();
        let verdicts = &report.verdicts;
        let kernel = &view.context.kernel;
        let of = |verdict, count| words::verdict_count(count, 0, kernel.is_observable(verdict));
        let pins = of(Verdict::PinWait, verdicts.pin_wait);
        // A kernel without the pin has lock waits only.
        let waits = match verdicts.lock_wait {
            0 => format!("pin-waits {pins}"),
            locks => format!("pin-waits {pins}  lock-waits {locks}"),
        };
        print_line(&format!(
            "{:>4} s  {:>7} swap-ins/s  {swap_ins} total ({} direct)  overlaps {}  {waits}  windows {}  reuses {}  \
             stale-installs {}",
            self.ticks / TICKS_PER_SECOND,
            swap_ins - self.swap_ins,
            counters.read_direct,
            words::verdict_count(verdicts.overlap, dropped, kernel.is_observable(Verdict::Overlap)),
            of(Verdict::Window, verdicts.window),
            of(Verdict::Reuse, verdicts.reuse),
            of(Verdict::StaleInstall, verdicts.stale_install),
        ));
        self.swap_ins = swap_ins;
        ControlFlow::Continue(())
    }
}
