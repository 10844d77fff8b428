//! The report for a terminal: aligned, as wide as the terminal.

use super::Doctor;
use crate::{
    paint::{Paint, Tone},
    race::{Answer, Observed, Race, Risk},
    units::{bytes, counted, wrap},
    words,
};
use observer_kernel::{plan::Redundant, survey::Refusal, swaps::SwapArea};
use observer_observation::{Degraded, HookUse, self_test::Outcome};

/// Column of the text beside a label.
const COLUMN: usize = 18;
/// Fewest columns of the text beside a label. In a narrower page it goes below the label.
const LEAST: usize = 24;
/// Indentation of text below its label.
const BELOW: usize = 2;

/// What a page is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns of a line.
    pub width: usize,
    pub paint: Paint,
}

impl Default for Layout {
    fn default() -> Self {
        Self { width: 80, paint: Paint::Plain }
    }
}

/// The answers first: the race with its three facts, and whether this host can be observed.
pub fn text(doctor: &Doctor<'_>, layout: Layout) -> String {
    let kernel = &doctor.kernel;
    let mut text = Text { page: String::new(), layout };
    text.race(&doctor.race, doctor);
    text.observable(doctor);
    text.self_test(doctor.self_test.as_ref());
    text.row("kernel", &format!("{}, {}", kernel.release, kernel.arch));
    text.row("state", words::state(kernel.state));
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
    text.page
}

const fn tone_of_risk(risk: Risk) -> Tone {
    match risk {
        Risk::DataLossObserved | Risk::DataLossPossible => Tone::Bad,
        Risk::NotReachableNow | Risk::ReachabilityUnknown | Risk::VulnerabilityUnknown => Tone::Caution,
        Risk::PinWaits | Risk::PinWaitsUnknown | Risk::NoPinWaitsNow | Risk::NotAffected => Tone::Good,
    }
}

const fn tone_of_answer(answer: Answer) -> Tone {
    match answer {
        Answer::Yes => Tone::Caution,
        Answer::No => Tone::Good,
        Answer::Unknown => Tone::Plain,
    }
}

struct Text {
    page: String,
    layout: Layout,
}

impl Text {
    fn line(&mut self, text: &str) {
        self.parts("", 0, Tone::Plain, text);
    }

    /// A line of a label and, from a column on, a text with a tone.
    fn parts(&mut self, label: &str, column: usize, tone: Tone, text: &str) {
        let (label, text) = (observer_text::line(label), observer_text::line(text.trim_end()));
        let padding = if text.is_empty() { 0 } else { column.saturating_sub(observer_text::width(&label)) };
        let paint = self.layout.paint;
        self.page.push_str(&paint.tone(Tone::Dim, &label));
        self.page.extend(std::iter::repeat_n(' ', padding));
        self.page.push_str(&paint.tone(tone, &text));
        self.page.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.page.push('\n');
        self.line(text);
    }

    fn row(&mut self, label: &str, text: &str) {
        self.toned_row(label, Tone::Plain, text);
    }

    /// A label, and beside it the text, wrapped. A label that is too wide for its column has its own line, and so has
    /// every label of a narrow page.
    fn toned_row(&mut self, label: &str, tone: Tone, text: &str) {
        let width = self.layout.width;
        let column = if width < COLUMN + LEAST { BELOW } else { COLUMN };
        let beside = observer_text::width(label) + 2 <= column;
        if !beside {
            self.parts(label, 0, tone, "");
        }
        for (number, line) in wrap(text, width.saturating_sub(column)).iter().enumerate() {
            let label = if number == 0 && beside { label } else { "" };
            self.parts(label, column, tone, line);
        }
    }

    fn race(&mut self, race: &Race, doctor: &Doctor<'_>) {
        let state = doctor.kernel.state;
        self.toned_row("race", tone_of_risk(race.risk), words::race(race));
        self.toned_row("vulnerable", tone_of_answer(race.vulnerable), &words::vulnerable(race, state));
        self.toned_row("reachable now", tone_of_answer(race.reachable), &words::reachable(race));
        let tone = if race.observed == Observed::StaleInstall { Tone::Bad } else { Tone::Plain };
        self.toned_row("observed", tone, &words::observed(race));
        if let Some(contradiction) = words::contradiction(race, state) {
            self.toned_row("", Tone::Caution, &contradiction);
        }
    }

    fn observable(&mut self, doctor: &Doctor<'_>) {
        let Some(refusal) = doctor.refusal else {
            let (hooks, degraded) = (doctor.kernel.hooks.len(), doctor.kernel.degraded.len());
            let rest = if degraded == 0 { String::new() } else { format!("; {degraded} degraded, see below") };
            let tone = if degraded == 0 { Tone::Good } else { Tone::Caution };
            let text = format!("yes, with {}{rest}", counted(hooks as u64, "hook"));
            return self.toned_row("observable", tone, &text);
        };
        self.toned_row("observable", Tone::Bad, &format!("NO: {}", words::obstacle(refusal.obstacle)));
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
                self.toned_row("self-test", Tone::Bad, &format!("NOT RUN: {}", words::obstacle(refusal.obstacle)));
                self.refusal(refusal);
            }
            Some(Outcome::NotRun { reason, remedy, .. }) => {
                self.toned_row("self-test", Tone::Bad, &format!("NOT RUN: {reason}"));
                if let Some(remedy) = remedy {
                    self.row("  to do", remedy);
                }
            }
            Some(Outcome::Run(test)) => {
                let (result, tone) = if test.passed { ("PASS", Tone::Good) } else { ("FAIL", Tone::Bad) };
                let text = format!("{result}: {} pages swapped out and in on a separate device", test.pages);
                self.toned_row("self-test", tone, &text);
                for check in &test.checks {
                    let (failed, tone) = if check.passed() { ("", Tone::Plain) } else { ("  FAIL", Tone::Bad) };
                    let what = words::check(check.check);
                    self.toned_row("", tone, &format!("{:>3} of {} {what}{failed}", check.seen, check.expected));
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

    fn text(width: usize, paint: Paint) -> Text {
        Text { page: String::new(), layout: Layout { width, paint } }
    }

    #[test]
    fn rows_are_aligned() {
        let mut text = text(80, Paint::Plain);
        text.row("short", &"word ".repeat(20));
        text.row("a label that is too wide", "text");
        let lines: Vec<_> = text.page.lines().collect();
        assert_eq!(lines[0], format!("short             {}", "word ".repeat(12).trim_end()));
        assert_eq!(lines[1], format!("                  {}", "word ".repeat(8).trim_end()));
        assert_eq!(lines[2..], ["a label that is too wide", "                  text"]);
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    }

    #[test]
    fn text_is_below_its_label_on_a_narrow_page() {
        let mut text = text(20, Paint::Plain);
        text.row("short", &"word ".repeat(4));
        assert_eq!(text.page, "short\n  word word word\n  word\n");
    }

    #[test]
    fn labels_and_answers_are_coloured_and_the_space_between_them_is_not() {
        let mut text = text(80, Paint::Colours);
        text.toned_row("race", Tone::Bad, "x\u{1b}[2J");
        assert_eq!(text.page, format!("\u{1b}[2mrace\u{1b}[0m{}\u{1b}[1;31mx\\x1b[2J\u{1b}[0m\n", " ".repeat(14)));
    }
}
