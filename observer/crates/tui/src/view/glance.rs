//! Three lines that answer at a glance: is this host exposed, is it happening, what does it cost?

use super::numbers::{count, some};
use crate::{
    app::{Shown, rows::seconds, worst},
    model::{Exposure, Model, Series},
    theme::Tone,
};
use observer_engine::verdict::Verdict;
use observer_kernel::swaps::Synchronous;
use observer_report::units::duration;

/// Question, answer, and how bad that is.
pub(super) fn answers(shown: &Shown) -> [(&'static str, String, Tone); 3] {
    let (exposed, exposed_tone) = exposed(&shown.model);
    let (happening, happening_tone) = happening(shown);
    let (price, price_tone) = price(&shown.model);
    [("exposed", exposed, exposed_tone), ("happening", happening, happening_tone), ("price", price, price_tone)]
}

fn exposed(model: &Model) -> (String, Tone) {
    let synchronous: Vec<&str> = model
        .devices
        .iter()
        .flatten()
        .filter(|device| device.synchronous == Synchronous::Yes)
        .map(|device| device.name.as_str())
        .collect();
    let names = synchronous.join(", ");
    let direct = model.counts.first().is_some_and(|count| *count > 0);
    match (model.about.exposure, model.synchronous()) {
        (Exposure::Closed, _) => ("no: this kernel reads nothing past the swap cache".to_owned(), Tone::Good),
        (Exposure::Unfixed | Exposure::Pinned, Synchronous::No) if !direct => {
            ("no: no swap device reads synchronously".to_owned(), Tone::Good)
        }
        (Exposure::Unfixed, Synchronous::Yes) => {
            (format!("yes, to loss: the kernel does not pin, {names} reads synchronously"), Tone::Bad)
        }
        (Exposure::Unfixed, _) if direct => {
            ("yes, to loss: the kernel does not pin, and pages are read directly".to_owned(), Tone::Bad)
        }
        (Exposure::Unfixed, _) => {
            ("perhaps: the kernel does not pin; how the device reads is not known".to_owned(), Tone::Caution)
        }
        (Exposure::Pinned, _) => ("to waiting, not to loss: this kernel pins entries".to_owned(), Tone::Good),
        (Exposure::Unknown, _) => ("not known".to_owned(), Tone::Caution),
    }
}

fn happening(shown: &Shown) -> (String, Tone) {
    let (model, rates) = (&shown.model, &shown.rates);
    let lost = model.lost();
    let total = |series| rates.total(series);
    let last = || {
        worst(&model.findings).map_or_else(String::new, |(_, finding)| {
            let ago = seconds(model.at_ns.saturating_sub(finding.end_ns));
            format!(", last {ago} ago: {} {}", finding.reader.comm, finding.reader.tid)
        })
    };
    let stale = total(Series::StaleInstalls);
    if stale > 0 {
        return (format!("yes: {}, data lost{}", some(stale, Verdict::StaleInstall.name()), last()), Tone::Bad);
    }
    let (reuses, windows) = (total(Series::Reuses), total(Series::Windows));
    if reuses + windows > 0 {
        let seen = format!("{}, {}", some(reuses, "reuse"), some(windows, "window"));
        return (format!("nearly: {seen}, no loss seen{}", last()), Tone::Caution);
    }
    let (overlaps, pins, locks) = (total(Series::Overlaps), total(Series::PinWaits), total(Series::LockWaits));
    let mut seen = some(overlaps, "overlap");
    if pins > 0 || locks == 0 {
        seen = format!("{seen}, {}", some(pins, "pin wait"));
    }
    if locks > 0 {
        seen = format!("{seen}, {}", some(locks, "lock wait"));
    }
    match (lost, overlaps + pins + locks) {
        (0, 0) => ("no: nothing so far".to_owned(), Tone::Good),
        (0, _) => (format!("no loss: {seen}"), Tone::Good),
        (lost, _) => (format!("no loss seen: {seen}; but {} events dropped", count(lost)), Tone::Caution),
    }
}

fn price(model: &Model) -> (String, Tone) {
    let of = |name| {
        let found = model.distributions.iter().find(|distribution| distribution.name == name);
        found.filter(|found| found.summary.count > 0)
    };
    let (free, wait) = match (of("pin wait"), of("lock wait")) {
        (Some(pin), Some(lock)) if lock.summary.p99_ns > pin.summary.p99_ns => ("pin or page", lock),
        (Some(pin), Some(_)) => ("pin or page", pin),
        (Some(pin), None) => ("pin", pin),
        (None, Some(lock)) => ("page", lock),
        (None, None) => {
            return match model.about.exposure {
                Exposure::Unfixed => ("none: this kernel does not pin, so nobody waits".to_owned(), Tone::Plain),
                _ => ("none: nobody waited for a page".to_owned(), Tone::Good),
            };
        }
    };
    // Of a wait whose holder was not seen it is not known.
    let free = if of("oversleep").or(of("lock oversleep")).is_some() {
        let share = model.overslept_ns.saturating_mul(100) / model.waited_ns.max(1);
        format!("{share}% after the {free} was free")
    } else {
        format!("not seen when the {free} got free")
    };
    let (waited, p99) = (duration(model.waited_ns), duration(wait.summary.p99_ns));
    let text = format!("{waited} waited, {free}; p99 {p99}");
    (text, Tone::Caution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Distribution;
    use observer_engine::totals::DurationSummary;

    /// What 80 columns leave behind the question.
    const ROOM: usize = 80 - "happening  ".len();

    fn of(names: &[&'static str]) -> Model {
        let summary = DurationSummary { count: 7, p99_ns: 3_980_000, ..DurationSummary::default() };
        let distributions =
            names.iter().map(|name| Distribution { name, summary, bins: Vec::new() }).collect::<Vec<_>>().into();
        // A day's waits, all in vain.
        let waited_ns = 98_765_000_000_000;
        Model { distributions, waited_ns, overslept_ns: waited_ns, ..Model::default() }
    }

    #[test]
    fn what_was_waited_for_fits_a_small_terminal() {
        let waits = ["pin wait", "lock wait"];
        for (names, wanted) in [
            (&waits[..], "98765 s waited, not seen when the pin or page got free; p99 3.98 ms"),
            (
                &["pin wait", "lock wait", "oversleep"],
                "98765 s waited, 100% after the pin or page was free; p99 3.98 ms",
            ),
            (&["pin wait", "oversleep"], "98765 s waited, 100% after the pin was free; p99 3.98 ms"),
            (&waits[1..], "98765 s waited, not seen when the page got free; p99 3.98 ms"),
        ] {
            assert_eq!(price(&of(names)).0, wanted);
            assert!(wanted.len() <= ROOM, "{wanted}");
        }
        assert_eq!(price(&of(&[])).0, "none: nobody waited for a page");
    }
}
