//! Programs of the benchmark alone: one for each kind of hook that does nothing, which is what being hooked costs.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

/// On a trampoline, at entry.
#[fentry]
pub(crate) fn empty_fentry(_ctx: FEntryContext) -> i32 {
    0
}

/// On a trampoline, at return.
#[fexit]
pub(crate) fn empty_fexit(_ctx: FExitContext) -> i32 {
    0
}

/// On a probe, at entry.
#[kprobe]
pub(crate) fn empty_kprobe(_ctx: ProbeContext) -> u32 {
    0
}

/// On a probe, at return.
#[kretprobe]
pub(crate) fn empty_kretprobe(_ctx: RetProbeContext) -> u32 {
    0
}

observer_ebpf::object!();
