//! The ABI between observer's eBPF programs and its user space: ring-buffer records, map values, names of maps and
//! globals. Everything here is `#[repr(C)]`, made of fixed-width integers, with explicit padding and compile-time
//! checks of size and offsets, because the two sides are compiled for different targets.
#![no_std]

pub mod config;
pub mod counter;
pub mod histogram;
pub mod record;
pub mod slot;

/// Name of the ring buffer that carries [`record`]s.
pub const MAP_EVENTS: &str = "EVENTS";
/// Name of the per-CPU array of [`counter::Counters`].
pub const MAP_COUNTERS: &str = "COUNTERS";
/// Name of the per-CPU array of histogram buckets ([`histogram`]).
pub const MAP_FLIGHT_TIMES: &str = "FLIGHT_TIMES";
/// Name of the hash of open flights by thread id; a value begins with a [`record::FlightRecord`].
pub const MAP_FLIGHTS: &str = "FLIGHTS";
/// Size of a value there.
pub const FLIGHT_BYTES: usize = 200;
/// Name of the array of [`slot::Slot`]s.
pub const MAP_SLOTS: &str = "SLOTS";
/// Name of the hash of tasks that are watched when [`config::WATCH`] says so: thread id to a generation of no meaning.
pub const MAP_WATCHED: &str = "WATCHED";
