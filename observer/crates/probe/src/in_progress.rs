//! Faults that are still in the table at the end of an observation: in progress, or with a missed end.

use std::fs;

use aya::maps::{HashMap, MapData, MapError};
use observer_ebpf::seat::{Fault, Seat as Laid};

use crate::mapped::Mapped;

/// A seat, in 32-bit words.
type Seat = [u32; size_of::<Laid>() / 4];

/// The word of a seat with the thread id of its owner.
const OWNER: usize = core::mem::offset_of!(Laid, owner) / 4;
/// The first of the two words with the start of its fault.
const START: usize = (core::mem::offset_of!(Laid, fault) + core::mem::offset_of!(Fault, start)) / 4;
/// Capacity of the hash; bounds a walk during which entries come and go.
const MOST: usize = 4_096;

/// The table of faults in progress.
pub(crate) struct Table {
    pub(crate) seats: Mapped<Seat>,
    /// Has nothing to be read unless two tasks in faults share a seat.
    pub(crate) spilled: HashMap<MapData, u32, Seat>,
}

impl Table {
    /// The faults in progress.
    pub(crate) fn in_progress(&self) -> Result<Vec<Place>, MapError> {
        let mut places = Vec::new();
        for (index, seat) in (0..self.seats.len()).zip(self.seats.iter()) {
            places.extend(owner(&seat).map(|tid| Place { tid, seat: Some(index) }));
        }
        for tid in self.spilled.keys().take(MOST) {
            places.push(Place { tid: tid?, seat: None });
        }
        Ok(places)
    }

    /// Whether that task still has a fault there, the same or another.
    pub(crate) fn is_in_progress(&self, place: Place) -> bool {
        self.seat(place).is_some()
    }

    fn seat(&self, Place { tid, seat }: Place) -> Option<Seat> {
        match seat {
            Some(index) => self.seats.get(index).filter(|seat| owner(seat) == Some(tid)),
            None => self.spilled.get(&tid, 0).ok(),
        }
    }

    /// How many of these faults have ended unseen, and whose task has not faulted again, which would have shown it. A
    /// return probe on `do_swap_page` runs out of instances without a trace, and a program may be skipped. To be called
    /// while the hooks are attached, so that a fault that ends now leaves the table.
    pub(crate) fn ends_missed(&self, places: &[Place]) -> u64 {
        places.iter().map(|place| u64::from(is_missed(place.tid, || self.seat(*place)))).sum()
    }
}

/// The place of a fault in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    tid: u32,
    /// `None`: its seat was occupied.
    seat: Option<u32>,
}

/// The thread id of the task whose fault is in a seat.
fn owner(seat: &Seat) -> Option<u32> {
    let mark = seat.get(OWNER).copied()?;
    (mark != 0).then_some(mark & !(1 << 31))
}

/// Whether the fault in `seat` is still there although its task is not inside `do_swap_page`. The state of the task is
/// read between two readings of the seat: a fault that both show was there all the time.
fn is_missed(tid: u32, seat: impl Fn() -> Option<Seat>) -> bool {
    let started = || seat().and_then(|seat| seat.get(START..START + 2).map(<[u32]>::to_vec));
    started().is_some_and(|before| is_outside(state(tid)) && started() == Some(before))
}

/// The state letter of a thread; `None`: it has exited.
fn state(tid: u32) -> Option<char> {
    parse_state(&fs::read_to_string(format!("/proc/{tid}/stat")).ok()?)
}

/// From `tid (comm) S ...`; the name may contain parentheses and spaces.
fn parse_state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a thread in this state is not inside `do_swap_page`, where it runs or sleeps uninterruptibly.
const fn is_outside(state: Option<char>) -> bool {
    !matches!(state, Some('R' | 'D'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_interruptibly_or_has_exited_is_in_no_fault() {
        assert_eq!(parse_state("7 (a ) S (b) R 1 2"), Some('R'));
        assert_eq!(parse_state("7 (x) D 1"), Some('D'));
        assert_eq!(parse_state(""), None);
        for (state, outside) in
            [(None, true), (Some('S'), true), (Some('Z'), true), (Some('R'), false), (Some('D'), false)]
        {
            assert_eq!(is_outside(state), outside, "{state:?}");
        }
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        assert!(!is_outside(state(own)), "this thread runs");
    }

    #[test]
    fn an_end_was_missed_if_the_fault_stays_while_its_task_is_outside() {
        let mut seat: Seat = [0; size_of::<Laid>() / 4];
        assert_eq!(owner(&seat), None);
        seat[OWNER] = 7 | 1 << 31;
        assert_eq!(owner(&seat), Some(7));
        let gone = u32::MAX >> 2;
        assert!(is_missed(gone, || Some(seat)));
        assert!(!is_missed(gone, || None), "it has ended");
        let readings = std::cell::Cell::new(0);
        let next = || {
            readings.set(readings.get() + 1);
            let mut seat = seat;
            seat[START] = readings.get();
            Some(seat)
        };
        assert!(!is_missed(gone, next), "another fault has started");
    }
}
