//! Three lines that answer: is this host vulnerable and the race reachable, is it happening, how long do tasks wait?

use crate::{
    app::{Shown, worst},
    model::{Distribution, Model, Stalled},
    numbers::{count, plural, seconds},
    theme::Tone,
};
use observer_engine::{event::Nanos, verdict::Verdict, wait::WaitKind};
use observer_kernel::plan::State;
use observer_report::{
    race::{Answer, Inference, Race},
    summary::{
        distributions::Measure,
        headline::{Code, Doubt},
    },
    units::duration,
    words::label,
};
use observer_text::joined;

/// Columns of a question.
pub(super) const QUESTION: usize = 12;

/// Question, answer, and how bad that is.
pub(super) fn answers(shown: &Shown) -> [(&'static str, String, Tone); 3] {
    let (vulnerable, vulnerable_tone) = vulnerable(&shown.model);
    let (happening, happening_tone) = happening(shown);
    let (waiting, waiting_tone) = waiting(&shown.model);
    [
        ("vulnerable", vulnerable, vulnerable_tone),
        ("happening", happening, happening_tone),
        ("waiting", waiting, waiting_tone),
    ]
}

/// The kernel and the devices. What was observed overrides what was inferred.
fn vulnerable(model: &Model) -> (String, Tone) {
    let (race, state) = (model.race(), model.about.kernel.state);
    if !race.contradicted.is_empty() {
        return (contradicted(&race, state).to_owned(), Tone::Bad);
    }
    let tone = match (race.vulnerable, race.reachable) {
        (Answer::No, _) => Tone::Good,
        (Answer::Yes, Answer::Yes) => Tone::Bad,
        (Answer::Yes | Answer::Unknown, _) => Tone::Caution,
    };
    let text = match (race.vulnerable, state, race.reachable) {
        (Answer::No, State::NoSwap, _) => "no: this kernel is built without swap",
        (Answer::No, State::NoBypass, _) => "no: this kernel never skips the swap cache",
        (Answer::No, _, Answer::No) => "no: this kernel pins entries, and no swap device is synchronous",
        (Answer::No, ..) => "no: this kernel pins entries, so tasks wait and no data is lost",
        (Answer::Yes, State::Unknown, _) => "yes: a stale install was observed",
        (Answer::Yes, _, Answer::No) => "yes, but not reachable now: no swap device is synchronous",
        (Answer::Yes, _, Answer::Yes) if race.synchronous.is_empty() => {
            "yes, no fix for CVE-2024-26759; reachable: pages are read directly"
        }
        (Answer::Yes, _, Answer::Yes) => {
            let names = joined(&race.synchronous, ", ");
            return (format!("yes, no fix for CVE-2024-26759; reachable through {names}"), tone);
        }
        (Answer::Yes, _, Answer::Unknown) => "yes, no fix for CVE-2024-26759; whether it is reachable is unknown",
        (Answer::Unknown, ..) => "unknown: neither symbols nor types show a fix or its absence",
    };
    (text.to_owned(), tone)
}

/// The inference that the evidence has shown to be wrong.
fn contradicted(race: &Race, state: State) -> &'static str {
    match state {
        _ if !race.contradicted.contains(&Inference::Kernel) => {
            "yes, on a device that seemed not to be synchronous: please report it"
        }
        State::NoBypass => "YES, although this kernel seemed not affected: please report it",
        State::NoSwap => "YES, although this kernel seemed to lack swap: please report it",
        _ => "YES, although this kernel seemed to have the fix: please report it",
    }
}

