//! ABI of the benchmark's `pin-timing` programs: one [`Timing`] for each kernel function that is timed.

use bytemuck::{Pod, Zeroable};

/// Per-CPU array of [`Timing`]s.
pub const MAP_TIMINGS: &str = "TIMINGS";
/// Index of the function that takes the pin.
pub const TAKE: u32 = 0;
/// Index of the function that drops the pin.
pub const DROP: u32 = 1;
/// Index of the function by which a fault gives up its reference to the entry.
pub const REFERENCE: u32 = 2;
/// Index of a function that does nothing: what the timing itself costs.
pub const EMPTY: u32 = 3;
/// Number of functions.
pub const TIMINGS: u32 = 4;

/// Calls of one function on one CPU, timed by a program at its start and one at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Timing {
    /// Task inside the function (process id in the high half, thread id in the low half); 0: none.
    pub task: u64,
    /// When it entered, nanoseconds.
    pub start: u64,
    /// Calls that were timed.
    pub calls: u64,
    /// Sum of their durations, nanoseconds.
    pub ns: u64,
    /// Calls that ended on another CPU, or after another task had entered on this one: not timed.
    pub cut: u64,
}

// SAFETY: `Timing` consists of `u64`s only: any bit pattern is valid, and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Timing {}

const _: () = assert!(size_of::<Timing>() == 5 * 8);
