//! What the eBPF programs do at each hook, statement by statement: see `observer-ebpf/src/{fault,entry,pin,filter}.rs`.

use super::{
    Config,
    log::Log,
    world::{FAULTERS, SLOTS, Tid},
};
use crate::event::{
    Change, ChangeKind, Entry, Event, Fault, LockWait, Path, Pin, PinResult, SlotCount, Task, VM_FAULT_RETRY,
};

/// One slot of the filter.
#[derive(Clone, Copy, Debug, Default)]
struct Filter {
    opens: u32,
    closes: u32,
    frees: u32,
    changes: u32,
    disturbed: bool,
}

impl Filter {
    fn open_now(self) -> u32 {
        self.opens - self.closes
    }

    fn count(self) -> SlotCount {
        SlotCount { opens: self.opens, closes: self.closes }
    }
}

/// A fault in the programs' table.
#[derive(Clone, Debug)]
struct Open {
    fault: Fault,
    opens_start: u32,
    frees_start: u32,
    changes_start: u32,
    frees_own: u32,
    streamed: bool,
    /// With the hook on the count only.
    dropped_count: bool,
    /// It has released its entry, or started to read past the swap cache, and the hook there has noted nothing.
    spared_release: bool,
    spared_read: bool,
    /// For merging states only: the last content change of its entry since it started,
    last: Option<ChangeKind>,
    /// and what the records sent so far prove about the fault's read.
    evidence: u8,
}

/// A record that came after the read proves: the entry freed, allocated, written; by the fault's own task.
const UNDER_READ: u8 = 1;
/// A record from before the read proves that the entry was allocated and not yet written to the end.
const IN_TRANSIT: u8 = 1 << 4;

impl Open {
    /// Whether its span has been closed before it returned.
    fn is_over(&self) -> bool {
        self.frees_own != 0 || self.dropped_count || self.spared_release
    }

    fn has_read(&self) -> bool {
        self.fault.read_start.is_some() || self.spared_read
    }

    /// Whether it is streamed for what it did itself, whoever else was there.
    fn asked_about(&self) -> bool {
        self.fault.pin.is_some_and(|pin| pin.fails != 0) || self.fault.lock.is_some() || self.fault.nr > 1
    }
}

/// The programs' maps.
#[derive(Clone, Debug)]
pub(super) struct Hooks {
    filter: [Filter; SLOTS],
    faults: [Option<Open>; FAULTERS],
    shared_slot: bool,
    count_hook: bool,
    lean: bool,
}

fn task(tid: Tid) -> Task {
    Task { tid: tid.into(), pid: 1, comm: "model".into() }
}

fn entry_of(shared_slot: bool, slot: u8) -> Entry {
    let apart = if shared_slot { 1 << 16 } else { 1 };
    Entry::new(0, 8 + u64::from(slot) * apart)
}

