//! The dashboard. [`model`] is what it shows, plain data; [`app`] is its state, pure: keys and samples in, effects out;
//! [`layout`] is pure as well; [`view`] draws and changes nothing.

pub mod app;
pub mod layout;
pub mod model;
pub mod model_builder;
pub mod theme;
pub mod view;

#[cfg(test)]
mod tests;
