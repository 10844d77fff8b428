//! Programs of the benchmark: one for each kind of hook, which does nothing. They measure what a hook itself costs.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

#[fentry]
pub(crate) fn empty_fentry(_ctx: FEntryContext) -> i32 {
    0
}

#[fexit]
pub(crate) fn empty_fexit(_ctx: FExitContext) -> i32 {
    0
}

#[kprobe]
pub(crate) fn empty_kprobe(_ctx: ProbeContext) -> u32 {
    0
}

#[kretprobe]
pub(crate) fn empty_kretprobe(_ctx: RetProbeContext) -> u32 {
    0
}

observer_ebpf::object!();
