//! The running task and the clock.

use aya_ebpf::helpers::{bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns};

/// Thread id and process id.
#[inline(always)]
pub(crate) fn ids() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    (both as u32, (both >> 32) as u32)
}

/// `CLOCK_MONOTONIC` nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_ktime_get_ns() }
}

/// Control group (v2 id).
#[inline(always)]
pub(crate) fn cgroup() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_get_current_cgroup_id() }
}

/// Command, zero-padded.
#[inline(always)]
pub(crate) fn comm() -> [u8; 16] {
    bpf_get_current_comm().unwrap_or_default()
}

/// Whether the command is the one in these 16 bytes; always, if both halves are 0.
#[inline(always)]
pub(crate) fn comm_is(low: u64, high: u64) -> bool {
    if low == 0 && high == 0 {
        return true;
    }
    let comm = u128::from_le_bytes(comm());
    comm as u64 == low && (comm >> 64) as u64 == high
}
