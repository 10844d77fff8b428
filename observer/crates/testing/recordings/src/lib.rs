//! Made-up recordings, and the folder of recordings of released versions, for the tests of other crates.

use std::path::PathBuf;

pub mod made_up;
pub mod synthetic;
pub mod unfixed;

/// Path of a recording of a released version.
pub fn released(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/files")).join(name)
}
