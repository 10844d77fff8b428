//! The exit of a task whose fault is still in the table: the end of that fault was missed. Without this it would stay
//! in progress, its slot would stream every later fault, and its seat would be taken until another task gets the thread
//! id.

use aya_ebpf::{
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};

use crate::{fault_start, fault_table, task};

/// `sched_process_exit(task)`, which runs in the task that exits.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn fault_exit(_ctx: BtfTracePointContext) -> i32 {
    remove_fault();
    0
}

/// [`fault_exit`] through perf.
#[tracepoint]
pub(crate) fn fault_exit_event(_ctx: TracePointContext) -> u32 {
    remove_fault();
    0
}

/// A task does not exit inside `do_swap_page`, not even if it is killed.
#[inline(always)]
fn remove_fault() {
    let (tid, _) = task::ids();
    let Some(seat) = fault_table::occupied_by(tid) else { return };
    fault_start::end_missed(seat.fault(), tid);
    fault_table::remove(seat, tid);
}