impl Hooks {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            filter: <[Filter; SLOTS]>::default(),
            faults: [const { None }; FAULTERS],
            shared_slot: config.shared_slot,
            count_hook: config.count_hook,
            lean: config.lean,
        }
    }

    /// The entry of a device slot. Entries 65 536 apart share a slot of the filter.
    pub(super) fn entry(&self, slot: u8) -> Entry {
        entry_of(self.shared_slot, slot)
    }

    fn filter_of(&self, slot: u8) -> usize {
        if self.shared_slot { 0 } else { slot.into() }
    }

    fn slot_of(&self, entry: Entry) -> u8 {
        (0..SLOTS as u8).find(|slot| self.entry(*slot) == entry).unwrap()
    }

    pub(super) fn start(&mut self, tid: Tid, slot: u8, address: u64, mm: u64, log: &mut Log) {
        let entry = self.entry(slot);
        let filter = self.filter_of(slot);
        let now = log.now();
        let filter = &mut self.filter[filter];
        filter.opens += 1;
        let (frees_start, changes_start) = (filter.frees, filter.changes);
        let opens_start = filter.opens;
        filter.disturbed |= filter.open_now() > 1;
        let mut fault =
            Fault { entry, base: entry, nr: 1, address, mm, task: task(tid), start: now, ..Fault::default() };
        fault.frees.at_read = frees_start;
        fault.changes.at_read = changes_start;
        let open = filter.open_now();
        let count = filter.count();
        let mut state = Open {
            fault,
            opens_start,
            frees_start,
            changes_start,
            frees_own: 0,
            streamed: false,
            dropped_count: false,
            spared_release: false,
            spared_read: false,
            last: None,
            evidence: 0,
        };
        if open > 1 {
            state.streamed = true;
            log.events.push(Event::Started(Fault { end: now, slot: count, ..state.fault.clone() }));
        }
        self.faults[usize::from(tid)] = Some(state);
    }

    pub(super) fn read_start(&mut self, tid: Tid, cached: bool, base: u8, nr: u8, log: &mut Log) {
        let (base, now) = (self.entry(base), log.now());
        let undisturbed = self.undisturbed();
        let Some(open) = &mut self.faults[usize::from(tid)] else { return };
        if open.fault.read_start.is_some() {
            return;
        }
        if self.lean && !cached && undisturbed {
            open.spared_read = true;
            return;
        }
        open.fault.path = if cached { Path::Cached } else { Path::Direct };
        if nr > 1 {
            (open.fault.base, open.fault.nr) = (base, nr.into());
        }
        let slot = if self.shared_slot { 0 } else { open.fault.entry.offset() as usize - 8 };
        open.fault.frees.at_read = self.filter[slot].frees;
        open.fault.changes.at_read = self.filter[slot].changes;
        open.fault.read_start = Some(now);
        open.evidence = match open.last {
            Some(ChangeKind::Allocated | ChangeKind::WriteStarted) => IN_TRANSIT,
            _ => 0,
        };
    }

    pub(super) fn read_end(&mut self, tid: Tid, log: &mut Log) {
        let now = log.now();
        if let Some(open) = &mut self.faults[usize::from(tid)] {
            open.fault.read_end.get_or_insert(now);
        }
    }

    pub(super) fn pin_tried(&mut self, tid: Tid, base: u8, nr: u8, result: PinResult, log: &mut Log) {
        let (base, now) = (self.entry(base), log.now());
        let Some(open) = &mut self.faults[usize::from(tid)] else { return };
        let fails = open.fault.pin.map_or(0, |pin| pin.fails) + u32::from(result != PinResult::Taken);
        (open.fault.base, open.fault.nr) = (base, nr.into());
        open.fault.pin = Some(Pin { tried: now, result, fails, dropped: None });
    }

    pub(super) fn pin_dropped(&mut self, tid: Tid, base: u8, log: &mut Log) {
        let (base, now) = (self.entry(base), log.now());
        let Some(open) = &mut self.faults[usize::from(tid)] else { return };
        if open.fault.base == base
            && let Some(pin) = &mut open.fault.pin
        {
            pin.dropped = Some(now);
        }
    }

    pub(super) fn lock_failed(&mut self, tid: Tid, log: &mut Log) {
        let now = log.now();
        if let Some(open) = &mut self.faults[usize::from(tid)] {
            open.fault.lock = Some(LockWait { tried: now, ended: None });
        }
    }

    /// `again`: the lock was not had, and the fault's return says that its task faults again.
    pub(super) fn lock_over(&mut self, tid: Tid, again: bool, log: &mut Log) {
        let now = log.now();
        if let Some(open) = &mut self.faults[usize::from(tid)]
            && let Some(lock) = &mut open.fault.lock
        {
            lock.ended = Some(now);
            open.fault.fault_ret |= if again { VM_FAULT_RETRY } else { 0 };
        }
    }

    /// Whether nothing has changed under a fault that may still be open, and no two are open on a slot.
    fn undisturbed(&self) -> bool {
        self.filter.iter().all(|filter| !filter.disturbed)
    }

    pub(super) fn freed(&mut self, by: Tid, slot: u8, log: &mut Log) {
        let (entry, filter) = (self.entry(slot), self.filter_of(slot));
        let fault = self.faults.get(usize::from(by)).and_then(Option::as_ref);
        if fault.is_some_and(|open| open.spared_release && open.fault.entry == entry) {
            // One hook for the reference and the release, and it has returned.
            return;
        }
        let open = self.filter[filter].open_now();
        let own = open != 0 && self.freed_own(by, entry, open, log);
        self.filter[filter].frees += 1;
        if open > u32::from(own) {
            self.filter[filter].disturbed = true;
            let seq = self.filter[filter].frees;
            self.tell(ChangeKind::Freed, entry, seq, by, log);
        }
    }

    fn freed_own(&mut self, by: Tid, entry: Entry, open: u32, log: &mut Log) -> bool {
        let Some(state) = self.faults.get_mut(usize::from(by)).and_then(Option::as_mut) else { return false };
        let over = state.is_over();
        let fault = &mut state.fault;
        if entry.0.wrapping_sub(fault.base.0) >= fault.nr.into() {
            return false;
        }
        if fault.entry == entry {
            if !over {
                let slot = if self.shared_slot { 0 } else { entry.offset() as usize - 8 };
                fault.frees.at_end = self.filter[slot].frees;
                fault.changes.at_end = self.filter[slot].changes;
                if open > 1 {
                    fault.freed = Some(log.now());
                }
            }
            state.frees_own += 1;
        }
        true
    }

    /// `swap_free` in a fault, just after its page was mapped: hooked on unfixed kernels only. From here on nothing that
    /// happens to the entry is under this reader, even if somebody else's reference keeps it from being released.
    /// `released`: nobody holds the entry any more; the same hook tells that.
    pub(super) fn count_dropped(&mut self, tid: Tid, slot: u8, released: bool) {
        if !self.count_hook {
            return;
        }
        let (entry, filter) = (self.entry(slot), self.filter[self.filter_of(slot)]);
        let undisturbed = self.undisturbed();
        if let Some(open) = &mut self.faults[usize::from(tid)]
            && open.fault.entry == entry
            && !open.is_over()
        {
            if released && undisturbed {
                open.spared_release = true;
                return;
            }
            open.dropped_count = true;
            (open.fault.frees.at_end, open.fault.changes.at_end) = (filter.frees, filter.changes);
        }
    }

    /// A write is about to start. Whether its end will be told.
    pub(super) fn write_started(&mut self, by: Tid, slot: u8, both: bool, log: &mut Log) -> bool {
        let awaited = both && self.filter[self.filter_of(slot)].open_now() != 0;
        self.changed(if awaited { ChangeKind::WriteStarted } else { ChangeKind::Written }, by, slot, log);
        awaited
    }

    pub(super) fn changed(&mut self, kind: ChangeKind, by: Tid, slot: u8, log: &mut Log) {
        let (entry, filter) = (self.entry(slot), self.filter_of(slot));
        self.filter[filter].changes += 1;
        if self.filter[filter].open_now() != 0 {
            self.filter[filter].disturbed = true;
            let seq = self.filter[filter].changes;
            self.tell(kind, entry, seq, by, log);
        }
    }

    fn tell(&mut self, kind: ChangeKind, entry: Entry, seq: u32, by: Tid, log: &mut Log) {
        for (tid, open) in self.faults.iter_mut().enumerate() {
            let Some(open) = open.as_mut().filter(|open| open.fault.entry == entry && !open.is_over()) else {
                continue;
            };
            if !open.has_read() {
                open.last = if kind == ChangeKind::Freed { open.last } else { Some(kind) };
            } else if kind != ChangeKind::Freed || tid != usize::from(by) {
                open.evidence |= UNDER_READ << kind as u8;
            }
        }
        let slot = self.filter[self.filter_of(self.slot_of(entry))].count();
        let at = log.now();
        log.events.push(Event::Changed(Change { kind, entry, at, seq, by: task(by), slot }));
    }

    /// The fault as it ended, and whether it was streamed.
    pub(super) fn end(&mut self, tid: Tid, installed: bool, log: &mut Log) -> Fault {
        let mut state = self.faults[usize::from(tid)].take().unwrap();
        let undisturbed = self.undisturbed();
        let filter = self.filter_of(self.slot_of(state.fault.entry));
        let filter = &mut self.filter[filter];
        let over = state.frees_own != 0 || state.dropped_count;
        let (frees_start, changes_start, spared_read) = (state.frees_start, state.changes_start, state.spared_read);
        let fault = &mut state.fault;
        fault.end = log.now();
        fault.installed = installed;
        // What it returns tells that it has read past the swap cache.
        if spared_read && fault.read_start.is_none() {
            (fault.path, fault.read_start) = (Path::Direct, Some(fault.start));
        }
        if installed && fault.path == Path::None {
            fault.path = Path::Cached;
        }
        if !over {
            // One that has installed its page has released its entry, and has done so undisturbed if that was not noted.
            let redundant = self.count_hook && installed;
            fault.frees.at_end = if redundant { frees_start } else { filter.frees };
            fault.changes.at_end = if redundant { changes_start } else { filter.changes };
        }
        filter.closes += 1;
        fault.slot = filter.count();
        let contended = state.streamed || Self::contended(filter, &state);
        // What the programs rest on: they do not compare numbers while nothing is disturbed.
        assert!(!undisturbed || !contended || state.asked_about(), "nothing is disturbed, and a fault was not alone");
        if contended {
            log.events.push(Event::Ended(state.fault.clone()));
        }
        filter.disturbed &= filter.open_now() != 0;
        state.fault
    }

    fn contended(filter: &Filter, open: &Open) -> bool {
        filter.opens != open.opens_start
            || filter.changes != open.changes_start
            || filter.frees - open.frees_start != open.frees_own
            || open.asked_about()
    }

    /// What of a fault decides whether and how it will be told: for merging states. All of it only ever turns true.
    pub(super) fn key(&self, tid: Tid) -> [u8; 3] {
        let Some(open) = &self.faults[usize::from(tid)] else { return [0; 3] };
        let filter = &self.filter[self.filter_of(self.slot_of(open.fault.entry))];
        let flags = 1
            | u8::from(open.streamed) << 1
            | u8::from(Self::contended(filter, open)) << 2
            | u8::from(open.frees_own != 0) << 3
            | u8::from(open.has_read()) << 4
            | u8::from(open.fault.pin.is_some_and(|pin| pin.fails != 0)) << 5
            | u8::from(open.is_over() && open.fault.changes.at_end < open.fault.changes.at_read) << 6
            | u8::from(open.is_over()) << 7;
        let last = open.last.filter(|_| !open.has_read()).map_or(0, |kind| 1 + kind as u8);
        let redundant = u8::from(open.spared_release) | u8::from(open.spared_read) << 1;
        [flags, open.evidence << 3 | last, redundant | u8::from(filter.disturbed) << 2]
    }
}
