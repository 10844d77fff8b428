//! First and last frame of a recording.

use serde::{Deserialize, Serialize};

use crate::sample;
use observer_observation::{CgroupPaths, ClockChange, Context, FinalState};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    pub(crate) context: Context,
    pub(crate) part: Part,
    /// The counters at the start of this part; `None` for part 1.
    pub(crate) before: Option<sample::Stored>,
    /// The changes of the wall clock before this part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) clock_changes: Vec<ClockChange>,
    /// The control groups whose paths were found before this part.
    #[serde(skip_serializing_if = "CgroupPaths::is_empty")]
    pub(crate) cgroup_paths: CgroupPaths,
}

/// One of the files of an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Identifies the observation.
    pub id: String,
    /// From 1.
    pub number: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Footer {
    /// Events in this file.
    pub(crate) events: u64,
    /// `None`: the observation continues in the next part.
    pub(crate) ending: Option<FinalState>,
}
