//! Recordings for tests: synthetic ones, and files of released versions.

use std::path::PathBuf;

pub mod pinned;
pub mod synthetic;
pub mod vulnerable;

/// Path of a recording of a released version.
pub fn released(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/files")).join(name)
}
