//! What a kernel does about the race, by the shape of its code.

use serde::Serialize;

use super::Meaning;

/// Symbols that tell it.
pub(super) const SYMBOLS: &[&str] =
    &["swapcache_clear", "swapcache_prepare", "swapcache_wq", "swap_cache_alloc_folio", "swapin_folio", "swapin_sync"];

/// What this kernel does about two tasks that swap in the same entry past the swap cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing: CVE-2024-26759 is open.
    Unfixed,
    /// Pins the entry (13ddaf26be32); who loses sleeps one tick and faults again.
    PinnedTick,
    /// Pins the entry; who loses waits on a queue, one tick at most (01626a182302).
    PinnedWaitQueue,
    /// Nothing is read past the swap cache any more (7.0): the class is closed by design.
    NoBypass,
}

impl State {
    /// In words, as every output shows it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unfixed => "unfixed: ABA possible",
            Self::PinnedTick => "pinned, sleeps one tick",
            Self::PinnedWaitQueue => "pinned, wait queue",
            Self::NoBypass => "no bypass",
        }
    }

    /// Whether this meaning exists at all on such a kernel.
    pub const fn has(self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::PinTry => !matches!(self, Self::NoBypass),
            Meaning::PinDrop => matches!(self, Self::PinnedTick | Self::PinnedWaitQueue),
            _ => true,
        }
    }
}

/// Decides from symbols alone. `swapcache_clear` came with the fix, wherever it was backported to.
pub(super) fn judge(present: &dyn Fn(&str) -> bool) -> State {
    let no_bypass = ["swap_cache_alloc_folio", "swapin_folio", "swapin_sync"].iter().any(|name| present(name));
    if present("swapcache_clear") {
        if present("swapcache_wq") { State::PinnedWaitQueue } else { State::PinnedTick }
    } else if no_bypass && !present("swapcache_prepare") {
        State::NoBypass
    } else {
        State::Unfixed
    }
}
