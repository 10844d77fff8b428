//! The watched command: its first process, and all tasks that it makes (docs/decisions/launch.md).

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

/// `task_newtask(task, clone_flags)`: every task that a task makes, threads of the kernel that work for it included.
#[btf_tracepoint(function = "task_newtask")]
pub(crate) fn watch_new(ctx: BtfTracePointContext) -> i32 {
    if maker_is_watched() {
        // SAFETY: the first argument of the tracepoint is the new `task_struct`.
        add(unsafe { TypedLoad::read(ctx.arg(0), globals::task_pid.load()) });
    }
    0
}

/// [`watch_new`] for kernels without BTF.
#[raw_tracepoint(tracepoint = "task_newtask")]
pub(crate) fn watch_new_raw(ctx: RawTracePointContext) -> i32 {
    if maker_is_watched() {
        // SAFETY: the first argument of the tracepoint is the new `task_struct`.
        add(unsafe { HelperCopy::read(ctx.arg(0), globals::task_pid.load()) });
    }
    0
}

/// The tracepoint runs in the task that makes the new one.
#[inline(always)]
fn maker_is_watched() -> bool {
    WATCHED.get_ptr(task::ids().0).is_some()
}

#[inline(always)]
fn add(task: u32) {
    if WATCHED.insert(task, 1, 0).is_err() {
        count!(watch_table_full);
    }
}

/// `sched_process_exec(task, old_pid, ..)`, which runs in that task.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn watch_exec(ctx: BtfTracePointContext) -> i32 {
    executed(ctx.arg(1));
    0
}

/// [`watch_exec`] for kernels without BTF.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub(crate) fn watch_exec_raw(ctx: RawTracePointContext) -> i32 {
    executed(ctx.arg(1));
    0
}

/// A thread that is not the leader of its process gets the leader's number when it executes a program.
#[inline(always)]
fn executed(old: u32) {
    let (tid, _) = task::ids();
    if old != tid && WATCHED.remove(old).is_ok() {
        add(tid);
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
