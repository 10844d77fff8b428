//! Why a fault slept for one tick, where only the sleep is hooked (lean hooks). A fault that finds the entry pinned
//! does, and returns at once; but so does a fault that waits for a neighbour which it reads ahead, or for the lock of
//! the out-of-memory killer, and goes on. (`__read_swap_cache_async`, `__alloc_pages_may_oom`.)

use crate::record::{F_CACHED, F_DIRECT, F_INSTALLED};

/// The argument of `schedule_timeout_uninterruptible` when a pin is held. Reclaim that is throttled sleeps longer
/// there.
pub const ONE_TICK: i64 = 1;

/// Why a fault slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SleepCause {
    /// Another task held the pin of its entry.
    Pin,
    /// Something else: it read its page directly, so it had the pin.
    Other,
    /// It went on through the swap cache, where it may have waited for its own entry or for another one.
    Unknown,
}

/// Decides at the end of the fault. `fault_ret`: what `do_swap_page` returned, which is 0 where the pin was held; a
/// fault that read a page returns `VM_FAULT_MAJOR`.
#[must_use]
pub const fn cause(flags: u32, fault_ret: u32) -> SleepCause {
    if flags & F_DIRECT != 0 {
        SleepCause::Other
    } else if fault_ret == 0 && flags & (F_CACHED | F_INSTALLED) == 0 {
        // Also through the swap cache: a fault that comes after the holder has dropped its reference, and before it has
        // dropped the pin, takes that path.
        SleepCause::Pin
    } else {
        SleepCause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::F_CACHE_PATH;

    const MAJOR: u32 = 4;
    const RETRY: u32 = 0x400;

    #[test]
    fn a_fault_that_slept_and_returned_at_once_found_the_pin_held() {
        assert_eq!(cause(0, 0), SleepCause::Pin);
        assert_eq!(cause(F_CACHE_PATH, 0), SleepCause::Pin, "its holder had dropped its reference");
    }

    #[test]
    fn a_direct_reader_had_the_pin() {
        for flags in [F_DIRECT, F_DIRECT | F_INSTALLED] {
            assert_eq!(cause(flags, MAJOR), SleepCause::Other);
        }
    }

    #[test]
    fn through_the_swap_cache_the_cause_is_unknown() {
        for (flags, fault_ret) in [
            (F_CACHE_PATH, RETRY),
            (F_CACHE_PATH | F_CACHED | F_INSTALLED, MAJOR),
            (F_CACHED, MAJOR),
            (F_INSTALLED, 0),
            // The hook on the swap cache was skipped.
            (0, MAJOR),
        ] {
            assert_eq!(cause(flags, fault_ret), SleepCause::Unknown, "{flags:#x} {fault_ret:#x}");
        }
    }
}
