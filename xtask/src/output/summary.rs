//! Summaries: `observer record`, `report` and `stress` with `--json`.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) sources: Vec<Source>,
    pub(crate) kernel: Kernel,
    pub(crate) swaps: Vec<Swap>,
    /// Filters by option.
    pub(crate) filters: BTreeMap<String, String>,
    pub(crate) sample: Option<Sample>,
    pub(crate) swapins: SwapIns,
    pub(crate) swapouts: SwapOuts,
    pub(crate) faults: Faults,
    pub(crate) pins: Pins,
    pub(crate) verdicts: Verdicts,
    /// What is not seen, by verdict that the hooks may miss.
    #[serde(default)]
    pub(crate) not_observable: BTreeMap<String, Vec<String>>,
    pub(crate) wait_cost: WaitCost,
    pub(crate) budget: Option<Budget>,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) waits: Vec<Wait>,
    /// `None`: what the hooks in use cannot see, e.g. pin holds with lean hooks.
    pub(crate) distributions: BTreeMap<String, Option<Distribution>>,
    /// Events that were not observed, by cause.
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) overhead: Overhead,
    pub(crate) command: Option<Command>,
    /// Only `stress`.
    pub(crate) totals: Option<Totals>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Source {
    pub(crate) clocks: Clocks,
    pub(crate) elapsed_ns: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Clocks {
    pub(crate) monotonic_ns: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kernel {
    pub(crate) release: String,
    pub(crate) state: State,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) degraded: Vec<Degraded>,
    pub(crate) tick_ns: Option<u64>,
    /// With lean hooks one fault in this many is timed.
    pub(crate) timed_one_in: Option<u64>,
}

impl Kernel {
    pub(crate) fn is_hooked(&self, meaning: &str) -> bool {
        self.hooks.iter().any(|hook| hook.meaning == meaning)
    }

    pub(crate) fn is_degraded(&self, meaning: &str) -> bool {
        self.degraded.iter().any(|degraded| degraded.meaning == meaning)
    }
}

/// Whether the kernel has the fix for CVE-2024-26759.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Vulnerable,
    PinnedTick,
    PinnedWaitQueue,
    Pinned,
    NoBypass,
    NoSwap,
    Unknown,
}