/// The answer so far, as in reports: of the whole observation, also after the counts were reset.
fn happening(shown: &Shown) -> (String, Tone) {
    let model = &shown.model;
    let [_, _, overlaps, pins, locks, windows, reuses, stale_installs] = model.counts;
    let code = model.answer();
    let last = || {
        worst(&model.findings).map_or_else(String::new, |(_, finding)| {
            let ago = seconds(model.at_ns.saturating_sub(finding.end_ns));
            format!(", last {ago} ago: {} {}", finding.reader.comm, finding.reader.tid)
        })
    };
    let contention = || {
        let overlaps = plural(overlaps, "overlap");
        let pins = (pins > 0 || locks == 0).then(|| plural(pins, "pin wait"));
        let locks = (locks > 0).then(|| plural(locks, "lock wait"));
        [Some(overlaps), pins, locks].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let seen = || format!("{}, {}", plural(reuses, "reuse"), plural(windows, "window"));
    let (text, tone) = match code {
        Code::DataLoss => (format!("{}{}", plural(stale_installs, "stale install"), last()), Tone::Bad),
        Code::PossibleWindows => (format!("{}{}", seen(), last()), Tone::Caution),
        Code::WaitsOnly => (format!("{}, no data lost", contention()), Tone::Good),
        Code::NothingSeen if overlaps == 0 => ("no contention so far".to_owned(), Tone::Good),
        Code::NothingSeen => (format!("{} did no harm", plural(overlaps, "overlap")), Tone::Good),
        Code::Inconclusive => {
            // Those that need most words are the rarest, and the end of the line is cut.
            let why = model.doubts.iter().rev().map(doubt).collect::<Vec<_>>().join(", ");
            let seen = if windows + reuses > 0 { seen() } else { plural(overlaps, "overlap") };
            (format!("{why}; {seen}"), Tone::Caution)
        }
    };
    (format!("{}: {text}", label(code)), tone)
}

/// Why something may have been missed.
fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::DroppedEvents { events } => format!("{} events dropped", count(*events)),
        Doubt::NotObservable { verdicts } => match verdicts.as_slice() {
            [] => "verdicts not observable".to_owned(),
            [worst] => format!("{worst} not observable"),
            [more @ .., worst] => format!("{worst} and {} more not observable", more.len()),
        },
        Doubt::DevicesUnobserved { .. } => "a device was not observed all the time".to_owned(),
        Doubt::CommandFailed { code: Some(code) } => format!("the command failed with {code}"),
        Doubt::CommandFailed { code: None } => "the command failed".to_owned(),
    }
}

fn waiting(model: &Model) -> (String, Tone) {
    if let Some(stalled) = &model.stalled {
        return (self::stalled(stalled, model.at_ns), Tone::Bad);
    }
    let of = |measure| model.distributions.iter().find(|one| one.measure == measure && one.summary.count > 0);
    let p99 = |distribution: &Distribution| distribution.summary.p99_ns;
    let (on, p99) = match (of(Measure::PinWait), of(Measure::LockWait)) {
        (Some(pin), Some(lock)) => ("pins and folio locks", p99(pin).max(p99(lock))),
        (Some(pin), None) => ("pins", p99(pin)),
        (None, Some(lock)) => ("folio locks", p99(lock)),
        (None, None) if model.about.selection.is_some() => return ("none of the selection".to_owned(), Tone::Plain),
        (None, None) => return no_waits(model),
    };
    // A wait without an observed release has no oversleep.
    let oversleep = if of(Measure::Oversleep).or(of(Measure::LockOversleep)).is_some() {
        format!("{}% overslept", model.overslept_ns.saturating_mul(100) / model.waited_ns.max(1))
    } else {
        "oversleep unknown".to_owned()
    };
    (format!("{} on {on}, {oversleep}; p99 {}", duration(model.waited_ns), duration(p99)), Tone::Caution)
}

/// What matters most while it lasts.
fn stalled(stalled: &Stalled, now: Nanos) -> String {
    let Stalled { task, since_ns, waits_for, others } = stalled;
    let why = match waits_for {
        Some(WaitKind::Pin) => "on a pin",
        Some(WaitKind::FolioLock) => "on a folio lock",
        None => "in a fault",
    };
    let others = if *others == 0 { String::new() } else { format!(", {} more", count(*others)) };
    let name = if task.comm.as_bytes().is_empty() { "task".to_owned() } else { task.comm.to_string() };
    format!("STALLED: {name} {} {why}, {}{others}", task.tid, duration(now.saturating_sub(*since_ns)))
}

