//! What is known before the first event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{clock::Clocks, kernel::Kernel};
use observer_kernel::swaps::{SwapArea, Synchronous};

/// What is known before the first event: everything needed to judge what follows. Also the header of a recording, so
/// names are kept, and what an older file lacks is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Version of the tool that observed.
    pub tool: String,
    /// The host's name.
    pub host: String,
    pub kernel: Kernel,
    /// The swap areas in use at the start.
    pub swaps: Vec<Swap>,
    /// The filters applied in the kernel, by option; empty: everything was observed.
    pub filters: BTreeMap<String, String>,
    /// The command given with `--`, as typed; only its tasks were observed. Empty: none.
    pub command: String,
    /// The delay of delay injection; `None`: there was no delay injection.
    pub widen_ns: Option<u64>,
    /// One in this many of the reads that qualify was delayed.
    pub widen_one_in: Option<u32>,
    /// The longest acceptable wait.
    pub budget_ns: Option<u64>,
    /// One in this many of all entries was observed; 0 (older recordings) and 1: every one.
    pub sample_one_in: u32,
    /// Size of the ring buffer.
    pub ring_bytes: u64,
    /// The clocks at the start.
    pub clocks: Clocks,
}

/// A swap area.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swap {
    /// The `type` of its entries.
    pub kind: u32,
    /// Whether the kernel reported `kind`; else it follows from the order in `/proc/swaps`, which skips holes.
    pub kind_seen: bool,
    /// The path it was switched on with.
    pub path: String,
    pub size_kib: u64,
    pub synchronous: Synchronous,
}

impl From<&SwapArea> for Swap {
    fn from(area: &SwapArea) -> Self {
        Self {
            kind: area.ordinal,
            kind_seen: false,
            path: area.line.path.clone(),
            size_kib: area.line.size_kib,
            synchronous: area.synchronous,
        }
    }
}

impl Swap {
    /// All areas, with the types that the kernel reported, if it did.
    pub fn all(areas: &[SwapArea], types: Option<&[u32]>) -> Vec<Self> {
        // An area that came or went between the two readings makes the positions useless.
        let types = types.filter(|types| types.len() == areas.len());
        let seen = |index: usize| types.and_then(|types| types.get(index).copied());
        let one = |(index, area): (usize, &SwapArea)| match seen(index) {
            Some(kind) => Self { kind, kind_seen: true, ..Self::from(area) },
            None => Self::from(area),
        };
        areas.iter().enumerate().map(one).collect()
    }
}
