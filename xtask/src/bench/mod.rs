//! Benchmarks: what observing costs, in guests that count instructions.

mod bpftrace;
mod counted;
mod hooks;
mod markdown;
pub mod overhead;
pub mod scaling;
mod screen;
pub mod sets;
