//! The lock of a page in the swap cache: where faults meet that go through it, on kernels without the bypass all of them.
//!
//! Hooked is the slow half of taking it (`__folio_lock_or_retry`), which is called only when a first try has failed: a
//! fault that finds the lock free pays nothing.

use observer_ebpf::record::{F_LOCK_ENDED, F_LOCKED_OUT, F_READ};

use crate::{count::count, faults::fault_of, globals, memory::Memory, task};

/// The running task has found a page locked and is about to wait; `space`: the `mm_struct` of its fault. Only within a fault:
/// other faults come here as well.
#[inline(always)]
pub(crate) fn failed<M: Memory>(page: *const u8, space: impl FnOnce() -> u64) {
    let Some(fault) = fault_of(task::ids().0) else { return };
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let flags: u64 = unsafe { M::read(page, globals::PAGE_FLAGS.load()) };
    let up_to_date = flags & globals::PG_UPTODATE.load() != 0;
    // A device that does not read synchronously unlocks the page when its read is done: then a fault waits for nobody
    // but its own read.
    if fault.flags & F_READ != 0 && !up_to_date {
        count!(lock_own_read);
        return;
    }
    count!(lock_failed);
    fault.mm = space();
    fault.lock_try = task::now();
    fault.flags |= F_LOCKED_OUT;
}

/// It need not wait any longer: it has the lock, or is to fault again.
#[inline(always)]
pub(crate) fn over() {
    if let Some(fault) = fault_of(task::ids().0)
        && fault.flags & F_LOCKED_OUT != 0
    {
        fault.lock_end = task::now();
        fault.flags |= F_LOCK_ENDED;
    }
}
