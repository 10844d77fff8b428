//! What a kernel does about the race, by the shape of its code.

use serde::Serialize;

use super::Meaning;
use crate::symbols::Symbols;

/// Symbols that tell it.
pub(super) const SYMBOLS: &[&str] = &[
    "swap_info",
    "swapcache_clear",
    "swapcache_prepare",
    "swapcache_wq",
    "swap_cache_alloc_folio",
    "swapin_folio",
    "swapin_sync",
];

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
    /// Pins the entry; this kernel does not list its variables (`CONFIG_KALLSYMS_ALL` is off), so which of the two ways
    /// of waiting it has cannot be told.
    Pinned,
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
            Self::Pinned => "pinned, way of waiting not shown",
            Self::NoBypass => "no bypass",
        }
    }

    /// Whether this meaning exists at all on such a kernel.
    pub const fn has(self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::PinTry | Meaning::CacheRead => !matches!(self, Self::NoBypass),
            Meaning::PinSleep | Meaning::PinDrop | Meaning::PinPath => {
                matches!(self, Self::PinnedTick | Self::PinnedWaitQueue | Self::Pinned)
            }
            // A pinned reader cannot be overtaken, and without the bypass nobody can.
            Meaning::CountDrop => matches!(self, Self::Unfixed),
            _ => true,
        }
    }
}

/// Decides from symbols alone. `swapcache_clear` came with the fix, wherever it was backported to; a copy of it that the
/// compiler made says so as well.
pub(super) fn judge(symbols: &Symbols) -> State {
    let present = |name: &str| symbols.has(name) || !symbols.copies(name).is_empty();
    let no_bypass = ["swap_cache_alloc_folio", "swapin_folio", "swapin_sync"].into_iter().any(present);
    if present("swapcache_clear") {
        match (present("swapcache_wq"), present("swap_info")) {
            (true, _) => State::PinnedWaitQueue,
            (false, true) => State::PinnedTick,
            // Not even a variable that every kernel has.
            (false, false) => State::Pinned,
        }
    } else if no_bypass && !present("swapcache_prepare") {
        State::NoBypass
    } else {
        State::Unfixed
    }
}
