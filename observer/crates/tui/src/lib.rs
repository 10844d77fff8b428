//! The dashboard. [`model`] is the data behind a frame; [`app`] is the state, pure: keys and samples in, effects out;
//! [`layout`] is pure too; [`view`] draws and changes nothing.

pub mod app;
pub mod layout;
pub mod model;
pub mod model_builder;
mod numbers;
pub mod settings;
pub mod theme;
pub mod view;

#[cfg(test)]
mod tests;
