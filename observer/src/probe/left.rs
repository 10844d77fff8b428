//! Flights that are still in the table at the end of an observation: some are under way, of others the end was missed.

use std::fs;

use aya::maps::{HashMap, MapData, MapError};
use observer_ebpf::{FLIGHT_BYTES, record::FlightRecord};

/// The table of open flights, as far as it matters here.
pub(super) type Flights = HashMap<MapData, u32, [u64; FLIGHT_BYTES / 8]>;

/// Word of a flight that tells when it began.
const BEGIN: usize = core::mem::offset_of!(FlightRecord, begin) / 8;
/// As many as the table holds: entries may come and go while it is walked.
const MOST: usize = 16_384;

/// Flights whose end was missed and whose task has not come back with another one since, which would have told.
///
/// A return probe on `do_swap_page` runs out of instances without a word, and a program may be skipped. Ask while the
/// hooks are attached: what ends meanwhile leaves the table.
pub(super) fn ends_missed(flights: &Flights) -> Result<u64, MapError> {
    let mut missed = 0;
    for tid in flights.keys().take(MOST) {
        let tid = tid?;
        let begun = || flights.get(&tid, 0).ok().and_then(|flight| flight.get(BEGIN).copied());
        let Some(before) = begun() else { continue };
        // Looked at in between: a flight that is still there afterwards was there all the time.
        if is_elsewhere(state(tid)) && begun() == Some(before) {
            missed += 1;
        }
    }
    Ok(missed)
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
