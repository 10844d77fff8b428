//! Faults in the table: in progress, or with a missed end.

use std::{fs, path::Path};

use aya::maps::{HashMap, MapData, MapError};
use observer_ebpf::{
    record::{F_LOCK_CONTENDED, F_LOCK_WAIT_ENDED},
    seat::{Fault, Seat as Laid},
};
use observer_engine::event::{Comm, Entry, Nanos, Task};
use observer_kernel::{
    namespaces::shows_kernel_ids,
    tree::{Tree, read_text},
};
use observer_observation::{STALL, Stall, Stalls};

use crate::mapped::Mapped;

/// A seat, in 32-bit words.
type Seat = [u32; size_of::<Laid>() / 4];

/// The word of a seat with the thread id of its owner.
const OWNER: usize = core::mem::offset_of!(Laid, owner) / 4;
/// The first of the two words with the start of its fault.
const START: usize = fault_field(core::mem::offset_of!(Fault, start));
const ENTRY: usize = fault_field(core::mem::offset_of!(Fault, entry));
const FLAGS: usize = fault_field(core::mem::offset_of!(Fault, flags));
const LOCK_TRY: usize = fault_field(core::mem::offset_of!(Fault, lock_try));
/// Capacity of the hash; bounds a walk during which entries come and go.
const MOST: usize = 4_096;

