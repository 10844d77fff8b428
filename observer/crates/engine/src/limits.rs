//! Limits on time and memory.

use crate::event::Nanos;

/// Events are held this long before they take effect, so that records of different CPUs are put in order. It is far
/// longer than a program takes between reading the clock and reserving its record, even if it is preempted there.
pub const REORDER_DELAY: Nanos = 100_000_000;

/// A fault is judged this long after its end. Programs raise a slot's sequence numbers slightly before or after they
/// read the clock, so a change that the fault's numbers include can carry a later time than the fault's end.
pub(crate) const JUDGE_DELAY: Nanos = 10_000_000;

/// State of a slot is kept this long after the slot became idle. Of two faults that end together, both can read "none
/// in progress" while the second one is still to be judged.
pub(crate) const IDLE_DELAY: Nanos = 2 * JUDGE_DELAY;

/// A reader with missing changes waits this long after its end for them to arrive.
pub(crate) const PENDING_TIMEOUT: Nanos = 1_000_000_000;

/// Faults in progress. The programs' tables hold 20 480; more are kept only if ends did not arrive.
pub(crate) const MAX_FAULTS_IN_PROGRESS: usize = 32_768;

/// A refault follows as soon as its task runs, which takes long on an overloaded host. A task that has not tried the
/// pin again this long after the holder's fault has ended found its page present. (A refault after that time would be
/// part of the wait too: the slot's numbers show that. But waits must be reported at some time.)
pub(crate) const PIN_REFAULT_TIMEOUT: Nanos = 1_000_000_000;

/// A holder whose end has not arrived after this time has been missed. Stalls of swap-ins for ten minutes are known.
pub(crate) const HOLDER_TIMEOUT: Nanos = 3_600_000_000_000;

/// A pin wait that lasts longer is reported before it ends.
pub(crate) const LONG_WAIT: Nanos = 1_000_000_000;

/// Pin waits that are reported before they end.
pub(crate) const MAX_LONG_WAITS: usize = 16;

/// The kernel itself repeats a fault that waited for a folio lock, before its task returns to user mode. After a longer
/// time a fault on the page need not be that repetition: a clean page can be dropped and swapped in again without any
/// change of its entry.
pub(crate) const LOCK_REFAULT_TIMEOUT: Nanos = 50_000_000;

/// Findings below `stale-install` in the report, stale installs, overlaps, and waits: this many of each.
pub(crate) const MAX_LISTED: usize = 10_000;

/// Ended faults whose entry is not idle yet.
pub(crate) const MAX_ENDED_FAULTS: usize = 65_536;

/// Changes kept for one slot. A slot's changes are deleted when it becomes idle; without the record that reports this
/// they would accumulate.
pub(crate) const MAX_SLOT_CHANGES: usize = 4_096;

/// Changes kept for all slots together.
pub(crate) const MAX_CHANGES: usize = 262_144;

/// Readers with missing changes. Each keeps a copy of the changes of its slot.
pub(crate) const MAX_PENDING_READERS: usize = 64;

/// Rows of a table of contended entries.
pub(crate) const MAX_ENTRIES: usize = 65_536;

/// Rows of the table of task groups.
pub(crate) const MAX_GROUPS: usize = 16_384;

/// Rows of a table of wait costs.
pub(crate) const MAX_COST_ROWS: usize = 4_096;

/// The newest findings, kept for the dashboard.
pub const MAX_RECENT_FINDINGS: usize = 1_000;

/// Other faults listed with a finding.
pub(crate) const MAX_OTHERS: usize = 8;

/// Tasks listed with an overlap.
pub(crate) const MAX_TASKS: usize = 16;
