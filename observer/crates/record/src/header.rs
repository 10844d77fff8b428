//! First and last frame of a recording.

use serde::{Deserialize, Serialize};

use super::sample;
use observer_observation::{Context, FinalState};

/// The first frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    /// What the observation started with.
    pub(super) context: Context,
    /// Which part of the observation this file is.
    pub(super) part: Part,
    /// The counters at the start of this part, where it is not the first.
    pub(super) before: Option<sample::Stored>,
}

/// An observation may go over several files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// The same for all files of one observation, and for no others.
    pub id: String,
    /// Number of the file, from 1.
    pub number: u32,
}

/// The last frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Footer {
    /// Events in this file.
    pub(super) events: u64,
    /// How the observation ended; `None`: it goes on in the next file.
    pub(super) ending: Option<FinalState>,
}
