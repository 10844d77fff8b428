//! What is printed and written: the summary of an observation and its formats, the pages of `doctor` and `diff`, the
//! swim-lane picture. Decisions are made on codes; [`words`] turns codes into prose.

pub mod comparison;
pub mod diff;
pub mod doctor;
pub mod formats;
pub mod glossary;
pub mod observed;
pub mod paint;
pub mod picture;
pub mod race;
pub mod selection;
pub mod status;
pub mod summary;
pub mod units;
pub mod words;

#[cfg(test)]
mod fixtures;
