//! What hooks observe.

use crate::codes;

codes! {
    /// What a hook observes, in the order of a fault.
    pub enum Meaning {
        FaultStart = "fault_start",
        FaultEnd = "fault_end",
        /// A read from a swap device starts.
        ReadStart = "read_start",
        ReadEnd = "read_end",
        /// A fault goes through the swap cache.
        CacheRead = "cache_read",
        /// A task is about to add the page of an entry to the swap cache: of its fault's own entry, or of a neighbour
        /// that it reads ahead.
        CacheTry = "cache_try",
        PinTry = "pin_try",
        /// A fault sleeps because another task holds the pin.
        PinSleep = "pin_sleep",
        PinDrop = "pin_drop",
        /// A path that pins outside faults: shmem's swap-in, zswap's write-back.
        PinPath = "pin_path",
        /// A folio's lock is held by another task.
        LockTry = "lock_try",
        LockEnd = "lock_end",
        /// Entries lose a reference.
        CountDrop = "count_drop",
        Freed = "entry_freed",
        /// Entries are allocated for a page that is being swapped out.
        Allocated = "entry_allocated",
        WriteStart = "write_start",
        WriteEnd = "write_end",
        /// Which tasks belong to the watched command. No function carries it; tracepoints do.
        Watch = "watch",
    } else {
        /// A recording has a meaning that this version does not know.
        Unknown = "unknown"
    }
}
