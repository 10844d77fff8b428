//! `observer` watches a live Linux kernel swap pages in: which entries are swapped in by several tasks at once, which of
//! these were possible ABA windows (CVE-2024-26759), and what waiting on the pin that fixes it costs.
//!
//! Data flows one way: [`kernel`] -> [`probe`] -> ([`record`]) -> [`engine`] -> [`export`]. `docs/decisions/` says why
//! things are as they are.

#[cfg(test)]
extern crate self as observer;

pub mod bench;
pub mod cli;
pub mod commands;
pub mod engine;
pub mod exit;
pub mod export;
pub mod kernel;
pub mod launch;
pub mod outcome;
pub mod picture;
pub mod probe;
pub mod record;
pub mod selftest;
pub mod serve;
pub mod session;
pub mod setup;
pub mod source;
pub mod stress;
pub mod tui;
