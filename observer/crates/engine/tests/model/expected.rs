//! The overlaps and waits that the engine must report for a path.

use observer_engine::{
    event::{ChangeKind, Entry, Event, Fault, Nanos, PinResult},
    wait::WaitKind,
};

use super::{actors::Tid, log::Log};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpectedOverlap {
    pub(crate) entry: Entry,
    pub(crate) from: Nanos,
    pub(crate) to: Nanos,
    pub(crate) depth: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpectedWait {
    pub(crate) kind: WaitKind,
    pub(crate) tid: u32,
    pub(crate) from: Nanos,
    pub(crate) to: Nanos,
    pub(crate) retries: u32,
    /// Thread id of the holder, and the oversleep.
    pub(crate) holder: Option<(u32, Nanos)>,
}

/// Overlaps among the faults that have ended, found by counting the faults in progress at each start and end.
pub(crate) fn overlaps(log: &Log) -> Vec<ExpectedOverlap> {
    let mut entries: Vec<Entry> = log.ended.iter().map(|ended| ended.fault.entry).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut overlaps = Vec::new();
    for entry in entries {
        let spans = || log.ended.iter().map(|e| &e.fault).filter(|f| f.entry == entry).map(|f| (f.start, f.end));
        let mut times: Vec<Nanos> = spans().flat_map(|(start, end)| [start, end]).collect();
        times.sort_unstable();
        let mut current: Option<(Nanos, u32)> = None;
        for time in times {
            let in_progress = spans().filter(|(start, end)| (*start..*end).contains(&time)).count() as u32;
            current = match current {
                None if in_progress > 1 => Some((time, in_progress)),
                Some((from, depth)) if in_progress < 2 => {
                    overlaps.push(ExpectedOverlap { entry, from, to: time, depth });
                    None
                }
                Some((from, depth)) => Some((from, depth.max(in_progress))),
                None => None,
            };
        }
    }
    overlaps.sort_unstable();
    overlaps
}

/// Waits: for each thread, the consecutive faults of one generation of its PTE that failed to take the pin or the folio
/// lock, up to the fault that made progress.
pub(crate) fn waits(log: &Log) -> Vec<ExpectedWait> {
    let mut waits = Vec::new();
    for (kind, tid) in
        [WaitKind::Pin, WaitKind::FolioLock].into_iter().flat_map(|kind| (0..5).map(move |tid| (kind, tid)))
    {
        let faults: Vec<_> = log.ended.iter().filter(|ended| ended.tid == tid).collect();
        let failed = |index: usize| faults.get(index).and_then(|ended| FailedTry::of(&ended.fault, kind));
        let mut index = 0;
        while index < faults.len() {
            let first = index;
            index += 1;
            let Some(start) = failed(first) else { continue };
            let same = |index: usize| faults.get(index).is_some_and(|e| e.generation == faults[first].generation);
            let mut last = start;
            while !last.acquired && same(index) {
                let Some(next) = failed(index) else { break };
                last = next;
                index += 1;
            }
            let retries = (index - first) as u32;
            let mut to = last.until;
            // A thread that was woken without the lock, and finds it free afterwards, has waited until it was woken.
            if kind == WaitKind::Pin && same(index) {
                let progress = &faults[index].fault;
                to = progress.pin.map_or(progress.start, |pin| pin.tried);
                index += 1;
            }
            let holder = match kind {
                WaitKind::Pin => faults[first].holder,
                WaitKind::FolioLock => {
                    faults[first].reader.filter(|_| !allocated_before_lock(log, &faults[first].fault))
                }
            };
            let holder = holder.and_then(|holder| hold(log, kind, holder, start.at, to));
            waits.push(ExpectedWait { kind, tid: tid.into(), from: start.at, to, retries, holder });
        }
    }
    waits.sort_unstable();
    waits
}

/// Whether the entry was allocated between a fault's start and its failed try for a folio lock. The locked page may
/// then be that of the previous allocation, and no event shows which it is.
fn allocated_before_lock(log: &Log, fault: &Fault) -> bool {
    let tried = fault.lock.map_or(fault.start, |lock| lock.tried);
    log.events.iter().any(|event| match event {
        Event::Changed(change) => {
            let in_between = (fault.start..=tried).contains(&change.at);
            change.kind == ChangeKind::Allocated && change.entry == fault.entry && in_between
        }
        _ => false,
    })
}

#[derive(Clone, Copy)]
struct FailedTry {
    at: Nanos,
    until: Nanos,
    /// The wait ended with the lock in the same fault.
    acquired: bool,
}

impl FailedTry {
    fn of(fault: &Fault, kind: WaitKind) -> Option<Self> {
        match kind {
            WaitKind::Pin => {
                let pin = fault.pin.filter(|pin| pin.result != PinResult::Taken)?;
                Some(Self { at: pin.tried, until: fault.end, acquired: false })
            }
            WaitKind::FolioLock => {
                let lock = fault.lock?;
                let retry = fault.will_retry();
                Some(Self { at: lock.tried, until: if retry { fault.end } else { lock.ended? }, acquired: !retry })
            }
        }
    }
}

/// The holder's thread id and the part of the wait after it had released, if the holder's fault has ended. A page that
/// is read into the swap cache is locked until the read completes.
fn hold(log: &Log, kind: WaitKind, holder: Tid, from: Nanos, to: Nanos) -> Option<(u32, Nanos)> {
    let fault = log
        .ended
        .iter()
        .map(|ended| &ended.fault)
        .find(|fault| fault.task.tid == u32::from(holder) && fault.start < from && from < fault.end)?;
    let dropped = match kind {
        WaitKind::Pin => fault.pin.filter(|_| fault.pinned())?.dropped?,
        WaitKind::FolioLock => fault.read_end?,
    };
    Some((holder.into(), to.saturating_sub(dropped.max(from))))
}
