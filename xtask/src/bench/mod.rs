//! Benchmarks: what observing costs, in guests that count instructions.

mod counted;
mod hooks;
mod markdown;
pub mod overhead;
mod pages;
mod peers;
pub mod scaling;
mod screen;
pub mod sets;
