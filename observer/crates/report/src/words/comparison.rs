//! Comparisons of two observations.

use super::{recording::damage, selection::selection_of, waits::measure};
use crate::{
    comparison::{
        Caveat, Counted, Diff, Side,
        judgement::{Conclusion, Judged, Standing},
    },
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

/// What is judged. Rates are those of what has the same name elsewhere.
pub(crate) const fn judged(judged: Judged) -> &'static str {
    match judged {
        Judged::SwapInTime => "time per swap-in",
        Judged::Waited => "waited per swap-in",
        Judged::Windows => "windows or worse/million",
        Judged::StaleInstalls => "stale installs/million",
    }
}

/// B, compared with A.
pub(crate) const fn result(result: Standing) -> &'static str {
    match result {
        Standing::Better => "better",
        Standing::Worse => "worse",
        Standing::NoDifference => "no difference found",
        Standing::TooFewIntervals => "not judged: too few intervals",
        Standing::TooFewEvents => "not judged: too few events",
        Standing::NotObservable => "not judged: not observable",
    }
}

/// Which of the two is better, and by what.
pub(crate) fn conclusion(diff: &Diff) -> String {
    let of = |wanted: Standing| {
        let names = diff.judgements.iter().filter(|judgement| judgement.result == wanted);
        names.map(|judgement| judged(judgement.name)).collect::<Vec<_>>().join(", ")
    };
    match diff.conclusion {
        Conclusion::Better => format!("B is better than A: {}", of(Standing::Better)),
        Conclusion::Worse => format!("B is worse than A: {}", of(Standing::Worse)),
        Conclusion::Mixed => format!("B is better by {}, and worse by {}", of(Standing::Better), of(Standing::Worse)),
        Conclusion::NoDifference => "no difference found between A and B".to_owned(),
        Conclusion::TooLittle => {
            "A and B cannot be judged: too little was observed; record both for some minutes".to_owned()
        }
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
