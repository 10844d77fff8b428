//! The benchmark as text.

use std::fmt::Write as _;

use super::{
    Outcome,
    hooks::{Against, Hooks},
    observed::Seen,
    rows::Row,
};
use observer_report::{summary::dropped, units::duration};

/// All of it.
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
        write!(text, ", {state}")?;
    }
    write!(text, "; {} pages a round", outcome.pages)?;
    if let Some(compressor) = &outcome.compressor {
        write!(text, ", {compressor}")?;
    }
    if let Some(cluster) = kernel.page_cluster {
        write!(text, "; page-cluster {cluster}")?;
    }
    writeln!(text, "\n{:<25} {:>12} {:>8} {:>8} {:>7}  read", "", "ns per page", "spread", "ratio", "rounds")?;
    for row in &outcome.rows {
        let (figures, spread) = (&row.figures, 100.0 * row.spread);
        writeln!(
            text,
            "{:<25} {:>12.1} {spread:>7.2}% {:>8.4} {:>7}  {}",
            row.name,
            figures.median_ns,
            row.ratio,
            figures.rounds,
            row.seen.as_ref().map_or("", read)
        )?;
    }
    for pinned in outcome.rows.iter().filter_map(|row| row.pin) {
        writeln!(
            text,
            "pin: taken in {:.1} ns, dropped in {:.1} ns, {:.3} a page; the ratio is its share of a direct swap-in; dropping \
             it frees the entry, which a kernel without the pin does elsewhere; timing cost {:.1} ns a call, which is taken off",
            pinned.take_ns, pinned.drop_ns, pinned.pins_a_page, pinned.empty_ns
        )?;
    }
    write_crowds(text, &outcome.rows)?;
    if let Some(hooks) = &outcome.hooks {
        write_hooks(text, hooks)?;
    }
    for row in &outcome.rows {
        let lost = row.seen.as_ref().map_or(0, |seen| dropped::total(&seen.dropped));
        if lost > 0 {
            writeln!(text, "lost   {}: {lost} events", row.name)?;
        }
    }
    for note in &outcome.notes {
        writeln!(text, "note   {note}")?;
    }
    Ok(())
}

/// By which path, in a word.
fn read(seen: &Seen) -> &'static str {
    match (seen.paths.direct > 0, seen.paths.cached > 0) {
        (true, false) => "direct",
        (false, true) => "cached",
        (true, true) => "direct and cached",
        (false, false) => "nothing",
    }
}

fn write_crowds(text: &mut String, rows: &[Row]) -> std::fmt::Result {
    if rows.iter().all(|row| row.crowd.is_none()) {
        return Ok(());
    }
    writeln!(
        text,
        "\n{:<25} {:>8} {:>9} {:>9} {:>9} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "", "pages/s", "touch p50", "p99", "max", "waits", "retries", "wait p50", "p99", "max", "oversleep"
    )?;
    for row in rows {
        let Some(crowd) = &row.crowd else { continue };
        let touch = &crowd.touch;
        write!(
            text,
            "{:<25} {:>8.0} {:>9} {:>9} {:>9}",
            row.name,
            crowd.pages_per_second,
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
    writeln!(text, "ns per page of a crowd: all threads' time together; oversleep: its median")
}

fn write_hooks(text: &mut String, hooks: &Hooks) -> std::fmt::Result {
    writeln!(
        text,
        "\nns per page with nothing attached: {:.1}, spread {:.2}%; what hooks add:\n{:<52} {:>6} {:>8} {:>8} {:>8}",
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
        let against = if row.real_against == Some(Against::AllOthers) { "  beside all others" } else { "" };
        writeln!(
            text,
            "{:<52} {:>6.2} {:>8.1} {real:>8} {:>8.1}{against}",
            row.name, row.runs, row.empty_ns, row.body_ns
        )?;
    }
    writeln!(
        text,
        "empty: programs that do nothing, there alone; real: the hook's own; body: by the kernel's count, with all attached"
    )?;
    if !hooks.elsewhere.is_empty() {
        writeln!(text, "attached, and not passed by such a swap-in: {}", hooks.elsewhere.join("; "))?;
    }
    Ok(())
}
