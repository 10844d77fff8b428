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
/// Name of the array of seats for open flights. A seat begins with a word of claims and a word that names the owner
/// ([`SEAT_TAKEN`] and its thread id; 0: nobody), and goes on with a [`record::FlightRecord`].
pub const MAP_FLIGHTS: &str = "FLIGHTS";
/// Name of the hash of open flights, by thread id, that found their seat taken; its values are seats too.
pub const MAP_SPILLED: &str = "SPILLED";
/// Size of a seat.
pub const SEAT_BYTES: usize = 208;
/// Bit of a seat's owner that says that there is one.
pub const SEAT_TAKEN: u32 = 1 << 31;
/// Name of the array of [`slot::Slot`]s.
pub const MAP_SLOTS: &str = "SLOTS";
/// Name of the hash of tasks that are watched when [`config::WATCH`] says so: thread id to a generation of no meaning.
pub const MAP_WATCHED: &str = "WATCHED";
