//! What each set of hooks adds to a swap-in; and whether that has become more than was kept.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    counted::Counted,
    markdown::{percent, table, whole},
    overhead::Overhead,
};

/// By how much observing may become dearer: a share of what it adds,
const GROWTH: f64 = 0.02;
/// and a share of a swap-in, which is how far boots lie apart.
const NOISE: f64 = 0.001;

/// What is measured: its name, what `observer bench swapin` is told, and which share of a swap-in is wanted of it at most:
/// on 5.10, and elsewhere.
const SETS: [(&str, &str, [&str; 2]); 4] = [
    ("full", "", ["1.055", "1.07"]),
    ("lean", "--hooks lean", ["1.03", "1.04"]),
    ("full, kprobes only", "--backend kprobe", ["1.14", "1.14"]),
    ("lean, kprobes only", "--hooks lean --backend kprobe", ["1.14", "1.14"]),
];

/// The workload of the reference's `peers.md`: 16 MB, cheap to decompress, by lz4.
pub(super) const WORKLOAD: &str = "observer bench swapin --size 16M --pages cheap --json --rounds 5";

/// What an untraced swap-in cost in `peers.md`, whose pages were cheaper still.
const BASES_OF_PEERS: [(&str, f64); 2] = [("5.10.223", 12_433.0), ("6.12.117", 14_913.0)];

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
pub(super) struct Told {
    pub(super) compressor: Option<String>,
    pub(super) rows: Vec<ToldRow>,
}

/// One of its rows.
#[derive(Debug, Deserialize)]
pub(super) struct ToldRow {
    pub(super) name: String,
    pub(super) median_ns: f64,
    #[serde(default)]
    pub(super) mean_ns: f64,
    pub(super) spread: f64,
}

/// Measures every set in one guest: the compressor, and the rows.
pub(super) fn measure(guest: &Counted<'_>) -> Result<(String, Vec<Row>)> {
    let lines = SETS.map(|(_, options, _)| format!("{WORKLOAD} --rows direct {options}"));
    let told: Vec<Told> = guest.run(&lines.join(" && "))?;
    ensure!(told.len() == SETS.len(), "the benchmark gave {} rows of {}", told.len(), SETS.len());
    let compressor = told.first().and_then(|told| told.compressor.clone()).unwrap_or_default();
    let rows = SETS.iter().zip(told).map(|((name, ..), told)| row(name, &told)).collect::<Result<_>>()?;
    Ok((compressor, rows))
}

/// One run's two rows into one.
pub(super) fn row(name: &str, told: &Told) -> Result<Row> {
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

/// All kernels' sets; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    if all.iter().all(|kernel| kernel.rows.is_empty()) {
        return String::new();
    }
    let head =
        ["kernel", "hooks", "untraced", "observed", "added", "ratio", "spread", "over the peers' base", "wanted"];
    let rows = all.iter().flat_map(|kernel| kernel.rows.iter().map(|row| cells(&kernel.kernel, row)));
    table(&head, 2, &rows.collect::<Vec<_>>())
}

fn cells(kernel: &str, row: &Row) -> Vec<String> {
    let base = BASES_OF_PEERS.iter().find(|(of, _)| *of == kernel);
    let over = base.map_or_else(|| "not measured".to_owned(), |(_, base)| format!("{:.3}", 1.0 + row.added() / base));
    let wanted = SETS
        .iter()
        .find(|(name, ..)| *name == row.name)
        .map_or("-", |(.., [old, new])| if kernel.starts_with("5.10.") { old } else { new });
    let mut cells = figures(kernel, row);
    cells.extend([over, wanted.to_owned()]);
    cells
}

/// What every table of such rows starts with: kernel, name, untraced, observed, added, ratio, spread.
pub(super) fn figures(kernel: &str, row: &Row) -> Vec<String> {
    vec![
        kernel.to_owned(),
        row.name.clone(),
        whole(row.untraced),
        whole(row.observed),
        whole(row.added()),
        format!("{:.3}", row.observed / row.untraced),
        percent(row.spread),
    ]
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
        Overhead { kernel: "6.12.117".into(), compressor: "lz4".into(), rows: vec![row], ..Overhead::default() }
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
        assert!(super::row("full", &Told { compressor: None, rows: Vec::new() }).is_err());
    }

    #[test]
    fn rows_are_set_over_the_peers_base_and_beside_what_is_wanted() {
        let text = tables(&[overhead(1_491.3)]);
        let line = "| 6.12.117 | full | 30 000 | 31 491 | 1 491 | 1.050 | 0.10% | 1.100 | 1.07 |";
        assert!(text.contains(line), "{text}");
        let old = tables(&[Overhead { kernel: "5.10.1".into(), ..overhead(1_491.3) }]);
        assert!(old.contains("| not measured | 1.055 |"), "{old}");
    }
}
