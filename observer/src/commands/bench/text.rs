//! The benchmark as text.

use std::fmt::Write as _;

use super::{
    Outcome,
    hooks::{Against, HookCosts, HookRow, HookRowKind, MeaningHooks},
    observed::Seen,
    rows::Row,
};
use observer_report::{units::duration, words};

pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_all(&mut text, outcome);
    text
}

fn write_all(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let kernel = &outcome.kernel;
    write!(text, "{}", kernel.release)?;
    if let Some(state) = kernel.state {
        write!(text, ", {}", words::state(state))?;
    }
    write!(text, "; {} pages per round", outcome.pages)?;
    if let Some(compressor) = &outcome.compressor {
        write!(text, ", {compressor}")?;
    }
    if let Some(cluster) = kernel.page_cluster {
        write!(text, "; page-cluster {cluster}")?;
    }
    writeln!(text, "\n{:<25} {:>12} {:>8} {:>8} {:>7}  path", "", "ns per page", "spread", "ratio", "rounds")?;
    for row in &outcome.rows {
        let (cost, spread) = (&row.cost, 100.0 * row.spread);
        writeln!(
            text,
            "{:<25} {:>12.1} {spread:>7.2}% {:>8.4} {:>7}  {}",
            row.id.to_string(),
            cost.median_ns,
            row.ratio,
            cost.rounds,
            row.seen.as_ref().map_or("", path)
        )?;
    }
    for pin in outcome.rows.iter().filter_map(|row| row.pin) {
        writeln!(
            text,
            "pin: taken in {:.1} ns, dropped in {:.1} ns, {:.3} per page; the cost of timing, {:.1} ns per call, is \
             subtracted.\nDropping it frees the entry, which a fault without the pin does by giving up its reference.",
            pin.take_ns, pin.drop_ns, pin.pins_per_page, pin.timing_ns
        )?;
        match pin.reference_ns {
            Some(reference_ns) => writeln!(
                text,
                "Under the pin the reference is given up without an effect, in {reference_ns:.1} ns. So the pin adds \
                 that and taking it;\nits ratio is the share of both in a direct swap-in."
            )?,
            None => writeln!(
                text,
                "Its ratio is the share of taking and dropping it in a direct swap-in: the most that it can add."
            )?,
        }
    }
    write_contended(text, &outcome.rows)?;
    if let Some(hooks) = &outcome.hooks {
        write_hooks(text, hooks)?;
    }
    for row in &outcome.rows {
        let dropped: u64 = row.seen.as_ref().map_or(0, |seen| seen.dropped.values().sum());
        if dropped > 0 {
            writeln!(text, "dropped  {}: {dropped} events", row.id)?;
        }
    }
    for note in &outcome.notes {
        writeln!(text, "note     {note}")?;
    }
    Ok(())
}

/// The path by which pages were read.
fn path(seen: &Seen) -> &'static str {
    match (seen.paths.direct > 0, seen.paths.cached > 0) {
        (true, false) => "direct",
        (false, true) => "cached",
        (true, true) => "direct and cached",
        (false, false) => "none",
    }
}

fn write_contended(text: &mut String, rows: &[Row]) -> std::fmt::Result {
    if rows.iter().all(|row| row.contention.is_none()) {
        return Ok(());
    }
    writeln!(
        text,
        "\n{:<25} {:>8} {:>9} {:>9} {:>9} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "", "pages/s", "touch p50", "p99", "max", "waits", "retries", "wait p50", "p99", "max", "oversleep"
    )?;
    for row in rows {
        let Some(contention) = &row.contention else { continue };
        let touch = &contention.touch;
        write!(
            text,
            "{:<25} {:>8.0} {:>9} {:>9} {:>9}",
            row.id.to_string(),
            contention.pages_per_second,
            duration(touch.p50_ns),
            duration(touch.p99_ns),
            duration(touch.max_ns)
        )?;
        for waits in row.seen.iter().flat_map(|seen| [&seen.pin, &seen.lock]).filter(|waits| waits.wait.count > 0) {
            write!(
                text,
                " {:>6} {:>7} {:>9} {:>9} {:>9} {:>9}",
                waits.wait.count,
                waits.retries,
                duration(waits.wait.p50_ns),
                duration(waits.wait.p99_ns),
                duration(waits.wait.max_ns),
                if waits.oversleep.count > 0 { duration(waits.oversleep.p50_ns) } else { "-".to_owned() }
            )?;
        }
        writeln!(text)?;
    }
    writeln!(text, "ns per page of a contended row: time of all threads together; oversleep: median")
}

fn write_hooks(text: &mut String, hooks: &HookCosts) -> std::fmt::Result {
    writeln!(
        text,
        "\nns per page with nothing attached: {:.1}, spread {:.2}%; added by hooks:\n{:<52} {:>6} {:>8} {:>8} {:>8}",
        hooks.untraced_ns,
        100.0 * hooks.untraced_spread,
        "",
        "runs",
        "empty",
        "real",
        "body"
    )?;
    for row in &hooks.rows {
        let real = row.real_ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1}"));
        let against = if row.real_against == Some(Against::AllOthers) { "  with all others" } else { "" };
        writeln!(
            text,
            "{:<52} {:>6.2} {:>8.1} {real:>8} {:>8.1}{against}",
            name(row),
            row.runs,
            row.empty_ns,
            row.body_ns
        )?;
    }
    writeln!(
        text,
        "empty: programs that do nothing, attached alone; real: the hook's own programs; body: their run time with all \
         hooks attached,\nas counted by the kernel"
    )?;
    if !hooks.not_passed.is_empty() {
        let hooks: Vec<String> = hooks.not_passed.iter().map(meaning_name).collect();
        writeln!(text, "attached, and not passed by such a swap-in: {}", hooks.join("; "))?;
    }
    Ok(())
}

fn name(row: &HookRow) -> String {
    match &row.kind {
        HookRowKind::Meaning(hooks) => meaning_name(hooks),
        HookRowKind::Pair => "fault start and end together".to_owned(),
        HookRowKind::All => "all hooks".to_owned(),
    }
}

fn meaning_name(of: &MeaningHooks) -> String {
    let hooks = of.hooks.iter().map(|hook| format!("{} {}", hook.backend.code(), hook.symbol));
    format!("{}: {}", words::meaning(of.meaning), hooks.collect::<Vec<_>>().join(", "))
}
