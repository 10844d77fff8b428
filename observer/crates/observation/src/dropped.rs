//! Dropped events by cause: the one list that every output shows.

use std::collections::BTreeMap;

use crate::{outcome::Known, sample::Sample};
use observer_engine::report::EngineDropped;
use observer_kernel::codes;

codes! {
    /// Why an event that happened was not observed.
    pub enum DropCause {
        /// A swap entry or a finding with its details: counted, but the list was full.
        EntryNotListed = "entry_not_listed",
        /// An event came later than the engine waits for.
        EventTooLate = "event_too_late",
        /// A return probe ran out of instances, or the kernel skipped the program.
        FaultEndMissed = "fault_end_missed",
        /// More tasks in `do_swap_page` at once than the table holds.
        FaultTableFull = "fault_table_full",
        /// A fault that was still in progress, or whose end never came.
        FaultWithoutEnd = "fault_without_end",
        FindingNotListed = "finding_not_listed",
        /// The programs could not copy kernel memory.
        KernelReadFailed = "kernel_read_failed",
        /// An overlap that never ended was cut.
        OverlapCut = "overlap_cut",
        PinReturnMissed = "pin_return_missed",
        /// The kernel does not run a program on a CPU where it is already running, nested or in a preempted task.
        ProgramSkipped = "program_skipped",
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
    let counters = &sample.snapshot.counters;
    let mut dropped = Dropped::from([
        (DropCause::FaultTableFull, counters.fault_table_full),
        (DropCause::FaultEndMissed, counters.fault_end_missed + sample.snapshot.ends_missed),
        (DropCause::RingFullFault, counters.ring_full_fault),
        (DropCause::RingFullEntry, counters.ring_full_entry),
        (DropCause::PinReturnMissed, counters.pin_return_missed),
        (DropCause::WriteEndMissed, counters.write_end_missed),
        (DropCause::WatchTableFull, counters.watch_table_full),
        (DropCause::KernelReadFailed, counters.kernel_read_failed),
        (DropCause::RecordUndecodable, sample.undecodable),
        (DropCause::EventTooLate, engine.late_events),
        (DropCause::ReaderIncomplete, engine.incomplete_readers),
        (DropCause::FaultWithoutEnd, engine.faults_without_end),
        (DropCause::OverlapCut, engine.overlaps_cut),
        (DropCause::EntryNotListed, engine.entries_not_listed),
        (DropCause::FindingNotListed, engine.findings_not_listed),
    ]);
    if let Some(skipped) = sample.snapshot.skipped {
        dropped.insert(DropCause::ProgramSkipped, skipped.all);
    }
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
