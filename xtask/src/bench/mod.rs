//! Benchmarks in guests, and their tables.

pub(crate) mod counted;
pub(crate) mod figures;
pub(crate) mod fix;
mod hooks;
pub(crate) mod markdown;
pub(crate) mod overhead;
mod pages;
mod peers;
pub(crate) mod pin;
pub(crate) mod scaling;
mod screen;
mod sets;
