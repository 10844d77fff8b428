//! Hooks that are possible and not attached: other hooks give the same information, or the lean set omits them. Each hook
//! on the way of a swap-in costs 1 to 2% of it.

use serde::Serialize;

use super::{
    backend::HookSet,
    evidence::Evidence,
    hook::{Hook, Scope},
    meaning::Meaning,
    missing::{Consequence, Missing, MissingReason},
    state::State,
};
use crate::codes;

/// Functions of zswap; a kernel that has zswap shows at least one.
pub(super) const OF_ZSWAP: [&str; 4] = ["zswap_store", "zswap_load", "zswap_frontswap_store", "zswap_frontswap_load"];

/// Adds pages that are on their way out of zswap to the swap cache.
pub(super) const ZSWAP_PATH: &str = "shrink_memcg_cb";

/// The function of shmem that reads pages in.
pub(super) const SHMEM: &str = "shmem_swapin_folio";

/// A hook that is possible and not attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redundant {
    #[serde(flatten)]
    pub hook: Hook,
    pub instead: Instead,
}

codes! {
    /// What gives the same information as a hook, or why no verdict needs it.
    pub enum Instead {
        /// A fault that does not go through the swap cache reads directly; any other read is added to the swap cache first.
        ReadsFollow = "reads_follow",
        ReadsHooked = "reads_hooked",
        /// The hook on the pin reports each failed try with its error.
        PinTryHooked = "pin_try_hooked",
        /// An entry cannot be freed under a reader that has pinned it.
        PinnedEntriesStay = "pinned_entries_stay",
        /// The hook on released entries reports every dropped reference.
        ReleaseHooked = "release_hooked",
        /// The times of a read are evidence of a finding and decide none.
        ReadTimesAreEvidence = "read_times_are_evidence",
        /// A task that finds the entry pinned sleeps, which is hooked; a direct reader holds the pin.
        PinSleepHooked = "pin_sleep_hooked",
        /// Nothing happens to an entry while it is pinned, whoever holds the pin.
        PinProtects = "pin_protects",
        /// Pins outside faults are not seen, so it does not matter which path takes them.
        PinsOutsideUnseen = "pins_outside_unseen",
        /// Nothing is read directly, so nothing follows from a release.
        NothingReadDirectly = "nothing_read_directly",
    } else {
        Unknown = "unknown"
    }
}

/// Takes out of `hooks` those that others make redundant and those that the set omits. A meaning that others make redundant
/// is not missing either.
pub(super) fn take(
    state: State,
    evidence: &Evidence<'_>,
    hooks: &mut Vec<Hook>,
    missing: &mut Vec<Missing>,
) -> Vec<Redundant> {
    let all = std::mem::take(hooks);
    missing.retain(|gap| instead_of(gap.meaning, state, evidence, &all).is_none());
    let mut redundant = Vec::new();
    for hook in &all {
        if let Some(instead) = instead_of(hook.meaning, state, evidence, &all) {
            redundant.push(Redundant { hook: hook.clone(), instead });
        } else if let Some(Omission { instead, consequence }) = omission(hook, state, evidence.set, &all) {
            redundant.push(Redundant { hook: hook.clone(), instead });
            let known = missing.iter().any(|gap| gap.meaning == hook.meaning);
            if let Some(consequence) = consequence.filter(|_| !known) {
                let reason = MissingReason::Lean { symbol: hook.symbol.clone(), instead };
                missing.push(Missing { meaning: hook.meaning, reason, consequence, partial: false });
            }
        } else {
            hooks.push(hook.clone());
        }
    }
    redundant
}

/// What gives the same information as the hooks of a meaning; `None`: nothing does.
fn instead_of(meaning: Meaning, state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> Option<Instead> {
    let has = |meaning| hooks.iter().any(|hook| hook.meaning == meaning);
    match meaning {
        Meaning::ReadStart | Meaning::ReadEnd if reads_follow(state, evidence, hooks) => Some(Instead::ReadsFollow),
        Meaning::CacheRead if !reads_follow(state, evidence, hooks) && !read_hook_leaves_path(state, evidence) => {
            Some(Instead::ReadsHooked)
        }
        Meaning::PinSleep if evidence.set == HookSet::Full && has(Meaning::PinTry) => Some(Instead::PinTryHooked),
        Meaning::Freed if state.pins() && has(Meaning::PinDrop) => Some(Instead::PinnedEntriesStay),
        Meaning::CountDrop if hooks.iter().any(|hook| hook.program.scope == Scope::EveryReference) => {
            Some(Instead::ReleaseHooked)
        }
        _ => None,
    }
}

/// Whether the hook on reads leaves it to the hook on the swap cache to tell direct and cached faults apart: where the lean
/// set cannot omit the hook on direct reads.
fn read_hook_leaves_path(state: State, evidence: &Evidence<'_>) -> bool {
    state == State::Vulnerable && evidence.set == HookSet::Lean
}

/// Whether every read is known without a hook on it: from the faults that go through the swap cache, from the pages that
/// are added to it, and from the path of a task that adds pages outside a fault (zswap adds pages that it does not read).
/// Shmem may read directly as well (6.14 on), which only its pins show: the lean set omits these.
fn reads_follow(state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> bool {
    let symbols = evidence.symbols;
    let has_zswap = OF_ZSWAP.iter().any(|name| symbols.has(name) || !symbols.copies(name).is_empty());
    let hooked = |meaning, symbols: &[&str]| {
        hooks.iter().any(|hook| hook.meaning == meaning && symbols.contains(&hook.symbol.as_str()))
    };
    state.pins()
        && hooked(Meaning::CacheRead, &["swapin_readahead"])
        && hooked(Meaning::Allocated, &["add_to_swap_cache", "swap_cache_add_folio"])
        && (evidence.set == HookSet::Lean || hooked(Meaning::PinTry, &["swapcache_prepare"]))
        && (!has_zswap || hooked(Meaning::PinPath, &[ZSWAP_PATH]))
}

/// A hook that the lean set omits.
struct Omission {
    /// Why no verdict needs it.
    instead: Instead,
    /// What is not seen without it; `None`: the state of the kernel says it already.
    consequence: Option<Consequence>,
}

/// Whether the set omits a hook; `all`: the hooks that are possible on this kernel.
fn omission(hook: &Hook, state: State, set: HookSet, all: &[Hook]) -> Option<Omission> {
    if set == HookSet::Full {
        return None;
    }
    let has = |meaning| all.iter().any(|hook| hook.meaning == meaning);
    let (instead, consequence) = match hook.meaning {
        Meaning::ReadEnd => (Instead::ReadTimesAreEvidence, Some(Consequence::ReadTimesUnknown)),
        Meaning::PinTry if state.pins() && has(Meaning::PinSleep) => {
            (Instead::PinSleepHooked, Some(Consequence::PinErrorsUnseen))
        }
        Meaning::PinDrop => (Instead::PinProtects, Some(Consequence::PinHoldsUnknown)),
        Meaning::PinPath if hook.symbol == SHMEM && has(Meaning::PinSleep) => {
            (Instead::PinsOutsideUnseen, Some(Consequence::ShmemReadsUnseen))
        }
        Meaning::Freed if state.pins() => (Instead::PinnedEntriesStay, None),
        Meaning::Freed if state == State::NoBypass => (Instead::NothingReadDirectly, None),
        _ => return None,
    };
    Some(Omission { instead, consequence })
}
