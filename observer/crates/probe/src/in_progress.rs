//! Faults that are still in the table at the end of an observation: some are in progress, of others the end was missed.

use std::fs;

use aya::maps::{Array, HashMap, MapData, MapError};
use observer_ebpf::seat::{Fault, Seat as Laid};

/// A seat, in 32-bit words.
type Seat = [u32; size_of::<Laid>() / 4];

/// Word of a seat that names its owner.
const OWNER: usize = core::mem::offset_of!(Laid, owner) / 4;
/// First of the two words that tell when its fault started.
const START: usize = (core::mem::offset_of!(Laid, fault) + core::mem::offset_of!(Fault, start)) / 4;
/// As many as the hash holds: entries may come and go while it is walked.
const MOST: usize = 4_096;

/// The table of faults in progress.
pub(super) struct Table {
    pub(super) seats: Array<MapData, Seat>,
    pub(super) spilled: HashMap<MapData, u32, Seat>,
}

impl Table {
    /// The faults that are open now.
    pub(super) fn open(&self) -> Result<Vec<Place>, MapError> {
        let mut open = Vec::new();
        for index in 0..self.seats.len() {
            open.extend(owner(&self.seats.get(&index, 0)?).map(|tid| Place { tid, seat: Some(index) }));
        }
        for tid in self.spilled.keys().take(MOST) {
            open.push(Place { tid: tid?, seat: None });
        }
        Ok(open)
    }

    /// Whether a task's fault is still where it was, or another of the same task.
    pub(super) fn is_open(&self, place: Place) -> bool {
        self.seat(place).is_some()
    }

    fn seat(&self, Place { tid, seat }: Place) -> Option<Seat> {
        match seat {
            Some(index) => self.seats.get(&index, 0).ok().filter(|seat| owner(seat) == Some(tid)),
            None => self.spilled.get(&tid, 0).ok(),
        }
    }

    /// Of these faults, how many have ended without that being seen, and whose task has not come back with another one since,
    /// which would have told.
    ///
    /// A return probe on `do_swap_page` runs out of instances without a word, and a program may be skipped. Ask while the
    /// hooks are attached: what ends meanwhile leaves the table.
    pub(super) fn ends_missed(&self, open: &[Place]) -> u64 {
        open.iter().map(|place| u64::from(is_missed(place.tid, || self.seat(*place)))).sum()
    }
}

/// Where an fault in progress is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    tid: u32,
    /// `None`: it had found its seat claimed.
    seat: Option<u32>,
}

/// Whose fault is in a seat.
fn owner(seat: &Seat) -> Option<u32> {
    let mark = seat.get(OWNER).copied()?;
    (mark != 0).then_some(mark & !(1 << 31))
}

/// Whether the fault that `seat` shows is still there although its task is elsewhere. The task is looked at in between: a
/// fault that is still there afterwards was there all the time.
fn is_missed(tid: u32, seat: impl Fn() -> Option<Seat>) -> bool {
    let started = || seat().and_then(|seat| seat.get(START..START + 2).map(<[u32]>::to_vec));
    started().is_some_and(|before| is_elsewhere(state(tid)) && started() == Some(before))
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
    fn a_thread_that_sleeps_on_its_own_account_or_is_gone_is_in_no_fault() {
        assert_eq!(parse_state("7 (a ) S (b) R 1 2"), Some('R'));
        assert_eq!(parse_state("7 (x) D 1"), Some('D'));
        assert_eq!(parse_state(""), None);
        assert!(is_elsewhere(None) && is_elsewhere(Some('S')) && is_elsewhere(Some('Z')));
        assert!(!is_elsewhere(Some('R')) && !is_elsewhere(Some('D')));
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        assert!(!is_elsewhere(state(own)), "this one runs");
    }

    #[test]
    fn only_a_fault_that_stays_while_its_task_is_elsewhere_was_missed() {
        let mut seat: Seat = [0; size_of::<Laid>() / 4];
        assert_eq!(owner(&seat), None);
        seat[OWNER] = 7 | 1 << 31;
        assert_eq!(owner(&seat), Some(7));
        let gone = u32::MAX >> 2;
        assert!(is_missed(gone, || Some(seat)));
        assert!(!is_missed(gone, || None), "it has left");
        let looks = std::cell::Cell::new(0);
        let next = || {
            looks.set(looks.get() + 1);
            let mut seat = seat;
            seat[START] = looks.get();
            Some(seat)
        };
        assert!(!is_missed(gone, next), "another fault by now");
    }
}
