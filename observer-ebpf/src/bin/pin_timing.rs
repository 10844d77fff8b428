//! Programs of the benchmark: they time the kernel functions that take and drop the pin, the one by which a fault gives
//! up its reference, and one that does nothing.
#![no_std]
#![no_main]
#![expect(clippy::inline_always, reason = "a call would be timed as well")]

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{fentry, fexit, map},
    maps::PerCpuArray,
    programs::{FEntryContext, FExitContext},
};
use observer_ebpf::pin_timing::{self, DROP, EMPTY, REFERENCE, TAKE, Timing};

#[map]
static TIMINGS: PerCpuArray<Timing> = PerCpuArray::with_max_entries(pin_timing::TIMINGS, 0);

#[fentry]
pub(crate) fn take_start(_ctx: FEntryContext) -> i32 {
    start(TAKE);
    0
}

#[fexit]
pub(crate) fn take_end(_ctx: FExitContext) -> i32 {
    end(TAKE);
    0
}

#[fentry]
pub(crate) fn drop_start(_ctx: FEntryContext) -> i32 {
    start(DROP);
    0
}

#[fexit]
pub(crate) fn drop_end(_ctx: FExitContext) -> i32 {
    end(DROP);
    0
}

#[fentry]
pub(crate) fn reference_start(_ctx: FEntryContext) -> i32 {
    start(REFERENCE);
    0
}

#[fexit]
pub(crate) fn reference_end(_ctx: FExitContext) -> i32 {
    end(REFERENCE);
    0
}

#[fentry]
pub(crate) fn empty_start(_ctx: FEntryContext) -> i32 {
    start(EMPTY);
    0
}

#[fexit]
pub(crate) fn empty_end(_ctx: FExitContext) -> i32 {
    end(EMPTY);
    0
}

/// Reads the clock last, as [`end`] reads it first, so that as little as possible of the programs is timed.
#[inline(always)]
fn start(index: u32) {
    let Some(timing) = TIMINGS.get_ptr_mut(index) else { return };
    // SAFETY: a live map value of this CPU. A task that preempts this one changes `task`, and then nothing is timed.
    let timing = unsafe { &mut *timing };
    timing.task = bpf_get_current_pid_tgid();
    // SAFETY: the helper has no arguments and cannot fail.
    timing.start = unsafe { bpf_ktime_get_ns() };
}

#[inline(always)]
fn end(index: u32) {
    // SAFETY: the helper has no arguments and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(timing) = TIMINGS.get_ptr_mut(index) else { return };
    // SAFETY: a live map value of this CPU; whether `start` was of this task is checked below.
    let timing = unsafe { &mut *timing };
    if timing.task == bpf_get_current_pid_tgid() {
        timing.calls += 1;
        timing.ns += now.wrapping_sub(timing.start);
    } else {
        timing.cut += 1;
    }
    timing.task = 0;
}

observer_ebpf::object!();
