//! Three facts about the race on a host: whether the kernel is vulnerable, whether the direct path can be reached with
//! the swap areas in use, and what was observed. The first two are inferred; evidence overrides them.

use observer_engine::report::VerdictCounts;
use observer_text::Name;
use serde::Serialize;

use observer_kernel::{
    codes,
    plan::State,
    swaps::{SwapArea, Synchronous},
};

codes! {
    pub enum Answer {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
    }
}

codes! {
    /// Why the direct path can be reached or not.
    pub enum Reason {
        /// The kernel never skips the swap cache.
        NoBypass = "no_bypass",
        SynchronousDevice = "synchronous_device",
        NoSwapArea = "no_swap_area",
        NoSynchronousDevice = "no_synchronous_device",
        /// Whether some areas are read synchronously is unknown, and no other area is.
        DeviceUnknown = "device_unknown",
        /// The swap areas in use are unknown.
        AreasUnknown = "areas_unknown",
        /// Evidence: pages were read directly.
        ReadDirectly = "read_directly",
    }
}

codes! {
    /// What was observed of the race: the highest verdict on a reader.
    pub enum Observed {
        /// There was no observation.
        NotObserved = "not_observed",
        /// Every case would have been seen, and there was none.
        Nothing = "nothing",
        /// None was seen, and some may have been missed.
        Inconclusive = "inconclusive",
        Window = "window",
        Reuse = "reuse",
        StaleInstall = "stale_install",
    }
}

codes! {
    /// What follows from the three facts.
    pub enum Risk {
        DataLossObserved = "data_loss_observed",
        DataLossPossible = "data_loss_possible",
        /// The kernel is vulnerable; with the swap areas in use now no page is read directly.
        NotReachableNow = "not_reachable_now",
        /// The kernel is vulnerable; whether pages are read directly is unknown.
        ReachabilityUnknown = "reachability_unknown",
        VulnerabilityUnknown = "vulnerability_unknown",
        /// The kernel pins entries, so tasks may wait, and no data is lost.
        PinWaits = "pin_waits",
        PinWaitsUnknown = "pin_waits_unknown",
        /// The kernel pins entries that are read directly; now none are.
        NoPinWaitsNow = "no_pin_waits_now",
        /// The kernel never reads a page directly.
        NotAffected = "not_affected",
    }
}

codes! {
    /// A fact that is inferred without observing.
    pub enum Inference {
        /// From symbols and types: what the kernel does about the race.
        Kernel = "kernel",
        /// From the swap areas: whether pages are read directly.
        Devices = "devices",
    }
}

/// A swap area in use: its path or name, and whether it is read synchronously.
pub type Area = (Name, Synchronous);

/// What an observation has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Pages read directly.
    pub direct: u64,
    pub verdicts: VerdictCounts,
    /// Whether every window, reuse and stale install was seen: nothing was dropped and no hook for them is missing.
    pub complete: bool,
    /// The swap areas of the listed stale installs, as far as they are known.
    pub areas: Vec<Name>,
}

impl Evidence {
    const fn observed(&self) -> Observed {
        let VerdictCounts { window, reuse, stale_install, .. } = self.verdicts;
        match (stale_install, reuse, window) {
            (1.., ..) => Observed::StaleInstall,
            (0, 1.., _) => Observed::Reuse,
            (0, 0, 1..) => Observed::Window,
            (0, 0, 0) if self.complete => Observed::Nothing,
            (0, 0, 0) => Observed::Inconclusive,
        }
    }

    /// Proof that the direct path can be reached.
    const fn reads_directly(&self) -> bool {
        self.direct > 0 || self.loses_data()
    }

    /// Proof that the kernel is vulnerable.
    const fn loses_data(&self) -> bool {
        self.verdicts.stale_install > 0
    }

