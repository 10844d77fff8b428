//! Whether the race can happen on a host.

use crate::race::{Answer, Race, Reason};
use observer_kernel::plan::State;
use observer_text::joined;

pub(crate) const fn vulnerable(state: State) -> &'static str {
    match state {
        State::Vulnerable => "YES: this kernel lacks the fix for CVE-2024-26759",
        State::PinnedTick | State::PinnedWaitQueue | State::Pinned => {
            "no: this kernel pins an entry while a task reads it directly"
        }
        State::NoBypass => "no: this kernel never skips the swap cache",
        State::NoSwap => "no: this kernel is built without swap",
        State::Unknown => "unknown: neither symbols nor types of this kernel show the fix or its absence",
    }
}

pub(crate) fn reachable(race: &Race) -> String {
    match race.reason {
        Reason::NoBypass => "no: this kernel never skips the swap cache".to_owned(),
        Reason::SynchronousDevice => {
            let verb = if race.synchronous.len() == 1 { "is" } else { "are" };
            format!("yes: {} {verb} read synchronously, without the swap cache", joined(&race.synchronous, ", "))
        }
        Reason::NoSwapArea => "no: no swap area is in use".to_owned(),
        Reason::NoSynchronousDevice => "no: no swap area is on a synchronous device".to_owned(),
        Reason::DeviceUnknown => {
            format!("unknown: {} may be read synchronously", joined(&race.undecided, ", "))
        }
        Reason::AreasUnknown => "unknown: the swap areas in use are unknown".to_owned(),
    }
}

/// What follows from both.
pub(crate) const fn race(race: &Race) -> &'static str {
    match (race.data_loss, race.pin_waits) {
        (Answer::Yes, _) => "DATA LOSS IS POSSIBLE: a task can install a stale page",
        (Answer::Unknown, _) => "unknown",
        (Answer::No, Answer::Yes) => "no data loss; tasks may wait for a pin",
        (Answer::No, Answer::Unknown) => "no data loss; whether tasks may wait for a pin is unknown",
        (Answer::No, Answer::No) => "cannot happen here",
    }
}
