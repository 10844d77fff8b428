//! The status of an observation in one line.

use std::time::Duration;

use crate::units::{bytes, counted};
use observer_engine::verdict::Verdict;
use observer_observation::Known;
use observer_text::{cut, width};

/// What the line has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    /// Attached.
    pub hooks: usize,
    pub elapsed: Duration,
    /// In the last interval, per second; `None`: not known yet.
    pub swap_ins_per_s: Option<f64>,
    pub findings: u64,
    /// Of the findings.
    pub stale_installs: u64,
    /// Whether hooks are missing that findings need.
    pub not_observable: bool,
    /// Events of all causes.
    pub dropped: u64,
    /// Size of the recording; `None`: none is written.
    pub recorded_bytes: Option<u64>,
}

impl From<&Known<'_>> for Status {
    /// Without what is not known of an observation: the rate, and the size of the recording.
    fn from(known: &Known<'_>) -> Self {
        let (kernel, verdicts) = (&known.context.kernel, &known.report.verdicts);
        let seen = [Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];
        Self {
            hooks: kernel.hooks.len(),
            elapsed: Duration::from_nanos(known.ending.overhead.elapsed_ns),
            swap_ins_per_s: None,
            findings: verdicts.window + verdicts.reuse + verdicts.stale_install,
            stale_installs: verdicts.stale_install,
            not_observable: !seen.into_iter().all(|verdict| kernel.is_observable(verdict)),
            dropped: known.dropped().values().sum(),
            recorded_bytes: None,
        }
    }
}

/// The forms of a part, longest first.
type Forms = Vec<String>;

/// Parts of the line, by their place in it.
const ELAPSED: usize = 0;
const HOOKS: usize = 1;
const RATE: usize = 2;
const FINDINGS: usize = 3;
const DROPPED: usize = 4;
const SIZE: usize = 5;
const STOP: usize = 6;

/// Which part is shortened next while the line is too long. What matters most is shortened last, and neither findings nor
/// dropped events vanish.
const SHORTENED: [usize; 11] = [HOOKS, SIZE, ELAPSED, HOOKS, FINDINGS, RATE, STOP, SIZE, DROPPED, RATE, FINDINGS];

/// A line of at most this many columns.
pub fn line(status: &Status, columns: usize) -> String {
    let parts = parts(status);
    let mut forms = [0; 7];
    let mut line = joined(&parts, &forms);
    for part in SHORTENED {
        if width(&line) <= columns {
            break;
        }
        let last = parts.get(part).map_or(0, |forms| forms.len().saturating_sub(1));
        if let Some(form) = forms.get_mut(part).filter(|form| **form < last) {
            *form += 1;
            line = joined(&parts, &forms);
        }
    }
    cut(&line, columns).to_owned()
}

/// The line while programs are attached.
pub fn attaching(hooks: usize, columns: usize) -> String {
    cut(&format!("attaching {} ...", counted(hooks as u64, "hook")), columns).to_owned()
}

/// The line at the end.
pub fn end(status: &Status) -> String {
    let (elapsed, dropped) = (time(status.elapsed), status.dropped);
    let findings = findings(status).into_iter().next().unwrap_or_default();
    format!("observed   for {elapsed}: {findings}; {dropped} dropped")
}

fn joined(parts: &[Forms; 7], forms: &[usize; 7]) -> String {
    let chosen = parts.iter().zip(forms).filter_map(|(forms, form)| forms.get(*form)).filter(|text| !text.is_empty());
    chosen.map(String::as_str).collect::<Vec<_>>().join("  ")
}

fn parts(status: &Status) -> [Forms; 7] {
    let none = String::new;
    let elapsed = time(status.elapsed);
    let hooks = counted(status.hooks as u64, "hook");
    let size = status.recorded_bytes.map(bytes);
    [
        vec![format!("observing for {elapsed}"), elapsed],
        vec![format!("{hooks} attached"), hooks, none()],
        status
            .swap_ins_per_s
            .map(rate)
            .map_or(vec![], |rate| vec![format!("{rate} swap-ins/s"), format!("{rate}/s"), none()]),
        findings(status),
        dropped(status.dropped),
        size.map_or(vec![], |size| vec![format!("{size} written"), size, none()]),
        vec!["Ctrl-C to stop".to_owned(), none()],
    ]
}

