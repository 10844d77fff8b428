//! The swim-lane picture of a finding: who did what to the entry, and when, to scale. Pure: [`story`] decides what there
//! is to show, in [`parts`]; [`scale`] and [`flags`] where it goes, [`text`] and [`svg`] draw it.

mod close_up;
pub mod flags;
pub mod parts;
pub mod scale;
pub mod story;
pub mod svg;
pub mod text;

#[cfg(test)]
pub(crate) mod fixtures;
