//! Benchmarks in guests, and their tables.

mod counted;
pub(crate) mod figures;
mod hooks;
mod markdown;
pub(crate) mod overhead;
mod pages;
mod peers;
pub(crate) mod pin;
pub(crate) mod scaling;
mod screen;
mod sets;