fn no_waits(model: &Model) -> (String, Tone) {
    let kernel = &model.about.kernel;
    let [_, _, _, pin_waits, lock_waits, ..] = model.counts;
    if pin_waits + lock_waits > 0 {
        return ("none since the counts were reset".to_owned(), Tone::Plain);
    }
    match model.dropped_events() {
        0 if !(kernel.is_observable(Verdict::PinWait) && kernel.is_observable(Verdict::LockWait)) => {
            ("none seen: a hook for waits is missing".to_owned(), Tone::Caution)
        }
        0 if model.has_gaps() => ("none seen in what was observed".to_owned(), Tone::Caution),
        0 if kernel.state == State::Vulnerable => {
            ("none: this kernel does not pin, so tasks do not wait".to_owned(), Tone::Plain)
        }
        0 => ("none: no task waited for a page".to_owned(), Tone::Good),
        dropped => (format!("none seen; {} events dropped", count(dropped)), Tone::Caution),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::DurationSummary;

    fn model(measures: &[Measure]) -> Model {
        let summary = DurationSummary { count: 7, p99_ns: 3_980_000, ..DurationSummary::default() };
        let distributions = measures
            .iter()
            .map(|measure| Distribution { measure: *measure, summary, bins: Vec::new() })
            .collect::<Vec<_>>()
            .into();
        // More than a day, all of it overslept.
        let waited_ns = 98_765_000_000_000;
        Model { distributions, waited_ns, overslept_ns: waited_ns, ..Model::default() }
    }

    #[test]
    fn waits_before_a_reset_are_not_denied() {
        let reset = Model { counts: [9, 0, 4, 2, 0, 0, 0, 0], ..model(&[]) };
        assert_eq!(waiting(&reset).0, "none since the counts were reset");
        assert_eq!(waiting(&Model { counts: [9, 0, 4, 0, 0, 0, 0, 0], ..reset }).0, "none: no task waited for a page");
    }

    #[test]
    fn a_stall_is_shown_while_it_lasts() {
        use observer_engine::event::Task;
        let task = Task { tid: 4_194_304, pid: 1, comm: "fifteen-letters".into() };
        let stalled = Stalled { task, since_ns: 0, waits_for: None, others: 0 };
        let shown = |stalled: &Stalled, now| {
            let model = Model { at_ns: now, stalled: Some(stalled.clone()), ..model(&[Measure::PinWait]) };
            waiting(&model)
        };
        let (text, tone) = shown(&stalled, 667_000_000_000);
        assert_eq!((text.as_str(), tone), ("STALLED: fifteen-letters 4194304 in a fault, 667 s", Tone::Bad));
        assert_eq!(
            shown(&stalled, 668_000_000_000).0,
            "STALLED: fifteen-letters 4194304 in a fault, 668 s",
            "it grows"
        );
        let worst = Stalled { waits_for: Some(WaitKind::FolioLock), others: 20_480, ..stalled };
        let (text, _) = shown(&worst, 3_600_000_000_000);
        assert!(text.contains("on a folio lock") && text.contains(" more"), "{text}");
        assert!(QUESTION + text.len() <= 80, "{text}");
    }

    #[test]
    fn the_longest_wait_fits_80_columns() {
        use Measure::{LockWait, Oversleep, PinWait};
        for (measures, expected) in [
            (&[PinWait, LockWait][..], "98765 s on pins and folio locks, oversleep unknown; p99 3.98 ms"),
            (&[PinWait, LockWait, Oversleep], "98765 s on pins and folio locks, 100% overslept; p99 3.98 ms"),
            (&[PinWait, Oversleep], "98765 s on pins, 100% overslept; p99 3.98 ms"),
            (&[LockWait], "98765 s on folio locks, oversleep unknown; p99 3.98 ms"),
            (&[], "none: no task waited for a page"),
        ] {
            assert_eq!(waiting(&model(measures)).0, expected);
            assert!(QUESTION + expected.len() <= 80, "{expected}");
        }
    }
}
