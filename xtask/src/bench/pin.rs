//! What waiting on the pin costs, kernel by kernel, and what the pin costs without contention.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    kernels::Kernel,
    output::bench::{CACHED, CONTENDED, Command, DIRECT, Durations, PIN, Report, RowId, RowKind},
    paths,
    vm::{Guest, Output},
};

/// Shares of contended pages that have rows, in percent.
const SHARES: [u32; 3] = [1, 10, 50];

/// Time limit of a guest.
const LIMIT: Duration = Duration::from_mins(10);

/// The figures of one kernel.
pub(crate) struct Measured {
    release: String,
    contended: Report,
    /// From a guest that counts instructions.
    counted: Report,
}

/// Runs the benchmark in two guests: with contention on two CPUs, and without contention on one that counts
/// instructions.
///
/// # Errors
/// When a guest does not run to its end, or its output cannot be read.
pub(crate) fn measure(kernel: &Kernel, observer: &Path, size: &str, rounds: u32) -> Result<Measured> {
    let release = &kernel.release;
    eprintln!("{release}: measuring contended pages");
    let contended = run(kernel, observer, &Command::new(size, rounds, &[CONTENDED]), false)?;
    eprintln!("{release}: counting instructions");
    let counted = run(kernel, observer, &Command::new(size, rounds, &[DIRECT, CACHED, PIN]), true)?;
    Ok(Measured { release: release.clone(), contended, counted })
}

/// The report is kept under target/ as well.
fn run(kernel: &Kernel, observer: &Path, command: &Command, counted: bool) -> Result<Report> {
    let guest = Guest {
        smp: if counted { 1 } else { 2 },
        icount: counted,
        observer: Some(observer.to_owned()),
        timeout: Some(LIMIT),
        output: Output::Capture,
        ..Guest::new(kernel.clone())
    };
    let outcome = guest.run(command.words())?;
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    if outcome.code != 0 {
        bail!("kernel {}: observer ended with exit code {}: {}", kernel.release, outcome.code, stderr.trim());
    }
    let dir = paths::target().join("bench-pin");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let kind = if counted { "counted" } else { "contended" };
    let file = dir.join(format!("{}-{kind}.json", kernel.release));
    fs::write(&file, &outcome.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    serde_json::from_slice(&outcome.stdout).with_context(|| format!("kernel {}: {}", kernel.release, stderr.trim()))
}

/// Both Markdown tables.
pub(crate) fn tables(all: &[Measured]) -> Result<String> {
    Ok(format!("{}\n{}", contended_table(all)?, counted_table(all)?))
}

fn contended_table(all: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "| kernel | state | pages contended | waits for | waits | retries | wait p50 | p99 | max | oversleep p50 | p99 | pages/s | read twice |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for Measured { release, contended: report, .. } in all {
        let state = report.kernel.state.map_or("unknown", |state| state.text());
        for percent in SHARES {
            let row = report.row(RowKind::Contended { percent }.observed())?;
            let seen = row.seen.as_ref().context("an observed row has no counts")?;
            let contention = row.contention.as_ref().context("a contended row has no threads")?;
            let (kind, waits) = if seen.pin.wait.count > 0 { ("pin", &seen.pin) } else { ("folio lock", &seen.lock) };
            let kind = if waits.wait.count > 0 { kind } else { "-" };
            let times = if waits.wait.count > 0 {
                let Durations { p50_ns, p99_ns, max_ns, .. } = waits.wait;
                let mut times = [p50_ns, p99_ns, max_ns].map(duration).to_vec();
                let known = waits.oversleep.count > 0;
                let oversleep = |ns| if known { duration(ns) } else { "unknown".to_owned() };
                times.extend([waits.oversleep.p50_ns, waits.oversleep.p99_ns].map(oversleep));
                times.join(" | ")
            } else {
                ["-"; 5].join(" | ")
            };
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {release} | {state} | {percent}% | {kind} | {} | {} | {times} | {:.0} | {} |",
                waits.wait.count, waits.retries, contention.pages_per_second, contention.read_twice
            );
        }
    }
    Ok(text)
}

