//! Whether the cost of the eBPF programs grows with the number of tasks, the size of the swap device and contention. In
//! instructions, by the kernel's run-time statistics in a guest that counts them.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    counted::Counted,
    markdown::{table as markdown, whole},
};
use crate::{
    kernels::Kernel,
    output::summary::{ProgramStats, Summary},
    vm::GuestFile,
};

/// Number of tasks that swap in private pages, one task at a time.
const ALONE: [u32; 2] = [16, 256];
/// Number of tasks that are inside a swap-in at the same moment, each in the read of a private page; and rounds.
const INSIDE: [(u32, u32); 4] = [(1, 256), (100, 20), (1_000, 2), (10_000, 1)];
/// Number of tasks that swap in the same pages.
const SHARED: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// Number of tasks that access one page at the same moment; and rounds, so that all rows have many records.
const TOGETHER: [(u32, u32); 6] = [(2, 32), (4, 16), (8, 8), (16, 4), (32, 2), (64, 1)];
/// Sizes of the swap device.
const SIZES: [&str; 4] = ["64M", "1G", "16G", "256G"];

/// The device on which entries are spread out.
const LARGEST: &str = "1T";

/// In MiB. zram needs 4.3 GB for the table of a 1 TB device.
const MEM: u32 = 8_192;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Tasks that run one at a time
    Tasks,
    /// Tasks that are inside a swap-in at the same moment
    Inside,
    /// Tasks on the same pages
    Contended,
    /// Devices, up to 1 TB
    Devices,
}

impl Part {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 4] = [Self::Tasks, Self::Inside, Self::Contended, Self::Devices];
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) faults: u64,
    /// Records in the ring buffer.
    pub(crate) records: u64,
    /// Instructions per fault of the programs on the path of a swap-in.
    pub(crate) per_fault: f64,
    /// Only in rows of [`Part::Inside`].
    pub(crate) inside: Option<Inside>,
}

/// Tasks inside `do_swap_page` at the same moment, counted in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// Tasks of the workload in uninterruptible sleep, by /proc.
    pub(crate) asleep: u64,
    /// Faults that an observer, stopped at that moment, had seen start and not end.
    pub(crate) in_progress: u64,
}

/// Runs all parts in one guest.
///
/// # Errors
/// When the guest does not run to its end, or its output cannot be read.
pub(crate) fn measure(kernel: &Kernel, observer: &Path, witness: &Path, parts: &[Part]) -> Result<Vec<Row>> {
    let files = vec![GuestFile { source: witness.to_owned(), target: "/witness".into() }];
    let guest = Counted { files, mem: MEM, limit: Duration::from_mins(40), ..Counted::new(kernel, observer) };
    rows(guest.run(&script(parts))?, parts)
}

/// The first row of every table, which is the base for the cost of a record.
const FIRST: &str = "1 task, own pages";

/// The rows of the script's output, in its order.
fn rows(values: Vec<Value>, parts: &[Part]) -> Result<Vec<Row>> {
    let mut values = values.into_iter();
    let mut next = || values.next().context("the benchmark printed too few values");
    let mut rows = vec![row(FIRST.to_owned(), next()?)?];
    for part in parts {
        match part {
            Part::Tasks => {
                for tasks in ALONE {
                    rows.push(row(format!("{tasks} tasks, own pages"), next()?)?);
                }
            }
            Part::Inside => {
                for (tasks, _) in INSIDE {
                    let name = format!("{tasks} tasks inside at once, own pages");
                    rows.push(row_inside(row(name, next()?)?, next()?, next()?)?);
                }
            }
            Part::Contended => {
                for tasks in SHARED {
                    rows.push(row(format!("{tasks} tasks, same pages"), next()?)?);
                }
                for (tasks, _) in TOGETHER {
                    rows.push(row(format!("{tasks} tasks together on one page"), next()?)?);
                }
            }
            Part::Devices => {
                for size in SIZES {
                    rows.push(row(format!("1 task, a device of {size}"), next()?)?);
                }
                let (run, span) = (next()?, parsed::<Span>(next()?)?);
                let name = format!("1 task, a device of {LARGEST}, entries over {:.0}% of it", span.percent());
                rows.push(row(name, run)?);
            }
        }
    }
    ensure!(values.next().is_none(), "the benchmark printed too many values");
    Ok(rows)
}

