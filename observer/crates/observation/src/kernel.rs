//! The kernel that was observed, and how it was hooked.

use serde::{Deserialize, Serialize};

use crate::recording::Note;
use observer_kernel::plan::{
    Backend, Consequence, Hook, HookReason, HookSet, Meaning, Missing, MissingReason, Plan, State,
};

/// The kernel and how it is hooked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// As `uname -m` prints it.
    pub arch: String,
    /// What it does about the race.
    pub state: State,
    pub hook_set: HookSet,
    /// One fault in this many, chosen at random, was timed; 0 (older recordings) and 1: every one.
    pub timed_one_in: u32,
    pub hooks: Vec<HookUse>,
    /// What this kernel does not allow, or the hook set omits.
    pub degraded: Vec<Degraded>,
    pub tick_ns: Option<u64>,
}

/// A hook that was attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookUse {
    pub meaning: Meaning,
    pub backend: Backend,
    /// The kernel's function.
    pub symbol: String,
    pub reason: HookReason,
}

/// A meaning that has no hook, or only some of its hooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    pub meaning: Meaning,
    pub reason: MissingReason,
    pub consequence: Consequence,
    /// Other functions of the same meaning were hooked, so only a part was not seen.
    #[serde(default)]
    pub partial: bool,
}

impl Kernel {
    pub fn new(release: &str, arch: &str, tick_ns: Option<u64>, plan: &Plan) -> Self {
        Self {
            release: release.to_owned(),
            arch: arch.to_owned(),
            state: plan.state,
            hook_set: plan.set,
            timed_one_in: plan.set.timed_one_in(),
            hooks: plan.hooks.iter().map(HookUse::from).collect(),
            degraded: plan.missing.iter().map(Degraded::from).collect(),
            tick_ns,
        }
    }

    /// Whether a meaning was hooked.
    pub fn has(&self, meaning: Meaning) -> bool {
        self.hooks.iter().any(|hook| hook.meaning == meaning)
    }

    /// Whether pins were not seen although this kernel has them: with lean hooks, or where they cannot be hooked.
    pub fn pins_unseen(&self) -> bool {
        self.lacks(Meaning::PinTry)
    }

    /// Whether the length of pin holds was not seen although this kernel has pins.
    pub fn holds_unseen(&self) -> bool {
        self.lacks(Meaning::PinDrop)
    }

    fn lacks(&self, meaning: Meaning) -> bool {
        self.degraded.iter().any(|gap| gap.meaning == meaning)
    }

    pub fn is_lean(&self) -> bool {
        self.hook_set == HookSet::Lean
    }

    /// What a reader of durations must know, where not every fault was timed.
    pub fn timing_note(&self) -> Option<Note> {
        (self.timed_one_in > 1).then_some(Note::FaultsTimed { one_in: self.timed_one_in })
    }
}

impl From<&Hook> for HookUse {
    fn from(hook: &Hook) -> Self {
        let Hook { meaning, symbol, backend, reason, .. } = hook;
        Self { meaning: *meaning, backend: *backend, symbol: symbol.clone(), reason: reason.clone() }
    }
}

impl From<&Missing> for Degraded {
    fn from(missing: &Missing) -> Self {
        let Missing { meaning, reason, consequence, partial } = missing;
        Self { meaning: *meaning, reason: reason.clone(), consequence: *consequence, partial: *partial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_faults_timed_is_noted() {
        let note = |timed_one_in| Kernel { timed_one_in, ..Kernel::default() }.timing_note();
        assert_eq!(note(0), None, "older recordings");
        assert_eq!(note(1), None, "the full set");
        assert_eq!(note(8), Some(Note::FaultsTimed { one_in: 8 }));
    }

    #[test]
    fn codes_that_this_version_does_not_know_can_be_read() {
        let json =
            r#"{"state":"later","degraded":[{"meaning":"later","reason":{"code":"later"},"consequence":"later"}]}"#;
        let kernel: Kernel = serde_json::from_str(json).unwrap();
        let gap = Degraded {
            meaning: Meaning::Unknown,
            reason: MissingReason::Unknown,
            consequence: Consequence::Unknown,
            partial: false,
        };
        assert_eq!(kernel, Kernel { state: State::Unknown, degraded: vec![gap], ..Kernel::default() });
    }
}