/// The first word of a field of the fault in a seat.
const fn fault_field(offset: usize) -> usize {
    (core::mem::offset_of!(Laid, fault) + offset) / 4
}

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

    /// The faults that are stalls. Without those in the hash, which cannot be read without system calls on it.
    pub(crate) fn stalls(&self, now: Nanos) -> Stalls {
        let tasks_known = shows_kernel_ids(&Tree::system());
        let is_known_outside = |tid| tasks_known && is_outside(state(tid));
        let seats = (0..self.seats.len()).zip(self.seats.iter());
        let stalls = seats.filter_map(|(index, seat)| {
            let stall = stall(&seat, now)?;
            // A fault whose end was missed stays in the table. What both readings have was not torn.
            let again = || self.seats.get(index).and_then(|seat| self::stall(&seat, now));
            (!is_known_outside(stall.task.tid) && again().as_ref() == Some(&stall)).then_some(stall)
        });
        let mut stalls = Stalls::of(stalls, now);
        if tasks_known {
            stalls.longest.iter_mut().for_each(|stall| name(&mut stall.task));
        }
        stalls
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
    ///
    /// If `/proc` has other ids than the kernel, the states of the tasks are not known. Then every fault that lasts
    /// counts as missed: the count must not be too low.
    pub(crate) fn ends_missed(&self, places: &[Place]) -> u64 {
        let state = if shows_kernel_ids(&Tree::system()) { state } else { |_| None };
        places.iter().map(|place| u64::from(is_missed(place.tid, state, || self.seat(*place)))).sum()
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

/// The fault in a seat, if it has been in progress for long.
fn stall(seat: &Seat, now: Nanos) -> Option<Stall> {
    let tid = owner(seat)?;
    let start_ns = long(seat, START)?;
    if now.saturating_sub(start_ns) <= STALL {
        return None;
    }
    let flags = *seat.get(FLAGS)?;
    let waits = flags & (F_LOCK_CONTENDED | F_LOCK_WAIT_ENDED) == F_LOCK_CONTENDED;
    Some(Stall {
        task: Task { tid, ..Task::default() },
        entry: Entry(long(seat, ENTRY)?),
        start_ns,
        waits_since_ns: if waits { long(seat, LOCK_TRY) } else { None },
    })
}

/// A field of two words.
fn long(seat: &Seat, first: usize) -> Option<u64> {
    let words: &[u32; 2] = seat.get(first..first + 2)?.try_into().ok()?;
    Some(u64::from(words[1]) << 32 | u64::from(words[0]))
}

/// Adds the name and the process id, where they can be read. `/proc` must have the kernel's ids.
fn name(task: &mut Task) {
    let Task { tid, pid, comm } = task;
    if let Ok(bytes) = fs::read(format!("/proc/{tid}/comm")) {
        *comm = Comm::from_bytes(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
    }
    if let Ok(bytes) = fs::read(format!("/proc/{tid}/status")) {
        let text = String::from_utf8_lossy(&bytes);
        let group = text.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        *pid = group.unwrap_or(*pid);
    }
}

/// Whether the fault in `seat` is still there although its task is not inside `do_swap_page`. The state of the task is
/// read between two readings of the seat: a fault that both show was there all the time.
fn is_missed(tid: u32, state: impl Fn(u32) -> Option<char>, seat: impl Fn() -> Option<Seat>) -> bool {
    let started = || seat().and_then(|seat| seat.get(START..START + 2).map(<[u32]>::to_vec));
    started().is_some_and(|before| is_outside(state(tid)) && started() == Some(before))
}

/// The state letter of a thread; `None`: it has exited.
fn state(tid: u32) -> Option<char> {
    parse_state(&read_text(Path::new(&format!("/proc/{tid}/stat"))).ok()?)
}

/// From `tid (comm) S ...`; the name may contain parentheses, spaces and bytes that are not text.
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
    fn a_seat_with_a_long_fault_is_a_stall_and_shows_whether_it_waits() {
        let now = 700 * STALL;
        let mut seat: Seat = [0; size_of::<Laid>() / 4];
        let set = |seat: &mut Seat, field: usize, value: u64| {
            seat[field] = u32::try_from(value & u64::from(u32::MAX)).unwrap();
            seat[field + 1] = u32::try_from(value >> 32).unwrap();
        };
        assert_eq!(stall(&seat, now), None, "empty");
        seat[OWNER] = 7 | 1 << 31;
        set(&mut seat, START, now - STALL);
        assert_eq!(stall(&seat, now), None, "not long");
        set(&mut seat, START, now - 667 * STALL);
        let entry = Entry::new(3, 0x1_2345_6789);
        set(&mut seat, ENTRY, entry.0);
        // Left over from an earlier fault of this seat.
        set(&mut seat, LOCK_TRY, 5);
        let task = Task { tid: 7, ..Task::default() };
        let reads = Stall { task, entry, start_ns: now - 667 * STALL, waits_since_ns: None };
        assert_eq!(stall(&seat, now), Some(reads.clone()));
        seat[FLAGS] = F_LOCK_CONTENDED;
        set(&mut seat, LOCK_TRY, now - 666 * STALL);
        assert_eq!(stall(&seat, now), Some(Stall { waits_since_ns: Some(now - 666 * STALL), ..reads.clone() }));
        seat[FLAGS] |= F_LOCK_WAIT_ENDED;
        assert_eq!(stall(&seat, now), Some(reads), "the wait has ended, the fault has not");
        seat[OWNER] = 0;
        assert_eq!(stall(&seat, now), None, "left");
    }

    #[test]
    fn a_stalled_task_is_named() {
        let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let mut task = Task { tid, ..Task::default() };
        name(&mut task);
        assert_eq!(task.pid, std::process::id());
        assert!(!task.comm.as_bytes().is_empty());
        let mut gone = Task { tid: u32::MAX >> 2, ..Task::default() };
        name(&mut gone);
        assert_eq!((gone.pid, gone.comm.as_bytes()), (0, b"".as_slice()));
    }

    #[test]
    fn a_thread_whose_name_is_not_text_has_not_exited() {
        let named = std::thread::spawn(|| {
            let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
            // Cut in the middle of a character, as the kernel cuts long names.
            fs::write(format!("/proc/self/task/{own}/comm"), b"fourteen-bytes\xc3").unwrap();
            state(own)
        });
        assert_eq!(named.join().unwrap(), Some('R'));
    }

    #[test]
    fn an_end_was_missed_if_the_fault_stays_while_its_task_is_outside() {
        let mut seat: Seat = [0; size_of::<Laid>() / 4];
        assert_eq!(owner(&seat), None);
        seat[OWNER] = 7 | 1 << 31;
        assert_eq!(owner(&seat), Some(7));
        let gone = u32::MAX >> 2;
        assert!(is_missed(gone, state, || Some(seat)));
        assert!(!is_missed(gone, state, || None), "it has ended");
        let readings = std::cell::Cell::new(0);
        let next = || {
            readings.set(readings.get() + 1);
            let mut seat = seat;
            seat[START] = readings.get();
            Some(seat)
        };
        assert!(!is_missed(gone, state, next), "another fault has started");
    }
}