fn counted_table(all: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "| kernel | direct | observed | cached | observed | pin taken | dropped | reference under it | added to a direct \
         swap-in |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for Measured { release, counted: report, .. } in all {
        let median = |row: RowId| report.row(row).map(|row| row.median_ns);
        let (direct, cached) = (median(RowKind::Direct.bare())?, median(RowKind::Cached.bare())?);
        let added = |observed: f64, base: f64| 100.0 * (observed / base - 1.0);
        let pin = match report.row(RowKind::Pin.bare()) {
            Ok(row) => {
                let pin = row.pin.as_ref().context("the row of the pin has no figures")?;
                let share = format!("{:.2}%", 100.0 * row.ratio);
                // Without the reference the share is that of taking and dropping the pin.
                let (reference, share) = pin.reference_ns.map_or_else(
                    || ("unknown".to_owned(), format!("at most {share}")),
                    |reference_ns| (format!("{reference_ns:.0}"), share.clone()),
                );
                format!("{:.0} | {:.0} | {reference} | {share}", pin.take_ns, pin.drop_ns)
            }
            Err(_) => "- | - | - | -".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {release} | {direct:.0} | {:+.1}% | {cached:.0} | {:+.1}% | {pin} |",
            added(median(RowKind::Direct.observed())?, direct),
            added(median(RowKind::Cached.observed())?, cached)
        );
    }
    Ok(text)
}

/// Three digits and the unit that fits.
fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::{bench::example, summary::example::merged};

    fn measured(counted: &[Value]) -> Measured {
        let waits = |count: u64| {
            json!({ "wait": { "count": count, "p50_ns": 4_000_000, "p99_ns": 8_000_000, "max_ns": 9_500_000 },
                "oversleep": { "count": count, "p50_ns": 2_000_000, "p99_ns": 4_000_000 }, "retries": count })
        };
        let row = |percent: u32, pin: u64, lock: u64| {
            let seen =
                json!({ "paths": { "direct": 1, "cached": 0 }, "overlaps": 1, "pin": waits(pin), "lock": waits(lock) });
            let contention = json!({ "threads": 2, "pages_per_second": 1234.5, "read_twice": 0 });
            let row = example::row(RowKind::Contended { percent }.observed(), 1.0);
            merged(row, &json!({ "seen": seen, "contention": contention }))
        };
        let rows = [row(1, 0, 0), row(10, 7, 1), row(50, 0, 3)];
        Measured {
            release: "6.1.192".to_owned(),
            contended: serde_json::from_value(example::report(&rows)).unwrap(),
            counted: serde_json::from_value(example::report(counted)).unwrap(),
        }
    }

    #[test]
    fn tables_have_the_kind_and_the_length_of_waits() {
        let pin = json!({ "ratio": 0.0214, "pin": { "take_ns": 12.4, "drop_ns": 9.0, "reference_ns": 3.2 } });
        let text = tables(&[measured(&[
            example::row(RowKind::Direct.bare(), 1000.0),
            example::row(RowKind::Direct.observed(), 1060.0),
            example::row(RowKind::Cached.bare(), 900.0),
            example::row(RowKind::Cached.observed(), 990.0),
            merged(example::row(RowKind::Pin.bare(), 1.0), &pin),
        ])])
        .unwrap();
        let line = "| 6.1.192 | fixed by pin, one-tick sleep | 10% | pin | 7 | 7 | 4.00 ms | 8.00 ms | 9.50 ms | 2.00 ms \
                    | 4.00 ms | 1234 | 0 |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| folio lock | 3 |"), "{text}");
        assert!(text.contains("| 1% | - | 0 |"), "{text}");
        assert!(text.contains("| 6.1.192 | 1000 | +6.0% | 900 | +10.0% | 12 | 9 | 3 | 2.14% |"), "{text}");
    }

    #[test]
    fn a_missing_row_is_named_in_the_error() {
        assert!(tables(&[measured(&[])]).unwrap_err().to_string().contains("no row \"direct\""));
    }
}
