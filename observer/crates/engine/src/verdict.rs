//! The verdict on a reader: what happened to its entry under its read.

use std::fmt;

use serde::Serialize;

use crate::{
    event::{Change, ChangeKind, Entry, Fault, Nanos, Path, Pin, SequenceSpan, Task},
    wide,
};

/// Each verdict includes the ones below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Two or more faults on one entry were in progress at once.
    Overlap,
    /// A fault found the folio lock held and waited.
    LockWait,
    /// A fault found the pin held and waited.
    PinWait,
    /// The entry was freed under a reader.
    Window,
    /// The entry was freed and reallocated under a reader.
    Reuse,
    /// That reader then installed its page.
    StaleInstall,
}

impl Verdict {
    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::LockWait => "lock_wait",
            Self::PinWait => "pin_wait",
            Self::Window => "window",
            Self::Reuse => "reuse",
            Self::StaleInstall => "stale_install",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::LockWait => "lock-wait",
            Self::PinWait => "pin-wait",
            Self::StaleInstall => "stale-install",
            Self::Overlap | Self::Window | Self::Reuse => self.code(),
        })
    }
}

/// A change of the entry, as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    pub at_ns: Nanos,
    pub by: Task,
}

impl From<&Change> for Action {
    fn from(change: &Change) -> Self {
        Self { at_ns: change.at, by: change.by.clone() }
    }
}

/// A fault of another task on the same entry while the reader was in progress. It illustrates the finding; the verdict
/// does not depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherFault {
    pub task: Task,
    pub start_ns: Nanos,
    pub read_start_ns: Option<Nanos>,
    pub read_end_ns: Option<Nanos>,
    /// Time at which the fault freed the entry itself.
    pub freed_ns: Option<Nanos>,
    pub end_ns: Nanos,
    pub path: Path,
    pub pin: Option<Pin>,
    pub installed: bool,
}

impl From<&Fault> for OtherFault {
    fn from(fault: &Fault) -> Self {
        Self {
            task: fault.task.clone(),
            start_ns: fault.start,
            read_start_ns: fault.read_start,
            read_end_ns: fault.read_end,
            freed_ns: fault.freed,
            end_ns: fault.end,
            path: fault.path,
            pin: fault.pin,
            installed: fault.installed,
        }
    }
}

/// A `window`, `reuse` or `stale-install`, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The highest verdict that the evidence supports.
    pub verdict: Verdict,
    pub entry: Entry,
    /// The task under whose read the entry changed.
    pub reader: Task,
    /// The reader's fault address.
    #[serde(serialize_with = "wide::hexadecimal")]
    pub address: u64,
    /// Opaque id of the reader's address space.
    #[serde(serialize_with = "wide::decimal")]
    pub mm: u64,
    /// Id of the reader's control group (v2); 0 if not known.
    #[serde(serialize_with = "wide::decimal")]
    pub cgroup: u64,
    pub start_ns: Nanos,
    pub read_start_ns: Nanos,
    /// `None` where no hook reports the end of a read.
    pub read_end_ns: Option<Nanos>,
    /// The first free under the read, or else the free that the read found; `None` if the entry was freed with its whole
    /// cluster.
    pub freed: Option<Action>,
    /// The last allocation under the read.
    pub allocated: Option<Action>,
    /// The last write under the read.
    pub written: Option<Action>,
    pub end_ns: Nanos,
    pub installed: bool,
    /// Content changes of the entry under the read.
    pub changes: u32,
    /// Whether the read started while the page was being written to the entry: the reader has either the old content or
    /// the new one, depending on timing.
    pub read_during_write: bool,
    /// Whether the read completed before the entry was reallocated: the reader certainly has the old content.
    pub read_before_change: bool,
    /// Other faults in progress together with the reader's, ordered by start, at most `limits::MAX_OTHERS`: those that
    /// the engine still held when it judged the reader.
    pub others: Vec<OtherFault>,
}

/// The result of judging one reader.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Judgement {
    /// Nothing changed under the read, or the read was protected.
    Clear,
    Found(Box<Finding>),
    /// Not all changes under the read have arrived. The finding is what the others support.
    Incomplete(Option<Box<Finding>>),
}

