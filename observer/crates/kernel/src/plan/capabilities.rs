//! What follows from a plan: what the programs are configured with, and what the counters mean.

use super::{
    Plan,
    backend::HookSet,
    hook::{Hook, Scope},
    meaning::Meaning,
    reduce::ZSWAP_PATH,
    state::State,
};

impl Plan {
    /// Whether a fault may cover several entries: large folios are pinned, or shared in the swap cache. Where the pin
    /// covers one entry, and where there is no pin yet, each fault reads one.
    pub fn takes_ranges(&self) -> bool {
        let one_entry = self.of(Meaning::PinTry).any(|hook| hook.program.scope == Scope::OneEntry);
        self.state != State::Vulnerable && !one_entry
    }

    /// Whether direct readers are assumed to hold the pin although no hook reports it: on this kernel no read is
    /// direct without it.
    pub fn assumes_pins(&self) -> bool {
        self.state.pins() && !self.has(Meaning::PinTry)
    }

    /// Whether every read from a swap device is known, by a hook on it or without one.
    pub fn knows_reads(&self) -> bool {
        self.missing.iter().all(|gap| gap.meaning != Meaning::ReadStart)
    }

    /// Whether reads are counted by a hook on them, even where that hook is missing.
    pub fn hooks_reads(&self) -> bool {
        self.has(Meaning::ReadStart) || !self.knows_reads()
    }

    /// Whether the end of a fault decides if it read directly: where reads are not hooked, and where the hook on reads
    /// need not run to its end for a direct read (docs/decisions/lean.md).
    pub fn direct_by_end(&self) -> bool {
        !self.hooks_reads() || self.set == HookSet::Lean && self.has(Meaning::CacheRead)
    }

    /// Whether one hook reports every reference to an entry that is dropped, released with it or not.
    pub fn reports_every_reference(&self) -> bool {
        self.hooks.iter().any(|hook| hook.program.scope == Scope::EveryReference)
    }

    /// Whether results of other hooks would be wrong without this one. The path of a pin is only evidence, except for
    /// zswap's where reads are not hooked: it adds pages that are not read, which would count as reads.
    pub fn rests_on(&self, hook: &Hook) -> bool {
        hook.meaning != Meaning::PinPath || !self.hooks_reads() && hook.symbol == ZSWAP_PATH
    }

    /// Whether a skipped run of this hook's program may hide a read: that of the hook on reads, or else of the hooks
    /// that reads follow from (shmem's reads follow from its pins).
    pub fn counts_reads(&self, hook: &Hook) -> bool {
        if self.has(Meaning::ReadStart) {
            hook.meaning == Meaning::ReadStart
        } else {
            matches!(hook.meaning, Meaning::FaultStart | Meaning::FaultEnd | Meaning::Allocated | Meaning::PinTry)
        }
    }
}
