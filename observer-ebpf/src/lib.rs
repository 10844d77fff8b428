//! The ABI between observer's eBPF programs and its user space: ring-buffer records, map values, names of maps and
//! globals. Everything here is `#[repr(C)]`, made of fixed-width integers, with explicit padding and compile-time
//! checks of size and offsets, because the two sides are compiled for different targets.
#![no_std]

pub mod config;
pub mod counter;
pub mod histogram;
mod object;
pub mod pin_price;
pub mod record;
pub mod sample;
pub mod seat;
pub mod slot;
pub mod totals;

/// Name of the ring buffer that carries [`record`]s.
pub const MAP_EVENTS: &str = "EVENTS";
/// Name of the per-CPU array of the one [`totals::Totals`].
pub const MAP_TOTALS: &str = "TOTALS";
/// Name of the array of the one value that holds what programs keep in globals: [`config::DISTURBED`] alone.
pub const MAP_GLOBALS: &str = ".bss";
/// Name of the array of [`seat::Seat`]s.
pub const MAP_FAULTS: &str = "FAULTS";
/// Name of the hash of faults that found their seat claimed: thread id to a seat.
pub const MAP_SPILLED: &str = "SPILLED";
/// Name of the array of [`slot::Slot`]s.
pub const MAP_SLOTS: &str = "SLOTS";
/// Name of the array of the one control group that [`config::ONLY_CGROUP`] speaks of.
pub const MAP_CGROUPS: &str = "CGROUPS";
/// Name of the array of types of the swap areas that one reading of `/proc/swaps` has shown, in its order.
pub const MAP_SWAP_TYPES: &str = "SWAP_TYPES";
/// Name of the hash of tasks that are watched when [`config::WATCH`] says so: thread id to a generation of no meaning.
pub const MAP_WATCHED: &str = "WATCHED";
/// Name of the array of one word that keeps delay injection idle while it is not 0.
pub const MAP_WIDEN_OFF: &str = "WIDEN_OFF";