/// Judges a fault that has ended by the changes of its slot. `changes` contains no duplicates; its order does not
/// matter.
pub(crate) fn judge<'a>(fault: &Fault, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> Judgement {
    let Some(read_start) = fault.read_start.filter(|_| fault.is_unprotected()) else { return Judgement::Clear };
    let under = |kinds: &'static [ChangeKind]| {
        changes
            .clone()
            .filter(move |change| kinds.contains(&change.kind) && span(fault, change.kind).contains(change.seq))
    };
    let same_entry = |change: &&Change| change.entry == fault.entry;
    let by_others = |change: &&Change| same_entry(change) && change.by.tid != fault.task.tid;
    let changed = under(CONTENT).filter(same_entry);
    let transit = in_transit(fault, changes);
    let freed = under(&[ChangeKind::Freed]).find(by_others);
    let verdict = match (freed.is_some(), changed.clone().next().is_some() || transit.is_certain()) {
        (_, true) if fault.installed => Some(Verdict::StaleInstall),
        (_, true) => Some(Verdict::Reuse),
        (true, false) => Some(Verdict::Window),
        (false, false) => None,
    };
    let finding = verdict.map(|verdict| {
        // The allocation that put the entry in transit happened before the read.
        let before_read = |kind| {
            let found = move |change: &&Change| change.kind == kind && span(fault, kind).is_before_read(change.seq);
            changes.clone().filter(same_entry).filter(found).filter(|change| change.at >= fault.start)
        };
        let last = |kind, kinds| {
            let before = before_read(kind).max_by_key(|change| change.at).filter(|_| transit.is_certain());
            under(kinds).filter(same_entry).max_by_key(|change| change.at).or(before).map(Action::from)
        };
        let first_change = changed.clone().map(|change| change.at).min();
        // A read may find the entry freed and not yet reallocated. A free before an allocation that the read found was
        // of an earlier use, unless that allocation put the entry in transit.
        let freed_before = before_read(ChangeKind::Freed).filter(by_others).max_by_key(|change| change.at);
        let allocated_before = before_read(ChangeKind::Allocated).map(|change| change.at).max();
        let freed_before =
            freed_before.filter(|freed| transit.is_certain() || allocated_before.is_none_or(|at| at < freed.at));
        Box::new(Finding {
            verdict,
            entry: fault.entry,
            reader: fault.task.clone(),
            address: fault.address,
            mm: fault.mm,
            cgroup: fault.cgroup,
            start_ns: fault.start,
            read_start_ns: not_before(read_start, fault, changes),
            read_end_ns: fault.read_end,
            freed: freed.or(freed_before).map(Action::from),
            allocated: last(ChangeKind::Allocated, &[ChangeKind::Allocated]),
            written: last(ChangeKind::WriteStarted, &[ChangeKind::WriteStarted, ChangeKind::Written]),
            end_ns: fault.end,
            installed: fault.installed,
            changes: u32::try_from(changed.count()).unwrap_or(u32::MAX),
            read_during_write: transit == InTransit::BeingWritten,
            read_before_change: transit != InTransit::BeingWritten
                && first_change.zip(fault.read_end).is_some_and(|(change, end)| end <= change),
            others: Vec::new(),
        })
    });
    // Every change of the slot, of whichever entry, increments a sequence number: a gap is an event that did not
    // arrive.
    let gap = under(CONTENT).count() < fault.changes.len() as usize
        || under(&[ChangeKind::Freed]).count() < fault.frees.len() as usize;
    if gap || transit == InTransit::Unknown {
        return Judgement::Incomplete(finding);
    }
    finding.map_or(Judgement::Clear, Judgement::Found)
}

/// The start of a read that was not timed, for which the start of the fault stands: not before the last change that the
/// read found.
fn not_before<'a>(read_start: Nanos, fault: &Fault, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> Nanos {
    if read_start > fault.start {
        return read_start;
    }
    let found = changes.clone().filter(|change| span(fault, change.kind).is_before_read(change.seq));
    let last = found.map(|change| change.at).max().unwrap_or(read_start);
    last.min(fault.end).max(read_start)
}

/// Changes of an entry's content. They share one sequence.
const CONTENT: &[ChangeKind] = &[ChangeKind::Allocated, ChangeKind::WriteStarted, ChangeKind::Written];

/// The fault's span in the sequence that counts changes of this kind.
const fn span(fault: &Fault, kind: ChangeKind) -> SequenceSpan {
    match kind {
        ChangeKind::Freed => fault.frees,
        ChangeKind::Allocated | ChangeKind::WriteStarted | ChangeKind::Written => fault.changes,
    }
}

/// Whether the entry was allocated and its write not complete when the fault's read started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InTransit {
    No,
    /// Allocated, and its write had not started: the device has the old content, or none.
    Unwritten,
    /// Its write was in progress. Seen on 5.10: a task misses the page in the swap cache while it is still mapped, is
    /// delayed, and reads the slot after the write started and before zram stored the page: it gets a page of zeroes.
    BeingWritten,
    /// Allocated, or its write had started, and changes after that have not arrived.
    Unknown,
}

impl InTransit {
    const fn is_certain(self) -> bool {
        matches!(self, Self::Unwritten | Self::BeingWritten)
    }
}

/// Finds an allocation or a write that started after the fault did and was not complete when the fault's read started.
/// The PTE check does not detect it once the entry is back in the PTE. One that started before the fault is irrelevant:
/// the fault would have found the page in the swap cache.
fn in_transit<'a>(fault: &Fault, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> InTransit {
    let back = |change: &Change| fault.changes.at_read.wrapping_sub(change.seq);
    let before =
        changes.clone().filter(|change| CONTENT.contains(&change.kind) && fault.changes.is_before_read(change.seq));
    let of_entry = before.clone().filter(|change| change.entry == fault.entry);
    let Some(last) = of_entry.min_by_key(|change| back(change)).filter(|last| last.at >= fault.start) else {
        return InTransit::No;
    };
    let state = match last.kind {
        ChangeKind::Allocated => InTransit::Unwritten,
        ChangeKind::WriteStarted => InTransit::BeingWritten,
        ChangeKind::Freed | ChangeKind::Written => return InTransit::No,
    };
    // A missing change may be the write: only consecutive numbers up to the read prove that there was none.
    let since = before.filter(|change| back(change) < back(last)).count();
    if since == back(last) as usize { state } else { InTransit::Unknown }
}

#[cfg(test)]
mod tests;
