//! What observing adds beside what the pages hold: it adds the same, and what it is a share of differs.

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{
    counted::Counted,
    markdown::{table, whole},
    overhead::Overhead,
    sets::{self, Row, Told},
};

/// What `observer bench swapin --pages` is told, and what that is.
const CONTENTS: [(&str, &str); 3] = [
    ("cheap", "one word in four differs from 0"),
    ("program", "pages of a program's file"),
    ("dear", "words that all differ"),
];

/// The sets of hooks, and what chooses them.
const SETS: [(&str, &str); 2] = [("full", ""), ("lean", "--hooks lean")];

/// What both sets add over pages that hold one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfPages {
    /// What they hold, as `--pages` has it.
    pub contents: String,
    /// What zram compressed with.
    pub compressor: String,
    /// One for each set.
    pub rows: Vec<Row>,
}

/// Measures all in one guest.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Vec<OfPages>> {
    let line = |contents: &str, options: &str| {
        format!("observer bench swapin --size 16M --pages {contents} --json --rounds 5 --rows direct {options}")
    };
    let lines: Vec<String> = CONTENTS
        .iter()
        .flat_map(|(contents, _)| SETS.iter().map(move |(_, options)| line(contents, options)))
        .collect();
    of_runs(&guest.run::<Told>(&lines.join(" && "))?)
}

fn of_runs(told: &[Told]) -> Result<Vec<OfPages>> {
    let wanted = CONTENTS.len() * SETS.len();
    ensure!(told.len() == wanted, "the benchmark gave {} rows of {wanted}", told.len());
    let of = |((contents, _), told): (&(&str, &str), &[Told])| {
        let rows = SETS.iter().zip(told).map(|((name, _), told)| sets::row(name, told)).collect::<Result<_>>()?;
        let compressor = told.first().and_then(|told| told.compressor.clone()).context("zram tells no compressor")?;
        Ok(OfPages { contents: (*contents).to_owned(), compressor, rows })
    };
    CONTENTS.iter().zip(told.chunks(SETS.len())).map(of).collect()
}

/// All kernels' rows; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> = all.iter().flat_map(|kernel| kernel.pages.iter().map(|of| cells(&kernel.kernel, of))).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["kernel", "pages hold", "by", "untraced", "full adds", "ratio", "lean adds", "ratio"], 3, &rows)
}

fn cells(kernel: &str, of: &OfPages) -> Vec<String> {
    let what = CONTENTS.iter().find(|(contents, _)| *contents == of.contents).map_or("", |(_, what)| what);
    let untraced = of.rows.first().map_or(0.0, |row| row.untraced);
    let mut cells = vec![kernel.to_owned(), format!("{}: {what}", of.contents), of.compressor.clone(), whole(untraced)];
    for row in &of.rows {
        cells.extend([whole(row.added()), format!("{:.3}", row.observed / row.untraced)]);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(untraced: f64, observed: f64, compressor: &str) -> Told {
        let json = serde_json::json!({"compressor": compressor, "rows": [
            {"name": "direct", "median_ns": untraced, "spread": 0.0},
            {"name": "direct, observed", "median_ns": observed, "spread": 0.0}]});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_content_has_a_row_with_both_sets() {
        let of = |untraced: f64, by: &str| [told(untraced, untraced + 100.0, by), told(untraced, untraced + 50.0, by)];
        let runs = [of(1_000.0, "lz4"), of(2_000.0, "lz4"), of(5_000.0, "lzo-rle")];
        let runs: Vec<Told> = runs.into_iter().flatten().collect();
        let pages = of_runs(&runs).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), pages, ..Overhead::default() }]);
        assert!(
            text.contains("| x | cheap: one word in four differs from 0 | lz4 | 1 000 | 100 | 1.100 | 50 | 1.050 |")
        );
        assert!(text.contains("| lzo-rle | 5 000 | 100 | 1.020 | 50 | 1.010 |"), "{text}");
        assert!(of_runs(&runs[1..]).is_err());
    }
}
