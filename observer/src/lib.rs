//! `observer` watches a live Linux kernel swap pages in: which entries are swapped in by several tasks at once, which of
//! these were possible ABA windows (CVE-2024-26759), and what waiting on the pin that fixes it costs.
//!
//! Data flows one way: [`kernel`] -> [`probe`] -> [`engine`] -> output. `docs/` has the decisions.

pub mod engine;
