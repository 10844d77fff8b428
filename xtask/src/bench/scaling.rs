//! What the programs' bodies take as there are more tasks, larger devices and more contention, in instructions: in a guest
//! that counts them, by the kernel's own statistics.

use std::{fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    kernels::Kernel,
    vm::{Guest, GuestFile, Output},
};

/// Tasks that swap in pages of their own.
const ALONE: [u32; 3] = [1, 16, 256];
/// Tasks that swap in the same pages.
const SHARED: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// Sizes of the swap device.
const SIZES: [&str; 3] = ["64M", "1G", "16G"];

/// What one run has told.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was run.
    pub name: String,
    /// Flights.
    pub flights: u64,
    /// Records that came through the ring.
    pub records: u64,
    /// Instructions of the programs that a swap-in passes, a flight.
    pub per_flight: f64,
}

/// Runs everything in one guest.
///
/// # Errors
/// When the guest could not be run to its end, or gave no figures.
pub fn measure(kernel: Kernel, observer: &Path, witness: &Path) -> Result<Vec<Row>> {
    let name = kernel.release.clone();
    let guest = Guest {
        smp: 1,
        icount: true,
        mem: 2_048,
        observer: Some(observer.to_owned()),
        files: vec![GuestFile { source: witness.to_owned(), target: "/witness".into() }],
        output: Output::Capture,
        timeout: Some(Duration::from_mins(10)),
        ..Guest::new(kernel)
    };
    let outcome = guest.run(&["sh".to_owned(), "-c".to_owned(), script()])?;
    if outcome.code != 0 {
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        bail!("the benchmark on {name} ended with exit code {}: {}", outcome.code, stderr.trim());
    }
    let told: Vec<Value> = serde_json::Deserializer::from_slice(&outcome.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("the benchmark on {name} gave no figures"))?;
    let names = names();
    if told.len() != names.len() {
        bail!("the benchmark on {name} gave {} figures of {}", told.len(), names.len());
    }
    names.into_iter().zip(&told).map(|(name, told)| row(name, told)).collect()
}

fn names() -> Vec<String> {
    let alone = ALONE.iter().map(|tasks| format!("{tasks} tasks, own pages"));
    let shared = SHARED.iter().map(|tasks| format!("{tasks} tasks, same pages"));
    let sizes = SIZES.iter().map(|size| format!("1 task, device of {size}"));
    alone.chain(shared).chain(sizes).collect()
}

fn script() -> String {
    let observed = "observer record --program-stats --json -- /witness churn";
    let mut script = "set -e\n".to_owned();
    // Writing into a String cannot fail.
    for tasks in ALONE {
        let _ = writeln!(script, "{observed} --pages 2048 --threads {tasks} --rounds 2");
    }
    for tasks in SHARED {
        let _ = writeln!(script, "{observed} --pages 512 --threads {tasks} --rounds 2 --shared");
    }
    script += "modprobe zram num_devices=0\n";
    for size in SIZES {
        let _ = writeln!(
            script,
            "z=zram$(cat /sys/class/zram-control/hot_add); echo {size} >/sys/block/$z/disksize; mkswap /dev/$z >&2; \
             swapon /dev/$z; {observed} --here --pages 2048 --threads 1 --rounds 2; \
             swapoff /dev/$z; echo 1 >/sys/block/$z/reset"
        );
    }
    script
}

/// The programs that a swap-in passes; those of the way out and of the command's forks are not of interest.
fn is_passed(program: &str) -> bool {
    ["flight_", "pin_", "lock_", "read_"].iter().any(|begin| program.starts_with(begin))
}

fn row(name: String, told: &Value) -> Result<Row> {
    let number = |pointer: &str| {
        told.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("{name}: no number at {pointer}"))
    };
    let programs = told.pointer("/self_cost/program_stats/counted").and_then(Value::as_array);
    let programs = programs.with_context(|| format!("{name}: the kernel does not tell run times"))?;
    let passed = programs.iter().filter(|run| run.get("name").and_then(Value::as_str).is_some_and(is_passed));
    let ns: u64 = passed.filter_map(|run| run.get("run_ns").and_then(Value::as_u64)).sum();
    let (flights, records) = (number("/flights/begun")?, number("/self_cost/records")?);
    if flights == 0 {
        bail!("{name}: nothing was swapped in");
    }
    Ok(Row { flights, records, per_flight: ns as f64 / flights as f64, name })
}

/// What a record costs: what contended runs take more than the first row, which has none. `None`: there are no records.
fn per_record(row: &Row, alone: f64) -> Option<f64> {
    (row.records > 0).then(|| (row.per_flight - alone) * row.flights as f64 / row.records as f64)
}

/// The rows, for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<26} {:>8} {:>8} {:>12} {:>12}\n", "", "flights", "records", "a flight", "a record");
    let alone = rows.first().map_or(0.0, |row| row.per_flight);
    for row in rows {
        let record = per_record(row, alone).map_or_else(|| "-".to_owned(), |cost| format!("{cost:.0}"));
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{:<26} {:>8} {:>8} {:>12.0} {record:>12}",
            row.name, row.flights, row.records, row.per_flight
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_swap_in_passes_is_added_up() {
        let told = serde_json::json!({"flights": {"begun": 10}, "self_cost": {"records": 4, "program_stats": {"counted": [
            {"name": "flight_begin_fentry", "run_ns": 5_000}, {"name": "pin_try_fexit_entry", "run_ns": 1_000},
            {"name": "write_end_fexit", "run_ns": 9_000}, {"name": "watch_fork", "run_ns": 9_000}]}}});
        let contended = row("x".to_owned(), &told).unwrap();
        assert!((contended.per_flight - 600.0).abs() < 1e-9);
        assert_eq!(per_record(&contended, 400.0).map(f64::round), Some(500.0));
        let refused = serde_json::json!({"flights": {"begun": 10}, "self_cost": {"records": 4,
            "program_stats": {"refused": "no"}}});
        assert!(row("x".to_owned(), &refused).is_err(), "not 0");
    }

    #[test]
    fn every_row_has_its_command() {
        assert_eq!(script().matches("observer record").count(), names().len());
        let alone = Row { name: "alone".to_owned(), flights: 1, records: 0, per_flight: 9.0 };
        assert!(table(&[alone]).trim_end().ends_with('-'));
    }
}
