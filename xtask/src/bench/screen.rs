//! What user space costs: the dashboard on a terminal, and a recording without one.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{
    counted::Counted,
    figures::{Overhead, ScreenRow},
    markdown::{percent, table, whole},
};
use crate::{
    output::bench::{Command, DIRECT, FAST_PAGES, Report, RowKind},
    vm::GuestFile,
};

/// What runs during the workload: name, and arguments of observer.
const RUNS: [(&str, &str); 2] =
    [("observer record, no screen", "record"), ("observer, the dashboard on a terminal", "live")];

/// Twice the pages of the other tables: the dashboard draws at most ten times a second, and a round of this workload
/// takes a fifth of a second.
fn workload() -> String {
    Command::new("32M", 6, &[DIRECT]).pages(FAST_PAGES).bare().line()
}

/// What the spectator prints after the workload.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the spectator's JSON")]
struct Times {
    elapsed_ns: u64,
    observer_ns: u64,
    /// Of the spectator.
    own_ns: u64,
}

/// Measures in one guest.
pub(super) fn measure(guest: &Counted<'_>, spectator: &Path) -> Result<Vec<ScreenRow>> {
    let files = vec![GuestFile { source: spectator.to_owned(), target: "/spectator".into() }];
    let workload = workload();
    let runs = RUNS.map(|(_, arguments)| format!("/spectator beside {arguments} -- {workload}"));
    let values: Vec<Value> = Counted { files, ..Counted::new(guest.kernel, guest.observer) }
        .run(&format!("{workload} && {}", runs.join(" && ")))?;
    rows(values)
}

/// `values`: a report of the workload alone; then for each run a report and the times of both processes.
fn rows(values: Vec<Value>) -> Result<Vec<ScreenRow>> {
    ensure!(values.len() == 1 + 2 * RUNS.len(), "the benchmark printed {} values", values.len());
    let mut values = values.into_iter();
    let mut next = || values.next().context("the benchmark printed too few values");
    let mut rows = vec![row("nothing", next()?, None)?];
    for (name, _) in RUNS {
        let (report, times) = (next()?, next()?);
        let times = serde_json::from_value(times).context("cannot read the spectator's times")?;
        rows.push(row(name, report, Some(&times))?);
    }
    Ok(rows)
}

fn row(name: &str, report: Value, times: Option<&Times>) -> Result<ScreenRow> {
    let report: Report = serde_json::from_value(report).context("cannot read the benchmark's report")?;
    let row = report.row(RowKind::Direct.bare())?;
    let per_second = |ns: u64, times: &Times| ns as f64 * 1e9 / times.elapsed_ns.max(1) as f64;
    Ok(ScreenRow {
        name: name.to_owned(),
        per_page: row.mean_ns,
        spread: row.spread,
        own_per_second: times.map(|times| per_second(times.observer_ns, times)),
        terminal_per_second: times.map(|times| per_second(times.own_ns, times)),
    })
}

/// Empty if no kernel has rows.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> = all.iter().flat_map(|kernel| cells(&kernel.kernel, &kernel.screen)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "kernel",
        "during the workload",
        "per page",
        "added",
        "spread",
        "observer process, per second",
        "share of the CPU",
        "terminal, per second",
    ];
    table(&head, 2, &rows)
}

fn cells(kernel: &str, rows: &[ScreenRow]) -> Vec<Vec<String>> {
    let alone = rows.first().map_or(0.0, |row| row.per_page);
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), whole);
    let cells = |row: &ScreenRow| {
        vec![
            kernel.to_owned(),
            row.name.clone(),
            whole(row.per_page),
            number(row.own_per_second.map(|_| row.per_page - alone)),
            percent(row.spread),
            number(row.own_per_second),
            row.own_per_second.map_or_else(|| "-".to_owned(), |per_second| percent(per_second / 1e9)),
            number(row.terminal_per_second),
        ]
    };
    rows.iter().map(cells).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::bench::example;

    fn report(mean: f64) -> Value {
        example::report(&[example::row(RowKind::Direct.bare(), mean)])
    }

    fn times(observer_ns: u64, own_ns: u64) -> Value {
        json!({ "elapsed_ns": 2_000_000_000_u64, "observer_ns": observer_ns, "own_ns": own_ns })
    }

    #[test]
    fn process_times_are_per_second_of_guest_time() {
        let values = vec![
            report(20_000.0),
            report(21_000.0),
            times(2_000_000, 0),
            report(21_500.0),
            times(20_000_000, 6_000_000),
        ];
        let screen = rows(values).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), screen, ..Overhead::default() }]);
        assert!(text.contains("| x | nothing | 20 000 | - | 0.10% | - | - | - |"), "{text}");
        let line =
            "| x | observer, the dashboard on a terminal | 21 500 | 1 500 | 0.10% | 10 000 000 | 1.00% | 3 000 000 |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn missing_values_are_an_error() {
        assert!(rows(vec![report(1.0)]).is_err());
        assert!(rows(vec![report(1.0), report(1.0), json!({}), report(1.0), times(1, 1)]).is_err());
    }
}
