//! Dropped events.

use crate::units::number;
use observer_observation::DropCause;

/// A count. A plain 0 stands only where no events were dropped.
pub fn seen(count: u64, dropped: u64) -> String {
    let count = number(count);
    if dropped == 0 { count } else { format!("{count} seen, {} events dropped", number(dropped)) }
}

/// The count of a verdict. Where the hooks may miss it, a count is a lower bound and 0 is no result.
pub fn verdict_count(count: u64, dropped: u64, observable: bool) -> String {
    match (observable, count) {
        (true, _) => seen(count, dropped),
        (false, 0) => "not observable".to_owned(),
        (false, _) => format!("{} seen, others not observable", number(count)),
    }
}

/// What happened, and what to do about it where something helps.
pub const fn cause(cause: DropCause) -> &'static str {
    match cause {
        DropCause::ChangeDropped => {
            "too much happened to entries with faults in progress: a verdict on a read in transit may be too low"
        }
        DropCause::FaultTableFull => {
            "more tasks were in do_swap_page at once than the tables hold (16384, and 4096 that share a place)"
        }
        DropCause::FaultEndMissed => {
            "a return probe had no free instance, or the kernel skipped the program (see program_skipped)"
        }
        DropCause::RingFullFault | DropCause::RingFullEntry => "the ring buffer was full: use a larger --ring-size",
        DropCause::PinSleepUnattributed => {
            "a fault through the swap cache slept, and lean hooks cannot see for which entry: use --hooks full"
        }
        DropCause::PinReturnMissed => "a return probe had no free instance",
        DropCause::WriteEndMissed => "more writes to swap were in progress at once than the table holds (4096)",
        DropCause::WatchTableFull => "the command has more tasks than the table holds: use a larger --watched-tasks",
        DropCause::HookMissed => {
            "a hook that a reader passed did not run (see program_skipped): its verdict may be too low"
        }
        DropCause::KernelReadFailed => "kernel memory that the programs need could not be read",
        DropCause::RecordUndecodable => "the programs do not match this executable: rebuild it",
        DropCause::EventTooLate => "an event arrived more than 0.1 s late",
        DropCause::RangeCut => "a range had more entries than a large folio can have (8192): please report this kernel",
        DropCause::ReaderIncomplete => "some changes under a reader did not arrive: its verdict may be too low",
        DropCause::FaultWithoutEnd => "the fault was still in progress when observing ended, or its end was dropped",
        DropCause::OverlapCut => "an entry was never without a fault: overlaps may be missing",
        DropCause::RecordingIncomplete => "the recording has no end: later events are missing",
        DropCause::ProgramSkipped => {
            "the kernel skipped a program that was already running on that CPU, for example in a preempted task"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_plain_only_when_no_events_were_dropped() {
        assert_eq!(seen(0, 0), "0");
        assert_eq!(seen(0, 3), "0 seen, 3 events dropped");
        assert_eq!(verdict_count(0, 3, true), "0 seen, 3 events dropped");
    }

    #[test]
    fn a_verdict_that_hooks_may_miss_has_no_zero() {
        assert_eq!(verdict_count(0, 0, false), "not observable");
        assert_eq!(verdict_count(0, 3, false), "not observable");
        assert_eq!(verdict_count(2, 0, false), "2 seen, others not observable");
    }
}
