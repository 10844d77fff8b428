//! The lock of a page in the swap cache: where flights meet that go through it, on kernels without the bypass all of them.
//!
//! Hooked is the slow half of taking it (`__folio_lock_or_retry`), which is called only when a first try has failed: a
//! flight that finds the lock free pays nothing.

use observer_ebpf::record::{F_LOCK_ENDED, F_LOCKED_OUT, F_READ};

use crate::{count::count, flights::flight_of, globals, memory::Memory, task};

/// The running task has found a page locked and is about to wait; `space`: the `mm_struct` of its fault. Only within a flight:
/// other faults come here as well.
#[inline(always)]
pub(crate) fn failed<M: Memory>(page: *const u8, space: impl FnOnce() -> u64) {
    let Some(flight) = flight_of(task::ids().0) else { return };
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    let up_to_date = flags & globals::PG_UPTODATE.load() != 0;
    // A device that does not read synchronously unlocks the page when its read is done: then a flight waits for nobody
    // but its own read.
    if flight.flags & F_READ != 0 && !up_to_date {
        count!(lock_own_read);
        return;
    }
    count!(lock_failed);
    flight.mm = space();
    flight.lock_try = task::now();
    flight.flags |= F_LOCKED_OUT;
}

/// It need not wait any longer: it has the lock, or is to fault again.
#[inline(always)]
pub(crate) fn over() {
    if let Some(flight) = flight_of(task::ids().0)
        && flight.flags & F_LOCKED_OUT != 0
    {
        flight.lock_end = task::now();
        flight.flags |= F_LOCK_ENDED;
    }
}
