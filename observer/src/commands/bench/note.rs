//! Why a part of the benchmark has no figures.

use std::fmt;

use serde::Serialize;

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub(super) enum Note {
    /// With one CPU two threads are never in the kernel at once.
    OneCpu,
    /// This kernel has no pin.
    NoPin,
    PinNotTimed {
        reason: String,
    },
    PinNotTaken,
    /// The kernel does not count how often programs run.
    RunsNotCounted,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneCpu => f.write_str("no contended rows: they need two CPUs"),
            Self::NoPin => f.write_str("no row for the pin: this kernel has no pin"),
            Self::PinNotTimed { reason } => {
                write!(f, "no row for the pin: its functions cannot be timed on this kernel: {reason}")
            }
            Self::PinNotTaken => f.write_str("no row for the pin: no pin was taken"),
            Self::RunsNotCounted => f.write_str("no rows for hooks: the kernel does not count how often programs run"),
        }
    }
}
