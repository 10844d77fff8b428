//! Words of map values and globals, counted up atomically; counters and histograms.

use core::{
    cell::UnsafeCell,
    intrinsics::{AtomicOrdering, atomic_xadd},
};

use observer_ebpf::{
    counter::Counters,
    histogram,
    totals::{BUCKETS, Totals},
};

use crate::maps::TOTALS;

/// Adds to the counter of this name in [`Counters`](observer_ebpf::counter::Counters): 1, or the given number; `here`
/// before it: to counters looked up with [`here`].
macro_rules! count {
    ($counter:ident) => {
        count!($counter, 1)
    };
    ($counter:ident, $n:expr) => {
        $crate::count::add(core::mem::offset_of!(observer_ebpf::counter::Counters, $counter), $n)
    };
    ($here:ident, $counter:ident, $n:expr) => {
        $crate::count::add_u64($here, core::mem::offset_of!(observer_ebpf::counter::Counters, $counter), $n)
    };
}
pub(crate) use count;

/// Adds to a 64-bit word of a map value, whatever else runs on this or another CPU.
///
/// Relaxed, and the old value unused, so that it becomes the one atomic instruction that kernels before 5.12 know; on
/// x86 it is a full barrier all the same.
#[inline(always)]
pub(crate) fn add_u64(value: *mut u8, offset: usize, n: u64) {
    // SAFETY: callers hand a live map value and the offset of an aligned word in it; the verifier checks both.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value.wrapping_add(offset).cast(), n) };
}

/// The same for 32 bits.
#[inline(always)]
pub(crate) fn add_u32(value: *mut u8, offset: usize, n: u32) {
    // SAFETY: as above.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(value.wrapping_add(offset).cast(), n) };
}

/// Takes away again.
#[inline(always)]
pub(crate) fn sub_u32(value: *mut u8, offset: usize, n: u32) {
    add_u32(value, offset, n.wrapping_neg());
}

/// Reads a 32-bit word of a map value that other CPUs write.
#[inline(always)]
pub(crate) fn read_u32(value: *const u8, offset: usize) -> u32 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(value.wrapping_add(offset).cast()) }
}

/// Reads two 32-bit words of a map value that other CPUs write, in one step.
#[inline(always)]
pub(crate) fn read_u64(value: *const u8, offset: usize) -> u64 {
    // SAFETY: as above; the offset is of eight bytes.
    unsafe { core::ptr::read_volatile(value.wrapping_add(offset).cast()) }
}

/// Writes a 32-bit word of a map value that other CPUs read.
#[inline(always)]
pub(crate) fn write_u32(value: *mut u8, offset: usize, n: u32) {
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(value.wrapping_add(offset).cast(), n) }
}

/// A number that all programs share. A global: a map of its own would be looked up each time.
pub(crate) struct Word(UnsafeCell<u32>);

// SAFETY: read and written by single volatile and atomic instructions only.
unsafe impl Sync for Word {}

impl Word {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Its address, for the functions above.
    #[inline(always)]
    pub(crate) fn at(&self) -> *mut u8 {
        self.0.get().cast()
    }
}

/// The counters of this CPU, and its histograms behind them.
#[inline(always)]
pub(crate) fn here() -> Option<*mut u8> {
    TOTALS.get_ptr_mut(0).map(<*mut Totals>::cast)
}

/// See [`count!`].
#[inline(always)]
pub(crate) fn add(offset: usize, n: u64) {
    if let Some(counters) = here() {
        add_u64(counters, offset, n);
    }
}

/// Counts a fault of a path (as below) whose duration is not entered.
#[inline(always)]
pub(crate) fn untimed(here: *mut u8, path: usize) {
    add_u64(here, core::mem::offset_of!(Counters, direct) + path * size_of::<u64>(), 1);
}

const _: () = assert!(core::mem::offset_of!(Counters, cached) == core::mem::offset_of!(Counters, direct) + 8);
const _: () = assert!(core::mem::offset_of!(Counters, none) == core::mem::offset_of!(Counters, direct) + 16);

/// Enters a fault's duration into the histogram of its path (0 `direct`, 1 `cached`, 2 `none`), `here`.
#[inline(always)]
pub(crate) fn fault_time(here: *mut u8, path: usize, ns: u64) {
    let bucket = path * histogram::BUCKETS as usize + histogram::bucket(ns) as usize;
    // Always so; the verifier does not follow a shift by a variable.
    if bucket < BUCKETS {
        add_u64(here, core::mem::offset_of!(Totals, fault_times) + bucket * size_of::<u64>(), 1);
    }
}
