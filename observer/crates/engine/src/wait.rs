//! What a fault pays that finds its page taken: by another's pin, or by whoever holds the page's lock. One wait per
//! task, page and kind, over all its refaults. See `docs/decisions/waits.md`.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::event::{Change, ChangeKind, Entry, Fault, Nanos, Path, PinResult, Task};
use super::hash::NumberMap;
use super::verdict::Verdict;

/// A task that has not come back to its page after this time has found it there, brought in by somebody else: the
/// refault follows at once. Nanoseconds.
const REFAULT_WITHIN: Nanos = 50_000_000;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitKind {
    /// The pin (`swapcache_prepare` failed).
    Pin,
    /// The lock of the page in the swap cache.
    FolioLock,
}

impl WaitKind {
    const ALL: [Self; 2] = [Self::Pin, Self::FolioLock];

    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::FolioLock => "folio-lock",
        }
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitEnd {
    /// The task got what it waited for: the pin, the lock.
    Acquired,
    /// Somebody else had brought the page in meanwhile.
    PageThere,
    /// The entry was gone: the last pin try said so (`-ENOENT`).
    EntryGone,
}

impl WaitEnd {
    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::PageThere => "page-there",
            Self::EntryGone => "entry-gone",
        }
    }
}

/// One wait that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wait {
    /// What for.
    pub kind: WaitKind,
    /// The entry; of a range: its first.
    pub entry: Entry,
    /// The entry of the very page that was faulted on.
    pub page_entry: Entry,
    /// Who waited.
    pub task: Task,
    /// Its control group (version 2); 0: not known.
    pub cgroup: u64,
    /// For which page.
    pub address: u64,
    /// When the first try failed.
    pub from_ns: Nanos,
    /// When the task got on.
    pub to_ns: Nanos,
    /// Of this: in the kernel after a try had failed, nanoseconds. What is left went into coming back for the next try.
    pub slept_ns: Nanos,
    /// Tries that failed.
    pub retries: u32,
    /// Of these: pin tries that found the entry gone (`-ENOENT`), the other task having finished.
    pub gone: u32,
    /// How it ended.
    pub ended: WaitEnd,
    /// Who held the pin or the lock at the first failure, where it was seen.
    pub holder: Option<Hold>,
    /// How long the task went on waiting after the holder had let go.
    pub oversleep_ns: Option<Nanos>,
}

impl Wait {
    /// The verdict that it is.
    pub const fn verdict(&self) -> Verdict {
        match self.kind {
            WaitKind::Pin => Verdict::PinWait,
            WaitKind::FolioLock => Verdict::LockWait,
        }
    }

    /// Length in nanoseconds.
    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }

    /// Whether the holder had the range for another page of it (large folios).
    pub fn is_behind_a_neighbour(&self) -> bool {
        self.holder.as_ref().is_some_and(|hold| hold.nr > 1 && hold.page_entry != self.page_entry)
    }
}

/// A pin or a page's lock, held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hold {
    /// Who.
    pub task: Task,
    /// When it was taken.
    pub taken_ns: Nanos,
    /// When it was dropped.
    pub dropped_ns: Nanos,
    /// Entries that it was on.
    pub nr: u32,
    /// The one of them that its holder had faulted on.
    pub page_entry: Entry,
}

/// Waits that are not over yet, by thread and kind.
#[derive(Debug, Default)]
pub struct Waits {
    open: NumberMap<u64, Open>,
    /// The entries that they are about.
    open_on: BTreeSet<(Entry, u64)>,
    /// Over, but who held the pin or the lock may still have to be told: the holder's fault ends later. And whether that
    /// can be told.
    over: BTreeMap<(Entry, Nanos, u64), (Wait, bool)>,
}

/// A thread and what it waits for.
fn key(tid: u32, kind: WaitKind) -> u64 {
    u64::from(tid) << 1 | kind as u64
}

/// A wait in progress.
#[derive(Debug)]
struct Open {
    wait: Wait,
    mm: u64,
    /// The slot's content changes at the end of the last fault. If more have come by the next fault, the page has been
    /// in memory and out again in between: that fault is another story, even on the same page and entry.
    changes: u32,
    /// The entry was reallocated before the last fault had even returned: no fault goes on with this wait.
    over: bool,
    /// Whether a holder may be named.
    named: bool,
}

impl Open {
    /// Whether a fault is the refault that this wait goes on with.
    fn goes_on_with(&self, fault: &Fault, around: Around) -> bool {
        !self.over
            && self.mm == fault.mm
            && self.wait.address >> 12 == fault.address >> 12
            && self.wait.entry == fault.base
            && self.changes == around.changes_at_start
            && fault.start <= self.wait.to_ns + REFAULT_WITHIN
    }
}

