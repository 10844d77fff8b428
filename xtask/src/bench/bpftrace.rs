//! What the nearest equivalent in bpftrace adds to the same workload, beside the sets of hooks in the same guest.

use std::{io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    counted::Counted,
    markdown::table,
    overhead::Overhead,
    sets::{self, Row, Told, WORKLOAD},
};
use crate::{
    kernels::{Unavailable, bpftrace},
    paths,
    vm::{Failure, GuestFile},
};

const SCRIPT: &str = include_str!("equivalent.bt");
/// Where the guest finds it.
const IN_GUEST: &str = "/equivalent.bt";
/// Its libraries are a quarter of a gigabyte, twice while the guest unpacks itself.
const MEM: u32 = 2_048;

/// One tool in that guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Beside {
    /// What it adds.
    Measured(Row),
    /// It could not be measured.
    Refused {
        /// Which tool.
        name: String,
        /// Why.
        why: String,
    },
}

/// Measures in one guest. A bpftrace that cannot be had, or does not run on this kernel, is a row that says why.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Vec<Beside>> {
    match with_bpftrace(guest) {
        Ok(rows) => Ok(rows.into_iter().map(Beside::Measured).collect()),
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => Err(error),
        Err(error) => {
            eprintln!("{}: bpftrace: {error:#}", guest.kernel.release);
            let mut rows = vec![Beside::Refused { name: NAME.to_owned(), why: reason(&error) }];
            let told: Vec<Told> = guest.run(&observed())?;
            rows.extend(of_observer(&told)?.into_iter().map(Beside::Measured));
            Ok(rows)
        }
    }
}

const NAME: &str = "bpftrace";
/// The sets of hooks that it is set beside.
const SETS: [(&str, &str); 2] = [("observer, full", ""), ("observer, lean", "--hooks lean")];

/// An error on one line of a table.
fn reason(error: &anyhow::Error) -> String {
    let text =
        error.downcast_ref::<Unavailable>().map_or_else(|| format!("{error:#}"), |missing| missing.reason.clone());
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason was given");
    line.replace('|', "/")
}

fn with_bpftrace(guest: &Counted<'_>) -> Result<Vec<Row>> {
    let script = script_file()?;
    let mut files = bpftrace::files(guest.kernel.arch)?;
    files.push(GuestFile { source: script, target: IN_GUEST.into() });
    let told: Vec<Value> = Counted { files, mem: MEM, ..Counted::new(guest.kernel, guest.observer) }.run(&format!(
        "{}\n{}",
        traced(),
        observed()
    ))?;
    rows(told)
}

/// The script as a file, for the guest.
fn script_file() -> Result<std::path::PathBuf> {
    let dir = paths::target().join("bench");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(Path::new(IN_GUEST).file_name().unwrap_or_default());
    let mut file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(SCRIPT.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Puts in the script what this kernel has: from 6.12 on, and before.
const FIT: &str = "\
    if grep -q ' swap_free_nr$' /proc/kallsyms; then \
    prepared=fexit:vmlinux:swapcache_prepare freed=fentry:vmlinux:swap_free_nr; else \
    prepared=kretprobe:swapcache_prepare freed='fexit:vmlinux:__swap_entry_free_locked /(uint8)retval == 0/'; fi\n\
    sed -e \"s|^PREPARED|$prepared|\" -e \"s|^FREED|$freed|\" /equivalent.bt >/tmp/fit.bt";

/// The workload alone, and with the script attached: each program of it is a link that bpftrace holds. Then what the
/// script has counted.
fn traced() -> String {
    format!(
        "set -e\n\
         {WORKLOAD} --bare --rows direct\n\
         {FIT}\n\
         bpftrace -f json /tmp/fit.bt >/tmp/told 2>/tmp/said & pid=$!\n\
         links() {{ cat /proc/$pid/fdinfo/* 2>/dev/null | grep -c link_type || true; }}\n\
         until [ $(links) -ge 3 ]; do kill -0 $pid 2>/dev/null || {{ cat /tmp/said >&2; exit 1; }}; sleep 1; done\n\
         sleep 5\n\
         {WORKLOAD} --bare --rows direct\n\
         kill -INT $pid; wait $pid\n\
         cat /tmp/told"
    )
}

fn observed() -> String {
    let lines = SETS.map(|(_, options)| format!("{WORKLOAD} --rows direct {options}"));
    lines.join(" && ")
}

/// The rows of a guest with bpftrace: two runs of the workload, what the script has counted, and a run for each set.
fn rows(mut told: Vec<Value>) -> Result<Vec<Row>> {
    ensure!(told.len() > 2 + SETS.len(), "the benchmark gave {} figures", told.len());
    let of_observer: Vec<Told> =
        told.split_off(told.len() - SETS.len()).into_iter().map(parsed).collect::<Result<_>>()?;
    let frees = told.iter().find_map(|value| value.pointer("/data/@frees")?.as_u64());
    let pages = told.first().and_then(|value| value.get("pages")?.as_u64()).context("no number of pages")?;
    // Five rounds and the one before them: a script that saw less was not attached to all of them.
    let Some(frees) = frees.filter(|frees| *frees >= 6 * pages) else {
        bail!("bpftrace counted {} frees, and {} pages were swapped in", frees.unwrap_or(0), 6 * pages);
    };
    eprintln!("bpftrace: {frees} frees counted");
    let mut runs = told.into_iter().take(2).map(parsed::<Told>);
    let (untraced, observed) = (first(runs.next())?, first(runs.next())?);
    let name = NAME.to_owned();
    let row = Row { name, untraced: untraced.0, observed: observed.0, spread: observed.1 };
    let mut rows = vec![row];
    rows.extend(self::of_observer(&of_observer)?);
    Ok(rows)
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("the benchmark told something else than figures")
}

/// Median and spread of a run's only row.
fn first(run: Option<Result<Told>>) -> Result<(f64, f64)> {
    let run = run.context("a run is missing")??;
    run.rows.first().map(|row| (row.median_ns, row.spread)).context("a run has no rows")
}

fn of_observer(told: &[Told]) -> Result<Vec<Row>> {
    ensure!(told.len() == SETS.len(), "the benchmark gave {} rows of {}", told.len(), SETS.len());
    SETS.iter().zip(told).map(|((name, _), told)| sets::row(name, told)).collect()
}

/// All kernels' rows; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> =
        all.iter().flat_map(|kernel| kernel.bpftrace.iter().map(|row| cells(&kernel.kernel, row))).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["kernel", "attached", "untraced", "observed", "added", "ratio", "spread"], 2, &rows)
}

