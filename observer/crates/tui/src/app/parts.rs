//! What the state is made of, and what comes out of it.

use super::rates::Rates;
use crate::model::{FindingRow, Model};
use observer_engine::tally::Party;
use observer_record::player::Move;

/// The views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Rates and distributions.
    #[default]
    Overview,
    /// Contended entries.
    Entries,
    /// Who contends.
    Tasks,
    /// Windows, reuses, stale installs.
    Findings,
}

impl Tab {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Overview, Self::Entries, Self::Tasks, Self::Findings];

    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Entries => "Entries",
            Self::Tasks => "Tasks",
            Self::Findings => "Findings",
        }
    }
}

/// How tasks are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// By process.
    #[default]
    Process,
    /// By command.
    Command,
    /// By control group.
    Cgroup,
}

impl Grouping {
    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "by process",
            Self::Command => "by command",
            Self::Cgroup => "by control group",
        }
    }

    pub(super) const fn next(self) -> Self {
        match self {
            Self::Process => Self::Command,
            Self::Command => Self::Cgroup,
            Self::Cgroup => Self::Process,
        }
    }

    pub(super) const fn holds(self, party: &Party) -> bool {
        matches!(
            (self, party),
            (Self::Process, Party::Process(_)) | (Self::Command, Party::Command(_)) | (Self::Cgroup, Party::Cgroup(_))
        )
    }
}

/// What lies over the view.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// The keys.
    Help {
        /// Lines scrolled away.
        scroll: usize,
    },
    /// The picture of a finding.
    Picture {
        /// Its row.
        row: Box<FindingRow>,
        /// Lines scrolled away.
        scroll: usize,
    },
}

/// A line at the bottom, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub text: String,
    /// Whether something went wrong.
    pub failed: bool,
    pub(super) left: u32,
}

/// Samples for which a message is shown: five seconds.
pub(super) const MESSAGE_SAMPLES: u32 = 50;

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// End.
    Quit,
    /// Stop the process, as a shell's Ctrl-Z does.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Start the tally again.
    Clear,
    /// Write a summary of what is shown.
    ExportSummary,
    /// Write the picture of a finding.
    ExportPicture(Box<FindingRow>),
    /// Switch delay injection on or off.
    Widen(bool),
    /// Control the replay.
    Transport(Move),
}

/// What is shown: a sample and the rates up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The sample.
    pub model: Model,
    /// The rates.
    pub rates: Rates,
}
