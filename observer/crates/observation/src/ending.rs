//! How an observation ended.

use serde::{Deserialize, Serialize};

use crate::{on_finding::OnFinding, overhead::Overhead};
use observer_kernel::{codes, vmstat::Vmstat};

codes! {
    /// Why an observation ended.
    pub enum EndReason {
        /// The duration given.
        Duration = "duration",
        /// The command ended.
        Command = "command",
        Signal = "signal",
        /// The user pressed a key, or the recording could not be continued.
        Observer = "observer",
        /// The recording stops before its end: the recorder was killed, or the file is damaged.
        Cut = "cut",
        /// The observation continues in a file that was not given.
        Continues = "continues",
        /// As many findings as `--stop-on` asks for.
        StopOn = "stop_on",
        /// It has not ended.
        Running = "running",
    } else {
        /// A recording has a reason that this version does not know.
        Unknown = "unknown"
    }
}

/// What is known at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinalState {
    /// The kernel's own counters at start and end.
    pub vmstat: Option<(Vmstat, Vmstat)>,
    pub overhead: Overhead,
    /// Exit code of the command, as a shell would number it.
    pub command: Option<i32>,
    pub ended: EndReason,
    /// `None`: no command was to run on findings, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_finding: Option<OnFinding>,
}

impl FinalState {
    /// Of a recording that lacks its end, or of an observation that has not ended.
    pub fn unknown(ended: EndReason) -> Self {
        Self { vmstat: None, overhead: Overhead::default(), command: None, ended, on_finding: None }
    }
}
