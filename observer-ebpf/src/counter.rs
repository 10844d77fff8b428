//! What the programs count, one set per CPU. Monotonic since load; `u64` never wraps in practice.

use bytemuck::{Pod, Zeroable};

/// Counters of one CPU; user space adds the CPUs up.
///
/// The programs add to them atomically although they are per CPU: a program can be preempted between load and store, and
/// the counts must equal the kernel's own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counters {
    /// Faults on real swap entries: those that have ended, those whose end is known to be missed, and, once the hooks are gone,
    /// those that were in progress then. The programs leave alone this and the next five, which the histograms of ended
    /// faults tell: see [`crate::totals::Totals::counted`].
    pub started: u64,
    /// Faults ended, on all paths.
    pub ended: u64,
    /// Ended faults that installed their page: all of the first two paths but [`Self::uninstalled`].
    pub installed: u64,
    /// Ended faults, path `direct`.
    pub direct: u64,
    /// Ended faults, path `cached`.
    pub cached: u64,
    /// Ended faults, path `none`.
    pub none: u64,
    /// Ended faults of the paths `direct` and `cached` that installed no page.
    pub uninstalled: u64,
    /// Ended faults that installed their page and that noted when their span ended.
    pub spans_noted: u64,
    /// Ended faults that were streamed.
    pub streamed: u64,
    /// Calls of `do_swap_page` on entries that are no swap: migration, device-private, hwpoison, markers.
    pub special: u64,
    /// Pages read from a swap device past the swap cache. Where the ends of faults tell of these reads, the programs count
    /// of a range what it has beyond one.
    pub read_direct: u64,
    /// Pages read from a swap device into the swap cache.
    pub read_cached: u64,
    /// Of both: pages read outside any fault (read-ahead of shmem, swapoff, madvise).
    pub read_outside: u64,
    /// Faults that took the pin and have ended.
    pub pins: u64,
    /// Lean hooks: pin tries of a fault that failed, with which error was not seen.
    pub pin_contended: u64,
    /// Pin tries of a fault that met a live holder (`-EEXIST`).
    pub pin_eexist: u64,
    /// Pin tries of a fault that found the entry gone (`-ENOENT`).
    pub pin_enoent: u64,
    /// Failed pin tries that are no fault's own, all of them.
    pub pin_outside: u64,
    /// Of these: a fault's read-ahead of neighbours.
    pub pin_readahead: u64,
    /// Of these: shmem's swap-in.
    pub pin_shmem: u64,
    /// Of these: zswap's write-back. What is left over is swapoff's, `madvise`'s, or of a path that no hook tells.
    pub pin_zswap: u64,
    /// Faults that found their page locked by somebody else.
    pub lock_failed: u64,
    /// Faults that found their page locked because their own read was still in progress.
    pub lock_own_read: u64,
    /// Entries freed, in entries; what a fault frees itself, once that fault has ended. Not what faults have freed while
    /// nothing was noted of it, see [`crate::totals::DerivedCounters`].
    pub freed: u64,
    /// Entries allocated, in entries.
    pub allocated: u64,
    /// Entries written to their device, in entries.
    pub written: u64,
    /// Loss: a fault found no room in the table of faults in progress.
    pub dropped_table_full: u64,
    /// Loss: a fault's end was never seen (its task came back with a new one).
    pub dropped_fault_end: u64,
    /// Faults that ended and whose start was not seen: they were in progress when the probes were attached, or found the
    /// table full, which has been counted. Where entries are filtered: of those on wanted entries, the ones that installed
    /// no page, for which entry the others were is not known any more.
    pub unknown_end: u64,
    /// Loss: no room in the ring buffer for a fault record.
    pub dropped_ring_fault: u64,
    /// Loss: no room in the ring buffer for an entry record.
    pub dropped_ring_entry: u64,
    /// Loss: a pin try whose return was not seen.
    pub dropped_pin_return: u64,
    /// Loss: the end of a write that will not be seen, because the table of writes was full.
    pub dropped_write_end: u64,
    /// Loss: a task of the watched command found no room in the table of watched tasks.
    pub dropped_watch_full: u64,
    /// Loss: kernel memory that should be readable could not be read.
    pub dropped_copy: u64,
    /// Pages pinned outside any fault, where no hook tells of reads: those of [`Self::outside_cached`] are read into the swap
    /// cache, the others past it (by shmem, 6.14 to 6.19).
    pub outside_pinned: u64,
    /// Pages added to the swap cache outside any fault to be read into, likewise.
    pub outside_cached: u64,
    /// Delays made by delay injection.
    pub widened: u64,
    /// Delays that ended before the time asked for, because the loop's bound was reached.
    pub widened_short: u64,
}

impl Counters {
    /// These, with what the kernel counts as well (pages read, entries given out and written) as of another moment.
    #[must_use]
    pub const fn with_witnessed_of(self, other: &Self) -> Self {
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

// SAFETY: `Pod` of bytemuck, derived above, asserts the same: any bit pattern is valid and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Counters {}

const _: () = assert!(size_of::<Counters>() == 39 * 8);
