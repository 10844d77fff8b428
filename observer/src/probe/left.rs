//! Flights that are still in the table at the end of an observation: some are under way, of others the end was missed.

use std::fs;

use aya::maps::{Array, HashMap, MapData, MapError};
use observer_ebpf::{SEAT_BYTES, SEAT_TAKEN, record::FlightRecord};

/// A seat, as words.
type Seat = [u64; SEAT_BYTES / 8];
/// The seats for open flights, as far as they matter here.
pub(super) type Seats = Array<MapData, Seat>;
/// Flights that found their seat taken.
pub(super) type Spilled = HashMap<MapData, u32, Seat>;

/// Word of a seat that tells when its flight began.
const BEGIN: usize = 1 + core::mem::offset_of!(FlightRecord, begin) / 8;
/// As many as the hash holds: entries may come and go while it is walked.
const MOST_SPILLED: usize = 4_096;

/// Flights whose end was missed and whose task has not come back with another one since, which would have told.
///
/// A return probe on `do_swap_page` runs out of instances without a word, and a program may be skipped. Ask while the
/// hooks are attached: what ends meanwhile leaves its seat.
pub(super) fn ends_missed(seats: &Seats, spilled: &Spilled) -> Result<u64, MapError> {
    let mut missed = 0;
    for index in 0..seats.len() {
        missed += u64::from(is_left(|| seats.get(&index, 0).ok()));
    }
    for tid in spilled.keys().take(MOST_SPILLED) {
        let tid = tid?;
        missed += u64::from(is_left(|| spilled.get(&tid, 0).ok()));
    }
    Ok(missed)
}

/// Whether a seat is taken by a task that is certainly elsewhere.
fn is_left(look: impl Fn() -> Option<Seat>) -> bool {
    let flight = || look().as_ref().and_then(flight_in);
    let Some((tid, begun)) = flight() else { return false };
    // Looked at in between: a flight that is still there afterwards was there all the time.
    is_elsewhere(state(tid)) && flight() == Some((tid, begun))
}

/// Whose flight is in a seat, and when it began.
fn flight_in(seat: &Seat) -> Option<(u32, u64)> {
    let owner = u32::try_from(seat.first()? >> 32).ok()?;
    let begun = seat.get(BEGIN).copied()?;
    (owner & SEAT_TAKEN != 0).then_some((owner & !SEAT_TAKEN, begun))
}

/// The state of a thread, a letter; `None`: it is gone.
fn state(tid: u32) -> Option<char> {
    parse_state(&fs::read_to_string(format!("/proc/{tid}/stat")).ok()?)
}

/// From `tid (comm) S ...`; the command may hold anything, parentheses and spaces too.
fn parse_state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a thread in this state is certainly not inside `do_swap_page`: that runs, or sleeps uninterruptibly.
const fn is_elsewhere(state: Option<char>) -> bool {
    !matches!(state, Some('R' | 'D'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_names_its_owner() {
        let mut seat: Seat = [0; SEAT_BYTES / 8];
        assert_eq!(flight_in(&seat), None);
        seat[0] = u64::from(7 | SEAT_TAKEN) << 32 | 1;
        seat[BEGIN] = 99;
        assert_eq!(flight_in(&seat), Some((7, 99)));
    }

    #[test]
    fn a_thread_that_sleeps_on_its_own_account_or_is_gone_is_in_no_flight() {
        assert_eq!(parse_state("7 (a ) S (b) R 1 2"), Some('R'));
        assert_eq!(parse_state("7 (x) D 1"), Some('D'));
        assert_eq!(parse_state(""), None);
        assert!(is_elsewhere(None) && is_elsewhere(Some('S')) && is_elsewhere(Some('Z')));
        assert!(!is_elsewhere(Some('R')) && !is_elsewhere(Some('D')));
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        assert!(!is_elsewhere(state(own)), "this one runs");
    }
}
