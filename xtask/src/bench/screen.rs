//! What user space takes beside the hooks: the dashboard on a terminal, and a recording without one.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    counted::Counted,
    markdown::{percent, table, whole},
    overhead::Overhead,
    sets::Told,
};
use crate::vm::GuestFile;

/// The workload of the other tables, twice as much: a dashboard draws at most ten times a second, and a round of this is a
/// fifth of one.
const WORKLOAD: &str = "observer bench swapin --bare --size 32M --pages cheap --rows direct --rounds 6 --json";

/// What runs beside it: its name, and what observer is told.
const BESIDE: [(&str, &str); 2] =
    [("observer record, no screen", "record"), ("observer, the dashboard on a terminal", "live")];

/// One way to observe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// What ran beside the workload.
    pub name: String,
    /// Instructions for each page swapped in, everything that runs in the guest included: mean of the rounds, since what
    /// comes a few times a second does not come in each.
    pub per_page: f64,
    /// Spread of the rounds, as a share of the median.
    pub spread: f64,
    /// Instructions of observer's own process for each second of the guest's time; `None`: there was none.
    pub own_per_second: Option<f64>,
    /// The same of the program that emulates the terminal, in the same guest.
    pub terminal_per_second: Option<f64>,
}

/// What the spectator tells, when the workload is over.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names that the spectator gives")]
struct Took {
    elapsed_ns: u64,
    observer_ns: u64,
    own_ns: u64,
}

/// Measures in one guest.
pub(super) fn measure(guest: &Counted<'_>, spectator: &Path) -> Result<Vec<Share>> {
    let files = vec![GuestFile { source: spectator.to_owned(), target: "/spectator".into() }];
    let beside = BESIDE.map(|(_, arguments)| format!("/spectator beside {arguments} -- {WORKLOAD}"));
    let told: Vec<Value> = Counted { files, ..Counted::new(guest.kernel, guest.observer) }
        .run(&format!("{WORKLOAD} && {}", beside.join(" && ")))?;
    shares(told)
}

/// The workload alone; then for each way the workload, and what the two processes took.
fn shares(told: Vec<Value>) -> Result<Vec<Share>> {
    ensure!(told.len() == 1 + 2 * BESIDE.len(), "the benchmark gave {} figures", told.len());
    let mut told = told.into_iter();
    let mut shares = vec![share("nothing", told.next(), None)?];
    for (name, _) in BESIDE {
        let (run, took) = (told.next(), told.next().context("a figure is missing")?);
        let took = serde_json::from_value(took).context("the spectator told something else than times")?;
        shares.push(share(name, run, Some(&took))?);
    }
    Ok(shares)
}

fn share(name: &str, run: Option<Value>, took: Option<&Took>) -> Result<Share> {
    let run: Told = serde_json::from_value(run.context("a run is missing")?).context("a run gave no figures")?;
    let row = run.rows.first().with_context(|| format!("{name}: the benchmark gave no row"))?;
    let per_second = |ns: u64, took: &Took| ns as f64 * 1e9 / took.elapsed_ns.max(1) as f64;
    Ok(Share {
        name: name.to_owned(),
        per_page: row.mean_ns,
        spread: row.spread,
        own_per_second: took.map(|took| per_second(took.observer_ns, took)),
        terminal_per_second: took.map(|took| per_second(took.own_ns, took)),
    })
}

/// All kernels' rows; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> = all.iter().flat_map(|kernel| rows(&kernel.kernel, &kernel.screen)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "kernel",
        "beside the workload",
        "a page",
        "added",
        "spread",
        "own process, a second",
        "share of the CPU",
        "terminal, a second",
    ];
    table(&head, 2, &rows)
}

fn rows(kernel: &str, shares: &[Share]) -> Vec<Vec<String>> {
    let alone = shares.first().map_or(0.0, |share| share.per_page);
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), whole);
    let cells = |share: &Share| {
        vec![
            kernel.to_owned(),
            share.name.clone(),
            whole(share.per_page),
            share.own_per_second.map_or_else(|| "-".to_owned(), |_| whole(share.per_page - alone)),
            percent(share.spread),
            number(share.own_per_second),
            share.own_per_second.map_or_else(|| "-".to_owned(), |per_second| percent(per_second / 1e9)),
            number(share.terminal_per_second),
        ]
    };
    shares.iter().map(cells).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(mean: f64) -> Value {
        json!({"rows": [{"name": "direct", "median_ns": 1.0, "mean_ns": mean, "spread": 0.001}]})
    }

    fn took(observer_ns: u64, own_ns: u64) -> Value {
        json!({"elapsed_ns": 2_000_000_000_u64, "observer_ns": observer_ns, "own_ns": own_ns})
    }

    #[test]
    fn shares_are_for_each_second_of_the_guest() {
        let told = vec![run(20_000.0), run(21_000.0), took(2_000_000, 0), run(21_500.0), took(20_000_000, 6_000_000)];
        let screen = shares(told).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), screen, ..Overhead::default() }]);
        assert!(text.contains("| x | nothing | 20 000 | - | 0.10% | - | - | - |"), "{text}");
        let line =
            "| x | observer, the dashboard on a terminal | 21 500 | 1 500 | 0.10% | 10 000 000 | 1.00% | 3 000 000 |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_guest_that_told_less_gives_no_rows() {
        assert!(shares(vec![run(1.0)]).is_err());
        let told = vec![run(1.0), run(1.0), json!({}), run(1.0), took(1, 1)];
        assert!(shares(told).is_err());
    }
}
