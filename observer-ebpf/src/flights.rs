//! The table of open flights, by thread id: a task is in `do_swap_page` at most once.
//!
//! A hash map would cost 120 to 190 instructions a look-up, and 630 to 750 for an insert and a delete (measured on 5.10 and
//! 6.12). So a flight has a seat in an array, at the low bits of its task's number. Tasks whose numbers end alike want the
//! same seat: whoever finds it taken goes to a small hash map, which is looked at only while somebody is there.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap},
};
use observer_ebpf::{
    config,
    seat::{Flight, Seat},
};

use crate::{
    count::{Word, add_u32, add_u64, count, read_u32, sub_u32, write_u32},
    globals,
};

#[map]
static FLIGHTS: Array<Seat> = Array::with_max_entries(config::FLIGHT_SEATS, 0);

/// Flights that found their seat taken.
#[map]
static SPILLED: HashMap<u32, Seat> = HashMap::with_max_entries(4_096, 0);

/// How many there are.
static SPILLS: Word = Word::new();

/// What a task that begins a flight gets.
pub(crate) enum Seated {
    /// A seat, with what was left of an earlier flight in it.
    Fresh(&'static mut Flight),
    /// Its own seat, with its last flight still in it: the end of that one was never seen.
    Stale(&'static mut Flight),
    /// None, because the table is full; counted.
    Nowhere,
}

/// An open flight and where it is kept.
pub(crate) struct Held {
    pub(crate) flight: &'static mut Flight,
    /// Its seat; `None`: it found that taken.
    pub(crate) seat: Option<*mut Seat>,
}

/// The open flight of a task.
#[inline(always)]
pub(crate) fn flight_of(tid: u32) -> Option<&'static mut Flight> {
    held_by(tid).map(|held| held.flight)
}

/// The same, to be taken out of the table.
#[inline(always)]
pub(crate) fn held_by(tid: u32) -> Option<Held> {
    held(seat_of(tid)?, tid)
}

#[inline(always)]
fn held(seat: *mut Seat, tid: u32) -> Option<Held> {
    if owner(seat) == mark(tid) {
        return Some(Held { flight: flight(seat), seat: Some(seat) });
    }
    if spills() == 0 {
        return None;
    }
    SPILLED.get_ptr_mut(tid).map(|spilled| Held { flight: flight(spilled), seat: None })
}

/// Gives a task that begins a flight a seat.
#[inline(always)]
pub(crate) fn take_seat(tid: u32) -> Seated {
    let Some(seat) = seat_of(tid) else { return Seated::Nowhere };
    // Most seats are empty.
    if (owner(seat) != 0 || spills() != 0)
        && let Some(stale) = held(seat, tid)
    {
        return Seated::Stale(stale.flight);
    }
    // No compare-and-swap before 5.12: add first, then look. Of two that add, at least the later one sees both and backs
    // off; it may be that both do.
    let claims = core::mem::offset_of!(Seat, claims);
    add_u32(seat.cast(), claims, 1);
    if read_u32(seat.cast(), claims) == 1 {
        write_u32(seat.cast(), core::mem::offset_of!(Seat, owner), mark(tid));
        return Seated::Fresh(flight(seat));
    }
    sub_u32(seat.cast(), claims, 1);
    let spilled = if spill(tid) { SPILLED.get_ptr_mut(tid) } else { None };
    spilled.map_or(Seated::Nowhere, |spilled| Seated::Fresh(flight(spilled)))
}

/// Takes a task's flight out of the table.
#[inline(always)]
pub(crate) fn leave(seat: Option<*mut Seat>, tid: u32) {
    if let Some(seat) = seat {
        // Both words in one step: an owner taken out a little later could be the next one (arm64 keeps no such order).
        let claim_and_owner = u64::from(mark(tid)) << 32 | 1;
        add_u64(seat.cast(), core::mem::offset_of!(Seat, claims), claim_and_owner.wrapping_neg());
    } else if SPILLED.remove(tid).is_ok() {
        sub_u32(SPILLS.at(), 0, 1);
    }
}

/// Makes room for a task's flight in the hash. A function of its own: the empty seat would take up the caller's stack.
#[inline(never)]
fn spill(tid: u32) -> bool {
    // SAFETY: integers only, for which zeroes are valid.
    let empty: Seat = unsafe { core::mem::zeroed() };
    // Raised first: whoever sees the flight there must look there.
    add_u32(SPILLS.at(), 0, 1);
    let made = SPILLED.insert(tid, empty, u64::from(BPF_NOEXIST)).is_ok();
    if !made {
        sub_u32(SPILLS.at(), 0, 1);
        count!(lost_table_full);
    }
    made
}

#[inline(always)]
fn seat_of(tid: u32) -> Option<*mut Seat> {
    FLIGHTS.get_ptr_mut(tid & globals::FLIGHT_SEAT_MASK.load())
}

/// How a seat names its owner: never 0, not even for the idle task, in whose name interrupts run.
#[inline(always)]
const fn mark(tid: u32) -> u32 {
    tid | 1 << 31
}

#[inline(always)]
fn owner(seat: *const Seat) -> u32 {
    read_u32(seat.cast(), core::mem::offset_of!(Seat, owner))
}

#[inline(always)]
fn spills() -> u32 {
    read_u32(SPILLS.at(), 0)
}

#[inline(always)]
fn flight(seat: *mut Seat) -> &'static mut Flight {
    // SAFETY: a live map value, and only the task itself touches its own flight: no two references at once.
    unsafe { &mut (*seat).flight }
}
