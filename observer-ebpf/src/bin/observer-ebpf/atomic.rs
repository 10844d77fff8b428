//! Atomic access to words of map values and globals.

use core::{
    cell::UnsafeCell,
    intrinsics::{AtomicOrdering, atomic_xadd},
};

/// Adds to a 64-bit word of a map value, which other programs may change on this and other CPUs.
///
/// With relaxed ordering and an unused result this compiles to the one atomic instruction that kernels before 5.12
/// have. On x86 it is a full barrier nevertheless.
#[inline(always)]
pub(crate) fn add_u64(value: *mut u8, offset: usize, n: u64) {
    // SAFETY: callers pass a live map value and the offset of an aligned word in it; the verifier checks both.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value.wrapping_add(offset).cast(), n) };
}

/// Adds to a 32-bit word, as [`add_u64`] does.
#[inline(always)]
pub(crate) fn add_u32(value: *mut u8, offset: usize, n: u32) {
    // SAFETY: callers pass a live map value or global and the offset of an aligned word in it; the verifier checks
    // both.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(value.wrapping_add(offset).cast(), n) };
}

/// Subtracts from a 32-bit word, as [`add_u64`] adds.
#[inline(always)]
pub(crate) fn sub_u32(value: *mut u8, offset: usize, n: u32) {
    add_u32(value, offset, n.wrapping_neg());
}

/// Reads a 32-bit word that other CPUs write.
#[inline(always)]
pub(crate) fn read_u32(value: *const u8, offset: usize) -> u32 {
    // SAFETY: callers pass a live map value or global and the offset of an aligned word in it; the verifier checks
    // both.
    unsafe { core::ptr::read_volatile(value.wrapping_add(offset).cast()) }
}

/// Reads a 64-bit word, or two 32-bit words at once, that other CPUs write.
#[inline(always)]
pub(crate) fn read_u64(value: *const u8, offset: usize) -> u64 {
    // SAFETY: callers pass a live map value and the offset of eight aligned bytes in it; the verifier checks both.
    unsafe { core::ptr::read_volatile(value.wrapping_add(offset).cast()) }
}

/// Writes a 32-bit word that other CPUs read.
#[inline(always)]
pub(crate) fn write_u32(value: *mut u8, offset: usize, n: u32) {
    // SAFETY: callers pass a live map value and the offset of an aligned word in it; the verifier checks both.
    unsafe { core::ptr::write_volatile(value.wrapping_add(offset).cast(), n) }
}

/// A number that all programs share. A global, because a map would cost a look-up at each use.
pub(crate) struct Word(UnsafeCell<u32>);

// SAFETY: it is accessed only by single volatile and atomic instructions, through the functions of this module.
unsafe impl Sync for Word {}

impl Word {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Its address, for the functions of this module.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.0.get().cast()
    }
}
