//! The result of `doctor --self-test`.

use serde::Serialize;

use crate::exit::Exit;
use observer_kernel::survey::Refusal;

/// What a self-test counts. Each count must be the number of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    FaultsEnded,
    PagesInstalled,
    /// Faults on the entries that `/proc/self/pagemap` shows: the swap PTEs were decoded correctly.
    EntriesAsInPagemap,
    /// Entries that were allocated or written before the faults.
    EntriesAllocatedOrWritten,
    EntriesFreed,
    PagesRead,
    /// Pages read by the kernel's own count, `pswpin`.
    PagesReadByKernel,
    /// Pages read past the swap cache.
    PagesReadDirectly,
    PinsTaken,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub check: CheckKind,
    pub expected: u64,
    pub seen: u64,
}

impl Check {
    pub const fn passed(&self) -> bool {
        self.seen == self.expected
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// Whether all checks passed.
    pub passed: bool,
    /// Pages that were swapped out and in.
    pub pages: usize,
    pub checks: Vec<Check>,
}

/// The outcome of a self-test that was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Run(SelfTest),
    /// The programs could not be attached.
    Refused {
        refusal: Refusal,
    },
    NotRun {
        /// What happened, and why.
        reason: String,
        /// What to do about it.
        remedy: Option<String>,
        /// Whether this host does not allow it, rather than an error.
        refused: bool,
    },
}

impl Outcome {
    /// The exit code. A failed check makes every "nothing found" inconclusive.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Run(SelfTest { passed: true, .. }) => Exit::Clean,
            Self::Run(_) => Exit::Inconclusive,
            Self::Refused { .. } | Self::NotRun { refused: true, .. } => Exit::Refused,
            Self::NotRun { .. } => Exit::Failed,
        }
    }
}
