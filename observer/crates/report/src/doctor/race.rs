//! Whether the race can happen here: what the kernel does about it, against the devices it swaps to. Pure.

use serde::Serialize;

use observer_kernel::{
    plan::State,
    swaps::{SwapArea, Synchronous},
};

/// Whether something can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It can.
    Yes,
    /// It cannot, as things are.
    No,
    /// It cannot be told.
    Unknown,
}

/// The answer, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Race {
    /// Whether a page can be lost: whether the ABA can happen.
    pub answer: Answer,
    /// Why.
    pub reason: String,
    /// Whether tasks may have to wait on the pin.
    pub waits: Answer,
    /// The swap areas that are read synchronously, so past the swap cache where the kernel does that.
    pub synchronous: Vec<String>,
}

/// Decides it. `None` for what is not known.
pub fn reachability(state: Option<State>, areas: Option<&[SwapArea]>) -> Race {
    let synchronous = names(areas, Synchronous::Yes);
    let race = |answer, waits, reason: String| Race { answer, reason, waits, synchronous: synchronous.clone() };
    let (open, where_) = direct_path(areas, &synchronous);
    match state {
        None => race(
            Answer::Unknown,
            Answer::Unknown,
            "what this kernel does about it cannot be told: its symbols show no do_swap_page".into(),
        ),
        Some(State::NoBypass) => {
            race(Answer::No, Answer::No, "closed by design: this kernel reads nothing past the swap cache".into())
        }
        Some(State::Unfixed) => {
            let reason = match open {
                Answer::Yes => {
                    format!("{where_}, and nothing holds the entry meanwhile (CVE-2024-26759)")
                }
                Answer::No => format!("this kernel is not fixed (CVE-2024-26759), but the race is {where_}"),
                Answer::Unknown => format!("this kernel is not fixed (CVE-2024-26759), and {where_}"),
            };
            race(open, Answer::No, reason)
        }
        Some(State::PinnedTick | State::PinnedWaitQueue | State::Pinned) => {
            let waits = match open {
                Answer::Yes => format!("tasks may have to wait on the pin: {where_}"),
                Answer::No => format!("waits on the pin are {where_}"),
                Answer::Unknown => format!("whether tasks may have to wait on the pin is unknown: {where_}"),
            };
            race(Answer::No, open, format!("no page is lost: this kernel pins the entry; {waits}"))
        }
    }
}

/// Whether a swap area in use opens the way past the swap cache, in words that end the sentences above.
fn direct_path(areas: Option<&[SwapArea]>, synchronous: &[String]) -> (Answer, String) {
    let unknown = names(areas, Synchronous::Unknown);
    match areas {
        None => (Answer::Unknown, "the swap areas in use are not known".into()),
        Some([]) => (Answer::No, "not reachable now: no swap area is in use".into()),
        Some(_) if !synchronous.is_empty() => {
            let verb = if synchronous.len() == 1 { "is" } else { "are" };
            (Answer::Yes, format!("{} {verb} read synchronously, past the swap cache", synchronous.join(", ")))
        }
        Some(_) if !unknown.is_empty() => {
            (Answer::Unknown, format!("it cannot be told whether {} is read synchronously", unknown.join(" or ")))
        }
        Some(_) => (Answer::No, "not reachable here: no synchronous swap device".into()),
    }
}

fn names(areas: Option<&[SwapArea]>, answer: Synchronous) -> Vec<String> {
    let areas = areas.unwrap_or_default().iter();
    areas.filter(|area| area.synchronous == answer).map(|area| area.line.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::swaps::{AreaKind, SwapLine};

    fn area(path: &str, synchronous: Synchronous) -> SwapArea {
        let line = SwapLine { path: path.into(), kind: AreaKind::Partition, size_kib: 1, used_kib: 0, priority: 0 };
        SwapArea { line, ordinal: 0, device: None, synchronous, reason: String::new() }
    }

    fn zram() -> SwapArea {
        area("/dev/zram0", Synchronous::Yes)
    }

    fn disk() -> SwapArea {
        area("/dev/sda2", Synchronous::No)
    }

    #[test]
    fn an_unfixed_kernel_loses_pages_where_a_device_reads_synchronously() {
        let race = |areas: &[SwapArea]| reachability(Some(State::Unfixed), Some(areas));
        let open = race(&[disk(), zram(), area("/dev/ram1", Synchronous::Yes)]);
        assert_eq!((open.answer, open.waits), (Answer::Yes, Answer::No));
        assert!(open.reason.starts_with("/dev/zram0, /dev/ram1 are read synchronously"), "{}", open.reason);
        assert_eq!(open.synchronous, ["/dev/zram0", "/dev/ram1"]);
        let closed = race(&[disk()]);
        assert_eq!(closed.answer, Answer::No);
        assert!(closed.reason.ends_with("not reachable here: no synchronous swap device"), "{}", closed.reason);
        let none = race(&[]);
        assert_eq!(none.answer, Answer::No);
        assert!(none.reason.ends_with("not reachable now: no swap area is in use"), "{}", none.reason);
        let odd = race(&[disk(), area("/swapfile", Synchronous::Unknown)]);
        assert_eq!(odd.answer, Answer::Unknown);
        assert!(odd.reason.contains("/swapfile") && !odd.reason.contains("sda2"), "{}", odd.reason);
        assert_eq!(race(&[area("/swapfile", Synchronous::Unknown), zram()]).answer, Answer::Yes);
    }

    #[test]
    fn a_pin_turns_loss_into_waiting() {
        for state in [State::PinnedTick, State::PinnedWaitQueue, State::Pinned] {
            let waits = |areas: &[SwapArea]| {
                let race = reachability(Some(state), Some(areas));
                assert_eq!(race.answer, Answer::No);
                race.waits
            };
            assert_eq!((waits(&[zram()]), waits(&[disk()]), waits(&[])), (Answer::Yes, Answer::No, Answer::No));
            assert_eq!(waits(&[area("/swapfile", Synchronous::Unknown)]), Answer::Unknown);
        }
    }

    #[test]
    fn without_the_bypass_devices_do_not_matter() {
        let race = reachability(Some(State::NoBypass), Some(&[zram()]));
        assert_eq!((race.answer, race.waits), (Answer::No, Answer::No));
        assert!(race.reason.starts_with("closed by design"));
        assert_eq!(reachability(Some(State::NoBypass), None).answer, Answer::No);
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        assert_eq!(reachability(None, Some(&[zram()])).answer, Answer::Unknown);
        assert_eq!(reachability(Some(State::Unfixed), None).answer, Answer::Unknown);
        let pinned = reachability(Some(State::PinnedTick), None);
        assert_eq!((pinned.answer, pinned.waits), (Answer::No, Answer::Unknown));
    }
}
