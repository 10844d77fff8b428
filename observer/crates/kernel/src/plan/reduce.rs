//! Omits hooks that other hooks make redundant, and those that the lean set does not need. Each hook on the way of a
//! swap-in costs 1 to 2% of it.

use super::{
    backend::HookSet,
    evidence::Evidence,
    hook::{Hook, Scope},
    meaning::Meaning,
    missing::{Consequence, Missing, MissingReason},
    redundant::{Instead, Redundant},
    state::State,
};

/// Functions of zswap; a kernel that has zswap shows at least one.
pub(super) const OF_ZSWAP: [&str; 4] = ["zswap_store", "zswap_load", "zswap_frontswap_store", "zswap_frontswap_load"];

/// Adds pages that zswap writes back to the swap cache.
pub(super) const ZSWAP_PATH: &str = "shrink_memcg_cb";

/// The function of shmem that reads pages in.
const SHMEM: &str = "shmem_swapin_folio";

/// Takes out of `hooks` those that others make redundant and those that the set omits. A meaning that others make
/// redundant is not missing either.
pub(super) fn omit(
    state: State,
    evidence: &Evidence<'_>,
    hooks: &mut Vec<Hook>,
    missing: &mut Vec<Missing>,
) -> Vec<Redundant> {
    let all = std::mem::take(hooks);
    // What is seen only in part stands in for nothing else.
    let in_part = |hook: &Hook| missing.iter().any(|gap| gap.partial && gap.meaning == hook.meaning);
    let whole: Vec<Hook> = all.iter().filter(|hook| !in_part(hook)).cloned().collect();
    missing.retain(|gap| instead_of(gap.meaning, state, evidence, &whole).is_none());
    let mut redundant = Vec::new();
    for hook in &all {
        if let Some(instead) = instead_of(hook.meaning, state, evidence, &whole) {
            redundant.push(Redundant { hook: hook.clone(), instead });
        } else if let Some(Omission { instead, consequence }) = omission(hook, state, evidence.set, &whole) {
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

/// What gives the same information as the hooks of a meaning; `None`: nothing does. `hooks`: those that see everything
/// of their meaning.
fn instead_of(meaning: Meaning, state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> Option<Instead> {
    let has = |meaning| hooks.iter().any(|hook| hook.meaning == meaning);
    match meaning {
        Meaning::ReadStart | Meaning::ReadEnd if reads_follow(state, evidence, hooks) => Some(Instead::ReadsFollow),
        Meaning::CacheRead if !reads_follow(state, evidence, hooks) && !read_hook_leaves_path(state, evidence) => {
            Some(Instead::ReadsHooked)
        }
        // The lean set omits the hook on the pin only where the kernel is known to pin.
        Meaning::PinSleep | Meaning::CacheTry
            if has(Meaning::PinTry) && !(evidence.set == HookSet::Lean && state.pins()) =>
        {
            Some(Instead::PinTryHooked)
        }
        Meaning::Freed if state.pins() && has(Meaning::PinDrop) => Some(Instead::PinnedEntriesStay),
        Meaning::CountDrop if hooks.iter().any(|hook| hook.program.scope == Scope::EveryReference) => {
            Some(Instead::ReleaseHooked)
        }
        _ => None,
    }
}

/// Whether the hook on the swap cache, not the hook on reads, decides the path of a fault: where the lean set cannot
/// omit the hook on direct reads.
fn read_hook_leaves_path(state: State, evidence: &Evidence<'_>) -> bool {
    state.may_be_vulnerable() && evidence.set == HookSet::Lean
}

/// Whether every read is known without a hook on it: from the faults that go through the swap cache, from the pages
/// that are added to it, and from the path of a task that adds pages outside a fault (zswap adds pages that it does not
/// read). Shmem may read directly as well (6.14 on), which only its pins show: the lean set omits these.
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

/// Whether the set omits a hook; `all`: the hooks that are possible on this kernel and see everything of their meaning.
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
