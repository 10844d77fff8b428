//! Counters of the kernel, and CPUs.

use std::fs;

use crate::failure::{Failure, Result};

/// A counter in `/proc/vmstat`; None if this kernel does not have it.
pub(crate) fn vmstat(name: &str) -> Result<Option<u64>> {
    let text = fs::read_to_string("/proc/vmstat").map_err(|e| Failure::new("reading /proc/vmstat", e, "mount proc"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .map(|v| v.trim().parse().map_err(|e| Failure::new(format!("parsing {name} in /proc/vmstat"), e, "report it")))
        .transpose()
}

/// A counter that every kernel with swap has.
pub(crate) fn vmstat_required(name: &str) -> Result<u64> {
    vmstat(name)?.ok_or_else(|| Failure::new("reading /proc/vmstat", format!("no `{name}`"), "use a kernel with swap"))
}

/// Binds the calling thread to one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<()> {
    // SAFETY: a cpu_set_t is plain bits, for which all zeroes is a value (the empty set).
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a whole cpu_set_t; CPU_SET ignores numbers beyond its end.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer and the size are those of `set`, which outlives the call.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(Failure::last_os(format!("binding a thread to CPU {cpu}"), "give this machine at least 2 CPUs")),
    }
}

/// Names the calling thread.
pub(crate) fn name_thread(name: &std::ffi::CStr) -> Result<()> {
    // SAFETY: `name` ends in a zero byte and outlives the call, which copies it.
    match unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Failure::last_os("naming a thread", "report it")),
    }
}

pub(crate) fn thread_id() -> libc::pid_t {
    // SAFETY: the call takes no arguments and cannot fail.
    unsafe { libc::gettid() }
}
