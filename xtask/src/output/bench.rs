//! `observer bench swapin`: its command line and its JSON. In guests that count instructions a nanosecond is an
//! instruction.

use std::fmt;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::summary::State;

/// A set of hooks, as the options of observer select it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HookSet {
    pub(crate) name: &'static str,
    options: &'static [&'static str],
}

pub(crate) const FULL: HookSet = HookSet { name: "full", options: &["--backend", "cheapest"] };
pub(crate) const LEAN: HookSet = HookSet { name: "lean", options: &["--hooks", "lean", "--backend", "cheapest"] };
pub(crate) const FULL_KPROBES: HookSet = HookSet { name: "full, kprobes only", options: &["--backend", "kprobe"] };
pub(crate) const LEAN_KPROBES: HookSet =
    HookSet { name: "lean, kprobes only", options: &["--hooks", "lean", "--backend", "kprobe"] };

/// What the swapped pages contain: the values of `--pages`.
pub(crate) const FAST_PAGES: &str = "fast";
pub(crate) const PROGRAM_PAGES: &str = "program";
pub(crate) const SLOW_PAGES: &str = "slow";

/// The values of `--rows`.
pub(crate) const DIRECT: &str = "direct";
pub(crate) const CACHED: &str = "cached";
pub(crate) const PIN: &str = "pin";
pub(crate) const HOOKS: &str = "hooks";
pub(crate) const CONTENDED: &str = "contended";

/// How much a round swaps in where instructions are counted. The swap device has a few slots more than that, and their
/// offsets stay below 4 096: from there on the kernel's tree of swap entries has a third level, which it loses again
/// when the last of these entries is freed. With 16M one swap-in in several took 50 instructions less, and which ones was
/// chance.
pub(crate) const COUNTED_SIZE: &str = "14M";

/// A command line of `observer bench swapin --json`.
#[derive(Clone, Debug)]
pub(crate) struct Command(Vec<String>);

impl Command {
    pub(crate) fn new(size: &str, rounds: u32, rows: &[&str]) -> Self {
        let words = ["observer", "bench", "swapin", "--json", "--size", size, "--rounds"].map(str::to_owned);
        Self(words.into_iter().chain([rounds.to_string(), "--rows".to_owned(), rows.join(",")]).collect())
    }

    /// The workload of the tables in docs/overhead.md: pages that are fast to decompress, five rounds.
    pub(crate) fn standard(row: &str) -> Self {
        Self::new(COUNTED_SIZE, 5, &[row]).pages(FAST_PAGES)
    }

    pub(crate) fn pages(self, pages: &str) -> Self {
        self.with(&["--pages", pages])
    }

    pub(crate) fn hook_set(self, set: HookSet) -> Self {
        self.with(set.options)
    }

    /// Without an observed run.
    pub(crate) fn bare(self) -> Self {
        self.with(&["--bare"])
    }

    fn with(mut self, options: &[&str]) -> Self {
        self.0.extend(options.iter().map(ToString::to_string));
        self
    }

    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }

    /// For a shell: no word needs quotes.
    pub(crate) fn line(&self) -> String {
        self.0.join(" ")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) kernel: Kernel,
    /// The compressor of zram.
    pub(crate) compressor: Option<String>,
    /// Number of pages in a round.
    pub(crate) pages: u64,
    pub(crate) rows: Vec<Row>,
    /// Only with `--rows hooks`.
    pub(crate) hooks: Option<Hooks>,
    pub(crate) notes: Vec<Note>,
}

impl Report {
    pub(crate) fn row(&self, id: RowId) -> Result<&Row> {
        self.rows.iter().find(|row| row.id == id).with_context(|| format!("the benchmark has no row \"{id}\""))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kernel {
    /// None: with `--bare`.
    pub(crate) state: Option<State>,
}

/// Why rows are missing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Note {
    pub(crate) note: String,
    pub(crate) reason: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note.replace('_', " "))?;
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
    }
}

/// What a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub(crate) enum RowKind {
    Direct,
    Cached,
    Contended { percent: u32 },
    Pin,
}

impl RowKind {
    /// Its row with nothing attached.
    pub(crate) const fn bare(self) -> RowId {
        RowId { kind: self, observed: false }
    }

