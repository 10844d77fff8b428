//! Who is running.

use aya_ebpf::helpers::{bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use observer_ebpf::config::ENTRY_TYPE_SHIFT;

#[cfg(not(bpf_target_arch = "x86_64"))]
use crate::globals;
use crate::{count::read_u32, maps::REAL_TYPES};

/// Thread id and process id of the running task.
#[inline(always)]
pub(crate) fn ids() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    (both as u32, (both >> 32) as u32)
}

/// The time, `CLOCK_MONOTONIC` nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_ktime_get_ns() }
}

/// The running task's control group (v2 id).
#[inline(always)]
pub(crate) fn cgroup() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_get_current_cgroup_id() }
}

/// The running task's command, zero-padded.
#[inline(always)]
pub(crate) fn comm() -> [u8; 16] {
    bpf_get_current_comm().unwrap_or_default()
}

/// Whether the running task's command is the one in these 16 bytes; both halves 0: any is.
#[inline(always)]
pub(crate) fn comm_is(low: u64, high: u64) -> bool {
    if low == 0 && high == 0 {
        return true;
    }
    let comm = u128::from_le_bytes(comm());
    comm as u64 == low && (comm >> 64) as u64 == high
}

/// The entry in a swap PTE (docs/decisions/pte.md). On x86-64 every kernel lays it out alike, so it need not be looked up:
/// the type in the highest five bits, below it the offset, inverted, and nine bits of other use.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn entry_of_pte(pte: u64) -> u64 {
    (pte >> 59 << ENTRY_TYPE_SHIFT) | (!pte << 5 >> 14)
}

/// The entry in a swap PTE, as this kernel lays it out (docs/decisions/pte.md).
#[cfg(not(bpf_target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn entry_of_pte(pte: u64) -> u64 {
    let kind = pte >> (globals::PTE_TYPE_SHIFT.load() & 63) & globals::PTE_TYPE_MASK.load();
    let offset = (pte ^ globals::PTE_OFFSET_FLIP.load()) >> (globals::PTE_OFFSET_SHIFT.load() & 63)
        & globals::PTE_OFFSET_MASK.load();
    (kind << ENTRY_TYPE_SHIFT) | offset
}

/// Whether a PTE maps a page: it is present, or so to the kernel although the CPU may not use it (`PROT_NONE`). On x86-64 these
/// are the same two bits on every kernel.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn pte_present(pte: u64) -> bool {
    pte & (1 | 1 << 8) != 0
}

/// Whether a PTE maps a page, likewise.
#[cfg(not(bpf_target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn pte_present(pte: u64) -> bool {
    pte & globals::PTE_PRESENT.load() != 0
}

/// Whether an entry lies in a swap area, rather than being one of the special entries.
#[inline(always)]
pub(crate) fn real(entry: u64) -> bool {
    let kind = (entry >> ENTRY_TYPE_SHIFT) as u32;
    kind < observer_ebpf::config::FIRST_DOUBTFUL_TYPE
        || REAL_TYPES.get_ptr(kind).is_some_and(|seen| read_u32(seen.cast(), 0) != 0)
}
