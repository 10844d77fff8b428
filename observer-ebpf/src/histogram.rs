//! Log-linear buckets for durations that are timed in the kernel: 32 per octave, so the error is at most 1/32.
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than the body")]

/// Buckets in an octave, as a power of two.
pub const GROUPING: u32 = 5;
/// Range, as a power of two of nanoseconds: 2^40 ns, 18 minutes. Longer durations share the last bucket.
pub const MAX_POWER: u32 = 40;
/// Number of buckets of one histogram.
pub const BUCKETS: u32 = ((MAX_POWER - GROUPING) << GROUPING) + (1 << GROUPING);
const LAST: u64 = BUCKETS as u64 - 1;
/// Number of histograms, one per path: `direct`, `cached`, `none`, in this order.
pub const PATHS: u32 = 3;

/// Bucket of a duration in nanoseconds, in `0..BUCKETS`. It runs on the hot path, so it uses shifts and comparisons
/// only, all of 64 bits, which need no truncation.
///
/// The target has no instruction that finds the highest bit, so comparisons do, four octaves at a time. Swap-ins take 4
/// us to 1 ms, so these octaves come first. (A binary search takes 40 instructions more: it moves the rest of the
/// number at each step, on either branch.)
#[inline(always)]
pub fn bucket(ns: u64) -> u64 {
    let shift = if ns >> 16 == 0 {
        if ns >> 12 != 0 {
            four::<12>(ns)
        } else if ns >> 8 != 0 {
            four::<8>(ns)
        } else if ns >> GROUPING != 0 {
            four::<4>(ns)
        } else {
            return ns;
        }
    } else if ns >> 20 == 0 {
        four::<16>(ns)
    } else if ns >> 24 == 0 {
        four::<20>(ns)
    } else if ns >> 28 == 0 {
        four::<24>(ns)
    } else if ns >> 32 == 0 {
        four::<28>(ns)
    } else if ns >> 36 == 0 {
        four::<32>(ns)
    } else if ns >> MAX_POWER == 0 {
        four::<36>(ns)
    } else {
        return LAST;
    };
    // The leading one is kept and counts as the octave's base. The mask removes the compiler's check; no shift is that
    // long.
    (shift << GROUPING) + (ns >> (shift & 63))
}

/// Shift that leaves [`GROUPING`] bits below the highest bit of `ns`, which is one of the four bits from `LOW` on.
#[inline(always)]
const fn four<const LOW: u64>(ns: u64) -> u64 {
    let low = LOW.wrapping_sub(GROUPING as u64);
    if ns < 1 << (LOW + 2) {
        if ns < 1 << (LOW + 1) { low } else { low.wrapping_add(1) }
    } else if ns < 1 << (LOW + 3) {
        low.wrapping_add(2)
    } else {
        low.wrapping_add(3)
    }
}

/// Smallest and largest duration of bucket `index`, in nanoseconds; the last bucket is open-ended.
pub const fn bounds(index: u64) -> (u64, u64) {
    let per_octave = 1 << GROUPING;
    if index < per_octave {
        return (index, index);
    }
    let shift = (index >> GROUPING) - 1;
    let mantissa = (index & (per_octave - 1)) + per_octave;
    let low = mantissa << shift;
    if index >= LAST {
        return (low, u64::MAX);
    }
    (low, low + (1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_holds_exactly_its_bounds() {
        for index in 0..=LAST {
            let (low, high) = bounds(index);
            assert_eq!(bucket(low), index, "low bound of {index}");
            assert_eq!(bucket(high), index, "high bound of {index}");
        }
    }

    #[test]
    fn buckets_are_contiguous_and_narrow() {
        for index in 1..LAST {
            let (low, high) = bounds(index);
            assert_eq!(bounds(index - 1).1 + 1, low);
            assert!((high - low) * 32 <= low.max(32), "bucket {index} is wider than 1/32");
        }
    }
}
