//! What each set of hooks adds to a swap-in, and whether it adds more than before.

use anyhow::{Result, ensure};

use super::{
    counted::Counted,
    figures::{Overhead, Row},
    markdown::{percent, table, whole},
};
use crate::{
    kernels::version,
    output::bench::{Command, DIRECT, FULL, FULL_KPROBES, HookSet, LEAN, LEAN_KPROBES, Report, RowKind},
};

/// Allowed growth of what observing adds, as a share of it.
const GROWTH: f64 = 0.02;
/// Allowed growth as a share of a swap-in: the difference between boots.
const NOISE: f64 = 0.001;

/// The measured sets, each with its target: the largest ratio of observed to untraced, on 5.10 and on later kernels.
const SETS: [(HookSet, [&str; 2]); 4] =
    [(FULL, ["1.055", "1.07"]), (LEAN, ["1.03", "1.04"]), (FULL_KPROBES, ["1.14"; 2]), (LEAN_KPROBES, ["1.14"; 2])];

/// Instructions of an untraced swap-in of pages that decompress faster than those measured here; see docs/overhead.md.
const FASTER_PAGES: [(&str, f64); 2] = [("5.10.223", 12_433.0), ("6.12.117", 14_913.0)];

/// Measures every set in one guest: the compressor of zram, and the rows.
pub(super) fn measure(guest: &Counted<'_>) -> Result<(String, Vec<Row>)> {
    let lines = SETS.map(|(set, _)| Command::standard(DIRECT).hook_set(set).line());
    let reports: Vec<Report> = guest.run(&lines.join(" && "))?;
    ensure!(reports.len() == SETS.len(), "the benchmark printed {} reports of {}", reports.len(), SETS.len());
    let compressor = reports.first().and_then(|report| report.compressor.clone()).unwrap_or_default();
    let rows = SETS.iter().zip(&reports).map(|((set, _), report)| row(set.name, report)).collect::<Result<_>>()?;
    Ok((compressor, rows))
}

/// The untraced and the observed row of a report in one.
pub(super) fn row(name: &str, report: &Report) -> Result<Row> {
    let (untraced, observed) = (report.row(RowKind::Direct.bare())?, report.row(RowKind::Direct.observed())?);
    Ok(Row {
        name: name.to_owned(),
        untraced: untraced.median_ns,
        observed: observed.median_ns,
        spread: observed.spread,
    })
}

/// Empty if no kernel has rows.
pub(super) fn tables(all: &[Overhead]) -> String {
    if all.iter().all(|kernel| kernel.rows.is_empty()) {
        return String::new();
    }
    let head =
        ["kernel", "hooks", "untraced", "observed", "added", "ratio", "spread", "ratio over faster pages", "target"];
    let rows = all.iter().flat_map(|kernel| kernel.rows.iter().map(|row| cells(&kernel.kernel, row)));
    table(&head, 2, &rows.collect::<Vec<_>>())
}

fn cells(kernel: &str, row: &Row) -> Vec<String> {
    let base = FASTER_PAGES.iter().find(|(release, _)| *release == kernel);
    let over = base.map_or_else(|| "not measured".to_owned(), |(_, base)| format!("{:.3}", 1.0 + row.added() / base));
    let target = SETS
        .iter()
        .find(|(set, _)| set.name == row.name)
        .map_or("-", |(_, [old, new])| if kernel.starts_with("5.10.") { old } else { new });
    let mut cells = common_cells(kernel, row);
    cells.extend([over, target.to_owned()]);
    cells
}

/// Kernel, name, untraced, observed, added, ratio, spread: the first columns of every table of rows.
pub(super) fn common_cells(kernel: &str, row: &Row) -> Vec<String> {
    vec![
        kernel.to_owned(),
        row.name.clone(),
        whole(row.untraced),
        whole(row.observed),
        whole(row.added()),
        format!("{:.3}", row.ratio()),
        percent(row.spread),
    ]
}

