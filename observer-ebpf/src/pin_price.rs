//! What the programs of `pin-price` and user space share: one [`Pair`] for each function that is timed.

use bytemuck::{Pod, Zeroable};

/// Name of the per-CPU array of [`Pair`]s.
pub const MAP_PAIRS: &str = "PAIRS";
/// Its index: taking the pin.
pub const TAKE: u32 = 0;
/// Its index: dropping the pin.
pub const DROP: u32 = 1;
/// Its index: a function that does nothing, which is what a pair of programs costs itself.
pub const EMPTY: u32 = 2;
/// Pairs kept.
pub const PAIRS: u32 = 3;

/// A timed function on one CPU: a program at its start and one at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Pair {
    /// Who is in it (process and thread id); 0: nobody.
    pub task: u64,
    /// Since when, nanoseconds.
    pub start: u64,
    /// Calls that were timed.
    pub calls: u64,
    /// All of them together, nanoseconds.
    pub ns: u64,
    /// Calls whose end came to another CPU, or after another task had started here: not timed.
    pub cut: u64,
}

// SAFETY: `Pod` of bytemuck, derived above, asserts the same: any bit pattern is valid and there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Pair {}

const _: () = assert!(size_of::<Pair>() == 5 * 8);
