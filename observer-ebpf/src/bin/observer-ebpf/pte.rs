//! Swap PTEs (docs/decisions/pte.md). Every x86-64 kernel has the same layout, so there it is compiled in; elsewhere
//! globals hold it.

use observer_ebpf::swap_entry::{FIRST_AMBIGUOUS_TYPE, TYPE_SHIFT};

#[cfg(not(bpf_target_arch = "x86_64"))]
use crate::globals;
use crate::{atomic::read_u32, maps::REAL_TYPES};

/// The entry in a swap PTE: the type is in the highest five bits, the offset below it, inverted, above nine other bits.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn entry(pte: u64) -> u64 {
    (pte >> 59 << TYPE_SHIFT) | (!pte << 5 >> 14)
}

/// The entry in a swap PTE.
#[cfg(not(bpf_target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn entry(pte: u64) -> u64 {
    let kind = pte >> (globals::pte_type_shift.load() & 63) & globals::pte_type_mask.load();
    let offset = (pte ^ globals::pte_offset_flip.load()) >> (globals::pte_offset_shift.load() & 63)
        & globals::pte_offset_mask.load();
    (kind << TYPE_SHIFT) | offset
}

/// Whether a PTE maps a page: it is present, or `PROT_NONE`, which the kernel treats as present.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn is_present(pte: u64) -> bool {
    pte & (1 | 1 << 8) != 0
}

/// Whether a PTE maps a page.
#[cfg(not(bpf_target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn is_present(pte: u64) -> bool {
    pte & globals::pte_present.load() != 0
}

/// Whether an entry is in a swap area: not a migration, device-private, hwpoison or marker entry.
#[inline(always)]
pub(crate) fn is_in_swap_area(entry: u64) -> bool {
    let kind = (entry >> TYPE_SHIFT) as u32;
    kind < FIRST_AMBIGUOUS_TYPE || REAL_TYPES.get_ptr(kind).is_some_and(|seen| read_u32(seen.cast(), 0) != 0)
}
