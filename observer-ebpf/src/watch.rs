//! Which tasks belong to the watched command: its first process, and all that it forks and clones.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    count::count,
    globals,
    maps::WATCHED,
    memory::{Direct, Memory as _},
    task,
};

/// `sched_process_fork(parent, child)`: the child of a watched task is watched.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn watch_fork(ctx: BtfTracePointContext) -> i32 {
    if WATCHED.get_ptr(task::ids().0).is_none() {
        return 0;
    }
    // SAFETY: the second argument is the child's `task_struct`.
    let child: u32 = unsafe { Direct::read(ctx.arg(1), globals::TASK_PID.load()) };
    if WATCHED.insert(child, 1, 0).is_err() {
        count!(lost_watch_full);
    }
    0
}

/// `sched_process_exit(task)`: runs as the task that ends.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn watch_exit(_ctx: BtfTracePointContext) -> i32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}
