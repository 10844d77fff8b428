//! Which tasks belong to the watched command: its first process, and all that it forks and clones.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    count::count,
    globals,
    maps::WATCHED,
    memory::{Copied, Direct, Memory as _},
    task,
};

/// `sched_process_fork(parent, child)`: the child of a watched task is watched.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn watch_fork(ctx: BtfTracePointContext) -> i32 {
    if parent_is_watched() {
        // SAFETY: the second argument is the child's `task_struct`.
        watch(unsafe { Direct::read(ctx.arg(1), globals::TASK_PID.load()) });
    }
    0
}

/// The same on a kernel that does not show its types.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub(crate) fn watch_fork_raw(ctx: RawTracePointContext) -> i32 {
    if parent_is_watched() {
        // SAFETY: as above.
        watch(unsafe { Copied::read(ctx.arg(1), globals::TASK_PID.load()) });
    }
    0
}

/// The parent is the running task.
#[inline(always)]
fn parent_is_watched() -> bool {
    WATCHED.get_ptr(task::ids().0).is_some()
}

#[inline(always)]
fn watch(child: u32) {
    if WATCHED.insert(child, 1, 0).is_err() {
        count!(dropped_watch_full);
    }
}

/// `sched_process_exit(task)`: runs as the task that ends.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn watch_exit(_ctx: BtfTracePointContext) -> i32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}

/// The same on a kernel that does not show its types.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub(crate) fn watch_exit_raw(_ctx: RawTracePointContext) -> i32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}
