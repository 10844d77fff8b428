//! What observing adds over pages with different contents: it adds the same, but a swap-in takes longer.

use anyhow::{Context as _, Result, ensure};

use super::{
    counted::Counted,
    figures::{Overhead, PagesRows},
    markdown::{table, whole},
    sets,
};
use crate::output::bench::{
    COUNTED_SIZE, Command, DIRECT, FAST_PAGES, FULL, HookSet, LEAN, PROGRAM_PAGES, Report, SLOW_PAGES,
};

/// Values of `--pages` with a description.
const CONTENTS: [(&str, &str); 3] = [
    (FAST_PAGES, "one word in four differs from 0"),
    (PROGRAM_PAGES, "pages of a program's file"),
    (SLOW_PAGES, "words that all differ"),
];

const SETS: [HookSet; 2] = [FULL, LEAN];

/// Measures all contents and sets in one guest.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Vec<PagesRows>> {
    let line = |contents, set| Command::new(COUNTED_SIZE, 5, &[DIRECT]).pages(contents).hook_set(set).line();
    let lines: Vec<String> = CONTENTS.iter().flat_map(|(contents, _)| SETS.map(|set| line(contents, set))).collect();
    rows(&guest.run::<Report>(&lines.join(" && "))?)
}

fn rows(reports: &[Report]) -> Result<Vec<PagesRows>> {
    let expected = CONTENTS.len() * SETS.len();
    ensure!(reports.len() == expected, "the benchmark printed {} reports of {expected}", reports.len());
    let rows_of = |((contents, _), reports): (&(&str, &str), &[Report])| {
        let rows = SETS.iter().zip(reports).map(|(set, report)| sets::row(set.name, report)).collect::<Result<_>>()?;
        let compressor = reports.first().and_then(|report| report.compressor.clone());
        let compressor = compressor.context("the benchmark does not report the compressor of zram")?;
        Ok(PagesRows { contents: (*contents).to_owned(), compressor, rows })
    };
    CONTENTS.iter().zip(reports.chunks(SETS.len())).map(rows_of).collect()
}

/// Empty if no kernel has rows.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> =
        all.iter().flat_map(|kernel| kernel.pages.iter().map(|pages| cells(&kernel.kernel, pages))).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["kernel", "pages", "compressor", "untraced", "full adds", "ratio", "lean adds", "ratio"], 3, &rows)
}

fn cells(kernel: &str, pages: &PagesRows) -> Vec<String> {
    let PagesRows { contents, compressor, rows } = pages;
    let text = CONTENTS.iter().find(|(name, _)| name == contents).map_or("", |(_, text)| text);
    let untraced = rows.first().map_or(0.0, |row| row.untraced);
    let mut cells = vec![kernel.to_owned(), format!("{contents}: {text}"), compressor.clone(), whole(untraced)];
    for row in rows {
        cells.extend([whole(row.added()), format!("{:.3}", row.ratio())]);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::bench::{RowKind, example};

    fn report(untraced: f64, observed: f64, compressor: &str) -> Report {
        let rows = [example::row(RowKind::Direct.bare(), untraced), example::row(RowKind::Direct.observed(), observed)];
        let mut report: Report = serde_json::from_value(example::report(&rows)).unwrap();
        report.compressor = Some(compressor.to_owned());
        report
    }

    #[test]
    fn each_content_has_a_row_with_both_sets() {
        let both = |untraced: f64, compressor: &str| {
            [report(untraced, untraced + 100.0, compressor), report(untraced, untraced + 50.0, compressor)]
        };
        let reports = [both(1_000.0, "lz4"), both(2_000.0, "lz4"), both(5_000.0, "lzo-rle")].concat();
        let pages = rows(&reports).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), pages, ..Overhead::default() }]);
        let line = "| x | fast: one word in four differs from 0 | lz4 | 1 000 | 100 | 1.100 | 50 | 1.050 |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| lzo-rle | 5 000 | 100 | 1.020 | 50 | 1.010 |"), "{text}");
        assert!(rows(&reports[1..]).is_err());
    }
}
