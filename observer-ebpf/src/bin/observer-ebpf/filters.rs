//! Which faults are observed: those of the watched command, and those that pass the filters. The verifier removes the
//! branch of a filter that is not set.
//!
//! Filters select faults, by the running task and the entry. What happens to the entry of such a fault is recorded
//! whichever task causes it: the other side of a race need not pass the filters.

use aya_ebpf::{
    macros::map,
    maps::{Array, CgroupArray},
};
use observer_ebpf::{sample, swap_entry::TYPE_SHIFT};

use crate::{fault_start::space, globals, maps::WATCHED, memory::KernelMemory, task};

/// The control group of the global `filter_cgroup`.
#[map]
static CGROUPS: CgroupArray = CgroupArray::with_max_entries(1, 0);

/// The swap types of the global `filter_types`. User space changes it when a swap area gets another type.
#[map]
static FILTER_TYPES: Array<u32> = Array::with_max_entries(1, 0);

/// Whether any filter is set. The hot path reads this one global, because each global that it reads takes three
/// instructions.
#[inline(always)]
pub(crate) fn any() -> bool {
    globals::filtered.load() != 0
}

/// Whether what the running task does outside faults is observed.
#[inline(always)]
pub(crate) fn task(tid: u32, tgid: u32) -> bool {
    in_process(tid, tgid) && by_comm_and_cgroup()
}

/// Whether a fault of the running task is observed: one of an observed process, or one that another task makes in its
/// address space (khugepaged, a worker of `io_uring`, a debugger).
#[inline(always)]
pub(crate) fn fault<M: KernelMemory>(tid: u32, tgid: u32, vmf: *const u8) -> bool {
    (in_process(tid, tgid) || space_of_process::<M>(vmf)) && by_comm_and_cgroup()
}

/// Whether the filters by process pass a task.
#[inline(always)]
fn in_process(tid: u32, tgid: u32) -> bool {
    let pid = globals::filter_pid.load();
    (globals::watch.load() == 0 || WATCHED.get_ptr(tid).is_some()) && (pid == 0 || pid == tgid)
}

/// Whether the filters by process pass the owner of the fault's address space: a task that uses it, and another one if
/// that exits. Not inlined, because for most faults the running task decides.
#[inline(never)]
fn space_of_process<M: KernelMemory>(vmf: *const u8) -> bool {
    let owner_at = globals::mm_owner.load();
    if owner_at == 0 {
        return false;
    }
    let space = space::<M>(vmf);
    if space == 0 {
        return false;
    }
    // SAFETY: callers pass a `struct vm_fault`, whose address space has `owner`.
    let owner: u64 = unsafe { M::read(space as *const u8, owner_at) };
    if owner == 0 {
        return false;
    }
    let owner = owner as *const u8;
    // SAFETY: the owner is a `task_struct`, which stays until the current RCU read-side critical section ends.
    let tid = unsafe { M::read(owner, globals::task_pid.load()) };
    // SAFETY: the same `task_struct`, in the same critical section.
    let tgid = unsafe { M::read(owner, globals::task_tgid.load()) };
    in_process(tid, tgid)
}

#[inline(always)]
fn by_comm_and_cgroup() -> bool {
    task::comm_is(globals::filter_comm_low.load(), globals::filter_comm_high.load())
        && (globals::filter_cgroup.load() == 0 || CGROUPS.current_task_under_cgroup(0) == Ok(true))
}

/// Whether faults on this entry are observed.
#[inline(always)]
pub(crate) fn entry(entry: u64) -> bool {
    (globals::filter_types.load() == 0 || of_observed_type(entry)) && sampled(entry)
}

#[inline(always)]
fn of_observed_type(entry: u64) -> bool {
    // SAFETY: the pointer is to a live map value of this type; volatile, because user space changes it at any time.
    let types = FILTER_TYPES.get_ptr(0).map_or(0, |types| unsafe { types.read_volatile() });
    types >> ((entry >> TYPE_SHIFT) as u32 & 31) & 1 != 0
}

/// Whether only a sample of the entries is observed.
#[inline(always)]
pub(crate) fn samples() -> bool {
    globals::sample_below.load() < sample::ALL
}

/// Whether an entry is in the sample.
#[inline(always)]
pub(crate) fn sampled(entry: u64) -> bool {
    !samples() || u64::from(sample::place(entry, globals::sample_shift.load())) < globals::sample_below.load()
}

/// Whether there is a filter by entry.
#[inline(always)]
pub(crate) fn by_entry() -> bool {
    globals::filter_types.load() != 0 || samples()
}
