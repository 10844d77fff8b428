//! Counters and histograms.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use observer_ebpf::{counter::Counters, histogram};

use crate::maps::{COUNTERS, FLIGHT_TIMES};

/// Adds to a 64-bit word of a map, whatever else runs on this or another CPU.
///
/// Relaxed, and the old value unused, so that it becomes the one atomic instruction that kernels before 5.12 know; on
/// x86 it is a full barrier all the same.
///
/// # Safety
/// `word` points into a live map value, aligned.
#[inline(always)]
pub(crate) unsafe fn add_u64(word: *mut u64, n: u64) {
    // SAFETY: by the caller's promise.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, n) };
}

/// The same for 32 bits.
///
/// # Safety
/// `word` points into a live map value, aligned.
#[inline(always)]
pub(crate) unsafe fn add_u32(word: *mut u32, n: u32) {
    // SAFETY: by the caller's promise.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(word, n) };
}

/// Adds `n` to the counter that `field` picks.
#[inline(always)]
pub(crate) fn add(field: impl FnOnce(*mut Counters) -> *mut u64, n: u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: `field` picks a member of this CPU's live counters.
        unsafe { add_u64(field(counters), n) };
    }
}

/// Enters a flight's duration into the histogram of its path (0 `direct`, 1 `cached`, 2 `none`).
#[inline(always)]
pub(crate) fn flight_time(path: u32, ns: u64) {
    if let Some(bucket) = FLIGHT_TIMES.get_ptr_mut(path * histogram::BUCKETS + histogram::bucket(ns)) {
        // SAFETY: a live map value.
        unsafe { add_u64(bucket, 1) };
    }
}
