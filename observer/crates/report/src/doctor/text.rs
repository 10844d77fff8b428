//! The report for a terminal: 80 columns, aligned.

use super::Doctor;
use crate::{
    units::{bytes, counted, wrap},
    words,
};
use observer_kernel::{plan::Redundant, survey::Refusal, swaps::SwapArea};
use observer_observation::{Degraded, HookUse, self_test::Outcome};

/// Columns.
const WIDTH: usize = 80;
/// Column of the text beside a label.
const COLUMN: usize = 18;

pub fn text(doctor: &Doctor<'_>) -> String {
    let kernel = &doctor.kernel;
    let mut text = Text::default();
    text.row("kernel", &format!("{}, {}", kernel.release, kernel.arch));
    text.row("state", words::state(kernel.state));
    text.row("vulnerable", words::vulnerable(kernel.state));
    text.row("reachable", &words::reachable(&doctor.race));
    text.row("race", words::race(&doctor.race));
    text.observable(doctor);
    text.self_test(doctor.self_test.as_ref());
    text.swaps(doctor.facts.swaps.as_deref());
    text.hooks(&kernel.hooks);
    text.redundant(doctor.redundant);
    text.degraded(&kernel.degraded);
    text.title("host");
    for (label, setting) in words::host(doctor.facts, doctor.trial) {
        text.row(label, &setting);
    }
    if !doctor.facts.gaps.is_empty() {
        text.title("unknown");
        for gap in &doctor.facts.gaps {
            text.row(words::fact(gap.what), &gap.why);
        }
    }
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, text: &str) {
        self.0.push_str(&observer_text::line(text.trim_end()));
        self.0.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text);
    }

    /// A label, and beside it the text, wrapped. A label that is too wide for its column has its own line.
    fn row(&mut self, label: &str, text: &str) {
        let indent = " ".repeat(COLUMN);
        let mut first = true;
        if observer_text::width(label) + 2 > COLUMN {
            self.line(label);
            first = false;
        }
        for line in wrap(text, WIDTH - COLUMN) {
            let before = if first {
                format!("{label}{}", " ".repeat(COLUMN.saturating_sub(observer_text::width(label))))
            } else {
                indent.clone()
            };
            self.line(&format!("{before}{line}"));
            first = false;
        }
    }

    fn observable(&mut self, doctor: &Doctor<'_>) {
        let Some(refusal) = doctor.refusal else {
            let (hooks, degraded) = (doctor.kernel.hooks.len(), doctor.kernel.degraded.len());
            let rest = if degraded == 0 { String::new() } else { format!("; {degraded} degraded, see below") };
            return self.row("observable", &format!("yes, with {}{rest}", counted(hooks as u64, "hook")));
        };
        self.row("observable", &format!("NO: {}", words::obstacle(refusal.obstacle)));
        self.refusal(refusal);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        for cause in &refusal.causes {
            self.row("  because", &words::refusal_cause(cause));
        }
        self.row("  to do", &words::remedies(&refusal.remedies));
    }

    fn self_test(&mut self, outcome: Option<&Outcome>) {
        match outcome {
            None => {}
            Some(Outcome::Refused { refusal }) => {
                self.row("self-test", &format!("NOT RUN: {}", words::obstacle(refusal.obstacle)));
                self.refusal(refusal);
            }
            Some(Outcome::NotRun { reason, remedy, .. }) => {
                self.row("self-test", &format!("NOT RUN: {reason}"));
                if let Some(remedy) = remedy {
                    self.row("  to do", remedy);
                }
            }
            Some(Outcome::Run(test)) => {
                let result = if test.passed { "PASS" } else { "FAIL" };
                let pages = test.pages;
                self.row("self-test", &format!("{result}: {pages} pages swapped out and in on a separate device"));
                for check in &test.checks {
                    let failed = if check.passed() { "" } else { "  FAIL" };
                    let what = words::check(check.check);
                    self.row("", &format!("{:>3} of {} {what}{failed}", check.seen, check.expected));
                }
            }
        }
    }

    fn swaps(&mut self, areas: Option<&[SwapArea]>) {
        self.title("swap areas");
        match areas {
            None => self.row("", "unknown"),
            Some([]) => self.row("", "none in use"),
            Some(areas) => {
                for area in areas {
                    let line = &area.line;
                    let (size, used) = (bytes(line.size_kib << 10), bytes(line.used_kib << 10));
                    self.row(&line.path.to_string(), &format!("{size}, {used} used, priority {}", line.priority));
                    let reason = words::synchronous_reason(area);
                    self.row("", &format!("{}: {reason}", words::synchronous(area.synchronous)));
                }
            }
        }
    }

    fn hooks(&mut self, hooks: &[HookUse]) {
        if hooks.is_empty() {
            return;
        }
        self.title("hooks");
        for hook in hooks {
            self.row(words::meaning(hook.meaning), &format!("{} {}", hook.backend.code(), hook.symbol));
            self.row("", &words::hook_reason(&hook.reason));
        }
    }

    fn redundant(&mut self, redundant: &[Redundant]) {
        if redundant.is_empty() {
            return;
        }
        self.title("redundant hooks, not attached");
        for Redundant { hook, instead } in redundant {
            self.row(words::meaning(hook.meaning), &hook.symbol);
            self.row("", words::instead(*instead));
        }
    }

    fn degraded(&mut self, degraded: &[Degraded]) {
        if degraded.is_empty() {
            return;
        }
        self.title("degraded");
        for gap in degraded {
            self.row(words::meaning(gap.meaning), &words::missing_reason(&gap.reason));
            self.row("", &format!("therefore {}", words::gap_consequence(gap)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned() {
        let mut text = Text::default();
        text.row("short", &"word ".repeat(20));
        text.row("a label that is too wide", "text");
        let lines: Vec<_> = text.0.lines().collect();
        assert_eq!(lines[0], format!("short             {}", "word ".repeat(12).trim_end()));
        assert_eq!(lines[1], format!("                  {}", "word ".repeat(8).trim_end()));
        assert_eq!(lines[2..], ["a label that is too wide", "                  text"]);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
    }
}
