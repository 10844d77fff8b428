//! The micro-benchmark: what a swap-in costs, by path, with and without observing.

pub mod crowd;
mod extra_reference;
pub mod figures;
pub mod swapin;
