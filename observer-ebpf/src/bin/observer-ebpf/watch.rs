//! The watched command: its first process, and all tasks that it makes (docs/decisions/launch.md).

use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};
use observer_ebpf::tracepoint::{EXEC_OLD_PID, NEW_TASK_PID};

use crate::{
    count::count,
    globals,
    maps::WATCHED,
    memory::{KernelMemory as _, TypedLoad},
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

/// [`watch_new`] through perf.
#[tracepoint]
pub(crate) fn watch_new_event(ctx: TracePointContext) -> u32 {
    if maker_is_watched() {
        add(field::<NEW_TASK_PID>(&ctx));
    }
    0
}

/// A field of four bytes of an event's record.
#[inline(always)]
fn field<const OFFSET: usize>(ctx: &TracePointContext) -> u32 {
    let field = ctx.as_ptr().wrapping_byte_add(OFFSET).cast::<u32>();
    // SAFETY: the record has the field there, which user space has checked; the verifier checks that it is in the record.
    unsafe { field.read_volatile() }
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

/// [`watch_exec`] through perf.
#[tracepoint]
pub(crate) fn watch_exec_event(ctx: TracePointContext) -> u32 {
    executed(field::<EXEC_OLD_PID>(&ctx));
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

/// [`watch_exit`] through perf.
#[tracepoint]
pub(crate) fn watch_exit_event(_ctx: TracePointContext) -> u32 {
    let _ = WATCHED.remove(task::ids().0);
    0
}
