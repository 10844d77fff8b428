//! What one CPU adds up: counters and histograms in one map value, so that the end of a fault needs one look-up for
//! both.
//!
//! The map is an array with an element for each CPU and not a per-CPU array: user space maps an array into its memory,
//! while a per-CPU array takes a system call to be read. During a system call on a map kprobe programs do not run on that
//! CPU, without notice before 6.7 (docs/decisions/backend.md).

use bytemuck::{Pod, Zeroable};

use crate::{counters::Counters, histogram};

/// Buckets of all histograms together.
pub const BUCKETS: usize = (histogram::PATHS * histogram::BUCKETS) as usize;

/// The totals of one CPU; user space adds up the CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Totals {
    /// First, so that an offset in [`Counters`] is an offset in here.
    pub counters: Counters,
    /// Durations of faults: the histograms of the paths `direct`, `cached`, `none`, one after the other, see
    /// [`histogram`].
    pub fault_times: [u64; BUCKETS],
}

/// Size of a CPU's element: a power of two, because kernels before 6.2 multiply by any other size at each look-up, which
/// takes eight instructions.
pub const CPU_BYTES: usize = 32 << 10;

/// The element of one CPU.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct CpuTotals {
    pub totals: Totals,
    unused: [u8; CPU_BYTES - size_of::<Totals>()],
}

/// Which counts the programs leave to user space, with these hooks on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedCounters {
    /// Direct reads: one for each fault of the path `direct` (global `direct_at_end`).
    pub direct_reads: bool,
    /// Frees by faults that installed their page, unless recorded (global `frees_at_end`).
    pub frees: bool,
}

impl Totals {
    /// The counters of one CPU. Faults that were timed are counted by path in the histograms only, and added here.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let of_path = |path: usize| {
            let buckets = self.fault_times.iter().skip(path * histogram::BUCKETS as usize);
            buckets.take(histogram::BUCKETS as usize).sum::<u64>()
        };
        let Counters { direct, cached, none, .. } = self.counters;
        Counters { direct: direct + of_path(0), cached: cached + of_path(1), none: none + of_path(2), ..self.counters }
    }
}

impl Counters {
    /// Adds the counts that follow from the number of ended faults; `self` is the sum of all CPUs.
    #[must_use]
    pub const fn with_derived(self, derived: DerivedCounters) -> Self {
        // Saturating: two counters are not read in the same moment, so the one subtracted may be ahead.
        let ended = self.direct + self.cached + self.none;
        let installed = (self.direct + self.cached).saturating_sub(self.uninstalled);
        let outside_direct = self.outside_pinned.saturating_sub(self.outside_cached);
        let by_faults = if derived.direct_reads { self.direct } else { 0 };
        let freed = if derived.frees { installed.saturating_sub(self.spans_ended) } else { 0 };
        Self {
            started: ended + self.fault_end_missed,
            ended,
            installed,
            read_direct: self.read_direct + by_faults + outside_direct,
            read_outside: self.read_outside + outside_direct,
            freed: self.freed + freed,
            ..self
        }
    }
}

const _: () = assert!(size_of::<CpuTotals>() == CPU_BYTES && CPU_BYTES.is_power_of_two());
const _: () = assert!(core::mem::offset_of!(Totals, counters) == 0);

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;

    use super::*;

    const ALL: DerivedCounters = DerivedCounters { direct_reads: true, frees: true };
    const NONE: DerivedCounters = DerivedCounters { direct_reads: false, frees: false };

    /// Seven direct faults, four cached ones, two that returned early.
    fn totals(counters: &Counters) -> Box<Totals> {
        let mut totals: Box<Totals> = Box::new(Zeroable::zeroed());
        totals.counters = *counters;
        let of_path = histogram::BUCKETS as usize;
        (totals.fault_times[3], totals.fault_times[of_path - 1]) = (5, 2);
        (totals.fault_times[of_path], totals.fault_times[2 * of_path]) = (4, 2);
        totals
    }

    #[test]
    fn the_usual_outcome_is_derived_from_the_number_of_faults() {
        let counters = totals(&Counters { fault_end_missed: 1, ..Counters::default() }).counters();
        assert_eq!((counters.direct, counters.cached, counters.none), (7, 4, 2));
        let counted = counters.with_derived(NONE);
        assert_eq!((counted.ended, counted.started, counted.installed), (13, 14, 11));
        assert_eq!((counted.read_direct, counted.freed), (0, 0), "hooks count these");
        let derived = counters.with_derived(ALL);
        assert_eq!((derived.read_direct, derived.freed), (7, 11));
    }

    #[test]
    fn exceptions_are_subtracted() {
        let exceptions = Counters { uninstalled: 2, spans_ended: 3, freed: 3, read_direct: 15, ..Counters::default() };
        let derived = totals(&exceptions).counters().with_derived(ALL);
        assert_eq!(derived.installed, 9);
        assert_eq!(derived.freed, 9, "three of the nine recorded the end of their span, and counted their free");
        assert_eq!(derived.read_direct, 22, "one fault read sixteen pages");
        let ahead = totals(&Counters { uninstalled: 20, ..Counters::default() }).counters().with_derived(ALL);
        assert_eq!((ahead.installed, ahead.freed), (0, 0), "read in the middle of a fault's end");
    }

    #[test]
    fn pins_outside_faults_without_an_addition_to_the_cache_are_direct_reads() {
        let outside = Counters { outside_pinned: 10, outside_cached: 6, read_outside: 6, ..Counters::default() };
        let derived = totals(&outside).counters().with_derived(NONE);
        assert_eq!((derived.read_direct, derived.read_outside), (4, 10));
    }
}
