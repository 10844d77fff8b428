//! Comparisons of two observations.

use super::recording::damage;
use crate::comparison::{Caveat, Counted, Side};

pub(crate) const fn counted(counted: Counted) -> &'static str {
    match counted {
        Counted::SwapIns => "swap-ins",
        Counted::Direct => "direct",
        Counted::Cached => "cached",
        Counted::Faults => "faults",
        Counted::Contended => "contended",
        Counted::PinsContended => "pins contended",
        Counted::PinRetries => "pin retries",
        Counted::Overlap => "overlap",
        Counted::LockWait => "lock-wait",
        Counted::PinWait => "pin-wait",
        Counted::Waited => "waited, us",
        Counted::Overslept => "overslept, us",
        Counted::Window => "window",
        Counted::Reuse => "reuse",
        Counted::StaleInstall => "stale-install",
    }
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::A => "A",
        Side::B => "B",
    }
}

/// What makes two observations hard to compare, and which numbers it concerns.
pub(crate) fn caveat(caveat: &Caveat) -> String {
    match caveat {
        Caveat::DroppedEvents { side: of, events } => {
            format!("{} dropped {events} events: its counts are lower bounds", side(*of))
        }
        Caveat::NotObservable { side: of, verdicts } => {
            let verdicts: Vec<_> = verdicts.iter().map(ToString::to_string).collect();
            format!("{} lacks hooks for {}: these counts are lower bounds", side(*of), verdicts.join(", "))
        }
        Caveat::LeanHooks { side: of } => {
            format!("{} was observed with lean hooks: a 0 may be something that they do not observe", side(*of))
        }
        Caveat::Sampled { side: of, one_in } => format!(
            "{} observed one swap entry in {one_in}: its counts are estimates, its distributions and findings cover \
             the sample",
            side(*of)
        ),
        Caveat::Damaged { side: of, damage: what } => format!("{}: {}", side(*of), damage(what)),
        Caveat::FiltersDiffer => "the filters differ: A and B cover different parts of their hosts".to_owned(),
        Caveat::HooksDiffer => "the hooks differ: durations include different overhead".to_owned(),
        Caveat::DelayInjectionDiffers => {
            "delay injection differs: it delays reads in only one of them, or by a different time".to_owned()
        }
    }
}
