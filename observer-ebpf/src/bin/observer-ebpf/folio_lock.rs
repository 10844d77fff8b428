//! The lock of a page in the swap cache, on which faults that go through the swap cache wait for each other: on kernels
//! without the bypass all of them.
//!
//! Hooked is the slow path of taking it (`__folio_lock_or_retry`), which is called only after a first try has failed. A
//! fault that finds the lock free pays nothing.

use observer_ebpf::record::{F_LOCK_CONTENDED, F_LOCK_WAIT_ENDED, F_READ_STARTED};

use crate::{count::count, fault_table::fault_of, globals, memory::KernelMemory, task};

/// The running task found a page locked and is about to wait; `space` returns the `mm_struct` of its fault. Faults that
/// are not swap-ins call the function too, and are ignored.
#[inline(always)]
pub(crate) fn wait_started<M: KernelMemory>(page: *const u8, space: impl FnOnce() -> u64) {
    let Some(fault) = fault_of(task::ids().0) else { return };
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::page_flags.load()) };
    let up_to_date = flags & globals::pg_uptodate.load() != 0;
    // An asynchronous device unlocks the page when its read ends, so the fault only waits for its own read.
    if fault.flags & F_READ_STARTED != 0 && !up_to_date {
        count!(lock_own_read);
        return;
    }
    count!(lock_failed);
    fault.mm = space();
    fault.lock_try = task::now();
    fault.flags |= F_LOCK_CONTENDED;
}

/// The wait has ended: the task has the lock, or will fault again.
#[inline(always)]
pub(crate) fn wait_ended() {
    if let Some(fault) = fault_of(task::ids().0)
        && fault.flags & F_LOCK_CONTENDED != 0
    {
        fault.lock_end = task::now();
        fault.flags |= F_LOCK_WAIT_ENDED;
    }
}
