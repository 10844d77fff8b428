//! The micro-benchmark: what a swap-in costs, by path, with and without observing.

pub mod crowd;
pub mod figures;
mod second;
pub mod swapin;