    const fn waits_for_pins(&self) -> bool {
        self.verdicts.pin_wait > 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Race {
    /// Whether the kernel lacks the fix.
    pub vulnerable: Answer,
    /// Whether faults can skip the swap cache now.
    pub reachable: Answer,
    pub observed: Observed,
    /// Why it is reachable or not.
    pub reason: Reason,
    /// Whether a stale page can be installed: vulnerable and reachable.
    pub data_loss: Answer,
    /// Whether tasks may have to wait for a pin.
    pub pin_waits: Answer,
    pub risk: Risk,
    /// Inferences that the evidence has shown to be wrong: defects of the observer that should be reported.
    pub contradicted: Vec<Inference>,
    /// The swap areas that are read synchronously.
    pub synchronous: Vec<Name>,
    /// The swap areas of which that is unknown.
    pub undecided: Vec<Name>,
    /// `None`: there was no observation.
    pub evidence: Option<Evidence>,
}

impl Race {
    /// `areas` is `None` if the swap areas in use are unknown, `evidence` if nothing was observed.
    pub fn new(state: State, areas: Option<&[Area]>, evidence: Option<Evidence>) -> Self {
        let (synchronous, undecided) = (paths(areas, Synchronous::Yes), paths(areas, Synchronous::Unknown));
        let proves = |what: fn(&Evidence) -> bool| evidence.as_ref().is_some_and(what);
        let (reads_directly, loses_data) = (proves(Evidence::reads_directly), proves(Evidence::loses_data));
        let inferred = vulnerable(state);
        let vulnerable = if loses_data { Answer::Yes } else { inferred };
        let (by_devices, why) = reachable(state, areas, &synchronous, &undecided);
        let (reachable, reason) = match by_devices {
            Answer::No | Answer::Unknown if reads_directly => (Answer::Yes, Reason::ReadDirectly),
            answer => (answer, why),
        };
        let observed = evidence.as_ref().map_or(Observed::NotObserved, Evidence::observed);
        let pin_waits = pin_waits(state, reachable, proves(Evidence::waits_for_pins));
        let kernel_is_wrong = loses_data && inferred == Answer::No;
        // Areas come and go, so only what happened on one of these contradicts them.
        let asynchronous = paths(areas, Synchronous::No);
        let is_asynchronous = |area: &Name| asynchronous.contains(area);
        let devices_are_wrong = evidence.as_ref().is_some_and(|evidence| evidence.areas.iter().any(is_asynchronous));
        let wrong = [(kernel_is_wrong, Inference::Kernel), (devices_are_wrong, Inference::Devices)];
        Self {
            vulnerable,
            reachable,
            observed,
            reason,
            data_loss: both(vulnerable, reachable),
            pin_waits,
            risk: risk(state, vulnerable, reachable, observed, pin_waits),
            contradicted: wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, which)| which).collect(),
            synchronous,
            undecided,
            evidence,
        }
    }
}

/// The areas in use now, as [`Race::new`] takes them.
pub(crate) fn areas(areas: &[SwapArea]) -> Vec<Area> {
    areas.iter().map(|area| (area.line.path.clone(), area.synchronous)).collect()
}

fn paths(areas: Option<&[Area]>, answer: Synchronous) -> Vec<Name> {
    let areas = areas.unwrap_or_default().iter();
    areas.filter(|(_, synchronous)| *synchronous == answer).map(|(path, _)| path.clone()).collect()
}

const fn vulnerable(state: State) -> Answer {
    match state {
        State::Vulnerable => Answer::Yes,
        State::PinnedTick | State::PinnedWaitQueue | State::Pinned | State::NoBypass | State::NoSwap => Answer::No,
        State::Unknown => Answer::Unknown,
    }
}

fn reachable(state: State, areas: Option<&[Area]>, synchronous: &[Name], undecided: &[Name]) -> (Answer, Reason) {
    match areas {
        _ if state == State::NoBypass => (Answer::No, Reason::NoBypass),
        _ if state == State::NoSwap => (Answer::No, Reason::NoSwapArea),
        None => (Answer::Unknown, Reason::AreasUnknown),
        Some([]) => (Answer::No, Reason::NoSwapArea),
        Some(_) if !synchronous.is_empty() => (Answer::Yes, Reason::SynchronousDevice),
        Some(_) if !undecided.is_empty() => (Answer::Unknown, Reason::DeviceUnknown),
        Some(_) => (Answer::No, Reason::NoSynchronousDevice),
    }
}

const fn pin_waits(state: State, reachable: Answer, were_seen: bool) -> Answer {
    match state {
        _ if were_seen => Answer::Yes,
        State::PinnedTick | State::PinnedWaitQueue | State::Pinned => reachable,
        State::Vulnerable | State::NoBypass | State::NoSwap => Answer::No,
        State::Unknown => Answer::Unknown,
    }
}

