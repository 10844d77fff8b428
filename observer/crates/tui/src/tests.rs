//! The whole dashboard, on one fixed recording.

mod documents;
mod model;
mod screens;
mod state;
