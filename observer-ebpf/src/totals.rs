//! What one CPU adds up: counters and histograms in one value, so that the end of a flight looks up once for both. On kernels
//! before 6.10 each look-up in a per-CPU map is a call.

use bytemuck::{Pod, Zeroable};

use crate::{counter::Counters, histogram};

/// Buckets of all histograms together.
pub const BUCKETS: usize = (histogram::PATHS * histogram::BUCKETS) as usize;

/// Everything that is added up on one CPU; user space adds the CPUs up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Totals {
    /// The counters. First, so that an offset in [`Counters`] is one in here.
    pub counters: Counters,
    /// Durations of all flights: the buckets of one path after those of another, see [`histogram`].
    pub flight_times: [u64; BUCKETS],
}

impl Totals {
    /// The counters, with those of ended flights that the histograms hold.
    #[must_use]
    pub fn counted(&self) -> Counters {
        let of_path = |path: usize| {
            let buckets = self.flight_times.iter().skip(path * histogram::BUCKETS as usize);
            buckets.take(histogram::BUCKETS as usize).sum()
        };
        Counters { direct: of_path(0), cached: of_path(1), none: of_path(2), ..self.counters }
    }
}

// SAFETY: `Pod` of bytemuck, derived above, asserts the same: any bit pattern is valid and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Totals {}

// The kernel's per-CPU allocator gives no more than this at a time (`PCPU_MIN_UNIT_SIZE`).
const _: () = assert!(size_of::<Totals>() <= 32 << 10);
const _: () = assert!(core::mem::offset_of!(Totals, counters) == 0);
