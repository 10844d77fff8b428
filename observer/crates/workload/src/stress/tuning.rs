//! When to touch the page: pure. Too early, and the victim has not read the old content yet; too late, and it has
//! installed it before the entry is back.

use std::time::Duration;

/// The shortest lead that tuning goes down to.
const SHORTEST: Duration = Duration::from_micros(50);
/// The longest lead that tuning goes up to.
const LONGEST: Duration = Duration::from_millis(8);

/// How a round's timing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// The change was lost: the timing was right.
    Right,
    /// The victim was through before the entry was back.
    Late,
    /// The entry was back in time, yet nothing was lost: the victim read the page after that.
    Early,
    /// The round says nothing about timing.
    Unknown,
}

/// Judges a round from what can be seen of it.
pub(super) const fn judge(same_entry: bool, back_in_time: bool, lost: bool) -> Timing {
    match (lost, same_entry, back_in_time) {
        (true, _, _) => Timing::Right,
        (false, true, true) => Timing::Early,
        (false, _, false) => Timing::Late,
        (false, false, true) => Timing::Unknown,
    }
}

/// The lead for the next round: shorter by a quarter after a late one, longer by half after an early one.
pub(super) fn next_lead(lead: Duration, timing: Timing) -> Duration {
    match timing {
        Timing::Right | Timing::Unknown => lead,
        Timing::Late => (lead * 3 / 4).max(SHORTEST),
        Timing::Early => (lead * 3 / 2).clamp(SHORTEST, LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_right_whatever_else_was_seen() {
        assert_eq!(judge(true, true, true), Timing::Right);
        assert_eq!(judge(false, false, true), Timing::Right);
    }

    #[test]
    fn without_a_loss_the_entry_tells_early_from_late() {
        assert_eq!(judge(true, true, false), Timing::Early);
        assert_eq!(judge(true, false, false), Timing::Late);
        assert_eq!(judge(false, false, false), Timing::Late);
        assert_eq!(judge(false, true, false), Timing::Unknown);
    }

    #[test]
    fn the_lead_moves_towards_the_right_time() {
        let lead = Duration::from_millis(1);
        assert_eq!(next_lead(lead, Timing::Right), lead);
        assert_eq!(next_lead(lead, Timing::Unknown), lead);
        assert_eq!(next_lead(lead, Timing::Late), Duration::from_micros(750));
        assert_eq!(next_lead(lead, Timing::Early), Duration::from_micros(1500));
    }

    #[test]
    fn the_lead_stays_within_its_bounds() {
        let settle = |timing| (0..100).fold(Duration::from_millis(1), |lead, _| next_lead(lead, timing));
        assert_eq!(settle(Timing::Late), SHORTEST);
        assert_eq!(settle(Timing::Early), LONGEST);
        assert!(next_lead(Duration::ZERO, Timing::Early) > Duration::ZERO);
    }
}
