//! Waits for a pin or a folio lock that another task holds. A wait belongs to one task, page and kind, and extends over
//! all refaults. `docs/decisions/waits.md` defines where it starts and ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use serde::Serialize;

use crate::{
    event::{Change, ChangeKind, Entry, Fault, Nanos, Path, PinResult, Task},
    hash::NumberMap,
    limits::{HOLDER_TIMEOUT, LOCK_REFAULT_TIMEOUT, LONG_WAIT, MAX_LONG_WAITS, PIN_REFAULT_TIMEOUT},
    verdict::Verdict,
    wide,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// `swapcache_prepare` failed.
    Pin,
    /// The page in the swap cache was locked.
    FolioLock,
}

impl WaitKind {
    const ALL: [Self; 2] = [Self::Pin, Self::FolioLock];

    /// How long after the last fault of a wait its next one may start.
    const fn refault_timeout(self) -> Nanos {
        match self {
            Self::Pin => PIN_REFAULT_TIMEOUT,
            Self::FolioLock => LOCK_REFAULT_TIMEOUT,
        }
    }

    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::FolioLock => "folio_lock",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcome {
    /// The task took the pin or the lock.
    Acquired,
    /// Another task had swapped the page in.
    PagePresent,
    /// The entry was freed: the last pin try returned `-ENOENT`.
    EntryGone,
}

impl WaitOutcome {
    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::PagePresent => "page_present",
            Self::EntryGone => "entry_gone",
        }
    }
}

/// A wait that has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wait {
    pub kind: WaitKind,
    /// The entry; for a range: its first entry.
    pub entry: Entry,
    /// The entry of the page that was faulted on.
    pub page_entry: Entry,
    pub task: Task,
    /// Control group id (v2); 0 if not known.
    #[serde(serialize_with = "wide::decimal")]
    pub cgroup: u64,
    /// Fault address.
    #[serde(serialize_with = "wide::hexadecimal")]
    pub address: u64,
    /// Time of the first failed try.
    pub from_ns: Nanos,
    /// Time at which the task made progress.
    pub to_ns: Nanos,
    /// The part of the wait in the kernel after a failed try. The rest was spent returning and faulting again.
    pub slept_ns: Nanos,
    /// Failed tries.
    pub retries: u32,
    /// Failed pin tries that found the entry freed (`-ENOENT`): the other task had finished.
    pub gone: u32,
    pub outcome: WaitOutcome,
    /// The holder at the time of the first failed try, where it was observed.
    pub holder: Option<Hold>,
    /// The part of the wait after the holder had released; `None` without a holder.
    pub oversleep_ns: Option<Nanos>,
}

impl Wait {
    pub const fn verdict(&self) -> Verdict {
        match self.kind {
            WaitKind::Pin => Verdict::PinWait,
            WaitKind::FolioLock => Verdict::LockWait,
        }
    }

    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }

    /// Whether the holder held a range because of a fault on another page of it (large folios).
    pub(crate) fn is_behind_neighbour(&self) -> bool {
        self.holder.as_ref().is_some_and(|hold| hold.nr > 1 && hold.page_entry != self.page_entry)
    }

    fn add_failure(&mut self, failure: FailedTry) {
        self.retries += 1;
        self.gone += u32::from(failure.gone);
        self.to_ns = failure.until;
        self.slept_ns = self.slept_ns.saturating_add(failure.until.saturating_sub(failure.at));
        let without_refault = if failure.gone { WaitOutcome::EntryGone } else { WaitOutcome::PagePresent };
        self.outcome = failure.outcome.unwrap_or(without_refault);
    }
}

/// The time for which a task held a pin or a folio lock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hold {
    pub task: Task,
    pub taken_ns: Nanos,
    pub dropped_ns: Nanos,
    /// Length of the range that was held, in entries.
    pub nr: u32,
    /// The entry of the range that the holder faulted on.
    pub page_entry: Entry,
}

impl Hold {
    /// The hold of a fault that has ended, if it held something of this kind.
    pub(crate) fn of(fault: &Fault, kind: WaitKind) -> Option<Self> {
        let (taken_ns, dropped_ns) = Self::span(fault, kind)?;
        Some(Self { task: fault.task.clone(), taken_ns, dropped_ns, nr: fault.nr, page_entry: fault.entry })
    }

