//! Benchmarks: what observing costs, in guests that count instructions.

pub mod overhead;
pub mod scaling;
