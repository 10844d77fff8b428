//! Which entries `--sample 1/N` observes (docs/decisions/sample.md), and which faults are timed
//! (docs/decisions/lean.md).
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than the body")]

/// 2^64 divided by the golden ratio: its multiples modulo 2^64 are spread as evenly as points on a circle can be.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Greater than every place.
pub const ALL: u64 = 1 << 32;

/// Size of a block, as a power of two, where entries are read or pinned in ranges: the entries of a PMD, which is one
/// page table, with eight bytes for each. No range is longer, and a range is aligned to its length, so none lies in two
/// blocks.
#[must_use]
pub const fn ranges_shift(page_bytes: usize) -> u32 {
    page_bytes.trailing_zeros().saturating_sub(3)
}

/// Place of the entry's block of `1 << shift` entries on the circle, below 2^32. Consecutive blocks are spread evenly.
#[inline(always)]
pub const fn place(entry: u64, shift: u32) -> u32 {
    ((entry >> (shift & 63)).wrapping_mul(GOLDEN) >> 32) as u32
}

/// The bound below which one place in `one_in` lies; 0 is taken as 1.
pub const fn below(one_in: u32) -> u64 {
    if one_in <= 1 { ALL } else { ALL / one_in as u64 }
}

/// Whether the duration of a fault is entered into the histogram: about one fault in `mask + 1`, which is a power of two.
/// `start`: when it started, in nanoseconds. The choice depends on all bits of both by two multiplications with a fold
/// between them: without the fold, faults at some constant paces are chosen at another rate.
#[inline(always)]
pub const fn is_timed(start: u64, entry: u64, mask: u64) -> bool {
    if mask == 0 {
        return true;
    }
    let mixed = start.wrapping_mul(GOLDEN) ^ entry;
    (mixed ^ mixed >> 32).wrapping_mul(GOLDEN) >> 32 & mask == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `of` faults at a constant pace are timed with a mask of 7.
    fn timed(of: u64, pace_ns: u64, stride: u64) -> u64 {
        (0..of).filter(|i| is_timed(1_000_000_007 + i * pace_ns, 4_096 + i * stride, 7)).count() as u64
    }

    #[test]
    fn one_fault_in_eight_is_timed_at_any_constant_pace() {
        let paces = (1..512).chain([4_096, 8_192, 10_000, 65_536, 100_000, 1 << 20, 1_000_000, 4_000_000]);
        for pace_ns in paces.flat_map(|pace| [pace, pace << 6]) {
            for stride in [0, 1, 2, 512] {
                // Six standard deviations of a random choice are 180.
                let found = timed(8_192, pace_ns, stride);
                assert!(found.abs_diff(1_024) <= 180, "every {pace_ns} ns, stride {stride}: {found} of 8192");
            }
        }
    }

    #[test]
    fn all_are_timed_without_a_mask() {
        assert!((0..1_000).all(|start| is_timed(start, 7, 0)));
    }

    fn share(entries: impl Iterator<Item = u64>, shift: u32, one_in: u32) -> u64 {
        entries.filter(|entry| u64::from(place(*entry, shift)) < below(one_in)).count() as u64
    }

    #[test]
    fn consecutive_entries_are_sampled_at_the_rate_asked_for() {
        for one_in in [1, 2, 3, 4, 10, 64, 1_000] {
            let taken = share(0..64_000, 0, one_in);
            let expected = 64_000 / u64::from(one_in);
            assert!(taken.abs_diff(expected) <= 8, "1/{one_in}: {taken}, expected {expected}");
        }
    }

    #[test]
    fn a_range_is_sampled_as_a_whole_or_not_at_all() {
        for (page_kib, entries) in [(4, 512), (16, 2_048), (64, 8_192)] {
            let shift = ranges_shift(page_kib << 10);
            for block in 0..200u64 {
                let taken = share(block << shift..(block + 1) << shift, shift, 4);
                assert!(taken == 0 || taken == entries, "{page_kib} KiB, block {block}: {taken}");
            }
            let blocks = (0..400u64).map(|block| block << shift);
            assert!(share(blocks, shift, 4).abs_diff(100) <= 8);
        }
    }

    #[test]
    fn areas_have_different_samples() {
        let pattern = |kind: u64| (0..64).map(move |offset| place(kind << 58 | offset, 0) < 1 << 30);
        assert!(pattern(0).zip(pattern(1)).any(|(a, b)| a != b));
    }
}