/// What the slot's changes tell about a fault's place in a wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// The slot's content changes when the fault started. The fault itself tells those at its read only.
    changes_at_start: u32,
    /// The entry was reallocated under the fault: the page that it came for has been in memory meanwhile.
    over: bool,
    /// That was before the fault found a page locked: which may be the page of the entry's last life.
    over_before_lock: bool,
}

impl Around {
    /// From the changes of the fault's slot. While the fault was open every change was told; one that was lost can only
    /// cut a wait in two.
    pub fn of<'a>(fault: &Fault, changes: Option<impl IntoIterator<Item = &'a Change>>) -> Self {
        let at_read = fault.changes.at_read;
        let mut around = Self { changes_at_start: at_read, ..Self::default() };
        for change in changes.into_iter().flatten().filter(|change| change.kind != ChangeKind::Freed) {
            let before_read = at_read.wrapping_sub(change.seq) < u32::MAX / 2;
            around.changes_at_start =
                around.changes_at_start.wrapping_sub(u32::from(before_read && change.at >= fault.start));
            let over = change.kind == ChangeKind::Allocated
                && change.entry == fault.entry
                && (fault.start..=fault.end).contains(&change.at);
            around.over |= over;
            around.over_before_lock |= over && fault.lock.is_some_and(|lock| change.at <= lock.tried);
        }
        around
    }
}

/// A try of a fault that failed.
#[derive(Clone, Copy, Debug)]
struct Failure {
    at: Nanos,
    /// How far the wait reaches in this fault.
    until: Nanos,
    gone: bool,
    /// The fault got on nevertheless.
    got_on: Option<WaitEnd>,
}

impl Failure {
    /// Of this kind, in this fault.
    fn of(fault: &Fault, kind: WaitKind) -> Option<Self> {
        match kind {
            WaitKind::Pin => {
                let pin = fault.pin.filter(|pin| pin.result != PinResult::Taken)?;
                // Who comes to wait for the page's lock has found the page.
                let until = fault.lock.map_or(fault.end, |lock| lock.tried);
                let got_on = fault.lock.map(|_| WaitEnd::PageThere);
                Some(Self { at: pin.tried, until, gone: pin.result == PinResult::Gone, got_on })
            }
            WaitKind::FolioLock => {
                let lock = fault.lock?;
                let (until, got_on) = if fault.faults_again() {
                    (fault.end, None)
                } else {
                    (lock.ended.unwrap_or(fault.end), Some(WaitEnd::Acquired))
                };
                Some(Self { at: lock.tried, until, gone: false, got_on })
            }
        }
    }
}

