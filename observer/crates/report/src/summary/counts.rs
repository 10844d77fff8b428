//! What was counted, by subject. One declaration gives a struct its fields, their sum over several observations, and
//! their estimate from a sample of the entries.

use observer_ebpf::counters::Counters;
use serde::Serialize;

use observer_engine::{report::VerdictCounts, verdict::Verdict};
use observer_kernel::plan::Meaning;
use observer_observation::Known;

pub(crate) trait Count {
    /// Adds the counts of another observation. What one of them does not know, the sum does not know either.
    fn add(&mut self, other: &Self);

    /// Estimates the counts of all entries from those of one entry in `one_in`.
    fn scale(&mut self, one_in: u64);
}

impl Count for u64 {
    fn add(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }

    fn scale(&mut self, one_in: u64) {
        *self = self.saturating_mul(one_in);
    }
}

impl<T: Count + Copy> Count for Option<T> {
    fn add(&mut self, other: &Self) {
        *self = self.zip(*other).map(|(mut all, one)| {
            all.add(&one);
            all
        });
    }

    fn scale(&mut self, one_in: u64) {
        if let Some(count) = self {
            count.scale(one_in);
        }
    }
}

/// Declares counts. A field is `by_entry`, which a sample estimates, or `whole_host`, which a sample does not concern.
macro_rules! counts {
    ($($(#[$attribute:meta])* pub struct $name:ident {
        $($(#[$field_attribute:meta])* $scope:ident $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct $name {
            $($(#[$field_attribute])* pub $field: $type,)*
        }

        counts! { impl $name { $($scope $field,)* } }
    )*};
    (impl $name:ident { $($scope:ident $field:ident,)* }) => {
        impl Count for $name {
            fn add(&mut self, other: &Self) {
                let Self { $($field,)* } = other;
                $(self.$field.add($field);)*
            }

            fn scale(&mut self, one_in: u64) {
                $(counts! { @scale $scope self.$field, one_in })*
            }
        }
    };
    (@scale by_entry $count:expr, $one_in:ident) => { $count.scale($one_in); };
    (@scale whole_host $count:expr, $one_in:ident) => { let _ = $one_in; };
}

counts! {
    /// Pages read from swap devices.
    pub struct SwapIns {
        /// `direct` and `cached` together.
        by_entry seen: u64,
        by_entry direct: u64,
        by_entry cached: u64,
        /// Pages of `seen` that were read outside a page fault (shmem, swapoff, read-ahead by madvise).
        by_entry outside_faults: u64,
        /// Reads that were not seen because the kernel skipped programs. Where one program counts every read, `seen`
        /// and `dropped` add up to the kernel's count; where several do, this is an upper bound. `None`: this kernel
        /// does not count skipped programs (before 5.12).
        whole_host dropped: Option<u64>,
        /// The kernel's own count over the same time: `pswpin`, plus `swpin_zero` and `zswpin` where they exist.
        whole_host kernel: Option<u64>,
    }

    /// What happened to entries on the way out, and how many were freed. In entries, of the whole host.
    pub struct SwapOuts {
        whole_host allocated: u64,
        whole_host written: u64,
        /// `None`: no hook for it, because no verdict on this kernel needs it.
        whole_host freed: Option<u64>,
        /// The kernel's own count over the same time: `pswpout`, plus `swpout_zero` and `zswpout` where they exist.
        whole_host kernel: Option<u64>,
    }

    /// Calls of `do_swap_page` on swap entries.
    pub struct Faults {
        by_entry started: u64,
        by_entry ended: u64,
        by_entry installed: u64,
        by_entry direct: u64,
        by_entry cached: u64,
        by_entry none: u64,
        /// Contended faults: their events were streamed.
        by_entry streamed: u64,
        /// Calls on entries other than swap entries (migration, hwpoison, markers), not part of the counts above.
        whole_host special: u64,
        /// Faults in progress when the hooks were attached. Where entries are filtered or sampled: those that installed
        /// no page.
        by_entry in_progress: u64,
    }

    /// Pin tries of page faults. `None`: not observed with lean hooks.
    pub struct Pins {
        by_entry taken: Option<u64>,
        /// Failed tries, whatever the error.
        by_entry failed: u64,
        /// Failed tries that found the pin held.
        by_entry eexist: Option<u64>,
        /// Failed tries that found the entry gone.
        by_entry enoent: Option<u64>,
        /// Failed tries outside page faults.
        by_entry outside_failed: Option<u64>,
        /// `outside_failed`, by path.
        by_entry outside: Option<OutsidePins>,
        /// Failed tries within waits.
        by_entry retries: u64,
    }

    /// Failed pin tries outside page faults. No page fault waits for them.
    pub struct OutsidePins {
        /// Read-ahead of neighbouring entries by a page fault.
        by_entry readahead: u64,
        /// shmem's swap-in, which retries at once on some kernels.
        by_entry shmem: u64,
        /// zswap's write-back.
        by_entry zswap: u64,
        /// swapoff, `madvise`, and every path that has no hook here.
        by_entry other: u64,
    }

    /// Locks of folios in the swap cache, as page faults found them.
    pub struct Locks {
        /// Tries that found the lock held by another task.
        by_entry failed: u64,
        /// Tries that found the folio locked by the fault's own read, still in progress. They are no contention.
        by_entry own_read: u64,
        /// Failed tries within waits.
        by_entry retries: u64,
    }
}

counts! {
    impl VerdictCounts {
        by_entry overlap,
        by_entry lock_wait,
        by_entry pin_wait,
        by_entry window,
        by_entry reuse,
        by_entry stale_install,
    }
}

impl SwapIns {
    pub(super) fn new(known: &Known<'_>, counters: &Counters) -> Self {
        let kernel = known.ending.vmstat.as_ref().map(|(before, after)| after.swapped_in_since(before));
        Self {
            seen: counters.read_direct + counters.read_cached,
            direct: counters.read_direct,
            cached: counters.read_cached,
            outside_faults: counters.read_outside,
            dropped: known.sample.snapshot.skipped.map(|skipped| skipped.reads),
            kernel,
        }
    }
}

impl SwapOuts {
    pub(super) fn new(known: &Known<'_>, counters: &Counters) -> Self {
        let kernel = known.ending.vmstat.as_ref().map(|(before, after)| after.swapped_out_since(before));
        let freed = known.context.kernel.has(Meaning::Freed).then_some(counters.freed);
        Self { allocated: counters.allocated, written: counters.written, freed, kernel }
    }
}

impl Faults {
    pub(super) fn new(counters: &Counters) -> Self {
        Self {
            started: counters.started,
            ended: counters.ended,
            installed: counters.installed,
            direct: counters.direct,
            cached: counters.cached,
            none: counters.none,
            streamed: counters.streamed,
            special: counters.special,
            in_progress: counters.unknown_end.saturating_sub(counters.fault_table_full),
        }
    }
}

impl Pins {
    pub(super) fn new(known: &Known<'_>, counters: &Counters) -> Self {
        let seen = !known.context.kernel.pins_unseen();
        let if_seen = |count: u64| seen.then_some(count);
        Self {
            taken: if_seen(counters.pins),
            failed: counters.pin_eexist + counters.pin_enoent + counters.pin_contended,
            eexist: if_seen(counters.pin_eexist),
            enoent: if_seen(counters.pin_enoent),
            outside_failed: if_seen(counters.pin_outside),
            outside: seen.then(|| OutsidePins::new(counters)),
            retries: known.report.pin_retries,
        }
    }
}

impl OutsidePins {
    fn new(counters: &Counters) -> Self {
        let (readahead, shmem, zswap) = (counters.pin_readahead, counters.pin_shmem, counters.pin_zswap);
        Self { readahead, shmem, zswap, other: counters.pin_outside.saturating_sub(readahead + shmem + zswap) }
    }
}

impl Locks {
    pub(super) fn new(known: &Known<'_>, counters: &Counters) -> Self {
        Self { failed: counters.lock_failed, own_read: counters.lock_own_read, retries: known.report.lock_retries }
    }
}

/// The counts by verdict, the lowest verdict first.
pub(crate) const fn by_verdict(counts: &VerdictCounts) -> [(Verdict, u64); 6] {
    let VerdictCounts { overlap, lock_wait, pin_wait, window, reuse, stale_install } = *counts;
    [
        (Verdict::Overlap, overlap),
        (Verdict::LockWait, lock_wait),
        (Verdict::PinWait, pin_wait),
        (Verdict::Window, window),
        (Verdict::Reuse, reuse),
        (Verdict::StaleInstall, stale_install),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_an_unknown_count_makes_the_sum_unknown() {
        let mut all = SwapIns { seen: 3, dropped: Some(1), kernel: Some(9), ..SwapIns::default() };
        all.add(&SwapIns { seen: 4, dropped: Some(2), kernel: None, ..SwapIns::default() });
        assert_eq!(all, SwapIns { seen: 7, dropped: Some(3), kernel: None, ..SwapIns::default() });
    }
    #[test]
    fn a_sample_estimates_only_what_is_counted_by_entry() {
        let mut faults = Faults { started: 9, special: 4, ..Faults::default() };
        faults.scale(4);
        assert_eq!(faults, Faults { started: 36, special: 4, ..Faults::default() });
        let outside = Some(OutsidePins { shmem: 2, ..OutsidePins::default() });
        let mut pins = Pins { taken: Some(3), outside, ..Pins::default() };
        pins.scale(4);
        assert_eq!((pins.taken, pins.eexist), (Some(12), None));
        assert_eq!(pins.outside.map(|outside| outside.shmem), Some(8));
    }
}
