//! What follows from a plan for the programs: how they are told what is hooked, and what is not.

use super::{Hook, HookSet, Meaning, Plan, State, redundant};

impl Plan {
    /// Whether faults may be about several entries at once: large folios are pinned, or shared in the swap cache. Where
    /// the pin takes one entry, and where there is none yet, each fault reads one.
    pub fn takes_ranges(&self) -> bool {
        let one_each = self.of(Meaning::PinTry).any(|hook| hook.program.ends_with("_entry"));
        self.state != State::Unfixed && !one_each
    }

    /// Whether direct readers are taken to have the pin, which no hook tells of: on this kernel none reads without it.
    pub fn pins_untold(&self) -> bool {
        self.state.has(Meaning::PinDrop) && self.of(Meaning::PinTry).next().is_none()
    }

    /// Whether every read from a swap device is told of, by a hook on it or without one.
    pub fn tells_reads(&self) -> bool {
        self.missing.iter().all(|gap| gap.meaning != Meaning::ReadStart)
    }

    /// Whether a hook on reads is to tell of them, even where there is none.
    pub fn hooks_reads(&self) -> bool {
        self.of(Meaning::ReadStart).next().is_some() || !self.tells_reads()
    }

    /// Whether who has read past the swap cache shows at the end of its fault: where reads are not hooked, and where the
    /// hook need not run through for such a read (docs/decisions/lean.md).
    pub fn direct_by_end(&self) -> bool {
        !self.hooks_reads() || self.set == HookSet::Lean && self.of(Meaning::CacheRead).next().is_some()
    }

    /// Whether one hook tells of every reference to an entry that goes, released with it or not.
    pub fn tells_every_reference(&self) -> bool {
        self.hooks.iter().any(|hook| hook.program == redundant::TELLS_BOTH)
    }

    /// Whether what other hooks tell would be wrong without this one. By which path somebody pins is evidence only, but for
    /// zswap's where reads are not hooked: it adds pages that nobody reads, which would count as reads.
    pub fn rests_on(&self, hook: &Hook) -> bool {
        hook.meaning != Meaning::PinPath || !self.hooks_reads() && hook.symbol == redundant::ZSWAP_PATH
    }
}