    pub(crate) const fn observed(self) -> RowId {
        RowId { kind: self, observed: true }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowId {
    #[serde(flatten)]
    pub(crate) kind: RowKind,
    pub(crate) observed: bool,
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RowKind::Direct => f.write_str(DIRECT)?,
            RowKind::Cached => f.write_str(CACHED)?,
            RowKind::Contended { percent } => write!(f, "{CONTENDED} {percent}%")?,
            RowKind::Pin => f.write_str(PIN)?,
        }
        f.write_str(if self.observed { ", observed" } else { "" })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) id: RowId,
    pub(crate) median_ns: f64,
    pub(crate) mean_ns: f64,
    /// The spread of the rounds, as a share of the median.
    pub(crate) spread: f64,
    /// Relative to another row.
    pub(crate) ratio: f64,
    /// Only in contended rows.
    pub(crate) contention: Option<Contention>,
    /// Only in the row [`PIN`].
    pub(crate) pin: Option<Pin>,
    /// Only in observed rows.
    pub(crate) seen: Option<Seen>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Contention {
    pub(crate) pages_per_second: f64,
    pub(crate) read_twice: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the JSON")]
pub(crate) struct Pin {
    pub(crate) take_ns: f64,
    pub(crate) drop_ns: f64,
    /// None: not known on this kernel.
    pub(crate) reference_ns: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) paths: Paths,
    pub(crate) overlaps: u64,
    pub(crate) pin: Waits,
    pub(crate) lock: Waits,
}

/// Pages read, by path.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Paths {
    pub(crate) direct: u64,
    pub(crate) cached: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Waits {
    pub(crate) wait: Durations,
    pub(crate) oversleep: Durations,
    pub(crate) retries: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Durations {
    pub(crate) count: u64,
    #[serde(default)]
    pub(crate) p50_ns: f64,
    #[serde(default)]
    pub(crate) p99_ns: f64,
    #[serde(default)]
    pub(crate) max_ns: f64,
}

/// The cost of each hook. Kept in docs/bench/overhead.json too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hooks {
    /// A page swapped in with nothing attached.
    pub(crate) untraced_ns: f64,
    /// One row for each meaning, and some for several together.
    pub(crate) rows: Vec<HookRow>,
    /// Hooks that are attached and that no swap-in of the benchmark passes.
    pub(crate) not_passed: Vec<MeaningHooks>,
}

/// One hook, or several together. All figures are per page swapped in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HookRow {
    #[serde(flatten)]
    pub(crate) kind: HookRowKind,
    /// How often the program ran.
    pub(crate) runs: f64,
    /// What an empty program adds at this hook.
    pub(crate) empty_ns: f64,
    /// What the hook's program adds. None: it does nothing alone, nor do the others without it.
    pub(crate) real_ns: Option<f64>,
    /// What was attached in the base of `real_ns`: `nothing` or `all_others`.
    pub(crate) real_against: Option<String>,
    /// Run time of the program itself, by the kernel's statistics.
    pub(crate) body_ns: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub(crate) enum HookRowKind {
    Meaning(MeaningHooks),
    /// Start and end of the fault.
    Pair,
    All,
}

impl fmt::Display for HookRowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meaning(hooks) => hooks.fmt(f),
            Self::Pair => f.write_str("fault start and end together"),
            Self::All => f.write_str("all hooks"),
        }
    }
}

/// The hooks of a meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeaningHooks {
    /// Its code, e.g. `fault_start`.
    pub(crate) meaning: String,
    pub(crate) hooks: Vec<HookFunction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HookFunction {
    pub(crate) backend: String,
    pub(crate) symbol: String,
}

impl fmt::Display for MeaningHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks: Vec<_> = self.hooks.iter().map(|hook| format!("{} {}", hook.backend, hook.symbol)).collect();
        write!(f, "{}: {}", self.meaning.replace('_', " "), hooks.join(", "))
    }
}

/// Reports for tests.
#[cfg(test)]
pub(crate) mod example {
    use serde_json::{Value, json};

    use super::{super::summary::example::merged, RowId};

    pub(crate) fn report(rows: &[Value]) -> Value {
        json!({ "kernel": { "state": "pinned_tick" }, "compressor": "lz4", "pages": 4_096, "rows": rows, "notes": [] })
    }

    pub(crate) fn row(id: RowId, median_ns: f64) -> Value {
        let figures = json!({ "median_ns": median_ns, "mean_ns": median_ns, "spread": 0.001, "ratio": 1.0 });
        merged(json!(id), &figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_has_the_options_of_its_hook_set() {
        let command = Command::standard(DIRECT).hook_set(LEAN_KPROBES);
        assert_eq!(
            command.line(),
            "observer bench swapin --json --size 14M --rounds 5 --rows direct --pages fast --hooks lean --backend kprobe"
        );
    }
}
