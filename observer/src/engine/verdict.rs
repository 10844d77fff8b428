//! The verdict on one reader: what happened to its entry under its read.

use serde::Serialize;

use super::event::{Change, ChangeKind, Entry, Flight, Nanos, Task};

/// How bad it was: each rung includes the ones below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Two flights on one entry at once.
    Overlap,
    /// A flight lost the pin and waited.
    PinWait,
    /// The entry was freed under a reader.
    Window,
    /// Freed and handed out again under a reader.
    Reuse,
    /// That reader then installed its page: the ABA happened.
    StaleInstall,
}

impl Verdict {
    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::PinWait => "pin-wait",
            Self::Window => "window",
            Self::Reuse => "reuse",
            Self::StaleInstall => "stale-install",
        }
    }
}

/// Who did something to the entry, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deed {
    /// When.
    pub at_ns: Nanos,
    /// Who.
    pub by: Task,
}

impl From<&Change> for Deed {
    fn from(change: &Change) -> Self {
        Self { at_ns: change.at, by: change.by.clone() }
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
    /// When its flight began.
    pub begin_ns: Nanos,
    /// When its read began.
    pub read_begin_ns: Nanos,
    /// When its read came back, where a hook tells.
    pub read_end_ns: Option<Nanos>,
    /// The first free under the read. Missing when the entry was freed as part of a whole cluster.
    pub freed: Option<Deed>,
    /// The last hand-out under the read.
    pub handed_out: Option<Deed>,
    /// The last write to the entry under the read.
    pub written: Option<Deed>,
    /// When the flight returned, its page installed or not.
    pub end_ns: Nanos,
    /// Whether it installed its page.
    pub installed: bool,
    /// Content changes of the entry under the read.
    pub changes: u32,
    /// Whether the read had come back before the entry was handed out again: then it holds the old content for certain.
    pub read_before_change: bool,
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

/// Judges a flight that has ended by the changes of its slot. Pure; the order of `changes` does not matter.
pub fn judge<'a>(flight: &Flight, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> Judgement {
    let Some(read_begin) = flight.read_begin.filter(|_| flight.may_be_overtaken()) else { return Judgement::Clear };
    let under = |kind: ChangeKind| {
        let seen = if kind == ChangeKind::Freed { flight.frees } else { flight.changes };
        changes.clone().filter(move |change| change.kind == kind && seen.contains(change.seq))
    };
    let own = |change: &&Change| change.entry == flight.entry;
    let freed = under(ChangeKind::Freed).filter(own).find(|change| change.by.tid != flight.task.tid);
    let in_transit = in_transit(flight, changes);
    let handed_out = under(ChangeKind::HandedOut).filter(own).max_by_key(|change| change.at).or(in_transit);
    let written = under(ChangeKind::Written).filter(own).max_by_key(|change| change.at);
    let changed = under(ChangeKind::HandedOut).filter(own).chain(under(ChangeKind::Written).filter(own));
    let verdict = match (freed.is_some(), handed_out.is_some() || written.is_some()) {
        (_, true) if flight.installed => Some(Verdict::StaleInstall),
        (_, true) => Some(Verdict::Reuse),
        (true, false) => Some(Verdict::Window),
        (false, false) => None,
    };
    let finding = verdict.map(|verdict| {
        let first_change = changed.clone().map(|change| change.at).min();
        Box::new(Finding {
            verdict,
            entry: flight.entry,
            reader: flight.task.clone(),
            address: flight.address,
            mm: flight.mm,
            cgroup: flight.cgroup,
            begin_ns: flight.begin,
            read_begin_ns: read_begin,
            read_end_ns: flight.read_end,
            freed: freed.map(Deed::from),
            handed_out: handed_out.map(Deed::from),
            written: written.map(Deed::from),
            end_ns: flight.end,
            installed: flight.installed,
            changes: u32::try_from(changed.count()).unwrap_or(u32::MAX),
            read_before_change: first_change.zip(flight.read_end).is_some_and(|(change, end)| end <= change),
        })
    });
    // Every change of the slot, of whatever entry, has a number of its own: a gap is an event that did not arrive.
    let changes_seen = distinct(under(ChangeKind::HandedOut).chain(under(ChangeKind::Written)));
    let frees_seen = distinct(under(ChangeKind::Freed));
    if changes_seen < flight.changes.len() as usize || frees_seen < flight.frees.len() as usize {
        return Judgement::Incomplete(finding);
    }
    finding.map_or(Judgement::Clear, Judgement::Found)
}

/// The hand-out that the read fell behind of: when it began, the entry had been handed out again but nothing was written to
/// it yet, so the device still held what was there before. The PTE check does not notice once the entry is in the PTE.
fn in_transit<'a>(flight: &Flight, changes: &(impl Iterator<Item = &'a Change> + Clone)) -> Option<&'a Change> {
    let age = |change: &Change| flight.changes.at_read.wrapping_sub(change.seq);
    let content = |change: &&'a Change| change.kind != ChangeKind::Freed && age(change) < u32::MAX / 2;
    let before_read = changes.clone().filter(content);
    let last = before_read.clone().filter(|change| change.entry == flight.entry).min_by_key(|change| age(change))?;
    // The write may be what did not arrive: only an unbroken row of numbers up to the read proves that there was none.
    let since = distinct(before_read.filter(|change| age(change) < age(last)));
    (last.kind == ChangeKind::HandedOut && since == age(last) as usize).then_some(last)
}

/// How many sequence numbers there are.
fn distinct<'a>(changes: impl Iterator<Item = &'a Change>) -> usize {
    let mut numbers: Vec<u32> = changes.map(|change| change.seq).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
