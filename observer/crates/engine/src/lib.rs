//! The engine turns events in order of time into verdicts, waits, overlaps, distributions and totals.
//!
//! It has no clock, no I/O and no async code: time is what the events carry and what is passed to [`Engine::advance`].
//! Memory depends on the faults in progress, the contended entries and the findings kept, not on the length of the run.

pub mod areas;
mod comm;
pub mod cost;
pub mod distributions;
mod engine;
pub mod entries;
pub mod event;
mod hash;
pub mod limits;
pub mod overlap;
mod pending;
mod reorder;
pub mod report;
pub mod reported;
pub mod series;
mod slots;
pub mod tally;
pub mod verdict;
pub mod wait;
mod wide;

pub use engine::{Engine, Footprint};
pub use report::Report;
