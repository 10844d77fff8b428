//! The verdict on one reader: what happened to its entry under its read.

use serde::Serialize;

use super::event::{Change, ChangeKind, Entry, Fault, Nanos, Path, Pin, Seen, Task};

/// How bad it was: each rung includes the ones below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Two faults on one entry at once.
    Overlap,
    /// A fault found its page locked and waited.
    LockWait,
    /// A fault lost the pin and waited.
    PinWait,
    /// The entry was freed under a reader.
    Window,
    /// Freed and reallocated under a reader.
    Reuse,
    /// That reader then installed its page: the ABA happened.
    StaleInstall,
}

impl Verdict {
    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::LockWait => "lock-wait",
            Self::PinWait => "pin-wait",
            Self::Window => "window",
            Self::Reuse => "reuse",
            Self::StaleInstall => "stale-install",
        }
    }
}

/// Who did something to the entry, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// When.
    pub at_ns: Nanos,
    /// Who.
    pub by: Task,
}

impl From<&Change> for Action {
    fn from(change: &Change) -> Self {
        Self { at_ns: change.at, by: change.by.clone() }
    }
}

/// Other faults listed with a finding at most.
pub const OTHERS_LISTED: usize = 8;

/// A fault of another task on the same entry while the reader was in progress: for the picture, not for the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherFault {
    /// Who.
    pub task: Task,
    /// When it started.
    pub start_ns: Nanos,
    /// When its read started.
    pub read_start_ns: Option<Nanos>,
    /// When its read came back.
    pub read_end_ns: Option<Nanos>,
    /// When it freed the entry itself.
    pub freed_ns: Option<Nanos>,
    /// When it returned.
    pub end_ns: Nanos,
    /// How it got its page.
    pub path: Path,
    /// Its last pin try.
    pub pin: Option<Pin>,
    /// Whether it installed its page.
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
    /// The highest rung that the evidence supports.
    pub verdict: Verdict,
    /// The entry.
    pub entry: Entry,
    /// The task whose read was overtaken.
    pub reader: Task,
    /// Its fault address.
    pub address: u64,
    /// Identity of its address space.
    pub mm: u64,
    /// Its control group id.
    pub cgroup: u64,
    /// When its fault started.
    pub start_ns: Nanos,
    /// When its read started.
    pub read_start_ns: Nanos,
    /// When its read came back, where a hook tells.
    pub read_end_ns: Option<Nanos>,
    /// The first free under the read. Missing when the entry was freed as part of a whole cluster.
    pub freed: Option<Action>,
    /// The last allocation under the read.
    pub allocated: Option<Action>,
    /// The last write to the entry under the read.
    pub written: Option<Action>,
    /// When the fault returned, its page installed or not.
    pub end_ns: Nanos,
    /// Whether it installed its page.
    pub installed: bool,
    /// Content changes of the entry under the read.
    pub changes: u32,
    /// Whether the read started while the page was being written to the entry: then it holds either the old content or the
    /// new one, and only the reader's luck decided which.
    pub read_during_write: bool,
    /// Whether the read had come back before the entry was reallocated: then it holds the old content for certain.
    pub read_before_change: bool,
    /// Other faults that overlap the reader's, in order of their start, at most [`OTHERS_LISTED`]. [`judge`] knows none:
    /// the engine adds those that it still holds.
    pub others: Vec<OtherFault>,
}

/// What was found on one reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Nothing under its read, or it was protected.
    Clear,
    /// A finding.
    Found(Box<Finding>),
    /// The slot changed under the read, but not every change was seen: events were lost. The finding is what the seen
    /// part supports.
    Incomplete(Option<Box<Finding>>),
}