    /// When a fault that has ended took and dropped what it held of this kind.
    fn span(fault: &Fault, kind: WaitKind) -> Option<(Nanos, Nanos)> {
        match kind {
            WaitKind::Pin => {
                let pin = fault.pin.as_ref().filter(|pin| pin.result == PinResult::Taken)?;
                Some((pin.tried, pin.dropped?))
            }
            // A page that is read into the swap cache is locked from before the read until it completes. Later the
            // reader locks it again to map it; other tasks can too, and no hook reports which of them holds the lock.
            WaitKind::FolioLock => {
                let start = fault.read_start.filter(|_| fault.path == Path::Cached)?;
                Some((start, fault.read_end.unwrap_or(fault.end)))
            }
        }
    }

    pub(crate) fn duration(&self) -> Nanos {
        self.dropped_ns.saturating_sub(self.taken_ns)
    }
}

/// What the changes of a fault's slot show about its place in a wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotContext {
    /// The slot's number of content changes when the fault started. The fault itself has the number at its read only.
    changes_at_start: u32,
    /// The entry was reallocated under the fault: its page has been in memory since the fault started.
    reallocated: bool,
    /// The entry was reallocated before the fault found a page locked, which may be the page of the previous
    /// allocation.
    reallocated_before_lock: bool,
}

impl SlotContext {
    /// While a fault is in progress every change of its slot is reported. A dropped one can only split a wait in two.
    pub(crate) fn of<'a>(fault: &Fault, changes: impl Iterator<Item = &'a Change>) -> Self {
        let at_read = fault.changes.at_read;
        let mut context = Self { changes_at_start: at_read, ..Self::default() };
        for change in changes.filter(|change| change.kind != ChangeKind::Freed) {
            let before_read = at_read.wrapping_sub(change.seq) < u32::MAX / 2;
            context.changes_at_start =
                context.changes_at_start.wrapping_sub(u32::from(before_read && change.at >= fault.start));
            let reallocated = change.kind == ChangeKind::Allocated
                && change.entry == fault.entry
                && (fault.start..=fault.end).contains(&change.at);
            context.reallocated |= reallocated;
            context.reallocated_before_lock |= reallocated && fault.lock.is_some_and(|lock| change.at <= lock.tried);
        }
        context
    }
}

/// A fault's failed try for a pin or a lock.
#[derive(Clone, Copy, Debug)]
struct FailedTry {
    at: Nanos,
    /// End of the part of the wait that lies in this fault.
    until: Nanos,
    gone: bool,
    /// How the wait ended, if it ended in this fault.
    outcome: Option<WaitOutcome>,
}

impl FailedTry {
    fn of(fault: &Fault, kind: WaitKind) -> Option<Self> {
        match kind {
            WaitKind::Pin => {
                let pin = fault.pin.filter(|pin| pin.result != PinResult::Taken)?;
                // A fault that tries the folio lock has found the page.
                let until = fault.lock.map_or(fault.end, |lock| lock.tried);
                let outcome = fault.lock.map(|_| WaitOutcome::PagePresent);
                Some(Self { at: pin.tried, until, gone: pin.result == PinResult::Gone, outcome })
            }
            WaitKind::FolioLock => {
                let lock = fault.lock?;
                let (until, outcome) = if fault.will_retry() {
                    (fault.end, None)
                } else {
                    (lock.ended.unwrap_or(fault.end), Some(WaitOutcome::Acquired))
                };
                Some(Self { at: lock.tried, until, gone: false, outcome })
            }
        }
    }
}

/// A wait in progress.
#[derive(Debug)]
struct InProgress {
    wait: Wait,
    mm: u64,
    /// The slot's number of content changes at the end of the last fault. If it differs at the start of the next fault,
    /// the page has been in memory and out again: that fault is not part of the wait, even on the same page and entry.
    changes_at_end: u32,
    /// The entry was reallocated before the last fault returned: no later fault is part of the wait.
    reallocated: bool,
    attributable: bool,
    /// Another fault, perhaps the holder's, was in progress on the slot at the end of the last fault, and none has
    /// ended on the entry since: the pin may still be held.
    maybe_held: bool,
    /// The end of the last fault, or of another one on the entry after it.
    quiet_since: Nanos,
}

