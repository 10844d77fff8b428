//! What the programs count, one set per CPU. Monotonic since load; a `u64` does not wrap in practice.

use bytemuck::{Pod, Zeroable};

/// What a counter counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Observed,
    /// Events that were not observed. The counter has the code of their cause as its name.
    Dropped,
}

/// Declares the counters: the struct with its layout, its names and its arithmetic.
macro_rules! counters {
    ($($(#[$doc:meta])* $class:ident $name:ident,)*) => {
        /// Counters of one CPU; user space adds up the CPUs.
        ///
        /// Although each CPU has its own, the programs add to them atomically: a program can be preempted between load and
        /// store, and the counts must equal the kernel's own.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The counters whose values `value` returns for their names.
            #[must_use]
            pub fn from_values(mut value: impl FnMut(&'static str) -> u64) -> Self {
                Self { $($name: value(stringify!($name)),)* }
            }

            /// Name and value of each counter.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                self.with_classes().map(|(name, _, count)| (name, count))
            }

            fn with_classes(&self) -> impl Iterator<Item = (&'static str, Class, u64)> {
                [$((stringify!($name), Class::$class, self.$name),)*].into_iter()
            }

            fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
                Self { $($name: combine(self.$name, other.$name),)* }
            }
        }
    };
}

counters! {
    /// Faults on real swap entries: those that ended, those whose end is known to be missed and, once the hooks are
    /// gone, those that were in progress then. This and the next two are never counted by the programs, nor are the
    /// timed faults of the three paths: user space derives them from the histograms, see
    /// [`crate::totals::Totals::counters`].
    Observed started,
    /// Faults that ended, on all paths.
    Observed ended,
    /// Faults that ended and installed their page: those of the paths `direct` and `cached` less [`Self::uninstalled`].
    Observed installed,
    /// Faults that ended, path `direct`.
    Observed direct,
    /// Faults that ended, path `cached`.
    Observed cached,
    /// Faults that ended, path `none`.
    Observed none,
    /// Faults of the paths `direct` and `cached` that ended and installed no page.
    Observed uninstalled,
    /// Faults that ended, installed their page, and recorded the end of their span.
    Observed spans_ended,
    /// Faults that ended and were streamed.
    Observed streamed,
    /// Calls of `do_swap_page` on entries that are not in a swap area: migration, device-private, hwpoison, markers.
    Observed special,
    /// Pages read directly from a swap device. If these reads are derived from the ends of faults, the programs count
    /// only the pages of a range beyond the first.
    Observed read_direct,
    /// Pages read from a swap device into the swap cache.
    Observed read_cached,
    /// Pages of these two that were read outside any fault (read-ahead of shmem, swapoff, madvise).
    Observed read_outside,
    /// Faults that took the pin and ended.
    Observed pins,
    /// Pin tries of a fault that failed with an error that was not seen (lean hooks).
    Observed pin_contended,
    /// Pin tries of a fault that found the pin held (`-EEXIST`).
    Observed pin_eexist,
    /// Pin tries of a fault that found the entry freed (`-ENOENT`).
    Observed pin_enoent,
    /// Failed pin tries that are not a fault's try for its own entry.
    Observed pin_outside,
    /// Failed pin tries outside, by a fault's read-ahead of neighbours.
    Observed pin_readahead,
    /// Failed pin tries outside, by shmem's swap-in.
    Observed pin_shmem,
    /// Failed pin tries outside, by zswap's write-back. The rest are by swapoff, madvise, or a path without a hook.
    Observed pin_zswap,
    /// Faults that found their page locked by another task.
    Observed lock_failed,
    /// Faults that found their page locked because their own read was still in progress.
    Observed lock_own_read,
    /// Entries freed. What a fault itself frees is added at its end; what faults freed while nothing was recorded about
    /// them is added in user space, see [`crate::totals::DerivedCounters`].
    Observed freed,
    /// Entries allocated.
    Observed allocated,
    /// Entries written to their device.
    Observed written,
    /// A fault found no room in the table of faults in progress.
    Dropped fault_table_full,
    /// The end of a fault was not seen: its task came back with a new fault.
    Dropped fault_end_missed,
    /// Ends of faults without a start: the fault was in progress when the programs were attached, or the table was
    /// full, which [`Self::fault_table_full`] counts. If entries are filtered: only faults on observed entries that
    /// installed no page; a fault that installed one no longer shows its entry.
    Observed unknown_end,
    /// No room in the ring buffer for a fault record.
    Dropped ring_full_fault,
    /// No room in the ring buffer for an entry record.
    Dropped ring_full_entry,
    /// A pin try whose return was not seen.
    Dropped pin_return_missed,
    /// A fault through the swap cache slept, and where only the sleep is hooked it is unknown whether for the pin of
    /// its own entry.
    Dropped pin_sleep_unattributed,
    /// The table of writes was full, so the end of a write will not be seen.
    Dropped write_end_missed,
    /// A hook that a fault passed did not run, as what the fault did next shows.
    Dropped hook_missed,
    /// Entries of ranges longer than [`crate::swap_entry::MAX_RANGE`].
    Dropped range_cut,
    /// No room in the table of watched tasks for a task of the watched command.
    Dropped watch_table_full,
    /// Kernel memory that should be readable could not be read.
    Dropped kernel_read_failed,
    /// Pages pinned outside any fault, if reads are not hooked. [`Self::outside_cached`] of them are read into the swap
    /// cache, the others directly (by shmem, 6.14 to 6.19).
    Observed outside_pinned,
    /// Pages added to the swap cache outside any fault in order to be read, if reads are not hooked.
    Observed outside_cached,
    /// Delays made by delay injection.
    Observed delays,
    /// Delays that ended early because the loop reached its bound.
    Observed delays_short,
}