fn row_inside(row: Row, asleep: Value, stopped: Value) -> Result<Row> {
    let faults = parsed::<Summary>(stopped)?.faults;
    let in_progress = faults.started.saturating_sub(faults.ended);
    Ok(Row { inside: Some(Inside { asleep: parsed(asleep)?, in_progress }), ..row })
}

/// Where the swap entries of `witness far` are, in pages.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    lowest: u64,
    highest: u64,
    /// Size of the swap area.
    area: u64,
}

impl Span {
    fn percent(self) -> f64 {
        100.0 * self.highest.saturating_sub(self.lowest) as f64 / self.area.max(1) as f64
    }
}

fn parsed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("cannot read the benchmark's output")
}

/// With room for the tasks of all rows.
const OBSERVED: &str = "observer record --program-stats --json --watched-tasks 16384 --";

fn script(parts: &[Part]) -> String {
    let mut script = format!("set -e\nmodprobe zram num_devices=0\n{}", churn(1));
    for part in parts {
        match part {
            Part::Tasks => ALONE.into_iter().for_each(|tasks| script += &churn(tasks)),
            Part::Inside => INSIDE.into_iter().for_each(|(tasks, rounds)| {
                let workload = format!("{OBSERVED} /witness crowd --threads {tasks} --rounds {rounds}\n");
                script += &(workload + &stopped(tasks));
            }),
            Part::Contended => {
                script.extend(SHARED.map(contended));
                script.extend(TOGETHER.map(together));
            }
            Part::Devices => {
                let churn = "/witness churn --here --pages 2048 --threads 1 --rounds 2";
                script.extend(SIZES.map(|size| on_device(size, churn)));
                script += &on_device(LARGEST, "/witness far --pages 4096 --groups 8 --report /tmp/span");
                script += "cat /tmp/span\n";
            }
        }
    }
    script
}

fn churn(tasks: u32) -> String {
    format!("{OBSERVED} /witness churn --pages 2048 --threads {tasks} --rounds 2\n")
}

fn contended(tasks: u32) -> String {
    format!("{OBSERVED} /witness churn --pages 512 --threads {tasks} --rounds 2 --shared\n")
}

fn together((tasks, rounds): (u32, u32)) -> String {
    format!("{OBSERVED} /witness crowd --threads {tasks} --rounds {rounds} --same-page\n")
}

/// A workload on a swap device that is made for it.
fn on_device(size: &str, workload: &str) -> String {
    format!(
        "z=zram$(cat /sys/class/zram-control/hot_add); echo {size} >/sys/block/$z/disksize\n\
         mkswap /dev/$z >&2; swapon /dev/$z\n\
         {OBSERVED} {workload}\n\
         swapoff /dev/$z; echo 1 >/sys/block/$z/reset; echo ${{z#zram}} >/sys/class/zram-control/hot_remove\n"
    )
}

/// The same workload again: a separate observer, attached before, is stopped while all tasks are inside.
///
/// A second observer in the measured run would change the figures: attaching to a function changes its trampoline, and
/// tasks that are inside then return without running any program.
fn stopped(tasks: u32) -> String {
    format!(
        "observer record --json >/tmp/stopped & observer=$!; sleep 20\n\
         /witness crowd --threads {tasks} --rounds 1 --report /tmp/inside >&2 & workload=$!\n\
         until [ -s /tmp/inside ]; do kill -0 $workload; sleep 1; done\n\
         kill -TERM $observer; wait $observer\n\
         cat /tmp/inside; rm /tmp/inside; wait $workload; cat /tmp/stopped\n"
    )
}

/// Whether a program is on the path of a swap-in, unlike those for swap-outs and for forks of the command.
fn is_on_path(program: &str) -> bool {
    ["fault_", "pin_", "lock_", "read_"].iter().any(|start| program.starts_with(start))
}

