//! What a kernel does about the race, by the shape of its code.

use super::meaning::Meaning;
use crate::{codes, symbols::Symbols};

/// Symbols that decide it.
pub(super) const SYMBOLS: &[&str] = &[
    "swap_info",
    "swapcache_clear",
    "swapcache_prepare",
    "swapcache_wq",
    "swap_cache_alloc_folio",
    "swapin_folio",
    "swapin_sync",
];

codes! {
    /// What this kernel does about two tasks that swap in the same entry directly, without the swap cache.
    #[derive(Default)]
    pub enum State {
        /// Nothing: the kernel lacks the fix for CVE-2024-26759.
        Vulnerable = "vulnerable",
        /// Pins the entry (<https://git.kernel.org/torvalds/c/13ddaf26be32>); a task that finds it pinned sleeps one
        /// tick and faults again.
        PinnedTick = "pinned_tick",
        /// Pins the entry; a task that finds it pinned waits on a queue, one tick at most
        /// (<https://git.kernel.org/torvalds/c/01626a182302>).
        PinnedWaitQueue = "pinned_wait_queue",
        /// Pins the entry; this kernel does not list its variables (`CONFIG_KALLSYMS_ALL` is off), so how a task waits
        /// is unknown.
        Pinned = "pinned",
        /// Every read goes through the swap cache (7.0): the race cannot happen.
        NoBypass = "no_bypass",
    } else {
        /// The symbols do not show it, or a recording has a state that this version does not know.
        #[default]
        Unknown = "unknown"
    }
}

impl State {
    /// Whether such a kernel pins entries that are read directly.
    pub const fn pins(self) -> bool {
        matches!(self, Self::PinnedTick | Self::PinnedWaitQueue | Self::Pinned)
    }

    /// Whether such a kernel reads pages without the swap cache.
    pub const fn reads_directly(self) -> bool {
        !matches!(self, Self::NoBypass)
    }

    /// Whether hooks of this meaning can exist on such a kernel.
    pub const fn has(self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::PinTry | Meaning::CacheRead => !matches!(self, Self::NoBypass),
            Meaning::PinSleep | Meaning::PinDrop | Meaning::PinPath => self.pins(),
            // Nothing can happen to an entry under a reader that has pinned it, and without the bypass every reader
            // has.
            Meaning::CountDrop => matches!(self, Self::Vulnerable),
            Meaning::Unknown => false,
            _ => true,
        }
    }

    /// Decides from symbols alone. `swapcache_clear` came with the fix, wherever it was backported to; a copy of it
    /// that the compiler made counts as well.
    pub(super) fn of_symbols(symbols: &Symbols) -> Self {
        let present = |name: &str| symbols.has(name) || !symbols.copies(name).is_empty();
        let no_bypass = ["swap_cache_alloc_folio", "swapin_folio", "swapin_sync"].into_iter().any(present);
        if present("swapcache_clear") {
            match (present("swapcache_wq"), present("swap_info")) {
                (true, _) => Self::PinnedWaitQueue,
                (false, true) => Self::PinnedTick,
                // Not even a variable that every kernel has is listed.
                (false, false) => Self::Pinned,
            }
        } else if no_bypass && !present("swapcache_prepare") {
            Self::NoBypass
        } else {
            Self::Vulnerable
        }
    }
}