impl InProgress {
    fn continues_with(&self, fault: &Fault, context: SlotContext) -> bool {
        !self.reallocated
            && self.mm == fault.mm
            && self.wait.address >> 12 == fault.address >> 12
            && self.wait.entry == fault.base
            && self.changes_at_end == context.changes_at_start
            && !self.is_complete_by(fault.start)
    }

    fn is_complete_by(&self, now: Nanos) -> bool {
        let timeout = if self.maybe_held { HOLDER_TIMEOUT } else { self.wait.kind.refault_timeout() };
        self.quiet_since.saturating_add(timeout) < now
    }

    /// A fault of the wait has ended.
    fn set_last(&mut self, fault: &Fault, context: SlotContext) {
        self.changes_at_end = fault.changes.at_end;
        self.reallocated = context.reallocated;
        self.maybe_held = self.wait.kind == WaitKind::Pin && !fault.slot.is_idle();
        self.quiet_since = fault.end;
    }

    /// Another task's fault on the entry has ended.
    fn other_ended(&mut self, fault: &Fault) {
        if fault.task.tid != self.wait.task.tid && fault.end > self.quiet_since {
            self.maybe_held = false;
            self.quiet_since = fault.end;
        }
    }
}

/// A wait that has ended and whose holder may not be known yet, because the holder's fault ends later.
#[derive(Debug)]
struct Ended {
    wait: Wait,
    attributable: bool,
}

/// Waits by thread and kind.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    in_progress: NumberMap<u64, InProgress>,
    /// Keys of `in_progress`, by entry.
    by_entry: BTreeSet<(Entry, u64)>,
    /// By entry, start and key.
    ended: BTreeMap<(Entry, Nanos, u64), Ended>,
}

/// First and last entry of the fault's range.
fn ends_of_range(fault: &Fault) -> (Entry, Entry) {
    (fault.base, Entry(fault.base.0.saturating_add(fault.nr.into()).saturating_sub(1)))
}

/// Where the keys of waits on the fault's range are in [`Waits::by_entry`].
fn keys_in_range(fault: &Fault) -> RangeInclusive<(Entry, u64)> {
    let (first, last) = ends_of_range(fault);
    (first, 0)..=(last.max(first), u64::MAX)
}

fn key(tid: u32, kind: WaitKind) -> u64 {
    u64::from(tid) << 1 | kind as u64
}

impl Waits {
    /// Waits that [`Waits::take_ended`] has not returned yet.
    pub(crate) fn len(&self) -> usize {
        self.in_progress.len() + self.ended.len()
    }

    /// Whether the fault starts, prolongs or ends a wait.
    pub(crate) fn are_affected_by(&self, fault: &Fault) -> bool {
        WaitKind::ALL.into_iter().any(|kind| {
            FailedTry::of(fault, kind).is_some() || self.in_progress.contains_key(&key(fault.task.tid, kind))
        })
    }

    /// Starts, prolongs or ends the waits of the task of a fault that has ended.
    pub(crate) fn add_fault(&mut self, fault: &Fault, context: SlotContext) {
        for kind in WaitKind::ALL {
            self.add_fault_of(kind, fault, context);
        }
    }

