//! What is printed and written: one summary, one file for each format. Knows nothing of the kernel.

pub mod doctor;
pub mod json;
pub mod losses;
pub mod summary;
pub mod text;
