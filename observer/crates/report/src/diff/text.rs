//! The comparison for a terminal.

use std::fmt::Write as _;

use super::overlay;
use crate::{
    comparison::{Compared, Count, Diff, Times, judgement::Judged},
    observed::Observed,
    summary::distributions::Measure,
    units::{self, duration, number, ratio},
    words,
};

pub fn text(diff: &Diff, a: &Observed, b: &Observed) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, diff, a, b);
    text
}

fn write_all(text: &mut String, diff: &Diff, a: &Observed, b: &Observed) -> std::fmt::Result {
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(text, "{name}  {}", observer_text::line(&described(side)))?;
    }
    for caveat in &diff.caveats {
        writeln!(text, "!  {}", observer_text::line(&words::caveat(caveat)))?;
    }
    write_judgements(text, diff)?;
    writeln!(text, "\n{:<15} {:>12} {:>12} {:>12} {:>12} {:>8}", "count", "A", "B", "A/s", "B/s", "B:A")?;
    for count in &diff.counts {
        write_count(text, count)?;
    }
    writeln!(text, "\n{:<15} {:>4} {:>10} {:>10} {:>10} {:>10} {:>10}", "time", "", "n", "p50", "p90", "p99", "max")?;
    for times in &diff.times {
        write_times(text, times)?;
    }
    for ((measure, a), (_, b)) in a.histograms.iter().zip(b.histograms.iter()) {
        let is_compared = diff.times.iter().any(|times| times.name == measure);
        if is_compared && !a.is_empty() && !b.is_empty() && measure != Measure::FaultNone {
            writeln!(text, "\n{}: share of A and of B, by octave of duration", words::measure(measure))?;
            text.push_str(&overlay::draw(a, b));
        }
    }
    Ok(())
}

fn write_judgements(text: &mut String, diff: &Diff) -> std::fmt::Result {
    writeln!(text, "\n{}", words::conclusion(diff))?;
    writeln!(text, "{:<27} {:>10} {:>10} {:>25}  B is", "measure, less is better", "A", "B", "B-A between")?;
    for judgement in &diff.judgements {
        let shown = |value: f64| measured(judgement.name, value);
        let interval = match (judgement.low, judgement.high) {
            (Some(low), Some(high)) => format!("{} and {}", shown(low), shown(high)),
            _ => "-".to_owned(),
        };
        let (name, result) = (words::judged(judgement.name), words::result(judgement.result));
        writeln!(text, "{name:<27} {:>10} {:>10} {interval:>25}  {result}", shown(judgement.a), shown(judgement.b))?;
    }
    if diff.judgements.iter().all(|judgement| judgement.low.is_none()) {
        return Ok(());
    }
    let percent = units::percent(100.0 * diff.confidence);
    writeln!(text, "All of these intervals contain the true difference with a confidence of {percent}.")
}

/// A measure, or a difference, with its unit.
fn measured(name: Judged, value: f64) -> String {
    match name {
        Judged::SwapInTime | Judged::Waited => units::signed_duration(value),
        Judged::Windows | Judged::StaleInstalls => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", units::rate(value.abs()))
        }
    }
}

fn described(side: &Compared) -> String {
    let dropped = if side.dropped > 0 { format!(", {} events dropped", number(side.dropped)) } else { String::new() };
    format!("{}, {}, {}, {}{dropped}", side.host, side.release, words::state(side.state), duration(side.elapsed_ns))
}

fn write_count(text: &mut String, count: &Count) -> std::fmt::Result {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), units::rate);
    writeln!(
        text,
        "{:<15} {:>12} {:>12} {:>12} {:>12} {:>8}",
        words::counted(count.name),
        number(count.a),
        number(count.b),
        rate(count.a_per_s),
        rate(count.b_per_s),
        ratio(count.ratio)
    )
}

fn write_times(text: &mut String, times: &Times) -> std::fmt::Result {
    for (name, side, d) in [(words::measure(times.name), "A", &times.a), ("", "B", &times.b)] {
        writeln!(
            text,
            "{name:<15} {side:>4} {:>10} {:>10} {:>10} {:>10} {:>10}",
            number(d.count),
            duration(d.p50_ns),
            duration(d.p90_ns),
            duration(d.p99_ns),
            duration(d.max_ns)
        )?;
    }
    writeln!(
        text,
        "{:<15} {:>4} {:>10} {:>10} {:>10} {:>10}",
        "",
        "B:A",
        "",
        ratio(times.p50_ratio),
        "",
        ratio(times.p99_ratio)
    )
}
