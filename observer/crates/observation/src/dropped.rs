//! Dropped events by cause: the one list that every output shows.

use std::collections::BTreeMap;

use crate::{outcome::Known, sample::Sample};
use observer_engine::report::EngineDropped;
use observer_kernel::codes;

codes! {
    /// Why an event that happened was not observed.
    pub enum DropCause {
        /// Too many changes on entries with faults in progress: evidence about a reader may be missing.
        ChangeDropped = "change_dropped",
        /// An event came later than the engine waits for.
        EventTooLate = "event_too_late",
        /// A return probe ran out of instances, or the kernel skipped the program.
        FaultEndMissed = "fault_end_missed",
        /// More tasks in `do_swap_page` at once than the table holds.
        FaultTableFull = "fault_table_full",
        /// A fault that was still in progress, or whose end never came.
        FaultWithoutEnd = "fault_without_end",
        /// A hook that a reader passed did not run: its verdict may be too low.
        HookMissed = "hook_missed",
        /// The programs could not copy kernel memory.
        KernelReadFailed = "kernel_read_failed",
        /// An overlap that never ended was cut.
        OverlapCut = "overlap_cut",
        PinReturnMissed = "pin_return_missed",
        /// A fault through the swap cache slept; with lean hooks it is unknown whether for the pin of its entry.
        PinSleepUnattributed = "pin_sleep_unattributed",
        /// The kernel does not run a program on a CPU where it is already running, nested or in a preempted task.
        ProgramSkipped = "program_skipped",
        /// Entries of a range that is longer than a large folio can be.
        RangeCut = "range_cut",
        /// More happened under a reader than was received: its verdict may be too low.
        ReaderIncomplete = "reader_incomplete",
        RecordUndecodable = "record_undecodable",
        RecordingIncomplete = "recording_incomplete",
        RingFullEntry = "ring_full_entry",
        RingFullFault = "ring_full_fault",
        WatchTableFull = "watch_table_full",
        WriteEndMissed = "write_end_missed",
    }
}

/// Dropped events by cause. A cause that this kernel does not report is left out rather than shown as 0.
pub type Dropped = BTreeMap<DropCause, u64>;

/// Dropped events of programs, transport and engine.
pub fn dropped(sample: &Sample, engine: &EngineDropped) -> Dropped {
    // A counter of dropped events is named by the code of its cause.
    let counters = sample.snapshot.counters.dropped();
    let mut dropped: Dropped = counters.filter_map(|(cause, count)| Some((cause.parse().ok()?, count))).collect();
    *dropped.entry(DropCause::FaultEndMissed).or_default() += sample.snapshot.ends_missed;
    dropped.extend([
        (DropCause::RecordUndecodable, sample.undecodable),
        (DropCause::EventTooLate, engine.late_events),
        (DropCause::ReaderIncomplete, engine.incomplete_readers),
        (DropCause::FaultWithoutEnd, engine.faults_without_end),
        (DropCause::ChangeDropped, engine.changes_dropped),
        (DropCause::OverlapCut, engine.overlaps_cut),
    ]);
    dropped.extend(sample.snapshot.skipped.map(|skipped| (DropCause::ProgramSkipped, skipped.all)));
    dropped
}

impl Known<'_> {
    /// Dropped events of the whole observation, with what its recording lacks.
    pub fn dropped(&self) -> Dropped {
        let mut dropped = dropped(self.sample, &self.report.dropped);
        if !self.damage.is_empty() {
            dropped.insert(DropCause::RecordingIncomplete, self.damage.len() as u64);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_ebpf::counters::Counters;

    #[test]
    fn every_counter_of_dropped_events_is_named_after_a_cause() {
        for (name, _) in Counters::default().dropped() {
            assert_eq!(name.parse::<DropCause>().map(DropCause::code), Ok(name));
        }
    }

    #[test]
    fn dropped_events_of_programs_transport_and_engine_are_collected() {
        let mut sample = Sample { undecodable: 2, ..Sample::default() };
        sample.snapshot.counters = Counters { fault_end_missed: 3, ring_full_fault: 1, ..Counters::default() };
        sample.snapshot.ends_missed = 4;
        let dropped = dropped(&sample, &EngineDropped { late_events: 5, ..EngineDropped::default() });
        let nonzero: Vec<_> = dropped.into_iter().filter(|(_, count)| *count > 0).collect();
        let expected = [
            (DropCause::EventTooLate, 5),
            (DropCause::FaultEndMissed, 7),
            (DropCause::RecordUndecodable, 2),
            (DropCause::RingFullFault, 1),
        ];
        assert_eq!(nonzero, expected);
    }
}
