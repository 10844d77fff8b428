//! What observing adds to a swap-in, in instructions: a guest that counts them says the same in every run, whatever else
//! this machine does.

use std::{fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    kernels::Kernel,
    vm::{Guest, Output},
};

/// Where the figures of a release are kept, from the workspace.
pub const KEPT: &str = "docs/bench/overhead.json";

/// By how much observing may become dearer: a share of what it adds,
const GROWTH: f64 = 0.02;
/// and a share of a swap-in, which is how far boots lie apart.
const NOISE: f64 = 0.001;

/// What is measured: its name, and what `observer bench swapin` is told.
const ROWS: [(&str, &str); 4] = [
    ("full", ""),
    ("lean", "--hooks lean"),
    ("full, kprobes only", "--backend kprobe"),
    ("lean, kprobes only", "--hooks lean --backend kprobe"),
];

/// The workload of the reference's `peers.md`: 16 MB, cheap to decompress, by lz4.
const WORKLOAD: &str = "--size 16M --pages cheap --rows direct --rounds 5";

/// The figures of one kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// As `uname -r` prints it.
    pub kernel: String,
    /// What zram compressed with.
    #[serde(default)]
    pub compressor: String,
    /// One for each set of hooks.
    pub rows: Vec<Row>,
}

/// What one set of hooks costs, in instructions per page swapped in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which hooks.
    pub name: String,
    /// Median of the rounds with nothing attached, in the same guest.
    pub untraced: f64,
    /// Median while observed.
    pub observed: f64,
    /// Spread of the rounds while observed, as a share of the median.
    pub spread: f64,
}

impl Row {
    /// What observing adds, in instructions.
    pub fn added(&self) -> f64 {
        self.observed - self.untraced
    }
}

/// What `observer bench swapin --json` tells, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Told {
    compressor: Option<String>,
    rows: Vec<ToldRow>,
}

#[derive(Debug, Deserialize)]
struct ToldRow {
    name: String,
    median_ns: f64,
    spread: f64,
}

/// Measures every row in one guest.
///
/// # Errors
/// When the guest could not be run to its end, or gave no figures.
pub fn measure(kernel: Kernel, observer: &Path) -> Result<Overhead> {
    let name = kernel.release.clone();
    let guest = Guest {
        smp: 1,
        icount: true,
        observer: Some(observer.to_owned()),
        output: Output::Capture,
        timeout: Some(Duration::from_mins(10)),
        ..Guest::new(kernel)
    };
    let outcome = guest.run(&["sh".to_owned(), "-c".to_owned(), script()])?;
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    if outcome.code != 0 {
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        bail!("the benchmark on {name} ended with exit code {}: {}", outcome.code, stderr.trim());
    }
    let told: Vec<Told> = serde_json::Deserializer::from_str(&stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("the benchmark on {name} gave no figures"))?;
    ensure!(told.len() == ROWS.len(), "the benchmark on {name} gave {} rows of {}", told.len(), ROWS.len());
    let compressor = told.first().and_then(|told| told.compressor.clone()).unwrap_or_default();
    let rows = ROWS.iter().zip(told).map(|((name, _), told)| row(name, &told)).collect::<Result<_>>()?;
    Ok(Overhead { kernel: name, compressor, rows })
}

fn script() -> String {
    let lines = ROWS.map(|(_, options)| format!("observer bench swapin {WORKLOAD} --json {options}"));
    lines.join(" && ")
}

/// One run's two rows into one.
fn row(name: &str, told: &Told) -> Result<Row> {
    let find = |wanted: &str| told.rows.iter().find(|row| row.name == wanted);
    let (Some(untraced), Some(observed)) = (find("direct"), find("direct, observed")) else {
        bail!("the benchmark told nothing of what is observed");
    };
    Ok(Row {
        name: name.to_owned(),
        untraced: untraced.median_ns,
        observed: observed.median_ns,
        spread: observed.spread,
    })
}

/// A kernel's figures, for people.
pub fn table(figures: &Overhead) -> String {
    let mut text = format!("{}, zram with {}: instructions per page swapped in\n", figures.kernel, figures.compressor);
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{:<20} {:>10} {:>10} {:>8} {:>8} {:>8}",
        "", "untraced", "observed", "added", "ratio", "spread"
    );
    for row in &figures.rows {
        let _ = writeln!(
            text,
            "{:<20} {:>10.0} {:>10.0} {:>8.0} {:>8.4} {:>7.2}%",
            row.name,
            row.untraced,
            row.observed,
            row.added(),
            row.observed / row.untraced,
            100.0 * row.spread
        );
    }
    text
}

/// Where observing has become dearer than what was kept allows, a line each; also what was kept and not measured.
pub fn worse(kept: &[Overhead], measured: &[Overhead]) -> Vec<String> {
    let mut lines = Vec::new();
    for now in measured {
        let Some(then) = kept.iter().find(|kept| kept.kernel == now.kernel) else {
            lines.push(format!("{}: no kept figures to compare with", now.kernel));
            continue;
        };
        for row in &then.rows {
            match now.rows.iter().find(|measured| measured.name == row.name) {
                None => lines.push(format!("{}, {}: was not measured", now.kernel, row.name)),
                Some(measured) if measured.added() > limit(row) => lines.push(format!(
                    "{}, {}: observing adds {:.0} instructions to a swap-in, {:.0} were kept, {:.0} is the limit",
                    now.kernel,
                    row.name,
                    measured.added(),
                    row.added(),
                    limit(row)
                )),
                Some(_) => {}
            }
        }
    }
    lines
}

/// What observing may add at most where a row was kept.
fn limit(kept: &Row) -> f64 {
    kept.added() * (1.0 + GROWTH) + kept.untraced * NOISE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overhead(added: f64) -> Overhead {
        let row = Row { name: "full".into(), untraced: 30_000.0, observed: 30_000.0 + added, spread: 0.001 };
        Overhead { kernel: "6.12.117".into(), compressor: "lz4".into(), rows: vec![row] }
    }

    #[test]
    fn dearer_by_more_than_two_percent_is_worse() {
        let kept = [overhead(1_000.0)];
        assert!(worse(&kept, &[overhead(1_049.0)]).is_empty(), "within growth and noise");
        let lines = worse(&kept, &[overhead(1_051.0)]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("adds 1051") && lines[0].contains("1050 is the limit"), "{lines:?}");
        assert!(worse(&kept, &[overhead(500.0)]).is_empty(), "cheaper is fine");
    }

    #[test]
    fn what_cannot_be_compared_is_no_pass() {
        let other = Overhead { kernel: "6.18.15".into(), ..overhead(1_000.0) };
        assert_eq!(worse(&[overhead(1_000.0)], &[other]).len(), 1);
        let empty = Overhead { rows: Vec::new(), ..overhead(0.0) };
        assert_eq!(worse(&[overhead(1_000.0)], &[empty]).len(), 1);
    }

    #[test]
    fn a_run_becomes_a_row() {
        let told = r#"{"rows":[{"name":"direct","median_ns":100.0,"spread":0.1},
            {"name":"direct, observed","median_ns":107.0,"spread":0.2}]}"#;
        let row = row("full", &serde_json::from_str(told).unwrap()).unwrap();
        assert!((row.added() - 7.0).abs() < 1e-9 && (row.spread - 0.2).abs() < 1e-9);
        let text = table(&Overhead { kernel: "x".into(), compressor: "lz4".into(), rows: vec![row] });
        assert!(text.contains("1.0700"), "{text}");
        assert!(super::row("full", &Told { compressor: None, rows: Vec::new() }).is_err());
    }
}
