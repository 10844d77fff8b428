//! What the hooks on the way of a fault left out: because no disturbance was pending, or because they did not run.

use crate::record::{F_DIRECT, F_INSTALLED, F_READ_STARTED, F_SPAN_ENDED, F_STREAMED};

/// Why nothing was recorded where a fault must have passed a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// It was recorded, or the fault does not pass the hook.
    Nothing,
    /// No disturbance was pending, so the slot's numbers were still those of the fault's start.
    Undisturbed,
    /// The hook did not run: the kernel skipped its program, or the function was inlined there. A fault that is streamed
    /// at its start has itself added a disturbance, so every hook that it passes records.
    Missed,
}

/// Of the drop of the fault's reference, which every install does. `may_omit`: the hook leaves it out while no
/// disturbance is pending. `read_was_disturbed`: the read found other numbers than the start of the fault did, so a
/// disturbance was pending from then on.
#[must_use]
pub const fn reference_drop(flags: u32, may_omit: bool, read_was_disturbed: bool) -> Unrecorded {
    if flags & (F_INSTALLED | F_SPAN_ENDED) != F_INSTALLED {
        Unrecorded::Nothing
    } else if may_omit && flags & F_STREAMED == 0 && !read_was_disturbed {
        Unrecorded::Undisturbed
    } else {
        Unrecorded::Missed
    }
}

/// Of the start of a direct read, which the end of the fault shows as well.
#[must_use]
pub const fn read_start(flags: u32) -> Unrecorded {
    if flags & (F_DIRECT | F_READ_STARTED) != F_DIRECT {
        Unrecorded::Nothing
    } else if flags & F_STREAMED == 0 {
        Unrecorded::Undisturbed
    } else {
        Unrecorded::Missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_without_a_dropped_reference_is_a_hook_that_did_not_run() {
        let drop = |flags| reference_drop(flags, true, false);
        assert_eq!(drop(F_INSTALLED | F_SPAN_ENDED | F_STREAMED), Unrecorded::Nothing);
        assert_eq!(drop(F_STREAMED), Unrecorded::Nothing, "nothing was installed");
        assert_eq!(drop(F_INSTALLED), Unrecorded::Undisturbed);
        assert_eq!(drop(F_INSTALLED | F_STREAMED), Unrecorded::Missed);
        assert_eq!(reference_drop(F_INSTALLED, false, false), Unrecorded::Missed, "the hook always records");
        assert_eq!(reference_drop(F_INSTALLED, true, true), Unrecorded::Missed, "disturbed since the read");
        assert_eq!(reference_drop(F_INSTALLED | F_SPAN_ENDED, true, true), Unrecorded::Nothing);
    }

    #[test]
    fn a_direct_read_without_a_start_is_a_hook_that_did_not_run() {
        assert_eq!(read_start(F_DIRECT | F_READ_STARTED | F_STREAMED), Unrecorded::Nothing);
        assert_eq!(read_start(F_STREAMED), Unrecorded::Nothing, "it did not read directly");
        assert_eq!(read_start(F_DIRECT), Unrecorded::Undisturbed);
        assert_eq!(read_start(F_DIRECT | F_STREAMED), Unrecorded::Missed);
    }
}
