//! What a kernel does about the race, by the shape of its code.

use super::meaning::Meaning;
use crate::{btf::Btf, codes, symbols::Symbols};

/// Functions that every kernel with swap has, in one version or another.
const OF_SWAP: [&str; 10] = [
    "si_swapinfo",
    "swapcache_prepare",
    "swapin_readahead",
    "swap_free",
    "swap_free_nr",
    "swap_readpage",
    "swap_read_folio",
    "swap_writepage",
    "swap_writeout",
    "add_to_swap_cache",
];

/// Symbols that decide it, with [`OF_SWAP`].
const SYMBOLS: &[&str] = &[
    "swap_info",
    "swapcache_clear",
    "swapcache_prepare",
    "swapcache_wq",
    "swap_cache_alloc_folio",
    "swapin_folio",
    "swapin_sync",
];

/// Names of the symbols that decide it.
pub(super) fn symbols() -> impl Iterator<Item = &'static str> {
    SYMBOLS.iter().copied().chain(OF_SWAP)
}

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
        /// Built without swap (`CONFIG_SWAP`): `do_swap_page` handles migration and similar entries only.
        NoSwap = "no_swap",
    } else {
        /// Nothing shows it (a kernel optimized at link time may have inlined what would), or a recording has a state
        /// that this version does not know.
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
        !matches!(self, Self::NoBypass | Self::NoSwap)
    }

    /// Whether a direct reader may lack the pin.
    pub const fn may_be_vulnerable(self) -> bool {
        self.reads_directly() && !self.pins()
    }

    /// Whether hooks of this meaning can exist on such a kernel.
    pub const fn has(self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::FaultStart | Meaning::FaultEnd => true,
            _ if matches!(self, Self::NoSwap) => false,
            Meaning::PinTry | Meaning::CacheRead => self.reads_directly(),
            Meaning::CacheTry | Meaning::PinSleep | Meaning::PinDrop | Meaning::PinPath => {
                self.pins() || matches!(self, Self::Unknown)
            }
            // Nothing can happen to an entry under a reader that has pinned it, and without the bypass every reader
            // has.
            Meaning::CountDrop => self.may_be_vulnerable(),
            Meaning::Watch | Meaning::Unknown => false,
            _ => true,
        }
    }

    /// Decides from symbols and types. `swapcache_clear` came with the fix, wherever it was backported to; a copy of it
    /// that the compiler made counts as well. So do the wait queue and the second parameter of `swapcache_prepare`,
    /// which came later. That none of them is there proves that the kernel lacks the fix only if functions of one file
    /// cannot be inlined into another.
    pub(super) fn of(symbols: &Symbols, btf: Option<&Btf>) -> Self {
        let present = |name: &str| symbols.has(name) || !symbols.copies(name).is_empty();
        let no_bypass = ["swap_cache_alloc_folio", "swapin_folio", "swapin_sync"].into_iter().any(present);
        let pins_ranges =
            || btf.and_then(|btf| btf.function("swapcache_prepare")).is_some_and(|found| found.params.len() > 1);
        if present("swapcache_clear") || present("swapcache_wq") || pins_ranges() {
            match (present("swapcache_wq"), present("swap_info")) {
                (true, _) => Self::PinnedWaitQueue,
                (false, true) => Self::PinnedTick,
                // Not even a variable that every kernel has is listed.
                (false, false) => Self::Pinned,
            }
        } else if no_bypass && !present("swapcache_prepare") {
            Self::NoBypass
        } else if present("swapcache_prepare") && !symbols.link_time_optimized {
            Self::Vulnerable
        } else if OF_SWAP.into_iter().any(present) || symbols.link_time_optimized {
            Self::Unknown
        } else {
            Self::NoSwap
        }
    }
}
