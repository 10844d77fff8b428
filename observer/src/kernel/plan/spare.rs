//! Hooks that are not needed because others tell the same. Each hook on the way of a swap-in costs 1 to 2% of it.

use serde::Serialize;

use super::{Backend, Evidence, Hook, Meaning, Missing, State};

/// Functions of zswap, one of which every kernel that has it shows.
pub(super) const OF_ZSWAP: [&str; 4] = ["zswap_store", "zswap_load", "zswap_frontswap_store", "zswap_frontswap_load"];

/// A hook that could be attached, and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spared {
    /// The hook.
    #[serde(flatten)]
    pub hook: Hook,
    /// What tells the same.
    pub instead: &'static str,
}

/// Takes out of `hooks` what the others tell as well; what is missing and not needed is not missed.
pub(super) fn take(
    state: State,
    evidence: &Evidence<'_>,
    hooks: &mut Vec<Hook>,
    missing: &mut Vec<Missing>,
) -> Vec<Spared> {
    let all = std::mem::take(hooks);
    let instead = |meaning| instead_of(meaning, state, evidence, &all);
    missing.retain(|gap| instead(gap.meaning).is_none());
    let (spared, needed): (Vec<_>, Vec<_>) =
        all.iter().cloned().map(|hook| (instead(hook.meaning), hook)).partition(|(instead, _)| instead.is_some());
    hooks.extend(needed.into_iter().map(|(_, hook)| hook));
    spared.into_iter().filter_map(|(instead, hook)| Some(Spared { hook, instead: instead? })).collect()
}

/// What tells the same as the hooks of a meaning; `None`: nothing does.
fn instead_of(meaning: Meaning, state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> Option<&'static str> {
    let has = |meaning| hooks.iter().any(|hook| hook.meaning == meaning);
    match meaning {
        Meaning::ReadBegin | Meaning::ReadEnd if reads_told(state, evidence, hooks) => Some(
            "a flight that took the pin reads past the swap cache, any other read is added to the swap cache first",
        ),
        Meaning::Freed if state.has(Meaning::PinDrop) && has(Meaning::PinDrop) => {
            Some("nobody can free an entry under a reader that has pinned it")
        }
        Meaning::CountDrop if hooks.iter().any(|hook| hook.program == TELLS_BOTH) => {
            Some("the hook on released entries tells of every reference that goes")
        }
        _ => None,
    }
}

/// A program that tells of references and releases alike.
const TELLS_BOTH: &str = "freed_fexit_si_offset_usage";

/// Whether every read shows without a hook on it: the pin's result, what is added to the swap cache, and which path a
/// task is on that pins outside a flight (zswap adds pages to the swap cache that it does not read).
/// Where programs are skipped, each of these may be, and how many reads that hides could not be said.
fn reads_told(state: State, evidence: &Evidence<'_>, hooks: &[Hook]) -> bool {
    let symbols = evidence.symbols;
    let has_zswap = OF_ZSWAP.iter().any(|name| symbols.has(name) || !symbols.copies(name).is_empty());
    let by_trampoline = |meaning, symbols: &[&str]| {
        let hooked = |symbol: &&str| {
            hooks
                .iter()
                .any(|hook| hook.meaning == meaning && hook.symbol == **symbol && hook.backend <= Backend::Fexit)
        };
        symbols.iter().filter(|symbol| hooked(symbol)).count()
    };
    state.has(Meaning::PinDrop)
        && evidence.machine.preempts == Some(false)
        && by_trampoline(Meaning::PinTry, &["swapcache_prepare"]) == 1
        && by_trampoline(Meaning::HandedOut, &["add_to_swap_cache", "swap_cache_add_folio"]) == 1
        && by_trampoline(Meaning::PinPath, &["shmem_swapin_folio"]) == 1
        && (!has_zswap || by_trampoline(Meaning::PinPath, &["shrink_memcg_cb"]) == 1)
}
