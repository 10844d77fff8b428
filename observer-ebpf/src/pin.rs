//! The pin: `swapcache_prepare` and `swapcache_clear`, and what carries their meaning.

use observer_ebpf::record::{F_PIN_TRIED, F_STREAMED};

use crate::{
    count::count,
    filter::Filter,
    flights::{Flight, flight_of},
    globals, path, task, wanted,
};

/// `-EEXIST`: somebody holds the pin.
const EEXIST: i32 = -17;

/// A pin try has returned `rc`. `swapcache_prepare` has other callers too (read-ahead, shmem, zswap write-back): only a
/// task with a flight on that very range is a flight's own try.
#[inline(always)]
pub(crate) fn tried(entry: u64, nr: u32, rc: i32) {
    match flight_of(task::ids().0) {
        Some(flight) if covers(entry, nr, flight.record.entry) => of_flight(flight, entry, nr, rc),
        // Of a flight that is not sampled, or outside any on an entry that is not.
        _ if !wanted::sampled(entry) => {}
        other if rc != 0 => failed_outside(other.is_some()),
        None => taken_outside(entry, nr),
        Some(_) => {}
    }
}

/// A pin was taken outside any flight. Shmem's swap-in may read past the swap cache with it (6.14 on).
#[inline(always)]
fn taken_outside(entry: u64, nr: u32) {
    if globals::READS_HOOKED.load() != 0 || path::current() != path::SHMEM {
        return;
    }
    let (tid, tgid) = task::ids();
    if wanted::this_task(tid, tgid) && wanted::this_entry(entry) {
        count!(shmem_pinned, u64::from(nr));
    }
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
    flight.record.flags |= F_PIN_TRIED;
    flight.record.pin_rc = rc;
    flight.record.base = entry;
    flight.record.nr = nr;
    flight.record.pin_try = task::now();
    if rc == 0 {
        count!(pins);
        return;
    }
    flight.record.pin_fails = flight.record.pin_fails.wrapping_add(1);
    if rc == EEXIST {
        count!(pin_eexist);
    } else {
        count!(pin_enoent);
    }
}

/// Kprobe backend: a pin try begins; its return probe gets no arguments, so they wait in the flight.
#[inline(always)]
pub(crate) fn pending(entry: u64, nr: u32) {
    let Some(flight) = flight_of(task::ids().0) else { return };
    if !covers(entry, nr, flight.record.entry) {
        return;
    }
    if flight.pin_pending != 0 {
        count!(lost_pin_return);
    }
    flight.record.base = entry;
    flight.pin_pending = nr;
}

/// Kprobe backend: a pin try returns.
#[inline(always)]
pub(crate) fn returned(rc: i32) {
    match flight_of(task::ids().0) {
        Some(flight) if flight.pin_pending != 0 => {
            let nr = flight.pin_pending;
            flight.pin_pending = 0;
            of_flight(flight, flight.record.base, nr, rc);
        }
        // A return without its arguments: which entry it was about is not known, so no sample can be taken.
        other if rc != 0 && !wanted::samples() => failed_outside(other.is_some()),
        _ => {}
    }
}

/// The pin on a range is being dropped.
#[inline(always)]
pub(crate) fn dropped(entry: u64) {
    let Some(flight) = flight_of(task::ids().0) else { return };
    if flight.record.base == entry && may_be_awaited(flight) {
        flight.record.pin_drop = task::now();
    }
}

/// Whether somebody may wait for this flight's pin: the moment when it was alone with it is of no use to anybody. Of a
/// range others wait on entries in other slots.
#[inline(always)]
fn may_be_awaited(flight: &Flight) -> bool {
    flight.record.nr > 1
        || flight.record.flags & F_STREAMED != 0
        || Filter::at(flight.slot).is_none_or(|slot| slot.opens() != flight.opens_begin)
}

/// Whether the range of `nr` entries from `base` holds `entry`.
#[inline(always)]
pub(crate) fn covers(base: u64, nr: u32, entry: u64) -> bool {
    entry.wrapping_sub(base) < u64::from(nr)
}
