//! What is printed and written: one summary, one file for each format. Knows nothing of the kernel.

pub mod csv;
pub mod diff;
pub mod distribution;
pub mod doctor;
pub mod dropped;
pub mod format;
pub mod hlog;
pub mod html;
pub mod json;
pub mod merge;
pub mod ndjson;
pub mod openmetrics;
pub mod perfetto;
pub mod picture;
pub mod price;
pub mod remarks;
pub mod sampled;
pub mod summary;
pub mod text;
