//! The three facts about the race, and what follows from them.

use crate::{
    paint::Tone,
    race::{Answer, Evidence, Inference, Observed, Race, Reason, Risk},
    summary::Summary,
    units,
};
use observer_kernel::plan::State;
use observer_text::joined;

/// What follows from the facts, in one sentence.
pub const fn race(race: &Race) -> &'static str {
    match race.risk {
        Risk::DataLossObserved => "DATA LOSS: a task has installed a stale page",
        Risk::DataLossPossible => "DATA LOSS IS POSSIBLE: a task can install a stale page",
        Risk::NotReachableNow => {
            "VULNERABLE, not reachable now: data loss is possible once a synchronous swap device (zram, brd, pmem) is \
             in use"
        }
        Risk::ReachabilityUnknown => "VULNERABLE: data loss is possible if a swap area in use is read synchronously",
        Risk::VulnerabilityUnknown => match race.reachable {
            Answer::No => "unknown whether this kernel is vulnerable; the race is not reachable now",
            Answer::Yes | Answer::Unknown => "UNKNOWN: data loss is possible if this kernel lacks the fix",
        },
        Risk::PinWaits => "no data loss; tasks may wait for a pin",
        Risk::PinWaitsUnknown => "no data loss; whether tasks may wait for a pin is unknown",
        Risk::NoPinWaitsNow => "no data loss; no task waits for a pin now, because no page is read directly",
        Risk::NotAffected => "not affected: no page is read without the swap cache",
    }
}

/// Whether the kernel is vulnerable.
pub fn vulnerable(race: &Race, state: State) -> String {
    if race.vulnerable == Answer::Yes && state != State::Vulnerable {
        return "YES: a stale install was observed, which the fix makes impossible".to_owned();
    }
    match state {
        State::Vulnerable => "YES: this kernel lacks the fix for CVE-2024-26759",
        State::PinnedTick | State::PinnedWaitQueue | State::Pinned => {
            "no: this kernel pins an entry while a task reads it directly"
        }
        State::NoBypass => "no: this kernel never skips the swap cache",
        State::NoSwap => "no: this kernel is built without swap",
        State::Unknown => "unknown: neither symbols nor types of this kernel show the fix or its absence",
    }
    .to_owned()
}

/// Whether the race is reachable with the swap areas in use.
pub fn reachable(race: &Race) -> String {
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
        Reason::ReadDirectly => "yes: pages were read directly, without the swap cache".to_owned(),
    }
}

/// What was observed of the race.
pub fn observed(race: &Race) -> String {
    let Evidence { verdicts, .. } = race.evidence.clone().unwrap_or_default();
    let windows = units::counted(verdicts.window, "window");
    let reuses = units::counted(verdicts.reuse, "reuse");
    match race.observed {
        Observed::NotObserved => "not observed: `observer record` and the dashboard show what happens".to_owned(),
        Observed::Nothing => "no window, no reuse and no stale install".to_owned(),
        Observed::Inconclusive => {
            "inconclusive: no window, reuse or stale install was seen, and some may have been missed".to_owned()
        }
        Observed::Window => format!("possible: {windows}, no stale install"),
        Observed::Reuse => format!("possible: {reuses} and {windows}, no stale install"),
        Observed::StaleInstall => {
            let stale = units::counted(verdicts.stale_install, "stale install");
            format!("DATA LOSS: {stale}; beside them {reuses} and {windows}")
        }
    }
}

/// The three facts of the whole observations, whatever is selected, each with its name and how serious it is.
pub fn facts(summary: &Summary) -> [(&'static str, Tone, String); 3] {
    let (race, state) = (&summary.whole().race, summary.kernel.state);
    let inferred = |answer| if answer == Answer::Yes { Tone::Caution } else { Tone::Plain };
    let seen = if race.observed == Observed::StaleInstall { Tone::Bad } else { Tone::Plain };
    [
        ("vulnerable", inferred(race.vulnerable), vulnerable(race, state)),
        ("reachable", inferred(race.reachable), reachable(race)),
        ("observed", seen, observed(race)),
    ]
}

/// What to do where evidence has shown an inference to be wrong; `None`: it has not.
pub fn contradiction(race: &Race, state: State) -> Option<String> {
    let wrong: Vec<&str> = race.contradicted.iter().map(|inference| inferred(*inference, state)).collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "observer had inferred that {}, which the evidence shows to be wrong; please report this, with the \
             recording and the output of `observer doctor --json`",
            wrong.join(" and that ")
        )
    })
}

const fn inferred(inference: Inference, state: State) -> &'static str {
    match (inference, state) {
        (Inference::Kernel, State::NoBypass) => "this kernel never skips the swap cache",
        (Inference::Kernel, State::NoSwap) => "this kernel is built without swap",
        (Inference::Kernel, _) => "this kernel has the fix",
        (Inference::Devices, _) => "this swap area is not read synchronously",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::report::VerdictCounts;

    fn stale(stale_install: u64) -> Evidence {
        Evidence { verdicts: VerdictCounts { stale_install, ..VerdictCounts::default() }, ..Evidence::default() }
    }

    #[test]
    fn an_unfixed_kernel_without_swap_is_vulnerable_and_not_reachable_now() {
        let race = Race::new(State::Vulnerable, Some(&[]), None);
        assert!(super::race(&race).starts_with("VULNERABLE, not reachable now: data loss is possible once"));
        assert_eq!(vulnerable(&race, State::Vulnerable), "YES: this kernel lacks the fix for CVE-2024-26759");
        assert_eq!(reachable(&race), "no: no swap area is in use");
        assert!(observed(&race).starts_with("not observed: "));
        assert_eq!(contradiction(&race, State::Vulnerable), None);
    }

    #[test]
    fn a_wrong_inference_is_named_with_a_request_to_report_it() {
        for (state, was_inferred) in [
            (State::PinnedTick, "that this kernel has the fix, which"),
            (State::NoBypass, "that this kernel never skips the swap cache, which"),
        ] {
            let race = Race::new(state, None, Some(stale(6)));
            assert!(vulnerable(&race, state).starts_with("YES: a stale install was observed"));
            assert_eq!(reachable(&race), "yes: pages were read directly, without the swap cache");
            assert_eq!(observed(&race), "DATA LOSS: 6 stale installs; beside them 0 reuses and 0 windows");
            let text = contradiction(&race, state).unwrap();
            assert!(text.contains(was_inferred) && text.contains("wrong; please report this"), "{text}");
        }
    }

    #[test]
    fn evidence_that_settles_what_was_unknown_contradicts_nothing() {
        let race = Race::new(State::Unknown, None, Some(stale(1)));
        assert!(vulnerable(&race, State::Unknown).starts_with("YES: a stale install was observed"));
        assert_eq!(contradiction(&race, State::Unknown), None);
    }
}
