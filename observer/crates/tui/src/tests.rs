//! The whole dashboard, on one fixed recording.

mod answers;
mod documents;
mod model;
mod screens;
mod state;
