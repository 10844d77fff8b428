//! The dashboard as a whole, on one fixed recording.

pub(crate) mod recording;
mod screens;
mod state;
