//! The table of faults in progress, by thread id: a task is in `do_swap_page` at most once.
//!
//! A hash map would cost 120 to 190 instructions a look-up, and 630 to 750 for an insert and a delete (measured on 5.10 and
//! 6.12). So a fault has a seat in an array, at the low bits of its task's number. Tasks whose numbers end alike want the
//! same seat: whoever finds it claimed goes to a small hash map, and keeps a claim on the seat while it is there.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap},
};
use observer_ebpf::{
    config,
    seat::{Fault, Seat},
};

use crate::{
    count::{add_u32, add_u64, count, read_u32, read_u64, write_u32},
    globals,
};

#[map]
static FAULTS: Array<Seat> = Array::with_max_entries(config::FAULT_SEATS, 0);

/// Faults that found their seat claimed.
#[map]
static SPILLED: HashMap<u32, Seat> = HashMap::with_max_entries(4_096, 0);

/// What a task that starts a fault gets.
pub(crate) enum Seated {
    /// A seat, with what was left of an earlier fault in it.
    Fresh(&'static mut Fault),
    /// Its own seat, with its last fault still in it: the end of that one was never seen.
    Stale(&'static mut Fault),
    /// None, because the table is full; counted.
    Nowhere,
}

/// An fault in progress and where it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Held(*mut Seat);

impl Held {
    #[inline(always)]
    pub(crate) fn fault(self) -> &'static mut Fault {
        // SAFETY: a live map value, and only the task itself touches its own fault: no two references at once.
        unsafe { &mut (*self.0).fault }
    }
}

/// Whether a task is alone in its seat, with a fault on this entry. The quick question, for who is on every swap-in's way.
#[inline(always)]
pub(crate) fn is_alone_on(tid: u32, entry: u64) -> bool {
    seat_of(tid).is_some_and(|seat| word(seat) == alone_in(tid) && read_u64(seat.cast(), ENTRY) == entry)
}

/// The fault in progress of a task.
#[inline(always)]
pub(crate) fn fault_of(tid: u32) -> Option<&'static mut Fault> {
    held_by(tid).map(Held::fault)
}

/// The same, to be taken out of the table.
#[inline(always)]
pub(crate) fn held_by(tid: u32) -> Option<Held> {
    let seat = seat_of(tid)?;
    let word = word(seat);
    if word == alone_in(tid) {
        return Some(Held(seat));
    }
    // Nobody, or somebody else alone.
    if word as u32 <= u32::from(word >> 32 != 0) {
        return None;
    }
    contested(seat, tid)
}

/// Where a task's fault is when others lay claim to its seat, or it does so to that of another.
#[inline(always)]
fn contested(seat: *mut Seat, tid: u32) -> Option<Held> {
    if word(seat) >> 32 == alone_in(tid) >> 32 {
        return Some(Held(seat));
    }
    SPILLED.get_ptr_mut(tid).map(Held)
}

/// Gives a task that starts a fault a seat.
#[inline(always)]
pub(crate) fn take_seat(tid: u32) -> Seated {
    let Some(seat) = seat_of(tid) else { return Seated::Nowhere };
    // No compare-and-swap before 5.12: add first, then look. Of two that add, at least the later one sees both; it may be
    // that both do.
    add_u32(seat.cast(), CLAIMS, 1);
    if word(seat) == 1 {
        write_u32(seat.cast(), OWNER, (i64::from(tid) | i64::from(i32::MIN)).cast_unsigned() as u32);
        return Seated::Fresh(Held(seat).fault());
    }
    if let Some(stale) = contested(seat, tid) {
        add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
        return Seated::Stale(stale.fault());
    }
    // The claim stays: it says that somebody is to be looked for elsewhere.
    let spilled = if spill(tid) { SPILLED.get_ptr_mut(tid) } else { None };
    spilled.map_or_else(
        || {
            add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
            Seated::Nowhere
        },
        |spilled| Seated::Fresh(Held(spilled).fault()),
    )
}

/// Takes a task's fault out of the table.
#[inline(always)]
pub(crate) fn leave(held: Held, tid: u32) {
    // The copy in the hash has no claims of its own.
    if read_u32(held.0.cast(), CLAIMS) != 0 {
        // Both words in one step: an owner taken out a little later could be the next one (arm64 keeps no such order).
        add_u64(held.0.cast(), CLAIMS, alone_in(tid).wrapping_neg());
    } else if SPILLED.remove(tid).is_ok()
        && let Some(seat) = seat_of(tid)
    {
        add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
    }
}

/// Makes room for a task's fault in the hash. A function of its own: the empty seat would take up the caller's stack.
#[inline(never)]
fn spill(tid: u32) -> bool {
    // SAFETY: integers only, for which zeroes are valid.
    let empty: Seat = unsafe { core::mem::zeroed() };
    let made = SPILLED.insert(tid, empty, u64::from(BPF_NOEXIST)).is_ok();
    if !made {
        count!(dropped_table_full);
    }
    made
}

#[inline(always)]
fn seat_of(tid: u32) -> Option<*mut Seat> {
    FAULTS.get_ptr_mut(tid & globals::FAULT_SEAT_MASK.load())
}

const CLAIMS: usize = core::mem::offset_of!(Seat, claims);
const OWNER: usize = core::mem::offset_of!(Seat, owner);
const ENTRY: usize = core::mem::offset_of!(Seat, fault) + core::mem::offset_of!(Fault, entry);

/// What a seat's two words hold while a task is in it and nobody else wants it: one claim, and above it the owner. No owner
/// is 0, not even the idle task, in whose name interrupts run.
#[inline(always)]
const fn alone_in(tid: u32) -> u64 {
    (tid as u64) << 32 | 1 << 63 | 1
}

#[inline(always)]
fn word(seat: *const Seat) -> u64 {
    read_u64(seat.cast(), CLAIMS)
}

const _: () = assert!(CLAIMS.is_multiple_of(8) && OWNER == CLAIMS + 4);