impl Waits {
    /// Waits that [`Waits::advance`] has not given out yet.
    pub fn len(&self) -> usize {
        self.open.len() + self.over.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a fault starts, prolongs or ends a wait.
    pub fn concerns(&self, fault: &Fault) -> bool {
        WaitKind::ALL
            .into_iter()
            .any(|kind| Failure::of(fault, kind).is_some() || self.open.contains_key(&key(fault.task.tid, kind)))
    }

    /// A fault has ended: starts, prolongs or ends its task's waits.
    pub fn fault(&mut self, fault: &Fault, around: Around) {
        for kind in WaitKind::ALL {
            self.fault_of(kind, fault, around);
        }
    }

    fn fault_of(&mut self, kind: WaitKind, fault: &Fault, around: Around) {
        let key = key(fault.task.tid, kind);
        let failure = Failure::of(fault, kind);
        if let Some(open) = self.open.get_mut(&key).filter(|open| open.goes_on_with(fault, around)) {
            let Some(failure) = failure else {
                // It got on: with the page that somebody else brought in, or by a pin of its own. Who finds the lock free
                // need not have been told (it may be alone by now), so that wait ended with the fault before.
                if kind == WaitKind::Pin {
                    open.wait.to_ns = fault.pin.map_or(fault.start, |pin| pin.tried);
                    open.wait.ended = if fault.pin.is_some() { WaitEnd::Acquired } else { WaitEnd::PageThere };
                }
                self.end(key);
                return;
            };
            open.wait.fail(failure);
            open.changes = fault.changes.at_end;
            open.over = around.over;
        } else {
            self.end(key);
            let Some(failure) = failure else { return };
            let mut wait = Wait {
                kind,
                entry: fault.base,
                page_entry: fault.entry,
                task: fault.task.clone(),
                cgroup: fault.cgroup,
                address: fault.address,
                from_ns: failure.at,
                to_ns: failure.until,
                slept_ns: 0,
                retries: 0,
                gone: 0,
                ended: WaitEnd::PageThere,
                holder: None,
                oversleep_ns: None,
            };
            wait.fail(failure);
            let named = kind == WaitKind::Pin || !around.over_before_lock;
            let open = Open { wait, mm: fault.mm, changes: fault.changes.at_end, over: around.over, named };
            self.open_on.insert((fault.base, key));
            self.open.insert(key, open);
        }
        if failure.is_some_and(|failure| failure.got_on.is_some()) {
            self.end(key);
        }
    }

    /// Tells waits who held what they waited for: `faults` hang together and have all ended.
    pub fn holders(&mut self, faults: &[impl Borrow<Fault>]) {
        let faults = faults.iter().map(Borrow::borrow);
        for (fault, kind) in faults.flat_map(|fault: &Fault| WaitKind::ALL.map(|kind| (fault, kind))) {
            let Some(hold) = hold(fault, kind) else { continue };
            let (first, last) = (fault.base, Entry(fault.base.0.saturating_add(fault.nr.into()).saturating_sub(1)));
            let tell = |wait: &mut Wait| {
                if wait.holder.is_none()
                    && wait.kind == kind
                    && wait.task.tid != fault.task.tid
                    && (hold.taken_ns..=hold.dropped_ns).contains(&wait.from_ns)
                {
                    wait.holder = Some(hold.clone());
                }
            };
            self.over
                .range_mut((first, 0, 0)..=(last, Nanos::MAX, u64::MAX))
                .filter(|(_, (_, named))| *named)
                .for_each(|(_, (wait, _))| tell(wait));
            for (_, key) in self.open_on.range((first, 0)..=(last, u64::MAX)) {
                if let Some(open) = self.open.get_mut(key).filter(|open| open.named) {
                    tell(&mut open.wait);
                }
            }
        }
    }

    /// Gives out the waits that are over and cannot learn more: their task has not come back for a while. Oldest first.
    pub fn advance(&mut self, now: Nanos) -> Vec<Wait> {
        let quiet = |wait: &Wait| wait.to_ns.saturating_add(REFAULT_WITHIN) < now;
        let ended: Vec<u64> = self.open.iter().filter(|(_, open)| quiet(&open.wait)).map(|(key, _)| *key).collect();
        for key in ended {
            self.end(key);
        }
        let mut told: Vec<Wait> =
            self.over.extract_if(.., |_, (wait, _)| quiet(wait)).map(|(_, (wait, _))| wait).collect();
        for wait in &mut told {
            wait.oversleep_ns =
                wait.holder.as_ref().map(|hold| wait.to_ns.saturating_sub(hold.dropped_ns.max(wait.from_ns)));
        }
        told.sort_unstable_by_key(|wait| (wait.to_ns, wait.task.tid, wait.kind));
        told
    }

    fn end(&mut self, key: u64) {
        if let Some(Open { wait, named, .. }) = self.open.remove(&key) {
            self.open_on.remove(&(wait.entry, key));
            self.over.insert((wait.entry, wait.from_ns, key), (wait, named));
        }
    }
}

impl Wait {
    /// Another try has failed.
    fn fail(&mut self, failure: Failure) {
        self.retries += 1;
        self.gone += u32::from(failure.gone);
        self.to_ns = failure.until;
        self.slept_ns = self.slept_ns.saturating_add(failure.until.saturating_sub(failure.at));
        let unless = if failure.gone { WaitEnd::EntryGone } else { WaitEnd::PageThere };
        self.ended = failure.got_on.unwrap_or(unless);
    }
}

/// What a fault held that others of this kind may have waited for.
pub fn hold(fault: &Fault, kind: WaitKind) -> Option<Hold> {
    let (taken_ns, dropped_ns) = match kind {
        WaitKind::Pin => {
            let pin = fault.pin.filter(|pin| pin.result == PinResult::Taken)?;
            (pin.tried, pin.dropped?)
        }
        // A page that is read into the swap cache is locked from before the read until it is done. Later the reader locks
        // it once more to map it; so may others then, and nothing tells who has it.
        WaitKind::FolioLock => {
            let start = fault.read_start.filter(|_| fault.path == Path::Cached)?;
            (start, fault.read_end.unwrap_or(fault.end))
        }
    };
    Some(Hold { task: fault.task.clone(), taken_ns, dropped_ns, nr: fault.nr, page_entry: fault.entry })
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
