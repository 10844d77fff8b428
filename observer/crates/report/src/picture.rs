//! The swim-lane picture of a finding: which task did what to the entry, and when, to scale. [`story`] decides what to
//! show, [`text`] and [`svg`] draw it.

mod close_up;
pub(crate) mod flags;
pub mod parts;
pub(crate) mod scale;
pub mod story;
pub mod svg;
pub mod text;