const fn both(a: Answer, b: Answer) -> Answer {
    match (a, b) {
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        (Answer::Yes, Answer::Yes) => Answer::Yes,
        _ => Answer::Unknown,
    }
}

const fn risk(state: State, vulnerable: Answer, reachable: Answer, observed: Observed, pin_waits: Answer) -> Risk {
    match (vulnerable, reachable, pin_waits) {
        _ if matches!(observed, Observed::StaleInstall) => Risk::DataLossObserved,
        (Answer::Yes, Answer::Yes, _) => Risk::DataLossPossible,
        (Answer::Yes, Answer::No, _) => Risk::NotReachableNow,
        (Answer::Yes, Answer::Unknown, _) => Risk::ReachabilityUnknown,
        (Answer::Unknown, ..) => Risk::VulnerabilityUnknown,
        (Answer::No, _, Answer::Yes) => Risk::PinWaits,
        (Answer::No, _, Answer::Unknown) => Risk::PinWaitsUnknown,
        (Answer::No, _, Answer::No) if state.pins() => Risk::NoPinWaitsNow,
        (Answer::No, _, Answer::No) => Risk::NotAffected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(path: &str, synchronous: Synchronous) -> Area {
        (path.into(), synchronous)
    }

    fn zram() -> Area {
        area("/dev/zram0", Synchronous::Yes)
    }

    fn disk() -> Area {
        area("/dev/sda2", Synchronous::No)
    }

    fn file() -> Area {
        area("/swapfile", Synchronous::Unknown)
    }

    fn inferred(state: State, areas: &[Area]) -> Race {
        Race::new(state, Some(areas), None)
    }

    fn stale(direct: u64, area: Option<&str>) -> Evidence {
        let verdicts = VerdictCounts { stale_install: 2, ..VerdictCounts::default() };
        Evidence { direct, verdicts, complete: true, areas: area.into_iter().map(Name::from).collect() }
    }

    #[test]
    fn a_vulnerable_kernel_can_lose_data_where_a_device_is_synchronous() {
        let race = |areas: &[Area]| inferred(State::Vulnerable, areas);
        let reachable = race(&[disk(), zram(), area("/dev/ram1", Synchronous::Yes)]);
        assert_eq!((reachable.vulnerable, reachable.data_loss), (Answer::Yes, Answer::Yes));
        assert_eq!((reachable.pin_waits, reachable.risk), (Answer::No, Risk::DataLossPossible));
        assert_eq!(reachable.synchronous, ["/dev/zram0", "/dev/ram1"]);
        let undecided = race(&[disk(), file()]);
        assert_eq!((undecided.data_loss, undecided.reason), (Answer::Unknown, Reason::DeviceUnknown));
        assert_eq!((undecided.risk, undecided.undecided), (Risk::ReachabilityUnknown, vec!["/swapfile".into()]));
        assert_eq!(race(&[file(), zram()]).data_loss, Answer::Yes);
    }

    #[test]
    fn a_vulnerable_kernel_stays_vulnerable_where_the_race_is_not_reachable_now() {
        for (areas, reason) in [(vec![disk()], Reason::NoSynchronousDevice), (vec![], Reason::NoSwapArea)] {
            let race = inferred(State::Vulnerable, &areas);
            assert_eq!((race.vulnerable, race.reachable, race.reason), (Answer::Yes, Answer::No, reason));
            assert_eq!((race.observed, race.risk), (Observed::NotObserved, Risk::NotReachableNow));
        }
    }

    #[test]
    fn a_kernel_that_pins_has_waits_instead_of_data_loss() {
        for state in [State::PinnedTick, State::PinnedWaitQueue, State::Pinned] {
            for (areas, waits, risk) in [
                (vec![zram()], Answer::Yes, Risk::PinWaits),
                (vec![disk()], Answer::No, Risk::NoPinWaitsNow),
                (vec![], Answer::No, Risk::NoPinWaitsNow),
                (vec![file()], Answer::Unknown, Risk::PinWaitsUnknown),
            ] {
                let race = inferred(state, &areas);
                assert_eq!((race.vulnerable, race.data_loss), (Answer::No, Answer::No));
                assert_eq!((race.pin_waits, race.risk), (waits, risk));
            }
        }
    }

    #[test]
    fn devices_do_not_matter_on_a_kernel_that_never_skips_the_swap_cache() {
        for areas in [Some([zram()].as_slice()), None] {
            let race = Race::new(State::NoBypass, areas, None);
            assert_eq!((race.data_loss, race.pin_waits, race.reason), (Answer::No, Answer::No, Reason::NoBypass));
            assert_eq!(race.risk, Risk::NotAffected);
        }
    }

    #[test]
    fn unknown_facts_give_unknown_answers() {
        let unknown = inferred(State::Unknown, &[zram()]);
        assert_eq!((unknown.data_loss, unknown.risk), (Answer::Unknown, Risk::VulnerabilityUnknown));
        assert_eq!(Race::new(State::Vulnerable, None, None).data_loss, Answer::Unknown);
        let pinned = Race::new(State::PinnedTick, None, None);
        assert_eq!((pinned.data_loss, pinned.pin_waits), (Answer::No, Answer::Unknown));
    }

    #[test]
    fn a_stale_install_proves_a_vulnerable_kernel_and_a_reachable_race_whatever_was_inferred() {
        for state in State::ALL.into_iter().chain([State::Unknown]) {
            for areas in [None, Some(vec![]), Some(vec![disk()]), Some(vec![file()]), Some(vec![zram()])] {
                let race = Race::new(state, areas.as_deref(), Some(stale(0, None)));
                let facts = (race.vulnerable, race.reachable, race.observed);
                assert_eq!(facts, (Answer::Yes, Answer::Yes, Observed::StaleInstall), "{state:?} {areas:?}");
                assert_eq!((race.data_loss, race.risk), (Answer::Yes, Risk::DataLossObserved));
                let is_wrong = !matches!(state, State::Vulnerable | State::Unknown);
                assert_eq!(race.contradicted.contains(&Inference::Kernel), is_wrong, "{state:?}");
            }
        }
    }

    #[test]
    fn only_a_stale_install_on_an_area_contradicts_what_was_inferred_of_it() {
        let contradicted = |areas: &[Area], on| {
            let race = Race::new(State::Vulnerable, Some(areas), Some(stale(7, on)));
            race.contradicted
        };
        assert_eq!(contradicted(&[disk(), zram()], Some("/dev/sda2")), [Inference::Devices]);
        assert_eq!(contradicted(&[disk(), zram()], Some("/dev/zram0")), []);
        assert_eq!(contradicted(&[disk()], Some("/dev/zram0")), [], "it was switched off");
        assert_eq!(contradicted(&[file()], Some("/swapfile")), []);
        assert_eq!(contradicted(&[disk()], None), []);
    }

    #[test]
    fn a_page_that_was_read_directly_proves_that_the_race_is_reachable() {
        let read = Evidence { direct: 1, complete: true, ..Evidence::default() };
        let race = Race::new(State::Vulnerable, Some(&[disk()]), Some(read.clone()));
        assert_eq!((race.reachable, race.reason), (Answer::Yes, Reason::ReadDirectly));
        assert_eq!((race.observed, race.risk), (Observed::Nothing, Risk::DataLossPossible));
        let named = Race::new(State::Vulnerable, Some(&[zram()]), Some(read));
        assert_eq!(named.reason, Reason::SynchronousDevice, "the device is the better reason");
    }

    #[test]
    fn the_highest_verdict_on_a_reader_is_what_was_observed() {
        let observed = |window, reuse, stale_install, complete| {
            let verdicts = VerdictCounts { overlap: 9, pin_wait: 9, window, reuse, stale_install, lock_wait: 9 };
            Race::new(State::Vulnerable, None, Some(Evidence { verdicts, complete, ..Evidence::default() })).observed
        };
        assert_eq!(observed(0, 0, 0, true), Observed::Nothing);
        assert_eq!(observed(0, 0, 0, false), Observed::Inconclusive);
        assert_eq!(observed(1, 0, 0, false), Observed::Window);
        assert_eq!(observed(1, 1, 0, true), Observed::Reuse);
        assert_eq!(observed(1, 1, 1, false), Observed::StaleInstall);
    }

    #[test]
    fn pin_waits_that_were_seen_are_possible() {
        let verdicts = VerdictCounts { pin_wait: 1, ..VerdictCounts::default() };
        let evidence = Evidence { verdicts, ..Evidence::default() };
        assert_eq!(Race::new(State::Unknown, None, Some(evidence)).pin_waits, Answer::Yes);
    }
}
