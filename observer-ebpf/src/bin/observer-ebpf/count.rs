//! Counters and histograms of this CPU.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use observer_ebpf::{
    counters::Counters,
    histogram,
    totals::{BUCKETS, CpuTotals, Totals},
};

use crate::{atomic::add_u64, maps::TOTALS};

/// Adds 1, or the given number, to a counter of [`Counters`](observer_ebpf::counters::Counters). With a first argument
/// from [`this_cpu`] the map is not looked up again.
macro_rules! count {
    ($counter:ident) => {
        count!($counter, 1)
    };
    ($counter:ident, $n:expr) => {
        $crate::count::add(core::mem::offset_of!(observer_ebpf::counters::Counters, $counter), $n)
    };
    ($this_cpu:ident, $counter:ident, $n:expr) => {
        $crate::atomic::add_u64($this_cpu, core::mem::offset_of!(observer_ebpf::counters::Counters, $counter), $n)
    };
}
pub(crate) use count;

/// The [`Totals`] of this CPU. A task that is moved to another CPU in between adds to those of the first one, which is why
/// all additions are atomic.
#[inline(always)]
pub(crate) fn this_cpu() -> Option<*mut u8> {
    // SAFETY: the helper has no arguments and cannot fail.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    TOTALS.get_ptr_mut(cpu).map(<*mut CpuTotals>::cast)
}

/// Use [`count!`].
#[inline(always)]
pub(crate) fn add(offset: usize, n: u64) {
    if let Some(this_cpu) = this_cpu() {
        add_u64(this_cpu, offset, n);
    }
}

/// Counts a fault whose duration is not timed. `path`: 0 `direct`, 1 `cached`, 2 `none`.
#[inline(always)]
pub(crate) fn untimed_fault(this_cpu: *mut u8, path: usize) {
    add_u64(this_cpu, core::mem::offset_of!(Counters, direct) + path * size_of::<u64>(), 1);
}

const _: () = assert!(core::mem::offset_of!(Counters, cached) == core::mem::offset_of!(Counters, direct) + 8);
const _: () = assert!(core::mem::offset_of!(Counters, none) == core::mem::offset_of!(Counters, direct) + 16);

/// Adds a fault's duration to the histogram of its path, numbered as in [`untimed_fault`].
#[inline(always)]
pub(crate) fn timed_fault(this_cpu: *mut u8, path: usize, ns: u64) {
    let bucket = path * histogram::BUCKETS as usize + histogram::bucket(ns) as usize;
    // Always true, but the verifier does not follow a shift by a variable.
    if bucket < BUCKETS {
        add_u64(this_cpu, core::mem::offset_of!(Totals, fault_times) + bucket * size_of::<u64>(), 1);
    }
}
