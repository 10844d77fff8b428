//! The kernel that was observed, and how it was hooked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use observer_kernel::plan::{HookSet, Missing, Plan};

/// The kernel and how it is hooked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// As `uname -m` prints it.
    pub arch: String,
    /// What it does about the race, in words.
    pub state: String,
    /// Which hooks: `full` or `lean`; empty: a recording of before there was a choice, full.
    pub hooks: String,
    /// Of faults one in so many was timed, chosen at random; 0 (older recordings) and 1: every one.
    pub timed_one_in: u32,
    /// By meaning: backend and function.
    pub backend: BTreeMap<String, String>,
    /// Why each hook is where it is.
    pub reasons: Vec<Reason>,
    /// What cannot be told on this kernel.
    pub degraded: Vec<Degraded>,
    /// Length of a tick, nanoseconds.
    pub tick_ns: Option<u64>,
}

/// One hook and its reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reason {
    /// What the hook is for.
    pub hook: String,
    /// The kernel's function.
    pub symbol: String,
    /// Why this function and this backend.
    pub reason: String,
}

/// A meaning that has no hook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Degraded {
    /// Its name in JSON.
    pub meaning: String,
    /// Its name in words.
    pub hook: String,
    /// Why there is none.
    pub reason: String,
    /// What cannot be told without it.
    pub consequence: String,
}

impl Kernel {
    /// Whether nothing told of pins although this kernel has them: with lean hooks, or where they cannot be hooked.
    pub fn pins_unseen(&self) -> bool {
        self.degraded.iter().any(|gap| gap.meaning == "pin_try")
    }

    /// Whether nothing told of how long pins were held, although this kernel has them.
    pub fn holds_unseen(&self) -> bool {
        self.degraded.iter().any(|gap| gap.meaning == "pin_drop")
    }

    /// Whether the lean set of hooks was attached.
    pub fn is_lean(&self) -> bool {
        self.hooks == HookSet::Lean.name()
    }

    /// What must be said of durations where not every fault was timed.
    pub fn timed_in_part(&self) -> Option<String> {
        let one_in = self.timed_one_in;
        let words =
            format!("how long swap-ins took is told of one in {one_in}, chosen at random; all of them are counted");
        (one_in > 1).then_some(words)
    }

    /// From a release and a plan.
    pub fn new(release: &str, arch: &str, tick_ns: Option<u64>, plan: &Plan) -> Self {
        Self {
            release: release.to_owned(),
            arch: arch.to_owned(),
            state: plan.state.words().to_owned(),
            hooks: plan.set.name().to_owned(),
            timed_one_in: plan.set.timed_one_in(),
            backend: plan.backends().into_iter().map(|(meaning, how)| (meaning.to_owned(), how)).collect(),
            reasons: plan
                .hooks
                .iter()
                .map(|hook| Reason {
                    hook: hook.meaning.name().to_owned(),
                    symbol: hook.symbol.clone(),
                    reason: hook.reason.clone(),
                })
                .collect(),
            degraded: plan.missing.iter().map(Degraded::from).collect(),
            tick_ns,
        }
    }
}

impl From<&Missing> for Degraded {
    fn from(missing: &Missing) -> Self {
        let meaning = serde_json::to_value(missing.meaning).ok();
        Self {
            meaning: meaning.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default(),
            hook: missing.meaning.name().to_owned(),
            reason: missing.reason.clone(),
            consequence: missing.consequence.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_not_every_fault_was_timed_is_said() {
        let said = |timed_one_in| Kernel { timed_one_in, ..Kernel::default() }.timed_in_part();
        assert_eq!((said(0), said(1)), (None, None), "older recordings, and the full set");
        assert!(said(8).unwrap().contains("one in 8"));
    }
}
