//! Two observations side by side.

pub use self::{comparison::Diff, text::text};

pub mod comparison;
mod overlay;
mod text;
