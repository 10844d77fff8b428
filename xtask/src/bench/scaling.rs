//! What the programs' bodies take as there are more tasks, larger devices and more contention, in instructions: in a guest
//! that counts them, by the kernel's own statistics.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{
    counted::Counted,
    markdown::{table as markdown, whole},
};
use crate::{kernels::Kernel, vm::GuestFile};

/// Tasks that swap in pages of their own, one after the other.
const ALONE: [u32; 2] = [16, 256];
/// Tasks that are inside a swap-in at the same moment, each in the read of a page of its own; and rounds of that.
const INSIDE: [(u32, u32); 4] = [(1, 256), (100, 20), (1_000, 2), (10_000, 1)];
/// Tasks that swap in the same pages.
const SHARED: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// Tasks that want one page, at the same moment; and rounds of that, so that all rows have many records.
const TOGETHER: [(u32, u32); 6] = [(2, 32), (4, 16), (8, 8), (16, 4), (32, 2), (64, 1)];
/// Sizes of the swap device.
const SIZES: [&str; 4] = ["64M", "1G", "16G", "256G"];

/// The device whose entries are taken from all over it.
const LARGEST: &str = "1T";

/// What zram keeps for a terabyte of entries, which is 4.3 GB, and some more; in MiB.
const MEM: u32 = 8_192;

/// What may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Tasks that take turns
    Tasks,
    /// Tasks that are inside a swap-in at the same moment
    Inside,
    /// Tasks on the same pages
    Contended,
    /// Devices, up to 1 TB
    Devices,
}

impl Part {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Tasks, Self::Inside, Self::Contended, Self::Devices];
}

/// What one run has told.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was run.
    pub name: String,
    /// Faults.
    pub faults: u64,
    /// Records that came through the ring.
    pub records: u64,
    /// Instructions of the programs that a swap-in passes, a fault.
    pub per_fault: f64,
    /// How many tasks were inside at the same moment, where that was seen to.
    pub inside: Option<Inside>,
}

/// Tasks inside `do_swap_page` at the same moment, by two observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Those that the workload saw asleep in it.
    pub asleep: u64,
    /// Faults that an observer had seen start and not end when it was stopped meanwhile.
    pub in_progress: u64,
}

/// Runs everything in one guest.
///
/// # Errors
/// When the guest could not be run to its end, or gave no figures.
pub fn measure(kernel: &Kernel, observer: &Path, witness: &Path, parts: &[Part]) -> Result<Vec<Row>> {
    let files = vec![GuestFile { source: witness.to_owned(), target: "/witness".into() }];
    let guest = Counted { files, mem: MEM, limit: Duration::from_mins(40), ..Counted::new(kernel, observer) };
    rows(guest.run(&script(parts))?, parts)
}

/// The row that is always there, and that records are set over.
const FIRST: &str = "1 task, own pages";

/// The rows, in the order of the script.
fn rows(told: Vec<Value>, parts: &[Part]) -> Result<Vec<Row>> {
    let mut told = told.into_iter();
    let mut next = || told.next().context("the benchmark gave too few figures");
    let mut rows = vec![row(FIRST.to_owned(), &next()?)?];
    for part in parts {
        match part {
            Part::Tasks => {
                for tasks in ALONE {
                    rows.push(row(format!("{tasks} tasks, own pages"), &next()?)?);
                }
            }
            Part::Inside => {
                for (tasks, _) in INSIDE {
                    let name = format!("{tasks} tasks inside at once, own pages");
                    rows.push(row_inside(row(name, &next()?)?, &next()?, &next()?)?);
                }
            }
            Part::Contended => {
                for tasks in SHARED {
                    rows.push(row(format!("{tasks} tasks, same pages"), &next()?)?);
                }
                for (tasks, _) in TOGETHER {
                    rows.push(row(format!("{tasks} tasks together on one page"), &next()?)?);
                }
            }
            Part::Devices => {
                for size in SIZES {
                    rows.push(row(format!("1 task, a device of {size}"), &next()?)?);
                }
                let (run, span) = (next()?, next()?);
                rows.push(row(format!("1 task, a device of {LARGEST}, entries over {}", share(&span)?), &run)?);
            }
        }
    }
    ensure!(told.next().is_none(), "the benchmark gave too many figures");
    Ok(rows)
}

/// A row, with how many the workload saw asleep, and what an observer that was stopped then says.
fn row_inside(row: Row, asleep: &Value, stopped: &Value) -> Result<Row> {
    let asleep = asleep.as_u64().context("the workload did not tell how many tasks sleep")?;
    let in_progress = number(stopped, "/faults/started")?.saturating_sub(number(stopped, "/faults/ended")?);
    Ok(Row { inside: Some(Inside { asleep, in_progress }), ..row })
}

/// How far apart entries lie.
fn share(span: &Value) -> Result<String> {
    let (from, to, of) = (number(span, "/lowest")?, number(span, "/highest")?, number(span, "/area")?);
    Ok(format!("{:.0}% of it", 100.0 * to.saturating_sub(from) as f64 / of.max(1) as f64))
}

/// What is observed, with room for the tasks of all rows.
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
                script += &on_device(LARGEST, "/witness far --pages 4096 --groups 8 --tell /tmp/span");
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

