//! The table of faults in progress, by thread id: a task has at most one.
//!
//! A hash map would cost 120 to 190 instructions for a look-up, and 630 to 750 for an insert and a delete (measured on
//! 5.10 and 6.12). So a fault has a seat in an array, at the low bits of its thread id. A task that finds the seat
//! claimed by another one uses a small hash map, and keeps its claim on the seat while its fault is there.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    macros::map,
    maps::{Array, HashMap},
};
use observer_ebpf::seat::{self, Fault, Seat};

use crate::{
    atomic::{add_u32, add_u64, read_u32, read_u64, write_u32},
    count::count,
    globals,
};

#[map]
static FAULTS: Array<Seat> = Array::with_max_entries(seat::FAULT_SEATS, BPF_F_MMAPABLE);

/// Faults whose seat was claimed by another task.
#[map]
static SPILLED: HashMap<u32, Seat> = HashMap::with_max_entries(4_096, 0);

/// What a task gets that starts a fault.
pub(crate) enum Claim {
    /// A seat; its content is left over from an earlier fault.
    New(&'static mut Fault),
    /// The task's own seat with its last fault, whose end was not seen.
    Unended(&'static mut Fault),
    /// None, because the table is full, which has been counted.
    TableFull,
}

/// A seat that a fault in progress occupies: in the array or in the hash map.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef(*mut Seat);

impl SeatRef {
    #[inline(always)]
    pub(crate) fn fault(self) -> &'static mut Fault {
        // SAFETY: a live map value, whose fault only its own task accesses. A task runs one hook at a time, and no hook
        // uses two references at once.
        unsafe { &mut (*self.0).fault }
    }
}

/// Whether the task has a fault on this entry in a seat that no other task claims. Cheaper than [`fault_of`], for hooks
/// that every swap-in passes.
#[inline(always)]
pub(crate) fn has_sole_claim(tid: u32, entry: u64) -> bool {
    seat_of(tid).is_some_and(|seat| claims_and_owner(seat) == sole_claim(tid) && read_u64(seat.cast(), ENTRY) == entry)
}

/// The task's fault in progress.
#[inline(always)]
pub(crate) fn fault_of(tid: u32) -> Option<&'static mut Fault> {
    occupied_by(tid).map(SeatRef::fault)
}

/// The seat of the task's fault in progress.
#[inline(always)]
pub(crate) fn occupied_by(tid: u32) -> Option<SeatRef> {
    let seat = seat_of(tid)?;
    let word = claims_and_owner(seat);
    if word == sole_claim(tid) {
        return Some(SeatRef(seat));
    }
    // No claim, or the sole claim of another task.
    if word as u32 <= u32::from(word >> 32 != 0) {
        return None;
    }
    occupied_among_claims(seat, tid)
}

/// The seat of the task's fault, if several tasks claim `seat`.
#[inline(always)]
fn occupied_among_claims(seat: *mut Seat, tid: u32) -> Option<SeatRef> {
    if claims_and_owner(seat) >> 32 == sole_claim(tid) >> 32 {
        return Some(SeatRef(seat));
    }
    SPILLED.get_ptr_mut(tid).map(SeatRef)
}

/// Adds a fault of the task to the table.
#[inline(always)]
pub(crate) fn claim(tid: u32) -> Claim {
    let Some(seat) = seat_of(tid) else { return Claim::TableFull };
    // There is no compare-and-swap before 5.12: add first, then read. Of two tasks that add, at least the later one
    // reads both claims; it may be that both do.
    add_u32(seat.cast(), CLAIMS, 1);
    if claims_and_owner(seat) == 1 {
        write_u32(seat.cast(), OWNER, (i64::from(tid) | i64::from(i32::MIN)).cast_unsigned() as u32);
        return Claim::New(SeatRef(seat).fault());
    }
    if let Some(unended) = occupied_among_claims(seat, tid) {
        add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
        return Claim::Unended(unended.fault());
    }
    // The claim stays: it shows that a fault may be in the hash map.
    let spilled = if spill(tid) { SPILLED.get_ptr_mut(tid) } else { None };
    spilled.map_or_else(
        || {
            add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
            Claim::TableFull
        },
        |spilled| Claim::New(SeatRef(spilled).fault()),
    )
}

/// Removes the task's fault from the table.
#[inline(always)]
pub(crate) fn remove(seat: SeatRef, tid: u32) {
    // A seat in the hash map has no claims.
    if read_u32(seat.0.cast(), CLAIMS) != 0 {
        // Claim and owner in one step: if the owner were cleared later, it could be the next one's (arm64 reorders
        // stores).
        add_u64(seat.0.cast(), CLAIMS, sole_claim(tid).wrapping_neg());
    } else if SPILLED.remove(tid).is_ok()
        && let Some(seat) = seat_of(tid)
    {
        add_u32(seat.cast(), CLAIMS, 1u32.wrapping_neg());
    }
}

/// Adds an empty seat for the task to the hash map. Not inlined, because the seat would use the caller's stack.
#[inline(never)]
fn spill(tid: u32) -> bool {
    // SAFETY: `Seat` consists of integers only, for which zeroes are valid.
    let empty: Seat = unsafe { core::mem::zeroed() };
    let inserted = SPILLED.insert(tid, empty, u64::from(BPF_NOEXIST)).is_ok();
    if !inserted {
        count!(fault_table_full);
    }
    inserted
}

#[inline(always)]
fn seat_of(tid: u32) -> Option<*mut Seat> {
    FAULTS.get_ptr_mut(tid & globals::fault_seat_mask.load())
}

const CLAIMS: usize = core::mem::offset_of!(Seat, claims);
const OWNER: usize = core::mem::offset_of!(Seat, owner);
const ENTRY: usize = core::mem::offset_of!(Seat, fault) + core::mem::offset_of!(Fault, entry);

/// Claims and owner of a seat that only this task claims: 1, and above it the owner. No owner is 0, not even the idle
/// task, in whose context interrupts run.
#[inline(always)]
const fn sole_claim(tid: u32) -> u64 {
    (tid as u64) << 32 | 1 << 63 | 1
}

#[inline(always)]
fn claims_and_owner(seat: *const Seat) -> u64 {
    read_u64(seat.cast(), CLAIMS)
}

const _: () = assert!(CLAIMS.is_multiple_of(8));
const _: () = assert!(OWNER == CLAIMS + 4);
