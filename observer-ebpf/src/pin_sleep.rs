//! Why a fault slept for one tick, where only the sleep is hooked (lean hooks). A fault that finds its entry pinned does,
//! and returns at once; but so does one that waits for a neighbour which it reads ahead, or for the lock of the
//! out-of-memory killer, and goes on. (`__read_swap_cache_async`, `__alloc_pages_may_oom`.)

use crate::record::{F_CACHE_PATH, F_CACHED, F_DIRECT, F_INSTALLED, F_OWN_CACHE_SLEEP, F_OWN_CACHE_TRY};

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

/// Decides at the start of a sleep whether it may be for the pin of the fault's entry; if so, the flags to add.
/// `tries_hooked`: each try to add a page to the swap cache is hooked.
#[must_use]
pub const fn at_sleep(flags: u32, tries_hooked: bool) -> Option<u32> {
    if !tries_hooked || flags & F_CACHE_PATH == 0 {
        Some(0)
    } else if flags & F_OWN_CACHE_TRY != 0 {
        Some(F_OWN_CACHE_SLEEP)
    } else {
        None
    }
}

/// Decides at the end of the fault. `fault_ret`: what `do_swap_page` returned, which is 0 where the pin was held; a
/// fault that read a page returns `VM_FAULT_MAJOR`.
#[must_use]
pub const fn cause(flags: u32, fault_ret: u32) -> SleepCause {
    if flags & F_OWN_CACHE_SLEEP != 0 {
        SleepCause::Pin
    } else if flags & F_DIRECT != 0 {
        SleepCause::Other
    } else if fault_ret == 0 && flags & (F_CACHED | F_INSTALLED) == 0 {
        SleepCause::Pin
    } else {
        SleepCause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAJOR: u32 = 4;
    const RETRY: u32 = 0x400;

    #[test]
    fn a_fault_that_slept_and_returned_at_once_found_the_pin_held() {
        assert_eq!(at_sleep(0, true), Some(0), "not through the swap cache");
        assert_eq!(cause(0, 0), SleepCause::Pin);
    }

    #[test]
    fn a_direct_reader_had_the_pin() {
        for flags in [F_DIRECT, F_DIRECT | F_INSTALLED] {
            assert_eq!(cause(flags, MAJOR), SleepCause::Other);
        }
    }

    #[test]
    fn through_the_swap_cache_the_entry_decides() {
        assert_eq!(at_sleep(F_CACHE_PATH, true), None, "for a neighbour");
        assert_eq!(at_sleep(F_CACHE_PATH | F_OWN_CACHE_TRY, true), Some(F_OWN_CACHE_SLEEP));
        for fault_ret in [0, MAJOR, RETRY] {
            for flags in [0, F_CACHED, F_INSTALLED, F_CACHED | F_INSTALLED] {
                let flags = flags | F_CACHE_PATH | F_OWN_CACHE_SLEEP;
                assert_eq!(cause(flags, fault_ret), SleepCause::Pin, "{flags:#x} {fault_ret:#x}");
            }
        }
    }

    #[test]
    fn without_the_entry_the_cause_is_unknown() {
        for flags in [F_CACHE_PATH, F_CACHE_PATH | F_OWN_CACHE_TRY] {
            assert_eq!(at_sleep(flags, false), Some(0));
        }
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
