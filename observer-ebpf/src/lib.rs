//! The ABI between the eBPF programs and user space: ring-buffer records, map values, and the names of maps and
//! globals.
//!
//! The two sides are compiled for different targets, so every shared type is `#[repr(C)]`, consists of fixed-width
//! integers with explicit padding, and has its size and offsets checked at compile time.
#![no_std]

pub mod counters;
pub mod globals;
pub mod histogram;
pub mod identity;
mod object;
pub mod pin_sleep;
pub mod pin_timing;
pub mod record;
pub mod sample;
pub mod seat;
pub mod slot;
pub mod swap_entry;
pub mod totals;
pub mod tracepoint;
pub mod unrecorded;

/// Ring buffer of [`record`]s.
pub const MAP_EVENTS: &str = "EVENTS";
/// Array of [`totals::CpuTotals`] by CPU number, which user space maps into its memory.
pub const MAP_TOTALS: &str = "TOTALS";
/// Array with one value: the globals that the programs write, of which [`globals::DISTURBED`] is the only one.
pub const MAP_BSS: &str = ".bss";
/// Array of [`seat::Seat`]s, which user space maps into its memory.
pub const MAP_FAULTS: &str = "FAULTS";
/// Hash of the faults whose seat was taken: thread id to [`seat::Seat`].
pub const MAP_SPILLED: &str = "SPILLED";
/// Array of [`slot::Slot`]s.
pub const MAP_SLOTS: &str = "SLOTS";
/// Array with the one control group that the global `filter_cgroup` refers to.
pub const MAP_CGROUPS: &str = "CGROUPS";
/// Array of one `u32`: one bit for each swap type whose faults are observed, if the global `filter_types` is 1.
pub const MAP_FILTER_TYPES: &str = "FILTER_TYPES";
/// Array of `u32`: how many lines of `/proc/swaps` were printed, then the swap type of each line.
pub const MAP_SWAP_TYPES: &str = "SWAP_TYPES";
/// Array with the one [`identity::Identity`].
pub const MAP_IDENTITY: &str = "IDENTITY";
/// Hash of the watched tasks, used if the global `watch` is 1: thread id to a value that is not used.
pub const MAP_WATCHED: &str = "WATCHED";
/// Hash of the writes whose end is hooked and awaited, by thread id.
pub const MAP_WRITES: &str = "WRITES";
/// Array of one `u32`: delay injection is off while it is not 0.
pub const MAP_DELAY_OFF: &str = "DELAY_OFF";
/// Array of the two buffers between which delay injection copies.
pub const MAP_DELAY_SCRATCH: &str = "DELAY_SCRATCH";
