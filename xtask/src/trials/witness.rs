//! The JSON that the witness prints: what happened to its pages, by its own account.

use serde::Deserialize;

/// `witness churn`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Churn {
    /// Pages read from swap devices, by the kernel's count.
    pub(super) pswpin: u64,
    /// Pages that were swapped out right before they were touched.
    pub(super) out: u64,
    /// Pages with other contents than written last.
    pub(super) corrupt: u64,
}

/// `witness aba`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Aba {
    pub(super) rounds: u64,
    /// Rounds in which the victim installed a stale page: with what the page had held before, or with zeroes.
    pub(super) lost: u64,
    /// Rounds that ended with any other contents than those.
    pub(super) corrupt: u64,
    /// Thread id of the thread that touches the page second.
    pub(super) toucher: u64,
    /// Duration of its touches in all rounds, microseconds.
    pub(super) touch_us: u64,
}

/// `witness hold`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Hold {
    pub(super) rounds: u64,
    pub(super) touches: Vec<Touch>,
}

/// A touch of the page by one thread. Times are of the clock of observer's records.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Touch {
    pub(super) round: u64,
    pub(super) tid: u64,
    /// Whether the thread is the one that is delayed, `victim`.
    pub(super) holds: bool,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// Page faults of the thread.
    pub(super) faults: u64,
}
