//! The pin: `swapcache_prepare` and `swapcache_clear`, and what carries their meaning.

use observer_ebpf::{
    record::{F_PIN_DROPPED, F_PIN_LOST, F_PIN_PENDING, F_PIN_TRIED, F_PINNED, F_RANGE, F_STREAMED},
    seat::Flight,
};

use crate::{
    count::count,
    filter::{self, Filter},
    flights::flight_of,
    globals,
    path::{self, Tried},
    task, wanted,
};

/// `-EEXIST`: somebody holds the pin.
const EEXIST: i32 = -17;

/// A pin try has returned `rc`. `swapcache_prepare` has other callers too (read-ahead, shmem, zswap write-back): only a
/// task with a flight on that very range is a flight's own try.
#[inline(always)]
pub(crate) fn tried(entry: u64, nr: u32, rc: i32) {
    match flight_of(task::ids().0) {
        Some(flight) if covers(entry, nr, flight.entry) => of_flight(flight, entry, nr, rc),
        // Of a flight that is not sampled, or outside any on an entry that is not.
        _ if !wanted::sampled(entry) => {}
        other if rc != 0 => failed_outside(other.is_some()),
        None => taken_outside(entry, nr),
        Some(_) => {}
    }
}

/// A pin was taken outside any flight. Shmem's swap-in may read past the swap cache with it (6.14 on); all others add a page
/// to the swap cache next, and that is counted as well.
#[inline(always)]
fn taken_outside(entry: u64, nr: u32) {
    if counts_outside(entry) {
        count!(outside_pinned, u64::from(nr));
    }
}

/// Whether a pin that is taken outside any flight is to be counted. What zswap pins and adds, nobody reads.
#[inline(always)]
fn counts_outside(entry: u64) -> bool {
    if globals::READS_HOOKED.load() != 0 || path::current() == path::ZSWAP {
        return false;
    }
    let (tid, tgid) = task::ids();
    wanted::this_task(tid, tgid) && wanted::this_entry(entry)
}

/// A pin try has failed that is no flight's own; `in_flight`: of a task that is in one, which reads neighbours ahead then.
#[inline(always)]
fn failed_outside(in_flight: bool) {
    count!(pin_outside);
    if in_flight {
        count!(pin_readahead);
        return;
    }
    match path::current() {
        path::SHMEM => count!(pin_shmem),
        path::ZSWAP => count!(pin_zswap),
        _ => {}
    }
}

#[inline(always)]
fn of_flight(flight: &mut Flight, entry: u64, nr: u32, rc: i32) {
    flight.pin_try = task::now();
    if nr > 1 {
        flight.set_range(entry, nr);
        flight.flags |= F_RANGE;
    }
    if rc == 0 {
        flight.flags |= F_PINNED;
        return;
    }
    failed(flight, rc);
    if rc == EEXIST {
        count!(pin_eexist);
    } else {
        count!(pin_enoent);
    }
}

#[inline(always)]
fn failed(flight: &mut Flight, rc: i32) {
    let fails = if flight.flags & F_PIN_TRIED != 0 { flight.pin_fails } else { 0 };
    flight.pin_fails = fails.saturating_add(1);
    flight.pin_rc = rc as i8;
    flight.flags = flight.flags & !F_PINNED | F_PIN_TRIED;
}

/// Lean hooks: a flight sleeps, which on this kernel means that it has lost the pin; with which error is not seen.
#[inline(always)]
pub(crate) fn slept() {
    let Some(flight) = flight_of(task::ids().0) else { return };
    flight.pin_try = task::now();
    failed(flight, EEXIST);
    flight.flags |= F_PIN_LOST;
    count!(pin_lost);
}

/// Kprobe backend: a pin try begins; its return probe gets no arguments, so they wait in the flight, or in a word of the task's.
#[inline(always)]
pub(crate) fn pending(entry: u64, nr: u32) {
    let (tid, _) = task::ids();
    match flight_of(tid) {
        Some(flight) if covers(entry, nr, flight.entry) => {
            if flight.flags & F_PIN_PENDING != 0 {
                count!(lost_pin_return);
            }
            flight.set_range(entry, nr);
            flight.flags |= F_PIN_PENDING;
        }
        _ if !wanted::sampled(entry) => {}
        Some(_) => path::pin_tried(tid, Tried { nr, counts: false }),
        None => path::pin_tried(tid, Tried { nr, counts: counts_outside(entry) }),
    }
}

/// Kprobe backend: a pin try returns.
#[inline(always)]
pub(crate) fn returned(rc: i32) {
    let (tid, _) = task::ids();
    let flight = flight_of(tid);
    let in_flight = flight.is_some();
    if let Some(flight) = flight
        && flight.flags & F_PIN_PENDING != 0
    {
        flight.flags &= !F_PIN_PENDING;
        let (base, nr) = flight.range();
        return of_flight(flight, base, nr, rc);
    }
    let Some(Tried { nr, counts }) = path::pin_returned(tid) else { return };
    if rc != 0 {
        failed_outside(in_flight);
    } else if counts {
        count!(outside_pinned, u64::from(nr));
    }
}

/// The pin on a range is being dropped. While no two flights meet anywhere, nobody waits for it; of a range others may, who
/// do not meet it in its own slot.
#[inline(always)]
pub(crate) fn dropped(entry: u64, nr: u32) {
    if nr == 1 && !filter::disturbed() {
        return;
    }
    let Some(flight) = flight_of(task::ids().0) else { return };
    let base = if flight.flags & F_RANGE != 0 { flight.range().0 } else { flight.entry };
    if base == entry && may_be_awaited(flight) {
        flight.let_go = task::now();
        flight.flags |= F_PIN_DROPPED;
    }
}

/// Whether somebody may wait for this flight's pin: the moment when it was alone with it is of no use to anybody. Of a
/// range others wait on entries in other slots.
#[inline(always)]
fn may_be_awaited(flight: &Flight) -> bool {
    flight.flags & (F_RANGE | F_STREAMED) != 0
        || Filter::at(flight.slot()).is_none_or(|slot| slot.opens() != flight.opens_begin)
}

/// Whether the range of `nr` entries from `base` holds `entry`.
#[inline(always)]
pub(crate) fn covers(base: u64, nr: u32, entry: u64) -> bool {
    entry.wrapping_sub(base) < u64::from(nr)
}
