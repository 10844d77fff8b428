//! What was not seen, by cause: the one list that every output shows.

use std::collections::BTreeMap;

use observer_engine::totals::EngineDropped;
use observer_observation::{Known, Sample};

/// Dropped by cause. A cause that this kernel cannot tell is left out rather than shown as 0.
pub type Dropped = BTreeMap<&'static str, u64>;

/// Collects the dropped of programs, transport and engine.
pub fn collect(sample: &Sample, engine: &EngineDropped) -> Dropped {
    let counters = &sample.snapshot.counters;
    let mut dropped = Dropped::from([
        ("fault_table_full", counters.dropped_table_full),
        ("fault_end_missed", counters.dropped_fault_end + sample.snapshot.ends_missed),
        ("ring_full_fault", counters.dropped_ring_fault),
        ("ring_full_entry", counters.dropped_ring_entry),
        ("pin_return_missed", counters.dropped_pin_return),
        ("write_end_missed", counters.dropped_write_end),
        ("watch_table_full", counters.dropped_watch_full),
        ("kernel_read_failed", counters.dropped_copy),
        ("record_undecodable", sample.undecodable),
        ("event_too_late", engine.late_events),
        ("reader_incomplete", engine.incomplete_readers),
        ("fault_without_end", engine.faults_without_end),
        ("overlap_cut", engine.overlaps_cut),
        ("entry_not_listed", engine.entries_not_listed),
        ("finding_not_listed", engine.findings_not_listed),
    ]);
    if let Some(skipped) = sample.snapshot.skipped {
        dropped.insert("program_skipped", skipped.all);
    }
    dropped
}

/// As [`collect`], of a whole observation: also what is missing of its recording.
pub fn of(known: &Known<'_>) -> Dropped {
    let mut dropped = collect(known.sample, &known.report.dropped);
    if !known.damage.is_empty() {
        dropped.insert("recording_incomplete", known.damage.len() as u64);
    }
    dropped
}

/// All of them together.
pub fn total(dropped: &Dropped) -> u64 {
    dropped.values().sum()
}

/// What each cause means and what helps.
pub fn remedy(cause: &str) -> &'static str {
    match cause {
        "fault_table_full" => "more tasks in do_swap_page at once than the table holds (16384)",
        "fault_end_missed" => {
            "a return probe ran out of instances, or the kernel skipped the program (program_skipped)"
        }
        "ring_full_fault" | "ring_full_entry" => "user space was too slow: use --ring-size",
        "pin_return_missed" => "return probes ran out of instances",
        "write_end_missed" => "more writes to swap at once than the table holds (4096)",
        "watch_table_full" => "the command has more tasks than the table holds (65536)",
        "kernel_read_failed" => "kernel memory that should be readable was not",
        "record_undecodable" => "program and object do not belong together: rebuild",
        "event_too_late" => "an event came more than 0.1 s late",
        "reader_incomplete" => "more happened under a reader than arrived here: its verdict may be too low",
        "fault_without_end" => "faults that were still open, or whose end never came",
        "overlap_cut" => "an entry never came to rest; some overlaps may be missing",
        "entry_not_listed" | "finding_not_listed" => "counted, but the list was full",
        "recording_incomplete" => "the file lacks its end: what happened after that is not known",
        "program_skipped" => "the kernel skips a program that is already running on that CPU, as of a preempted task",
        _ => "",
    }
}
