//! The figures of `bench overhead`, as docs/bench/overhead.json keeps them. All are instructions per page swapped in,
//! unless noted.

use serde::{Deserialize, Serialize};

use crate::output::bench::Hooks;

/// The figures of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overhead {
    /// The release.
    pub(crate) kernel: String,
    /// The compressor of zram.
    #[serde(default)]
    pub(crate) compressor: String,
    /// One row for each set of hooks.
    pub(crate) rows: Vec<Row>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pages: Vec<PagesRows>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hooks: Option<Hooks>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) screen: Vec<ScreenRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<PeerRow>,
}

/// What observing adds to a swap-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The set of hooks, or another tool.
    pub(crate) name: String,
    /// Median of the rounds with nothing attached, in the same guest.
    pub(crate) untraced: f64,
    /// Median of the observed rounds.
    pub(crate) observed: f64,
    /// Spread of the observed rounds, as a share of the median.
    pub(crate) spread: f64,
}

impl Row {
    pub(crate) fn added(&self) -> f64 {
        self.observed - self.untraced
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.observed / self.untraced
    }
}

/// Both sets of hooks over pages with one kind of content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PagesRows {
    /// The value of `--pages`.
    pub(crate) contents: String,
    pub(crate) compressor: String,
    pub(crate) rows: Vec<Row>,
}

/// What the user-space part of observer costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScreenRow {
    /// What ran during the workload.
    pub(crate) name: String,
    /// Everything that runs in the guest. A mean over the rounds, since work that is done a few times a second is not
    /// done in every round.
    pub(crate) per_page: f64,
    /// Spread of the rounds, as a share of the median.
    pub(crate) spread: f64,
    /// Instructions of the observer process in a second of guest time. None: there was none.
    pub(crate) own_per_second: Option<f64>,
    /// The same for the process that emulates the terminal.
    pub(crate) terminal_per_second: Option<f64>,
}

/// Another tool, or a set of hooks in the same guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PeerRow {
    Measured(Row),
    /// The tool is not available, or does not run on this kernel.
    Refused {
        name: String,
        why: String,
    },
}
