//! What is to be observed: the watched command's tasks, and what the filters leave. A switched-off filter is a branch that
//! the verifier removes.
//!
//! Filters choose faults, by the task that runs and by the entry's type. What happens to the entry of such a fault is
//! seen whoever does it: the other side of a race need not pass the filter.

use aya_ebpf::{macros::map, maps::CgroupArray};
use observer_ebpf::{config::ENTRY_TYPE_SHIFT, sample};

use crate::{globals, maps::WATCHED, task};

/// The control group, see [`observer_ebpf::config::ONLY_CGROUP`].
#[map]
static CGROUPS: CgroupArray = CgroupArray::with_max_entries(1, 0);

/// Whether any filter is on: one global to read on the hot path, where each is three instructions.
#[inline(always)]
pub(crate) fn filtered() -> bool {
    globals::FILTERED.load() != 0
}

/// Whether faults of the running task are to be observed.
#[inline(always)]
pub(crate) fn this_task(tid: u32, tgid: u32) -> bool {
    let only_pid = globals::ONLY_PID.load();
    (globals::WATCH.load() == 0 || WATCHED.get_ptr(tid).is_some())
        && (only_pid == 0 || only_pid == tgid)
        && task::comm_is(globals::ONLY_COMM_LOW.load(), globals::ONLY_COMM_HIGH.load())
        && (globals::ONLY_CGROUP.load() == 0 || CGROUPS.current_task_under_cgroup(0) == Ok(true))
}

/// Whether faults on this entry are to be observed.
#[inline(always)]
pub(crate) fn this_entry(entry: u64) -> bool {
    let only = globals::ONLY_TYPES.load();
    let of_type = only == u32::MAX || only >> ((entry >> ENTRY_TYPE_SHIFT) as u32 & 31) & 1 != 0;
    of_type && sampled(entry)
}

/// Whether one entry in so many is observed only.
#[inline(always)]
pub(crate) fn samples() -> bool {
    globals::SAMPLE_BELOW.load() < sample::ALL
}

/// Whether an entry is one of those.
#[inline(always)]
pub(crate) fn sampled(entry: u64) -> bool {
    !samples() || u64::from(sample::place(entry, globals::SAMPLE_SHIFT.load())) < globals::SAMPLE_BELOW.load()
}

/// Whether there is a filter by entry at all.
#[inline(always)]
pub(crate) fn filters_entries() -> bool {
    globals::ONLY_TYPES.load() != u32::MAX || samples()
}
