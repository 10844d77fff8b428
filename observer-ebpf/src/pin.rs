//! The pin: `swapcache_prepare` and `swapcache_clear`, and what carries their meaning.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use observer_ebpf::record::F_PIN_TRIED;

use crate::{
    count,
    maps::{FLIGHTS, Flight},
    task,
};

/// `-EEXIST`: somebody holds the pin.
const EEXIST: i32 = -17;

/// A pin try has returned `rc`. `swapcache_prepare` has other callers too (read-ahead, shmem, zswap write-back): only a
/// task with a flight on that very range is a flight's own try.
#[inline(always)]
pub(crate) fn tried(entry: u64, nr: u32, rc: i32) {
    let flight = FLIGHTS.get_ptr_mut(task::ids().0);
    // SAFETY: only this task touches its own flight.
    match flight.map(|flight| unsafe { &mut *flight }) {
        Some(flight) if covers(entry, nr, flight.record.entry) => of_flight(flight, entry, nr, rc),
        _ if rc != 0 => count::add(|c| unsafe { &raw mut (*c).pin_outside }, 1),
        _ => {}
    }
}

#[inline(always)]
fn of_flight(flight: &mut Flight, entry: u64, nr: u32, rc: i32) {
    flight.record.flags |= F_PIN_TRIED;
    flight.record.pin_rc = rc;
    flight.record.base = entry;
    flight.record.nr = nr;
    flight.record.pin_try = unsafe { bpf_ktime_get_ns() };
    if rc == 0 {
        count::add(|c| unsafe { &raw mut (*c).pins }, 1);
        return;
    }
    flight.record.pin_fails = flight.record.pin_fails.wrapping_add(1);
    if rc == EEXIST {
        count::add(|c| unsafe { &raw mut (*c).pin_eexist }, 1);
    } else {
        count::add(|c| unsafe { &raw mut (*c).pin_enoent }, 1);
    }
}

/// Kprobe backend: a pin try begins; its return probe gets no arguments, so they wait in the flight.
#[inline(always)]
pub(crate) fn pending(entry: u64, nr: u32) {
    let Some(flight) = FLIGHTS.get_ptr_mut(task::ids().0) else { return };
    // SAFETY: only this task touches its own flight.
    let flight = unsafe { &mut *flight };
    if !covers(entry, nr, flight.record.entry) {
        return;
    }
    if flight.pin_pending != 0 {
        count::add(|c| unsafe { &raw mut (*c).lost_pin_return }, 1);
    }
    flight.record.base = entry;
    flight.pin_pending = nr;
}

/// Kprobe backend: a pin try returns.
#[inline(always)]
pub(crate) fn returned(rc: i32) {
    let flight = FLIGHTS.get_ptr_mut(task::ids().0);
    // SAFETY: only this task touches its own flight.
    match flight.map(|flight| unsafe { &mut *flight }) {
        Some(flight) if flight.pin_pending != 0 => {
            let nr = flight.pin_pending;
            flight.pin_pending = 0;
            of_flight(flight, flight.record.base, nr, rc);
        }
        _ if rc != 0 => count::add(|c| unsafe { &raw mut (*c).pin_outside }, 1),
        _ => {}
    }
}

/// The pin on a range is being dropped.
#[inline(always)]
pub(crate) fn dropped(entry: u64) {
    let Some(flight) = FLIGHTS.get_ptr_mut(task::ids().0) else { return };
    // SAFETY: only this task touches its own flight.
    let flight = unsafe { &mut *flight };
    if flight.record.base == entry {
        flight.record.pin_drop = unsafe { bpf_ktime_get_ns() };
    }
}

/// Whether the range of `nr` entries from `base` holds `entry`.
#[inline(always)]
pub(crate) fn covers(base: u64, nr: u32, entry: u64) -> bool {
    entry.wrapping_sub(base) < u64::from(nr)
}