    fn add_fault_of(&mut self, kind: WaitKind, fault: &Fault, context: SlotContext) {
        let key = key(fault.task.tid, kind);
        let failure = FailedTry::of(fault, kind);
        if let Some(current) = self.in_progress.get_mut(&key).filter(|wait| wait.continues_with(fault, context)) {
            let Some(failure) = failure else {
                // The task made progress: it took the pin, or found the page present. A fault that finds the lock free
                // is reported only if it is contended, so a wait for the lock ends with the previous fault.
                if kind == WaitKind::Pin {
                    current.wait.to_ns = fault.pin.map_or(fault.start, |pin| pin.tried);
                    current.wait.outcome =
                        if fault.pin.is_some() { WaitOutcome::Acquired } else { WaitOutcome::PagePresent };
                }
                self.end(key);
                return;
            };
            current.wait.add_failure(failure);
            current.set_last(fault, context);
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
                outcome: WaitOutcome::PagePresent,
                holder: None,
                oversleep_ns: None,
            };
            wait.add_failure(failure);
            let mut started = InProgress {
                wait,
                mm: fault.mm,
                changes_at_end: 0,
                reallocated: false,
                attributable: kind == WaitKind::Pin || !context.reallocated_before_lock,
                maybe_held: false,
                quiet_since: 0,
            };
            started.set_last(fault, context);
            self.by_entry.insert((fault.base, key));
            self.in_progress.insert(key, started);
        }
        if failure.is_some_and(|failure| failure.outcome.is_some()) {
            self.end(key);
        }
    }

    /// Notes that a fault has ended: it may have held the pin that others wait for.
    pub(crate) fn note_end(&mut self, fault: &Fault) {
        for (_, key) in self.by_entry.range(keys_in_range(fault)) {
            if let Some(current) = self.in_progress.get_mut(key) {
                current.other_ended(fault);
            }
        }
    }

    /// Attributes waits to the fault that held what they waited for. It has ended.
    pub(crate) fn attribute(&mut self, fault: &Fault) {
        let (pin, folio_lock) = (Hold::span(fault, WaitKind::Pin), Hold::span(fault, WaitKind::FolioLock));
        if pin.is_none() && folio_lock.is_none() {
            return;
        }
        let set_holder = |wait: &mut Wait| {
            let span = match wait.kind {
                WaitKind::Pin => pin,
                WaitKind::FolioLock => folio_lock,
            };
            if wait.holder.is_none()
                && wait.task.tid != fault.task.tid
                && span.is_some_and(|(taken, dropped)| (taken..=dropped).contains(&wait.from_ns))
            {
                wait.holder = Hold::of(fault, wait.kind);
            }
        };
        let (first, last) = ends_of_range(fault);
        for (_, ended) in self.ended.range_mut((first, 0, 0)..=(last, Nanos::MAX, u64::MAX)) {
            if ended.attributable {
                set_holder(&mut ended.wait);
            }
        }
        for (_, key) in self.by_entry.range(keys_in_range(fault)) {
            if let Some(current) = self.in_progress.get_mut(key).filter(|wait| wait.attributable) {
                set_holder(&mut current.wait);
            }
        }
    }

    /// Removes the waits that are complete: their tasks have not faulted again in time, and their holders are known, or
    /// have not ended in time. Oldest first.
    pub(crate) fn take_ended(&mut self, now: Nanos) -> Vec<Wait> {
        // The holder's fault may end later than the wait.
        let complete =
            |wait: &Wait| wait.holder.is_some() || wait.to_ns.saturating_add(wait.kind.refault_timeout()) < now;
        let ended: Vec<u64> =
            self.in_progress.iter().filter(|(_, current)| current.is_complete_by(now)).map(|(key, _)| *key).collect();
        for key in ended {
            self.end(key);
        }
        let mut waits: Vec<Wait> =
            self.ended.extract_if(.., |_, ended| complete(&ended.wait)).map(|(_, ended)| ended.wait).collect();
        for wait in &mut waits {
            wait.oversleep_ns =
                wait.holder.as_ref().map(|hold| wait.to_ns.saturating_sub(hold.dropped_ns.max(wait.from_ns)));
        }
        waits.sort_unstable_by_key(|wait| (wait.to_ns, wait.task.tid, wait.kind));
        waits
    }

    /// The pin waits that are long already and have not ended, longest first. (A wait for a folio lock is part of one
    /// fault, whose record follows at its end.)
    pub(crate) fn long(&self) -> Vec<Wait> {
        let is_long = |current: &&InProgress| current.maybe_held && current.wait.duration() > LONG_WAIT;
        let mut long: Vec<&Wait> = self.in_progress.values().filter(is_long).map(|current| &current.wait).collect();
        long.sort_unstable_by_key(|wait| (wait.from_ns, wait.task.tid));
        long.into_iter().take(MAX_LONG_WAITS).cloned().collect()
    }

    fn end(&mut self, key: u64) {
        if let Some(InProgress { wait, attributable, .. }) = self.in_progress.remove(&key) {
            self.by_entry.remove(&(wait.entry, key));
            self.ended.insert((wait.entry, wait.from_ns, key), Ended { wait, attributable });
        }
    }
}

#[cfg(test)]
mod tests;