fn cells(kernel: &str, row: &Beside) -> Vec<String> {
    match row {
        Beside::Measured(row) => sets::figures(kernel, row),
        Beside::Refused { name, why } => {
            let mut cells = vec![kernel.to_owned(), format!("{name}: not measured: {why}")];
            cells.extend(["-"; 5].map(str::to_owned));
            cells
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(name: &str, median: f64) -> Value {
        json!({"pages": 4_096, "rows": [{"name": name, "median_ns": median, "spread": 0.001}]})
    }

    fn set(median: f64) -> Value {
        json!({"rows": [{"name": "direct", "median_ns": 100.0, "spread": 0.0},
            {"name": "direct, observed", "median_ns": median, "spread": 0.0}]})
    }

    fn told(frees: u64) -> Vec<Value> {
        let counted = json!({"type": "map", "data": {"@frees": frees}});
        let attached = json!({"type": "attached_probes", "data": {"probes": 4}});
        vec![run("direct", 100.0), run("direct", 131.0), attached, counted, set(106.0), set(104.0)]
    }

    #[test]
    fn the_script_s_run_is_set_over_the_one_without_it() {
        let rows = rows(told(6 * 4_096)).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.added())).collect();
        assert_eq!(told, [("bpftrace", 31.0), ("observer, full", 6.0), ("observer, lean", 4.0)]);
        let figures = Overhead {
            kernel: "6.12.117".into(),
            bpftrace: rows.into_iter().map(Beside::Measured).collect(),
            ..Overhead::default()
        };
        assert!(tables(&[figures]).contains("| 6.12.117 | bpftrace | 100 | 131 | 31 | 1.310 | 0.10% |"));
    }

    #[test]
    fn a_script_that_did_not_see_every_page_is_no_figure() {
        let error = rows(told(6 * 4_096 - 1)).unwrap_err().to_string();
        assert!(error.contains("24575 frees") && error.contains("24576 pages"), "{error}");
        assert!(rows(told(0)).is_err());
    }

    #[test]
    fn the_script_has_the_words_that_the_guest_replaces() {
        for word in ["\nPREPARED\n", "\nFREED\n"] {
            assert_eq!(SCRIPT.matches(word).count(), 1, "{word:?}");
            assert!(FIT.contains(&format!("^{}|", word.trim())));
        }
        assert!(FIT.contains(IN_GUEST));
    }

    #[test]
    fn why_it_does_not_run_is_in_its_row() {
        let why = reason(&anyhow::anyhow!("ended with 1:\n  no | BTF\n"));
        let refused = Beside::Refused { name: NAME.to_owned(), why };
        let text = tables(&[Overhead { kernel: "x".into(), bpftrace: vec![refused], ..Overhead::default() }]);
        assert!(text.contains("| x | bpftrace: not measured: no / BTF | - |"), "{text}");
    }
}