/// A workload on a swap device made for it.
fn on_device(size: &str, workload: &str) -> String {
    format!(
        "z=zram$(cat /sys/class/zram-control/hot_add); echo {size} >/sys/block/$z/disksize\n\
         mkswap /dev/$z >&2; swapon /dev/$z\n\
         {OBSERVED} {workload}\n\
         swapoff /dev/$z; echo 1 >/sys/block/$z/reset; echo ${{z#zram}} >/sys/class/zram-control/hot_remove\n"
    )
}

/// The same workload, while all tasks are held inside: an observer of its own, attached before, is stopped then.
///
/// A second one beside that of the figures would spoil them: attaching to a function changes its trampoline, and who is
/// inside by then returns past all programs.
fn stopped(tasks: u32) -> String {
    format!(
        "observer record --json >/tmp/stopped & observer=$!; sleep 20\n\
         /witness crowd --threads {tasks} --rounds 1 --tell /tmp/inside >&2 & workload=$!\n\
         until [ -s /tmp/inside ]; do kill -0 $workload; sleep 1; done\n\
         kill -TERM $observer; wait $observer\n\
         cat /tmp/inside; rm /tmp/inside; wait $workload; cat /tmp/stopped\n"
    )
}

/// The programs that a swap-in passes; those of the way out and of the command's forks are not of interest.
fn is_passed(program: &str) -> bool {
    ["fault_", "pin_", "lock_", "read_"].iter().any(|start| program.starts_with(start))
}

fn number(told: &Value, pointer: &str) -> Result<u64> {
    told.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no number at {pointer}"))
}

fn row(name: String, told: &Value) -> Result<Row> {
    let number = |pointer: &str| number(told, pointer).with_context(|| name.clone());
    let programs = told.pointer("/self_cost/program_stats/counted").and_then(Value::as_array);
    let programs = programs.with_context(|| format!("{name}: the kernel does not tell run times"))?;
    let passed = programs.iter().filter(|run| run.get("name").and_then(Value::as_str).is_some_and(is_passed));
    let ns: u64 = passed.filter_map(|run| run.get("run_ns").and_then(Value::as_u64)).sum();
    let (faults, records) = (number("/faults/started")?, number("/self_cost/records")?);
    if faults == 0 {
        bail!("{name}: nothing was swapped in");
    }
    Ok(Row { faults, records, per_fault: ns as f64 / faults as f64, name, inside: None })
}

/// What a record costs: what contended runs take more than the first row, which has none. `None`: there are no records.
fn per_record(row: &Row, alone: f64) -> Option<f64> {
    (row.records > 0).then(|| (row.per_fault - alone) * row.faults as f64 / row.records as f64)
}

/// The rows as the pages under docs/ have them.
pub fn table(kernel: &str, rows: &[Row]) -> String {
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
    let head = [kernel, "faults", "records", "a fault", "a record", "asleep inside", "in progress"];
    markdown(&head, 1, &rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Value {
        json!({"faults": {"started": 10, "ended": 3}, "self_cost": {"records": 4, "program_stats": {"counted": [
            {"name": "fault_start_fentry", "run_ns": 5_000}, {"name": "pin_try_fexit_entry", "run_ns": 1_000},
            {"name": "write_end_fexit", "run_ns": 9_000}, {"name": "watch_fork", "run_ns": 9_000}]}}})
    }

    #[test]
    fn only_what_a_swap_in_passes_is_added_up() {
        let contended = row("x".to_owned(), &told()).unwrap();
        assert!((contended.per_fault - 600.0).abs() < 1e-9);
        assert_eq!(per_record(&contended, 400.0).map(f64::round), Some(500.0));
        let refused =
            json!({"faults": {"started": 10}, "self_cost": {"records": 4, "program_stats": {"refused": "no"}}});
        assert!(row("x".to_owned(), &refused).is_err(), "not 0");
    }

    #[test]
    fn every_figure_has_its_row() {
        let mut figures = vec![told(); 1 + ALONE.len()];
        for _ in INSIDE {
            figures.extend([told(), json!(8), told()]);
        }
        figures.extend(vec![told(); SHARED.len() + TOGETHER.len() + SIZES.len() + 1]);
        figures.push(json!({"lowest": 10, "highest": 910, "area": 1_000}));
        let all = rows(figures.clone(), &Part::ALL).unwrap();
        assert_eq!(
            all.iter().filter(|row| row.inside == Some(Inside { asleep: 8, in_progress: 7 })).count(),
            INSIDE.len()
        );
        let text = table("6.12.117", &all);
        assert!(text.contains("| 10000 tasks inside at once, own pages | 10 | 4 | 600 | 0 | 8 | 7 |"), "{text}");
        assert!(text.contains("| 1 task, a device of 64M | 10 | 4 | 600 | 0 | - | - |"), "{text}");
        assert!(text.contains("| 1 task, a device of 1T, entries over 90% of it | 10 |"), "{text}");
        figures.pop();
        assert!(rows(figures.clone(), &Part::ALL).is_err(), "too few");
        assert!(rows(figures, &[Part::Tasks]).is_err(), "too many");
    }

    #[test]
    fn every_row_has_its_command() {
        let runs = 1 + ALONE.len() + INSIDE.len() + SHARED.len() + TOGETHER.len() + SIZES.len() + 1;
        let script = script(&Part::ALL);
        assert_eq!(script.matches(OBSERVED).count(), runs);
        assert!(script.contains("echo ${z#zram} >"), "braces are the shell's");
    }
}
