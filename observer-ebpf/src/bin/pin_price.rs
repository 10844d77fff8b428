//! Programs of the benchmark alone: they time the two functions that take and drop the pin, and one that does nothing.
#![no_std]
#![no_main]
#![expect(clippy::inline_always, reason = "a call would be timed as well")]

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{fentry, fexit, map},
    maps::PerCpuArray,
    programs::{FEntryContext, FExitContext},
};
use observer_ebpf::pin_price::{DROP, EMPTY, Pair, TAKE};

#[map]
static PAIRS: PerCpuArray<Pair> = PerCpuArray::with_max_entries(observer_ebpf::pin_price::PAIRS, 0);

/// The pin is about to be taken.
#[fentry]
pub(crate) fn take_start(_ctx: FEntryContext) -> i32 {
    start(TAKE);
    0
}

/// That is done.
#[fexit]
pub(crate) fn take_end(_ctx: FExitContext) -> i32 {
    end(TAKE);
    0
}

/// The pin is about to be dropped.
#[fentry]
pub(crate) fn drop_start(_ctx: FEntryContext) -> i32 {
    start(DROP);
    0
}

/// That is done.
#[fexit]
pub(crate) fn drop_end(_ctx: FExitContext) -> i32 {
    end(DROP);
    0
}

/// A function that does nothing is about to do it.
#[fentry]
pub(crate) fn empty_start(_ctx: FEntryContext) -> i32 {
    start(EMPTY);
    0
}

/// That is done.
#[fexit]
pub(crate) fn empty_end(_ctx: FExitContext) -> i32 {
    end(EMPTY);
    0
}

/// The clock is read last, and first in [`end`]: as little as can be of the programs is between.
#[inline(always)]
fn start(pair: u32) {
    let Some(pair) = PAIRS.get_ptr_mut(pair) else { return };
    // SAFETY: a live map value of this type; it is this CPU's, and a pair whose task was changed meanwhile is not timed.
    let pair = unsafe { &mut *pair };
    pair.task = bpf_get_current_pid_tgid();
    // SAFETY: the helper has no arguments and cannot fail.
    pair.start = unsafe { bpf_ktime_get_ns() };
}

#[inline(always)]
fn end(pair: u32) {
    // SAFETY: as above.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(pair) = PAIRS.get_ptr_mut(pair) else { return };
    // SAFETY: as above.
    let pair = unsafe { &mut *pair };
    if pair.task == bpf_get_current_pid_tgid() {
        pair.calls += 1;
        pair.ns += now.wrapping_sub(pair.start);
    } else {
        pair.cut += 1;
    }
    pair.task = 0;
}

observer_ebpf::object!();
