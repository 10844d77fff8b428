//! Micro-benchmarks of swap-ins.

pub mod contention;
pub mod cost;
mod extra_reference;
pub mod swapin;