impl State {
    /// For tables.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable (no fix for CVE-2024-26759)",
            Self::PinnedTick => "fixed by pin, one-tick sleep",
            Self::PinnedWaitQueue => "fixed by pin, wait queue",
            Self::Pinned => "fixed by pin, wait method unknown",
            Self::NoBypass => "not affected: swap cache never skipped",
            Self::NoSwap => "not affected: built without swap",
            Self::Unknown => "fix status unknown",
        }
    }

    pub(crate) const fn is_pinned(self) -> bool {
        matches!(self, Self::PinnedTick | Self::PinnedWaitQueue | Self::Pinned)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Hook {
    pub(crate) meaning: String,
    pub(crate) backend: Backend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backend {
    Fentry,
    Fexit,
    Kprobe,
    Kretprobe,
}

impl Backend {
    pub(crate) const fn is_kprobe(self) -> bool {
        matches!(self, Self::Kprobe | Self::Kretprobe)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Degraded {
    pub(crate) meaning: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Swap {
    /// The swap type, the first part of an entry.
    pub(crate) kind: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) one_in: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SwapIns {
    pub(crate) seen: u64,
    pub(crate) outside_faults: u64,
    /// None: a kernel before 5.12, which does not count skipped programs.
    pub(crate) dropped: Option<u64>,
    /// None: the kernel's counters were not readable.
    pub(crate) kernel: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SwapOuts {
    pub(crate) allocated: u64,
    pub(crate) written: u64,
    pub(crate) kernel: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Faults {
    pub(crate) started: u64,
    pub(crate) ended: u64,
    pub(crate) direct: u64,
    pub(crate) cached: u64,
    pub(crate) none: u64,
    pub(crate) streamed: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pins {
    /// Failed tries outside page faults. None: not observed with lean hooks.
    pub(crate) outside_failed: Option<u64>,
    pub(crate) outside: Option<OutsidePins>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OutsidePins {
    pub(crate) readahead: u64,
    pub(crate) shmem: u64,
    pub(crate) zswap: u64,
    pub(crate) other: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Verdicts {
    #[serde(deserialize_with = "seen")]
    pub(crate) overlap: u64,
    #[serde(deserialize_with = "seen")]
    pub(crate) lock_wait: u64,
    #[serde(deserialize_with = "seen")]
    pub(crate) pin_wait: u64,
    #[serde(deserialize_with = "seen")]
    pub(crate) window: u64,
    #[serde(deserialize_with = "seen")]
    pub(crate) reuse: u64,
    #[serde(deserialize_with = "seen")]
    pub(crate) stale_install: u64,
}

/// A count; `null`: none was seen, and [`Summary::not_observable`] has the verdict.
fn seen<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Summary {
    /// The exit code of an observation that found nothing and dropped nothing.
    pub(crate) fn clean_code(&self) -> i32 {
        if self.not_observable.is_empty() { 0 } else { 20 }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WaitCost {
    pub(crate) pin: KindOfWait,
    pub(crate) folio_lock: KindOfWait,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KindOfWait {
    pub(crate) waits: u64,
    /// Waits for another page of the same folio.
    pub(crate) neighbours: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Budget {
    /// Waits longer than the budget.
    pub(crate) over: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Remark {
    pub(crate) rule: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) verdict: String,
    /// `type:offset`.
    pub(crate) entry: String,
    /// `0x7f12`.
    pub(crate) address: String,
    pub(crate) reader: Task,
    pub(crate) start_ns: u64,
    pub(crate) read_start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) freed: Option<Action>,
    pub(crate) allocated: Option<Action>,
    pub(crate) written: Option<Action>,
}

/// Something that another task did to the entry of a reader.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Action {
    pub(crate) at_ns: u64,
    pub(crate) by: Task,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) pid: u64,
    pub(crate) tid: u64,
    pub(crate) comm: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Wait {
    pub(crate) task: Task,
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
    pub(crate) retries: u64,
    /// None: the release was not observed.
    pub(crate) oversleep_ns: Option<u64>,
    pub(crate) holder: Option<Holder>,
}

impl Wait {
    pub(crate) fn length_ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }

    pub(crate) fn is_for(&self, comm: &str) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.task.comm == comm)
    }
}

/// The task that held the pin or the lock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Holder {
    pub(crate) task: Task,
    pub(crate) taken_ns: Option<u64>,
    pub(crate) dropped_ns: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overhead {
    pub(crate) elapsed_ns: u64,
    pub(crate) records: u64,
    /// Disturbances left at the end, while which the programs are slower.
    pub(crate) disturbed: Option<u64>,
    /// Only with `--program-stats`.
    pub(crate) program_stats: Option<ProgramStats>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProgramStats {
    Counted(Vec<ProgramRun>),
    Refused(Refusal),
}

/// Why the kernel has no run-time statistics.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProgramRun {
    pub(crate) name: String,
    pub(crate) run_ns: u64,
}

/// The command given with `--`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Command {
    pub(crate) code: Option<i64>,
    /// Whether observer ended it.
    pub(crate) cut_short: bool,
}

/// Ground truth of `stress`, compared with what was flagged.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Totals {
    pub(crate) rounds: u64,
    pub(crate) lost: u64,
    pub(crate) flagged: u64,
    pub(crate) matched: u64,
    pub(crate) missed: u64,
    #[serde(rename = "false")]
    pub(crate) false_flags: u64,
    /// Only `stress storm`.
    pub(crate) explained: Option<u64>,
    /// Only `stress storm`.
    pub(crate) corrupt: Option<u64>,
}

/// Summaries for tests.
#[cfg(test)]
pub(crate) mod example {
    use serde_json::{Map, Value, json};

    /// A summary without events, of a kernel that observer counted nothing on.
    pub(crate) fn empty() -> Value {
        json!({
            "sources": [], "swaps": [], "filters": {}, "sample": null,
            "kernel": { "release": "6.12.117", "state": "pinned_wait_queue", "hooks": [], "degraded": [],
                "tick_ns": 4_000_000, "timed_one_in": null },
            "swapins": { "seen": 0, "outside_faults": 0, "dropped": 0, "kernel": 0 },
            "swapouts": { "allocated": 0, "written": 0, "kernel": 0 },
            "faults": { "started": 0, "ended": 0, "direct": 0, "cached": 0, "none": 0, "streamed": 0 },
            "pins": { "outside_failed": 0, "outside": { "readahead": 0, "shmem": 0, "zswap": 0, "other": 0 } },
            "verdicts": { "overlap": 0, "lock_wait": 0, "pin_wait": 0, "window": 0, "reuse": 0, "stale_install": 0 },
            "wait_cost": { "pin": { "waits": 0, "neighbours": 0 }, "folio_lock": { "waits": 0, "neighbours": 0 } },
            "budget": null, "remarks": [], "findings": [], "waits": [], "distributions": { "pin_hold": null }, "dropped": {},
            "overhead": { "elapsed_ns": 1_000_000_000, "records": 0, "disturbed": 0, "program_stats": null },
            "command": null,
        })
    }

    /// [`empty`] with the values of `change`, object by object.
    pub(crate) fn with(change: &Value) -> Value {
        merged(empty(), change)
    }

    /// `base` with the values of `change`. Objects are merged key by key, everything else is replaced.
    pub(crate) fn merged(base: Value, change: &Value) -> Value {
        let (Value::Object(mut base), Value::Object(change)) = (base, change) else { return change.clone() };
        for (key, value) in change {
            let merged = match base.remove(key) {
                Some(old) => merged(old, value),
                None => merged(Value::Object(Map::new()), value),
            };
            base.insert(key.clone(), merged);
        }
        Value::Object(base)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_without_a_key_is_refused() {
        let whole = example::empty();
        assert!(serde_json::from_value::<Summary>(whole.clone()).is_ok());
        for key in ["verdicts", "dropped", "findings", "overhead"] {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(key);
            assert!(serde_json::from_value::<Summary>(without).is_err(), "{key}");
        }
    }

    #[test]
    fn examples_are_merged_key_by_key() {
        let summary: Summary =
            serde_json::from_value(example::with(&json!({ "swapins": { "seen": 3 }, "dropped": { "x": 1 } }))).unwrap();
        assert_eq!((summary.swapins.seen, summary.swapins.kernel), (3, Some(0)));
        assert_eq!(summary.dropped.get("x"), Some(&1));
    }
}
