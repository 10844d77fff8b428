//! The comparison of two observations for a terminal.

pub use self::text::text;

mod overlay;
mod text;
