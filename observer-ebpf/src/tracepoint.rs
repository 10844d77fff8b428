//! Where the records of tracepoints have the fields that programs read. They are part of the kernel's interface
//! (`events/*/*/format` in tracefs); user space checks them before it attaches.

/// Byte offset of `pid`, the thread id of the new task, in `task_newtask`.
pub const NEW_TASK_PID: usize = 8;
/// Byte offset of `old_pid`, the thread id before the call, in `sched_process_exec`.
pub const EXEC_OLD_PID: usize = 16;
