//! The page: readable at 80 columns, everything aligned.

use super::{Answer, Doctor, host};
use crate::units::wrap;
use observer_kernel::{
    plan::{Hook, Missing, Redundant},
    swaps::{SwapArea, Synchronous},
};
use observer_observation::self_test::Outcome;

/// Widest line.
const WIDTH: usize = 80;
/// Where the text behind a label starts.
const COLUMN: usize = 18;

/// The whole page.
pub fn page(doctor: &Doctor<'_>) -> String {
    let kernel = &doctor.kernel;
    let mut page = Page::default();
    page.row("kernel", &format!("{}, {}", kernel.release, kernel.arch));
    page.row("state", kernel.state);
    page.row("race", &format!("{}: {}", race_word(doctor.race.answer), doctor.race.reason));
    page.swaps(doctor.facts.swaps.as_deref());
    page.observing(doctor);
    page.self_test(doctor.self_test.as_ref());
    page.hooks(doctor.hooks);
    page.redundant(doctor.redundant);
    page.degraded(kernel.degraded);
    page.title("host");
    for (label, text) in host::rows(doctor.facts, doctor.trial) {
        page.row(label, &text);
    }
    if !doctor.facts.gaps.is_empty() {
        page.title("not known");
        for gap in &doctor.facts.gaps {
            page.row(gap.what, &gap.why);
        }
    }
    page.0
}

const fn race_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "CAN HAPPEN HERE",
        Answer::No => "cannot happen here",
        Answer::Unknown => "unknown",
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text);
    }

    /// A label, and beside it the text, wrapped. A label too wide for its column gets a line of its own.
    fn row(&mut self, label: &str, text: &str) {
        let indent = " ".repeat(COLUMN);
        let mut first = true;
        if label.chars().count() + 2 > COLUMN {
            self.line(label);
            first = false;
        }
        for line in wrap(text, WIDTH - COLUMN) {
            let before = if first { format!("{label:COLUMN$}") } else { indent.clone() };
            self.line(&format!("{before}{line}"));
            first = false;
        }
    }

    fn swaps(&mut self, areas: Option<&[SwapArea]>) {
        self.title("swap areas");
        match areas {
            None => self.row("", "not known"),
            Some([]) => self.row("", "none in use"),
            Some(areas) => {
                for area in areas {
                    let line = &area.line;
                    let (size, used) = (kib(line.size_kib), kib(line.used_kib));
                    self.row(&line.path, &format!("{size}, {used} used, priority {}", line.priority));
                    self.row("", &format!("{}: {}", synchronous(area.synchronous), area.reason));
                }
            }
        }
    }

    fn observing(&mut self, doctor: &Doctor<'_>) {
        self.0.push('\n');
        let Some(refusal) = doctor.refusal else {
            let degraded = doctor.kernel.degraded.len();
            let rest = if degraded == 0 { String::new() } else { format!("; {degraded} degraded, see below") };
            return self.row("observing", &format!("possible, with {} hooks{rest}", doctor.hooks.len()));
        };
        self.row("observing", &format!("NOT POSSIBLE: {}", refusal.what));
        for why in &refusal.why {
            self.row("  because", why);
        }
        self.row("  to do", &refusal.remedy);
    }

    fn self_test(&mut self, outcome: Option<&Outcome>) {
        match outcome {
            None => {}
            Some(Outcome::NotMade { not_made, .. }) => self.row("self-test", &format!("NOT MADE: {not_made}")),
            Some(Outcome::Made(test)) => {
                let word = if test.passed { "passed" } else { "FAILED" };
                let pages = test.pages;
                self.row("self-test", &format!("{word}: {pages} own pages swapped out and in on a device of its own"));
                for check in &test.checks {
                    let wrong = if check.seen == check.wanted { "" } else { "  WRONG" };
                    self.row("", &format!("{:>3} of {} {}{wrong}", check.seen, check.wanted, check.what));
                }
            }
        }
    }

    fn hooks(&mut self, hooks: &[Hook]) {
        if hooks.is_empty() {
            return;
        }
        self.title("hooks");
        for hook in hooks {
            let (meaning, backend) = (hook.meaning.name(), hook.backend.name());
            self.row(meaning, &format!("{backend} {}", hook.symbol));
            self.row("", &hook.reason);
        }
    }

    fn redundant(&mut self, redundant: &[Redundant]) {
        if redundant.is_empty() {
            return;
        }
        self.title("not hooked, and why");
        for Redundant { hook, instead } in redundant {
            self.row(hook.meaning.name(), &hook.symbol);
            self.row("", instead);
        }
    }

    fn degraded(&mut self, missing: &[Missing]) {
        if missing.is_empty() {
            return;
        }
        self.title("degraded");
        for missing in missing {
            self.row(missing.meaning.name(), &missing.reason);
            self.row("", &format!("so: {}", missing.consequence));
        }
    }
}

const fn synchronous(answer: Synchronous) -> &'static str {
    match answer {
        Synchronous::Yes => "synchronous",
        Synchronous::No => "not synchronous",
        Synchronous::Unknown => "synchronous or not, unknown",
    }
}

fn kib(kib: u64) -> String {
    match kib {
        0..10_240 => format!("{kib} KiB"),
        10_240..10_485_760 => format!("{} MiB", kib >> 10),
        _ => format!("{} GiB", kib >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned() {
        let mut page = Page::default();
        page.row("short", &"word ".repeat(20));
        page.row("a label that is too wide", "text");
        let lines: Vec<_> = page.0.lines().collect();
        assert_eq!(lines[0], format!("short             {}", "word ".repeat(12).trim_end()));
        assert_eq!(lines[1], format!("                  {}", "word ".repeat(8).trim_end()));
        assert_eq!(lines[2..], ["a label that is too wide", "                  text"]);
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn sizes() {
        assert_eq!((kib(128), kib(32764), kib(33_554_432)), ("128 KiB".into(), "31 MiB".into(), "32 GiB".into()));
    }
}
