//! Which type each swap area has. `/proc/swaps` lists the areas in the order of their types but passes over holes, so a
//! type cannot be read off it. The kernel's function that prints a line has the area in its hand: for one reading of the
//! file, a program looks over its shoulder.

use aya_ebpf::{
    macros::{fentry, kprobe, map},
    maps::Array,
    programs::{FEntryContext, ProbeContext},
};
use observer_ebpf::config::TYPES;

use crate::{
    count::{add_u32, read_u32, write_u32},
    globals,
    memory::{Copied, Memory as _},
    task,
};

/// First how many lines were printed, then the types of their areas.
#[map]
static SWAP_TYPES: Array<u32> = Array::with_max_entries(TYPES + 1, 0);

/// `swap_show(seq_file, area)`.
#[fentry]
pub(crate) fn area_shown_fentry(ctx: FEntryContext) -> i32 {
    shown(ctx.arg(1));
    0
}

/// The same.
#[kprobe]
pub(crate) fn area_shown_kprobe(ctx: ProbeContext) -> u32 {
    shown(ctx.arg(1).unwrap_or(0));
    0
}

/// The headline's "area".
const START_TOKEN: u64 = 1;

#[inline(always)]
fn shown(area: u64) {
    // Somebody else may read the file at the same time.
    if area <= START_TOKEN || task::ids().1 != globals::ONLY_PID.load() {
        return;
    }
    let Some(lines) = SWAP_TYPES.get_ptr_mut(0) else { return };
    let line = read_u32(lines.cast(), 0);
    // SAFETY: the function's argument is a `struct swap_info_struct`.
    let kind: u8 = unsafe { Copied::read(area as *const u8, globals::SI_TYPE.load()) };
    let Some(place) = SWAP_TYPES.get_ptr_mut(line.wrapping_add(1)) else { return };
    write_u32(place.cast(), 0, kind.into());
    add_u32(lines.cast(), 0, 1);
}
