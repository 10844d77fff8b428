//! Hooks that are possible and not attached.

use serde::Serialize;

use super::hook::Hook;
use crate::codes;

/// A hook that is possible and not attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redundant {
    #[serde(flatten)]
    pub hook: Hook,
    pub instead: Instead,
}

codes! {
    /// What gives the same information as a hook, or why no verdict needs it.
    pub enum Instead {
        /// A fault that does not go through the swap cache reads directly; any other read is added to the swap cache
        /// first.
        ReadsFollow = "reads_follow",
        ReadsHooked = "reads_hooked",
        /// The hook on the pin reports each failed try with its error.
        PinTryHooked = "pin_try_hooked",
        /// An entry cannot be freed under a reader that has pinned it.
        PinnedEntriesStay = "pinned_entries_stay",
        /// The hook on released entries reports every dropped reference.
        ReleaseHooked = "release_hooked",
        /// The times of a read are evidence of a finding and decide none.
        ReadTimesAreEvidence = "read_times_are_evidence",
        /// A task that finds the entry pinned sleeps, which is hooked; a direct reader holds the pin.
        PinSleepHooked = "pin_sleep_hooked",
        /// Nothing happens to an entry while it is pinned, no matter which task holds the pin.
        PinProtects = "pin_protects",
        /// Pins outside faults are not seen, so it does not matter which path takes them.
        PinsOutsideUnseen = "pins_outside_unseen",
        /// Nothing is read directly, so nothing follows from a release.
        NothingReadDirectly = "nothing_read_directly",
    } else {
        Unknown = "unknown"
    }
}
