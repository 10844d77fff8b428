//! What must come out of each step. Pure: files in, a verdict out.

mod count;
mod host;
mod race;

use std::{fs, path::Path};

use serde_json::Value;

pub use self::{
    count::{btf_file, counts, counts_of, crowd, lean_counts, shmem, zswap_counts},
    host::{
        attaches, attaches_kprobes, cut_short, disk_swap, doctor, failing_command, no_btf, no_ftrace, no_kprobes,
        not_root, nothing_left, other_swap, refuses_kprobes, self_test, self_test_without_addresses, terminated, zswap,
    },
    race::{independent, natural, recorded, storm, targeted, targeted_rounds},
};

/// A step that has run.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// What was seen, or what is wrong.
pub type Checked = Result<String, String>;

impl Finished {
    /// Reads what a step left in `dir`.
    ///
    /// # Errors
    /// When the step was not run.
    pub fn read(dir: &Path, name: &str) -> Result<Self, String> {
        let text = |kind: &str| {
            fs::read_to_string(dir.join(format!("{name}.{kind}"))).map_err(|error| format!("no {name}.{kind}: {error}"))
        };
        let code = text("code")?.trim().parse().map_err(|error| format!("bad {name}.code: {error}"))?;
        Ok(Self { code, stdout: text("stdout")?, stderr: text("stderr")? })
    }

    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.stdout).map_err(|error| {
            format!(
                "standard output is not one JSON object ({error}); exit code {}, standard error: {}",
                self.code,
                self.stderr.trim()
            )
        })
    }

    /// The JSON objects on standard output, one after the other.
    pub(super) fn objects(&self) -> Result<Vec<Value>, String> {
        let objects = serde_json::Deserializer::from_str(&self.stdout).into_iter();
        objects.collect::<Result<_, _>>().map_err(|error| format!("standard output is not JSON objects: {error}"))
    }

    pub(super) fn expect_code(&self, wanted: i32) -> Result<(), String> {
        if self.code == wanted {
            return Ok(());
        }
        Err(format!("exit code {} instead of {wanted}; standard error: {}", self.code, self.stderr.trim()))
    }
}

/// A number in a JSON object, by JSON pointer.
pub fn number(value: &Value, pointer: &str) -> Result<u64, String> {
    value.pointer(pointer).and_then(Value::as_u64).ok_or_else(|| format!("no number at {pointer}"))
}

pub(super) fn ensure(right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong()) }
}

/// Every loss must be 0, or no count can be exact.
///
/// And nothing is left that makes the programs dearer for ever after: all that has met, or was changed under somebody, is over.
pub(super) fn none_dropped(value: &Value) -> Result<(), String> {
    let disturbed = value.pointer("/self_cost/disturbed").and_then(Value::as_u64).unwrap_or(0);
    ensure(disturbed == 0, || format!("{disturbed} disturbances were not taken back"))?;
    let dropped = value.get("dropped").and_then(Value::as_object).ok_or("no dropped")?;
    let some: Vec<_> = dropped.iter().filter(|(_, count)| count.as_u64() != Some(0)).collect();
    ensure(some.is_empty(), || format!("dropped: {some:?}"))
}

/// Programs that a preemptible kernel has skipped.
pub(super) fn skipped(value: &Value) -> u64 {
    value.pointer("/dropped/program_skipped").and_then(Value::as_u64).unwrap_or(0)
}

/// Swap-ins seen and lost equal the kernel's own count; where programs were skipped and several tell of reads, what is lost
/// is told as the most that it can be. A kernel before 5.12 does not tell what it skipped: null.
pub(super) fn counts_agree(value: &Value) -> Result<u64, String> {
    let (seen, kernel) = (number(value, "/swapins/seen")?, number(value, "/swapins/kernel")?);
    let lost = value.pointer("/swapins/lost").and_then(Value::as_u64).unwrap_or(0);
    let reads_hooked = value.pointer("/kernel/backend/read start").is_some();
    let right = if reads_hooked || lost == 0 { seen + lost == kernel } else { (seen..=seen + lost).contains(&kernel) };
    ensure(right, || format!("{seen} swap-ins seen, {lost} lost, the kernel counted {kernel}"))?;
    Ok(seen)
}

/// Whether this plan does not see where entries are allocated: then it may flag too little, never too much.
fn is_degraded(value: &Value) -> bool {
    let degraded = value.pointer("/kernel/degraded").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    degraded.iter().any(|gap| gap.get("meaning").and_then(Value::as_str) == Some("allocated"))
}

/// The witness's own JSON line: with `--json` its output goes to standard error.
pub(super) fn witness(finished: &Finished) -> Result<Value, String> {
    on_stderr(finished, "the witness said nothing")
}

/// The last JSON object on a line of standard error.
fn on_stderr(finished: &Finished, without: &str) -> Result<Value, String> {
    let mut objects = finished.stderr.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects.find(Value::is_object).ok_or_else(|| format!("{without}: {}", finished.stderr.trim()))
}

#[cfg(test)]
pub(super) fn finished(code: i32, stdout: &str, stderr: &str) -> Finished {
    Finished { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}
