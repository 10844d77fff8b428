//! The lead: how long the main thread waits before it touches the page. If it is too short, the victim has not read the
//! old content yet; if it is too long, the victim has installed it before the page is paged out again.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(8);

/// Whether the lead of a round was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// There was data loss.
    Right,
    /// The victim's access ended before the page was paged out again.
    Late,
    /// The page was paged out to the same entry in time and there was no data loss: the victim read it after that.
    Early,
    /// The page was paged out to another entry.
    Unknown,
}

impl Timing {
    pub(super) const fn of(same_entry: bool, in_time: bool, lost: bool) -> Self {
        match (lost, same_entry, in_time) {
            (true, _, _) => Self::Right,
            (false, true, true) => Self::Early,
            (false, _, false) => Self::Late,
            (false, false, true) => Self::Unknown,
        }
    }
}

/// The lead of the next round: a quarter shorter after a late one, half as long again after an early one.
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
    fn a_round_with_data_loss_had_the_right_lead() {
        assert_eq!(Timing::of(true, true, true), Timing::Right);
        assert_eq!(Timing::of(false, false, true), Timing::Right);
    }

    #[test]
    fn without_data_loss_the_entry_separates_early_from_late() {
        assert_eq!(Timing::of(true, true, false), Timing::Early);
        assert_eq!(Timing::of(true, false, false), Timing::Late);
        assert_eq!(Timing::of(false, false, false), Timing::Late);
        assert_eq!(Timing::of(false, true, false), Timing::Unknown);
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
    fn the_lead_stays_within_its_limits() {
        let settle = |timing| (0..100).fold(Duration::from_millis(1), |lead, _| next_lead(lead, timing));
        assert_eq!(settle(Timing::Late), SHORTEST);
        assert_eq!(settle(Timing::Early), LONGEST);
        assert!(next_lead(Duration::ZERO, Timing::Early) > Duration::ZERO);
    }
}
