//! What a self-test found.

use serde::Serialize;

use crate::exit::Exit;

/// One thing that was expected, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How many there must be.
    pub wanted: u64,
    /// How many there were.
    pub seen: u64,
}

/// How it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// Whether all checks came out as they must.
    pub passed: bool,
    /// Pages that went out and came back.
    pub pages: usize,
    /// Every check.
    pub checks: Vec<Check>,
}

/// What became of a self-test that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It was made.
    Made(SelfTest),
    /// It could not be.
    NotMade {
        /// Why, and what to do.
        not_made: String,
        /// Whether this host does not allow it, rather than something having gone wrong.
        refused: bool,
    },
}

impl Outcome {
    /// The exit code that goes with it: what was not seen leaves every "nothing found" open.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Made(SelfTest { passed: true, .. }) => Exit::Clean,
            Self::Made(_) => Exit::Inconclusive,
            Self::NotMade { refused: true, .. } => Exit::Refused,
            Self::NotMade { .. } => Exit::Failed,
        }
    }
}