/// A line for each row that adds more than `kept` allows, or is missing on one side.
pub(super) fn regressions(kept: &[Overhead], measured: &[Overhead]) -> Vec<String> {
    let mut lines = Vec::new();
    for now in measured {
        let Some(then) = comparable(kept, &now.kernel) else {
            lines.push(format!("{}: no kept figures to compare with", now.kernel));
            continue;
        };
        for row in &then.rows {
            match now.rows.iter().find(|measured| measured.name == row.name) {
                None => lines.push(format!("{}, {}: was not measured", now.kernel, row.name)),
                Some(measured) if measured.added() > limit(row) => lines.push(format!(
                    "{}, {}: observing adds {:.0} instructions to a swap-in; kept {:.0}, limit {:.0}",
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

/// The kept figures of this kernel, or else of its series: a kernel that left the index is replaced by a newer build.
fn comparable<'a>(kept: &'a [Overhead], kernel: &str) -> Option<&'a Overhead> {
    let of_series = |other: &&Overhead| {
        version::series(&other.kernel) == version::series(kernel)
            && version::variant(&other.kernel) == version::variant(kernel)
    };
    kept.iter().find(|other| other.kernel == kernel).or_else(|| kept.iter().find(of_series))
}

fn limit(kept: &Row) -> f64 {
    kept.added() * (1.0 + GROWTH) + kept.untraced * NOISE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::bench::example;

    fn overhead(added: f64) -> Overhead {
        let row = Row { name: "full".into(), untraced: 30_000.0, observed: 30_000.0 + added, spread: 0.001 };
        Overhead { kernel: "6.12.117".into(), compressor: "lz4".into(), rows: vec![row], ..Overhead::default() }
    }

    #[test]
    fn growth_beyond_two_percent_and_noise_is_a_regression() {
        let kept = [overhead(1_000.0)];
        assert!(regressions(&kept, &[overhead(1_049.0)]).is_empty());
        assert_eq!(
            regressions(&kept, &[overhead(1_051.0)]),
            ["6.12.117, full: observing adds 1051 instructions to a swap-in; kept 1000, limit 1050"]
        );
        assert!(regressions(&kept, &[overhead(500.0)]).is_empty());
    }

    #[test]
    fn a_kernel_or_row_without_a_counterpart_is_a_regression() {
        let other = Overhead { kernel: "6.18.15".into(), ..overhead(1_000.0) };
        assert_eq!(regressions(&[overhead(1_000.0)], &[other]).len(), 1);
        let empty = Overhead { rows: Vec::new(), ..overhead(0.0) };
        assert_eq!(regressions(&[overhead(1_000.0)], &[empty]).len(), 1);
    }

    #[test]
    fn a_newer_build_is_compared_with_its_series() {
        let newer = Overhead { kernel: "6.12.120".into(), ..overhead(1_051.0) };
        let kept = [Overhead { kernel: "6.12.117-rt".into(), ..overhead(2_000.0) }, overhead(1_000.0)];
        let lines = regressions(&kept, &[newer]);
        assert_eq!(lines, ["6.12.120, full: observing adds 1051 instructions to a swap-in; kept 1000, limit 1050"]);
    }

    #[test]
    fn the_rows_of_a_report_are_combined() {
        let report = |rows: &[_]| serde_json::from_value::<Report>(example::report(rows)).unwrap();
        let both = [example::row(RowKind::Direct.bare(), 100.0), example::row(RowKind::Direct.observed(), 107.0)];
        let row = row("full", &report(&both)).unwrap();
        assert!((row.added() - 7.0).abs() < 1e-9);
        assert!(super::row("full", &report(&both[..1])).is_err());
    }

    #[test]
    fn a_table_has_the_ratio_over_faster_pages_and_the_target() {
        let text = tables(&[overhead(1_491.3)]);
        let line = "| 6.12.117 | full | 30 000 | 31 491 | 1 491 | 1.050 | 0.10% | 1.100 | 1.07 |";
        assert!(text.contains(line), "{text}");
        let old = tables(&[Overhead { kernel: "5.10.1".into(), ..overhead(1_491.3) }]);
        assert!(old.contains("| not measured | 1.055 |"), "{old}");
    }
}
