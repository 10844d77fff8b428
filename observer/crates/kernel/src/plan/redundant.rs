//! Hooks that are not attached: others tell the same, or the lean set does without. Each hook on the way of a swap-in costs 1 to 2% of it.

use serde::Serialize;

use super::{Evidence, Hook, HookSet, Meaning, Missing, State, lean};

/// Functions of zswap, one of which every kernel that has it shows.
pub(super) const OF_ZSWAP: [&str; 4] = ["zswap_store", "zswap_load", "zswap_frontswap_store", "zswap_frontswap_load"];

/// A hook that could be attached, and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redundant {
    /// The hook.
    #[serde(flatten)]
    pub hook: Hook,
    /// What tells the same, or why the set does without.
    pub instead: &'static str,
}

/// Takes out of `hooks` what the others tell as well, and what the set does without; what is missing and not needed is not
/// missed.
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
        let instead = instead_of(hook.meaning, state, evidence, &all);
        let of_set = evidence.set == HookSet::Lean && instead.is_none();
        let left_out = of_set.then(|| lean::left_out(hook, state, &all)).flatten();
        let Some(instead) = instead.or(left_out.map(|left_out| left_out.why)) else {
            hooks.push(hook.clone());
            continue;
        };
        redundant.push(Redundant { hook: hook.clone(), instead });
        let not_seen = left_out.and_then(|left_out| left_out.not_seen);
        if let Some(not_seen) = not_seen.filter(|_| missing.iter().all(|gap| gap.meaning != hook.meaning)) {
            let reason = format!("--hooks lean leaves out {}: {instead}", hook.symbol);
            missing.push(Missing { meaning: hook.meaning, reason, consequence: not_seen.to_owned() });
        }
    }
    redundant
}

/// What tells the same as the hooks of a meaning; `None`: nothing does.
fn instead_of(meaning: Meaning, state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> Option<&'static str> {
    let has = |meaning| hooks.iter().any(|hook| hook.meaning == meaning);
    match meaning {
        Meaning::ReadStart | Meaning::ReadEnd if reads_told(state, evidence, hooks) => Some(
            "a fault that does not go through the swap cache reads past it, any other read is added to the swap cache \
             first",
        ),
        Meaning::CacheRead if !reads_told(state, evidence, hooks) && !parts_reads(state, evidence) => {
            Some("reads are hooked themselves")
        }
        Meaning::PinSleep if evidence.set == HookSet::Full && has(Meaning::PinTry) => {
            Some("the hook on the pin tells of who loses it, and with which error")
        }
        Meaning::Freed if state.has(Meaning::PinDrop) && has(Meaning::PinDrop) => Some(lean::PINNED),
        Meaning::CountDrop if hooks.iter().any(|hook| hook.program == TELLS_BOTH) => {
            Some("the hook on released entries tells of every reference that goes")
        }
        _ => None,
    }
}

/// Whether the hook on reads leaves it to the one on the way through the swap cache to tell the two ways apart: where the
/// lean set cannot do without a hook on reads past the cache.
fn parts_reads(state: State, evidence: &Evidence<'_>) -> bool {
    state == State::Unfixed && evidence.set == HookSet::Lean
}

/// What adds pages on their way out of zswap.
pub(super) const ZSWAP_PATH: &str = "shrink_memcg_cb";

/// A program that tells of references and releases alike.
pub(super) const TELLS_BOTH: &str = "freed_fexit_si_offset_usage";

/// Whether every read shows without a hook on it: by who goes through the swap cache, by what is added to it, and by which
/// path a task is on that adds pages outside a fault (zswap adds pages that it does not read). Shmem may read past the
/// swap cache as well (6.14 on), which only its pins tell: the lean set does without.
fn reads_told(state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> bool {
    let symbols = evidence.symbols;
    let has_zswap = OF_ZSWAP.iter().any(|name| symbols.has(name) || !symbols.copies(name).is_empty());
    let hooked = |meaning, symbols: &[&str]| {
        hooks.iter().any(|hook| hook.meaning == meaning && symbols.contains(&hook.symbol.as_str()))
    };
    state.has(Meaning::PinDrop)
        && hooked(Meaning::CacheRead, &["swapin_readahead"])
        && hooked(Meaning::Allocated, &["add_to_swap_cache", "swap_cache_add_folio"])
        && (evidence.set == HookSet::Lean || hooked(Meaning::PinTry, &["swapcache_prepare"]))
        && (!has_zswap || hooked(Meaning::PinPath, &[ZSWAP_PATH]))
}
