//! The watched command: its first process, and all that it forks and clones.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    count::count,
    globals,
    maps::WATCHED,
    memory::{HelperCopy, KernelMemory as _, TypedLoad},
    task,
};

/// `sched_process_fork(parent, child)`.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn watch_fork(ctx: BtfTracePointContext) -> i32 {
    if parent_is_watched() {
        // SAFETY: the second argument of the tracepoint is the child's `task_struct`.
        add(unsafe { TypedLoad::read(ctx.arg(1), globals::task_pid.load()) });
    }
    0
}

/// [`watch_fork`] for kernels without BTF.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub(crate) fn watch_fork_raw(ctx: RawTracePointContext) -> i32 {
    if parent_is_watched() {
        // SAFETY: the second argument of the tracepoint is the child's `task_struct`.
        add(unsafe { HelperCopy::read(ctx.arg(1), globals::task_pid.load()) });
    }
    0
}

/// The tracepoint runs in the parent.
#[inline(always)]
fn parent_is_watched() -> bool {
    WATCHED.get_ptr(task::ids().0).is_some()
}

#[inline(always)]
fn add(child: u32) {
    if WATCHED.insert(child, 1, 0).is_err() {
        count!(watch_table_full);
    }
}

/// `sched_process_exit(task)`, which runs in the task that exits.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn watch_exit(_ctx: BtfTracePointContext) -> i32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}

/// [`watch_exit`] for kernels without BTF.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub(crate) fn watch_exit_raw(_ctx: RawTracePointContext) -> i32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}
