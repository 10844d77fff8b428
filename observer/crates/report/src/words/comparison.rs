//! Comparisons of two observations.

use super::{recording::damage, selection::selection_of, waits::measure};
use crate::{
    comparison::{Caveat, Counted, Side},
    summary::distributions::Measure,
    units::{micro, number},
};

/// What has a distribution too has the name of that.
pub(crate) fn counted(counted: Counted) -> String {
    let name = match counted {
        Counted::SwapIns => "swap-ins",
        Counted::Direct => measure(Measure::FaultDirect),
        Counted::Cached => measure(Measure::FaultCached),
        Counted::Faults => "faults",
        Counted::Contended => "contended",
        Counted::PinsContended => "pins contended",
        Counted::PinRetries => "pin retries",
        Counted::Overlap => measure(Measure::Overlap),
        Counted::LockWait => measure(Measure::LockWait),
        Counted::PinWait => measure(Measure::PinWait),
        Counted::Waited => return format!("waited, {}", micro()),
        Counted::Overslept => return format!("overslept, {}", micro()),
        Counted::Window => measure(Measure::Window),
        Counted::Reuse => "reuse",
        Counted::StaleInstall => "stale-install",
    };
    name.to_owned()
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
            format!("{} dropped {} events: its counts are lower bounds", side(*of), number(*events))
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
        Caveat::Selected { options, undecided } => {
            let unknown = match undecided {
                0 => String::new(),
                more => format!("; {more} more may belong to it: their control group or their swap area is unknown"),
            };
            let options = selection_of(options);
            format!("selection {options}: what covers the whole recordings is left out{unknown}")
        }
    }
}