/// A 0 stands only where findings can be observed.
fn findings(status: &Status) -> Forms {
    let Status { findings, stale_installs, not_observable, .. } = *status;
    match (findings, stale_installs) {
        (0, _) if not_observable => vec!["findings not observable".to_owned(), "not observable".to_owned()],
        (_, 0) => vec![counted(findings, "finding")],
        _ => {
            let all = counted(findings, "finding");
            let stale = counted(stale_installs, "stale install");
            vec![format!("{all}, {stale}"), format!("{all}, {stale_installs} stale"), format!("{stale_installs} stale")]
        }
    }
}

fn dropped(events: u64) -> Forms {
    let text = format!("{events} dropped");
    if events == 0 { vec![text, String::new()] } else { vec![text] }
}

/// A rate that is not 0 is never shown as 0.
fn rate(per_s: f64) -> String {
    if per_s > 0.0 && per_s < 1.0 { "<1".to_owned() } else { format!("{per_s:.0}") }
}

/// `0:07`, `12:34`, `1:02:03`.
fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Status {
        Status { hooks: 11, elapsed: Duration::from_secs(7), swap_ins_per_s: Some(0.0), ..Status::default() }
    }

    fn busy() -> Status {
        Status {
            hooks: 11,
            elapsed: Duration::from_secs(754),
            swap_ins_per_s: Some(1_204.4),
            findings: 3,
            stale_installs: 1,
            not_observable: false,
            dropped: 0,
            recorded_bytes: Some(49_152),
        }
    }

    /// The last column of a terminal stays free.
    fn at_three_widths(status: &Status) -> String {
        let lines = [40, 80, 200].map(|columns| {
            let line = line(status, columns - 1);
            assert!(width(&line) < columns, "{line}");
            format!("{columns:>3} |{line}|")
        });
        lines.join("\n")
    }

    #[test]
    fn the_start() {
        let start = Status { swap_ins_per_s: None, elapsed: Duration::ZERO, ..quiet() };
        insta::assert_snapshot!(at_three_widths(&start));
    }

    #[test]
    fn nothing_found() {
        insta::assert_snapshot!(at_three_widths(&quiet()));
    }

    #[test]
    fn data_loss() {
        insta::assert_snapshot!(at_three_widths(&busy()));
    }

    #[test]
    fn data_loss_after_days_with_dropped_events() {
        insta::assert_snapshot!(at_three_widths(&Status {
            elapsed: Duration::from_mins(5_000),
            swap_ins_per_s: Some(1_234_567.0),
            findings: 123_456,
            stale_installs: 1_234,
            dropped: 98_765,
            recorded_bytes: Some(12_345_678_901),
            ..busy()
        }));
    }

    #[test]
    fn hooks_that_findings_need_are_missing() {
        insta::assert_snapshot!(at_three_widths(&Status { not_observable: true, dropped: 17, ..quiet() }));
    }

    #[test]
    fn the_end_is_one_line() {
        assert_eq!(end(&busy()), "observed   for 12:34: 3 findings, 1 stale install; 0 dropped");
        assert_eq!(end(&Status { dropped: 2, ..quiet() }), "observed   for 0:07: 0 findings; 2 dropped");
        assert_eq!(
            (attaching(11, 80), attaching(11, 12)),
            ("attaching 11 hooks ...".to_owned(), "attaching 11".to_owned())
        );
    }

    #[test]
    fn a_line_is_never_longer_than_asked_for_and_keeps_what_matters() {
        let lossy = Status { dropped: 9, ..busy() };
        for columns in 0..250 {
            for status in [&quiet(), &busy(), &lossy] {
                assert!(width(&line(status, columns)) <= columns, "{columns}");
            }
            if columns >= 25 {
                let line = line(&lossy, columns);
                assert!(line.contains("1 stale") && line.contains("9 dropped"), "{columns}: {line}");
            }
        }
    }

    #[test]
    fn times_and_rates_are_short_and_a_small_rate_is_not_0() {
        assert_eq!(
            [7, 754, 3_723, 300_000].map(Duration::from_secs).map(time),
            ["0:07", "12:34", "1:02:03", "83:20:00"]
        );
        assert_eq!([0.0, 0.2, 1.0, 12.6].map(rate), ["0", "<1", "1", "13"]);
    }
}