impl Counters {
    /// Sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What was counted after `before`, an earlier reading.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.zip(before, u64::saturating_sub)
    }

    /// These counters, but no derived count below that of `before`, an earlier reading. A page that is pinned outside
    /// any fault and added to the swap cache a moment later counts as read directly in between.
    #[must_use]
    pub fn not_below(self, before: &Self) -> Self {
        Self {
            read_direct: self.read_direct.max(before.read_direct),
            read_outside: self.read_outside.max(before.read_outside),
            installed: self.installed.max(before.installed),
            freed: self.freed.max(before.freed),
            ..self
        }
    }

    /// Events that were not observed, by cause.
    pub fn dropped(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.with_classes().filter(|(_, class, _)| *class == Class::Dropped).map(|(cause, _, count)| (cause, count))
    }

    /// These counters, except that those which the kernel counts as well (pages read, entries allocated and written)
    /// are taken from `other`, a reading of another moment.
    #[must_use]
    pub const fn with_kernel_counted_of(self, other: &Self) -> Self {
        Self {
            read_direct: other.read_direct,
            read_cached: other.read_cached,
            read_outside: other.read_outside,
            allocated: other.allocated,
            written: other.written,
            ..self
        }
    }
}

// SAFETY: `Counters` consists of `u64`s only: any bit pattern is valid, and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Counters {}

const _: () = assert!(size_of::<Counters>() == 42 * 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_subtract() {
        let one = Counters { started: 5, special: 2, ring_full_fault: 3, ..Counters::default() };
        let sum = one.plus(one);
        assert_eq!(sum, Counters { started: 10, special: 4, ring_full_fault: 6, ..Counters::default() });
        assert_eq!(sum.since(one), one);
        assert_eq!(one.since(sum), Counters::default(), "no wrap below 0");
    }

    #[test]
    fn a_derived_count_does_not_go_down_between_two_readings() {
        let before = Counters { read_direct: 5, read_outside: 4, read_cached: 1, ..Counters::default() };
        let after = Counters { read_direct: 4, read_outside: 4, read_cached: 2, ..Counters::default() };
        assert_eq!(after.not_below(&before), Counters { read_direct: 5, ..after });
    }

    #[test]
    fn dropped_events_are_named_by_cause() {
        let counters = Counters { ring_full_fault: 3, kernel_read_failed: 1, ended: 9, ..Counters::default() };
        assert_eq!(counters.dropped().count(), 11);
        let mut causes = counters.dropped().filter(|(_, count)| *count > 0);
        assert_eq!(causes.next(), Some(("ring_full_fault", 3)));
        assert_eq!(causes.next(), Some(("kernel_read_failed", 1)));
        assert_eq!(causes.next(), None);
    }

    #[test]
    fn values_are_found_by_name() {
        let all = bytemuck::cast::<[u64; 42], Counters>(core::array::from_fn(|index| index as u64));
        let by_name = |name| all.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| count);
        assert_eq!(Counters::from_values(by_name), all);
    }
}