/// Judges a fault that has ended by the changes of its slot, each of them once. Pure; their order does not matter.
pub fn judge<'a>(fault: &Fault, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> Judgement {
    let Some(read_start) = fault.read_start.filter(|_| fault.may_be_overtaken()) else { return Judgement::Clear };
    let under = |kinds: &'static [ChangeKind]| {
        changes
            .clone()
            .filter(move |change| kinds.contains(&change.kind) && seen(fault, change.kind).contains(change.seq))
    };
    let own = |change: &&Change| change.entry == fault.entry;
    let others = |change: &&Change| own(change) && change.by.tid != fault.task.tid;
    let changed = under(CONTENT).filter(own);
    let transit = in_transit(fault, changes);
    let freed = under(&[ChangeKind::Freed]).find(others);
    let verdict = match (freed.is_some(), changed.clone().next().is_some() || transit.is_certain()) {
        (_, true) if fault.installed => Some(Verdict::StaleInstall),
        (_, true) => Some(Verdict::Reuse),
        (true, false) => Some(Verdict::Window),
        (false, false) => None,
    };
    let finding = verdict.map(|verdict| {
        // What led to a read in transit happened before the read.
        let since_start =
            |kind| changes.clone().filter(own).filter(move |change| change.kind == kind && change.at >= fault.start);
        let last = |kind, kinds| {
            let before = since_start(kind).max_by_key(|change| change.at).filter(|_| transit.is_certain());
            under(kinds).filter(own).max_by_key(|change| change.at).or(before).map(Action::from)
        };
        let first_change = changed.clone().map(|change| change.at).min();
        let freed_before = since_start(ChangeKind::Freed).filter(others).filter(|_| transit.is_certain()).last();
        Box::new(Finding {
            verdict,
            entry: fault.entry,
            reader: fault.task.clone(),
            address: fault.address,
            mm: fault.mm,
            cgroup: fault.cgroup,
            start_ns: fault.start,
            read_start_ns: read_start,
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
    // Every change of the slot, of whatever entry, has a number of its own: a gap is an event that did not arrive.
    let gap = under(CONTENT).count() < fault.changes.len() as usize
        || under(&[ChangeKind::Freed]).count() < fault.frees.len() as usize;
    if gap || transit == InTransit::Unknown {
        return Judgement::Incomplete(finding);
    }
    finding.map_or(Judgement::Clear, Judgement::Found)
}

/// Changes of what an entry holds, which share one sequence.
const CONTENT: &[ChangeKind] = &[ChangeKind::Allocated, ChangeKind::WriteStarted, ChangeKind::Written];

/// The numbers that a fault saw of the sequence that such changes are in.
const fn seen(fault: &Fault, kind: ChangeKind) -> Seen {
    match kind {
        ChangeKind::Freed => fault.frees,
        ChangeKind::Allocated | ChangeKind::WriteStarted | ChangeKind::Written => fault.changes,
    }
}

/// Whether the fault's entry was on its way to the device when its read started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InTransit {
    /// No.
    No,
    /// Handed out, and its write had not started: the device holds what was there before, or nothing.
    Unwritten,
    /// Being written. Seen on 5.10: a task misses the page in the swap cache while it is still mapped, is held up, and
    /// reads the slot between the start of the write and the moment that zram has taken it in: it gets a page of zeroes.
    BeingWritten,
    /// It had been allocated or its write had started, and not all that followed has arrived.
    Unknown,
}

impl InTransit {
    const fn is_certain(self) -> bool {
        matches!(self, Self::Unwritten | Self::BeingWritten)
    }
}

/// Looks for an allocation or a write that had started after the fault did and that had not come to its end when its read
/// started: the PTE check does not notice once the entry is back in the PTE. (One that started before the fault would have
/// shown the page in the swap cache.)
fn in_transit<'a>(fault: &Fault, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> InTransit {
    /// More than this back is ahead: numbers wrap.
    const HALF: u32 = u32::MAX / 2;
    let back = |change: &Change| fault.changes.at_read.wrapping_sub(change.seq);
    let before = changes.clone().filter(|change| CONTENT.contains(&change.kind) && back(change) <= HALF);
    let own = before.clone().filter(|change| change.entry == fault.entry);
    let Some(last) = own.min_by_key(|change| back(change)).filter(|last| last.at >= fault.start) else {
        return InTransit::No;
    };
    let state = match last.kind {
        ChangeKind::Allocated => InTransit::Unwritten,
        ChangeKind::WriteStarted => InTransit::BeingWritten,
        ChangeKind::Freed | ChangeKind::Written => return InTransit::No,
    };
    // What is missing may be the write: only an unbroken row of numbers up to the read proves that there was none.
    let since = before.filter(|change| back(change) < back(last)).count();
    if since == back(last) as usize { state } else { InTransit::Unknown }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
