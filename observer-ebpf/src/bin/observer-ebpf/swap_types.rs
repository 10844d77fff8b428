//! The type of each swap area. `/proc/swaps` lists the areas in the order of their types but skips unused types, so its
//! line numbers are not types. The kernel function that prints a line gets the area as an argument: while user space
//! reads the file once, a program records the type of each area printed.

use aya_ebpf::{
    macros::{fentry, kprobe, map},
    maps::Array,
    programs::{FEntryContext, ProbeContext},
};
use observer_ebpf::swap_entry::TYPES;

use crate::{
    atomic::{add_u32, read_u32, write_u32},
    globals, identity,
    memory::{HelperCopy, KernelMemory as _},
};

/// The number of lines printed, then the type of the area of each line.
#[map]
static SWAP_TYPES: Array<u32> = Array::with_max_entries(TYPES + 1, 0);

/// `swap_show(seq_file, area)`.
#[fentry]
pub(crate) fn area_shown_fentry(ctx: FEntryContext) -> i32 {
    record(ctx.arg(1));
    0
}

/// `swap_show(seq_file, area)`.
#[kprobe]
pub(crate) fn area_shown_kprobe(ctx: ProbeContext) -> u32 {
    record(ctx.arg(1).unwrap_or(0));
    0
}

/// `SEQ_START_TOKEN`, which stands for the header line.
const START_TOKEN: u64 = 1;

#[inline(always)]
fn record(area: u64) {
    // Another process may read the file at the same time.
    if area <= START_TOKEN || !identity::is_current_process() {
        return;
    }
    let Some(lines) = SWAP_TYPES.get_ptr_mut(0) else { return };
    let line = read_u32(lines.cast(), 0);
    // SAFETY: the second argument of the function is a `struct swap_info_struct`.
    let kind: u8 = unsafe { HelperCopy::read(area as *const u8, globals::si_type.load()) };
    let Some(place) = SWAP_TYPES.get_ptr_mut(line.wrapping_add(1)) else { return };
    write_u32(place.cast(), 0, kind.into());
    add_u32(lines.cast(), 0, 1);
}