fn row(name: String, value: Value) -> Result<Row> {
    let Summary { faults, overhead, .. } = parsed(value).with_context(|| name.clone())?;
    let runs = match overhead.program_stats {
        Some(ProgramStats::Counted(runs)) => runs,
        Some(ProgramStats::Refused(refusal)) => bail!("{name}: no run-time statistics: {}", refusal.code),
        None => bail!("{name}: the summary has no run-time statistics"),
    };
    let ns: u64 = runs.iter().filter(|run| is_on_path(&run.name)).map(|run| run.run_ns).sum();
    if faults.started == 0 {
        bail!("{name}: nothing was swapped in");
    }
    let per_fault = ns as f64 / faults.started as f64;
    Ok(Row { faults: faults.started, records: overhead.records, per_fault, name, inside: None })
}

/// The cost of a record: the difference to the first row, which has no records. None: there are no records.
fn per_record(row: &Row, alone: f64) -> Option<f64> {
    (row.records > 0).then(|| (row.per_fault - alone) * row.faults as f64 / row.records as f64)
}

/// A Markdown table.
pub(crate) fn table(kernel: &str, rows: &[Row]) -> String {
    let alone = rows.first().map_or(0.0, |row| row.per_fault);
    let dash = || "-".to_owned();
    let cells = |row: &Row| {
        vec![
            row.name.clone(),
            whole(row.faults as f64),
            whole(row.records as f64),
            whole(row.per_fault),
            per_record(row, alone).map_or_else(dash, whole),
            row.inside.map_or_else(dash, |inside| whole(inside.asleep as f64)),
            row.inside.map_or_else(dash, |inside| whole(inside.in_progress as f64)),
        ]
    };
    let head = [kernel, "faults", "records", "per fault", "per record", "asleep inside", "in progress"];
    markdown(&head, 1, &rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::summary::example;

    fn summary() -> Value {
        let runs = [("fault_start_fentry", 5_000), ("pin_try_fexit_entry", 1_000), ("write_end_fexit", 9_000)];
        let runs = runs.map(|(name, run_ns)| json!({ "name": name, "run_ns": run_ns }));
        example::with(&json!({ "faults": { "started": 10, "ended": 3 },
            "overhead": { "records": 4, "program_stats": { "counted": runs } } }))
    }

    #[test]
    fn only_programs_on_the_path_of_a_swap_in_are_counted() {
        let contended = row("x".to_owned(), summary()).unwrap();
        assert!((contended.per_fault - 600.0).abs() < 1e-9);
        assert_eq!(per_record(&contended, 400.0).map(f64::round), Some(500.0));
    }

    #[test]
    fn refused_statistics_are_an_error() {
        let refused = example::with(&json!({ "faults": { "started": 10 },
            "overhead": { "program_stats": { "refused": { "code": "not_permitted" } } } }));
        assert!(row("x".to_owned(), refused).unwrap_err().to_string().contains("no run-time statistics"));
    }

    #[test]
    fn every_value_of_the_output_has_its_row() {
        let mut values = vec![summary(); 1 + ALONE.len()];
        for _ in INSIDE {
            values.extend([summary(), json!(8), summary()]);
        }
        values.extend(vec![summary(); SHARED.len() + TOGETHER.len() + SIZES.len() + 1]);
        values.push(json!({"lowest": 10, "highest": 910, "area": 1_000}));
        let all = rows(values.clone(), &Part::ALL).unwrap();
        let inside = Some(Inside { asleep: 8, in_progress: 7 });
        assert_eq!(all.iter().filter(|row| row.inside == inside).count(), INSIDE.len());
        let text = table("6.12.117", &all);
        assert!(text.contains("| 10000 tasks inside at once, own pages | 10 | 4 | 600 | 0 | 8 | 7 |"), "{text}");
        assert!(text.contains("| 1 task, a device of 64M | 10 | 4 | 600 | 0 | - | - |"), "{text}");
        assert!(text.contains("| 1 task, a device of 1T, entries over 90% of it | 10 |"), "{text}");
        values.pop();
        assert!(rows(values.clone(), &Part::ALL).is_err(), "too few values");
        assert!(rows(values, &[Part::Tasks]).is_err(), "too many values");
    }

    #[test]
    fn every_row_has_a_command() {
        let runs = 1 + ALONE.len() + INSIDE.len() + SHARED.len() + TOGETHER.len() + SIZES.len() + 1;
        let script = script(&Part::ALL);
        assert_eq!(script.matches(OBSERVED).count(), runs);
        assert!(script.contains("echo ${z#zram} >"), "{script}");
    }
}
