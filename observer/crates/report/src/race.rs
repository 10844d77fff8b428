//! Whether the race can happen on a host: what the kernel does about it, and the devices that it swaps to.

use observer_text::Name;
use serde::Serialize;

use observer_kernel::{
    plan::State,
    swaps::{SwapArea, Synchronous},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Yes,
    No,
    Unknown,
}

/// Why the direct path can be reached or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The kernel never skips the swap cache.
    NoBypass,
    SynchronousDevice,
    NoSwapArea,
    NoSynchronousDevice,
    /// Whether some areas are read synchronously is unknown, and no other area is.
    DeviceUnknown,
    /// The swap areas in use are unknown.
    AreasUnknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Race {
    /// Whether the kernel lacks the fix.
    pub vulnerable: Answer,
    /// Whether faults can skip the swap cache.
    pub reachable: Answer,
    /// Why it is reachable or not.
    pub reason: Reason,
    /// Whether a stale page can be installed: vulnerable and reachable.
    pub data_loss: Answer,
    /// Whether tasks may have to wait for a pin.
    pub pin_waits: Answer,
    /// The swap areas that are read synchronously.
    pub synchronous: Vec<Name>,
    /// The swap areas of which that is unknown.
    pub undecided: Vec<Name>,
}

impl Race {
    /// `areas` is `None` if the swap areas in use are unknown.
    pub fn new(state: State, areas: Option<&[SwapArea]>) -> Self {
        let (synchronous, undecided) = (paths(areas, Synchronous::Yes), paths(areas, Synchronous::Unknown));
        let (reachable, reason) = match areas {
            _ if state == State::NoBypass => (Answer::No, Reason::NoBypass),
            _ if state == State::NoSwap => (Answer::No, Reason::NoSwapArea),
            None => (Answer::Unknown, Reason::AreasUnknown),
            Some([]) => (Answer::No, Reason::NoSwapArea),
            Some(_) if !synchronous.is_empty() => (Answer::Yes, Reason::SynchronousDevice),
            Some(_) if !undecided.is_empty() => (Answer::Unknown, Reason::DeviceUnknown),
            Some(_) => (Answer::No, Reason::NoSynchronousDevice),
        };
        let (vulnerable, data_loss, pin_waits) = match state {
            State::Vulnerable => (Answer::Yes, reachable, Answer::No),
            State::PinnedTick | State::PinnedWaitQueue | State::Pinned => (Answer::No, Answer::No, reachable),
            State::NoBypass | State::NoSwap => (Answer::No, Answer::No, Answer::No),
            State::Unknown => (Answer::Unknown, Answer::Unknown, Answer::Unknown),
        };
        Self { vulnerable, reachable, reason, data_loss, pin_waits, synchronous, undecided }
    }
}

fn paths(areas: Option<&[SwapArea]>, answer: Synchronous) -> Vec<Name> {
    let areas = areas.unwrap_or_default().iter();
    areas.filter(|area| area.synchronous == answer).map(|area| area.line.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::swaps::{AreaKind, Driver, SwapLine, SynchronousReason};

    fn area(path: &str, synchronous: Synchronous) -> SwapArea {
        let line = SwapLine { path: path.into(), kind: AreaKind::Partition, size_kib: 1, used_kib: 0, priority: 0 };
        let reason = SynchronousReason::Driver { driver: Driver::Unknown };
        SwapArea { line, ordinal: 0, device: None, synchronous, reason }
    }

    fn zram() -> SwapArea {
        area("/dev/zram0", Synchronous::Yes)
    }

    fn disk() -> SwapArea {
        area("/dev/sda2", Synchronous::No)
    }

    fn file() -> SwapArea {
        area("/swapfile", Synchronous::Unknown)
    }

    #[test]
    fn a_vulnerable_kernel_can_lose_data_where_a_device_is_synchronous() {
        let race = |areas: &[SwapArea]| Race::new(State::Vulnerable, Some(areas));
        let reachable = race(&[disk(), zram(), area("/dev/ram1", Synchronous::Yes)]);
        assert_eq!((reachable.vulnerable, reachable.data_loss), (Answer::Yes, Answer::Yes));
        assert_eq!(reachable.pin_waits, Answer::No);
        assert_eq!(reachable.synchronous, ["/dev/zram0", "/dev/ram1"]);
        for (areas, reason) in [(vec![disk()], Reason::NoSynchronousDevice), (vec![], Reason::NoSwapArea)] {
            let race = race(&areas);
            assert_eq!((race.vulnerable, race.data_loss, race.reason), (Answer::Yes, Answer::No, reason));
        }
        let undecided = race(&[disk(), file()]);
        assert_eq!((undecided.data_loss, undecided.reason), (Answer::Unknown, Reason::DeviceUnknown));
        assert_eq!(undecided.undecided, ["/swapfile"]);
        assert_eq!(race(&[file(), zram()]).data_loss, Answer::Yes);
    }

    #[test]
    fn a_kernel_that_pins_has_waits_instead_of_data_loss() {
        for state in [State::PinnedTick, State::PinnedWaitQueue, State::Pinned] {
            for (areas, waits) in [
                (vec![zram()], Answer::Yes),
                (vec![disk()], Answer::No),
                (vec![], Answer::No),
                (vec![file()], Answer::Unknown),
            ] {
                let race = Race::new(state, Some(&areas));
                assert_eq!((race.vulnerable, race.data_loss, race.pin_waits), (Answer::No, Answer::No, waits));
            }
        }
    }

    #[test]
    fn devices_do_not_matter_on_a_kernel_that_never_skips_the_swap_cache() {
        for areas in [Some([zram()].as_slice()), None] {
            let race = Race::new(State::NoBypass, areas);
            assert_eq!((race.data_loss, race.pin_waits, race.reason), (Answer::No, Answer::No, Reason::NoBypass));
        }
    }

    #[test]
    fn unknown_facts_give_unknown_answers() {
        assert_eq!(Race::new(State::Unknown, Some(&[zram()])).data_loss, Answer::Unknown);
        assert_eq!(Race::new(State::Vulnerable, None).data_loss, Answer::Unknown);
        let pinned = Race::new(State::PinnedTick, None);
        assert_eq!((pinned.data_loss, pinned.pin_waits), (Answer::No, Answer::Unknown));
    }
}
