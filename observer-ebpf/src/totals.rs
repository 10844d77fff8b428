//! What one CPU adds up: counters and histograms in one value, so that the end of a fault looks up once for both. On kernels
//! before 6.10 each look-up in a per-CPU map is a call.

use bytemuck::{Pod, Zeroable};

use crate::{counter::Counters, histogram};

/// Buckets of all histograms together.
pub const BUCKETS: usize = (histogram::PATHS * histogram::BUCKETS) as usize;

/// Everything that is added up on one CPU; user space adds the CPUs up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Totals {
    /// The counters. First, so that an offset in [`Counters`] is one in here.
    pub counters: Counters,
    /// Durations of all faults: the buckets of one path after those of another, see [`histogram`].
    pub fault_times: [u64; BUCKETS],
}

/// What the programs leave to the histograms of ended faults, on this kernel and with these hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedCounters {
    /// Reads past the swap cache: faults of the path `direct` ([`crate::config::DIRECT_BY_END`]).
    pub reads: bool,
    /// Releases by faults that have installed their page, unless they noted it ([`crate::config::RELEASES_SPARED`]).
    pub releases: bool,
}

impl Totals {
    /// The counters of one CPU, with the ended faults by path.
    #[must_use]
    pub fn counted(&self) -> Counters {
        let of_path = |path: usize| {
            let buckets = self.fault_times.iter().skip(path * histogram::BUCKETS as usize);
            buckets.take(histogram::BUCKETS as usize).sum::<u64>()
        };
        let Counters { direct, cached, none, .. } = self.counters;
        Counters { direct: direct + of_path(0), cached: cached + of_path(1), none: none + of_path(2), ..self.counters }
    }
}

impl Counters {
    /// Of all CPUs together: with what follows from the ended faults by path.
    #[must_use]
    pub const fn with_derived(self, derived: DerivedCounters) -> Self {
        // What is taken away from another was not read in the same moment.
        let ended = self.direct + self.cached + self.none;
        let installed = (self.direct + self.cached).saturating_sub(self.uninstalled);
        let past_cache = self.outside_pinned.saturating_sub(self.outside_cached);
        let by_faults = if derived.reads { self.direct } else { 0 };
        let released = if derived.releases { installed.saturating_sub(self.spans_noted) } else { 0 };
        Self {
            started: ended + self.dropped_fault_end,
            ended,
            installed,
            read_direct: self.read_direct + by_faults + past_cache,
            read_outside: self.read_outside + past_cache,
            freed: self.freed + released,
            ..self
        }
    }
}

// SAFETY: `Pod` of bytemuck, derived above, asserts the same: any bit pattern is valid and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Totals {}

// The kernel's per-CPU allocator gives no more than this at a time (`PCPU_MIN_UNIT_SIZE`).
const _: () = assert!(size_of::<Totals>() <= 32 << 10);
const _: () = assert!(core::mem::offset_of!(Totals, counters) == 0);

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;

    use super::*;

    const ALL: DerivedCounters = DerivedCounters { reads: true, releases: true };
    const NONE: DerivedCounters = DerivedCounters { reads: false, releases: false };

    /// Seven faults past the swap cache, four through it, two that returned early.
    fn totals(counters: &Counters) -> Box<Totals> {
        let mut totals: Box<Totals> = Box::new(Zeroable::zeroed());
        totals.counters = *counters;
        let of_path = histogram::BUCKETS as usize;
        (totals.fault_times[3], totals.fault_times[of_path - 1]) = (5, 2);
        (totals.fault_times[of_path], totals.fault_times[2 * of_path]) = (4, 2);
        totals
    }

    #[test]
    fn what_faults_nearly_always_do_follows_from_their_number() {
        let counted = totals(&Counters { dropped_fault_end: 1, ..Counters::default() }).counted();
        assert_eq!((counted.direct, counted.cached, counted.none), (7, 4, 2));
        let told = counted.with_derived(NONE);
        assert_eq!((told.ended, told.started, told.installed), (13, 14, 11));
        assert_eq!((told.read_direct, told.freed), (0, 0), "hooks tell of these");
        let told = counted.with_derived(ALL);
        assert_eq!((told.read_direct, told.freed), (7, 11));
    }

    #[test]
    fn exceptions_are_taken_away() {
        let exceptions = Counters { uninstalled: 2, spans_noted: 3, freed: 3, read_direct: 15, ..Counters::default() };
        let told = totals(&exceptions).counted().with_derived(ALL);
        assert_eq!(told.installed, 9);
        assert_eq!(told.freed, 9, "three of the nine have noted it, and counted their release");
        assert_eq!(told.read_direct, 22, "one fault of sixteen pages");
        let early = totals(&Counters { uninstalled: 20, ..Counters::default() }).counted().with_derived(ALL);
        assert_eq!((early.installed, early.freed), (0, 0), "read in the middle of a fault's end");
    }

    #[test]
    fn pins_outside_faults_without_a_page_added_are_reads_past_the_swap_cache() {
        let outside = Counters { outside_pinned: 10, outside_cached: 6, read_outside: 6, ..Counters::default() };
        let told = totals(&outside).counted().with_derived(NONE);
        assert_eq!((told.read_direct, told.read_outside), (4, 10));
    }
}
