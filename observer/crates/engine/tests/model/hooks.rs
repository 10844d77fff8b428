//! The eBPF programs at each hook, statement by statement: see `observer-ebpf/src/bin/observer-ebpf`.

use observer_engine::event::{
    Change, ChangeKind, Entry, Event, Fault, LockWait, Path, Pin, PinResult, SlotCount, Task, VM_FAULT_RETRY,
};

use observer_ebpf::{
    record::{F_DIRECT, F_INSTALLED, F_READ_STARTED, F_SPAN_ENDED, F_STREAMED},
    unrecorded::{self, Unrecorded},
};

use super::{
    actors::{FAULTERS, Tid},
    config::{Config, Hook},
    log::Log,
    memory::SLOTS,
};

/// One slot of the filter.
#[derive(Clone, Copy, Debug, Default)]
struct FilterSlot {
    starts: u32,
    ends: u32,
    frees: u32,
    changes: u32,
    disturbed: bool,
}

impl FilterSlot {
    fn in_progress(self) -> u32 {
        self.starts - self.ends
    }

    fn count(self) -> SlotCount {
        SlotCount { starts: self.starts, ends: self.ends }
    }
}

/// A fault in the programs' table.
#[derive(Clone, Debug)]
struct InProgress {
    fault: Fault,
    /// Numbers of the filter slot at the start of the fault, itself included.
    starts_at_start: u32,
    frees_at_start: u32,
    changes_at_start: u32,
    frees_by_itself: u32,
    streamed: bool,
    /// It has dropped its reference to the entry. Only with the hook on `swap_free`.
    dropped_reference: bool,
    /// It has freed its entry, and the hook there recorded nothing.
    unrecorded_free: bool,
    /// It has started a direct read, and the hook there recorded nothing.
    unrecorded_read: bool,
    /// For merging states only: changes without a record, as [`HIDDEN_BEFORE`] and [`HIDDEN_UNDER`].
    hidden: u8,
    /// For merging states only: the last content change of its entry before the read.
    last: Option<ChangeKind>,
    /// For merging states only: what the records sent so far prove about its read.
    evidence: u8,
}

/// Evidence that a change happened under the read, shifted left by the kind of change.
const UNDER_READ: u8 = 1;
/// Evidence from before the read that the entry was allocated and its write not complete.
const IN_TRANSIT: u8 = 1 << 4;

/// A change without a record before the read.
const HIDDEN_BEFORE: u8 = 1;
/// A change without a record under the read.
const HIDDEN_UNDER: u8 = 2;

impl InProgress {
    /// Whether the span under its read ended before it returned.
    fn has_ended_span(&self) -> bool {
        self.frees_by_itself != 0 || self.dropped_reference || self.unrecorded_free
    }

    fn has_read(&self) -> bool {
        self.fault.read_start.is_some() || self.unrecorded_read
    }

    /// Whether it is streamed even if no other fault was in progress on its slot.
    fn is_streamed_alone(&self) -> bool {
        self.fault.pin.is_some_and(|pin| pin.failures != 0) || self.fault.lock.is_some() || self.fault.nr > 1
    }

    /// Whether something happened on its slot since it started, or it is streamed in any case.
    fn is_contended(&self, slot: &FilterSlot) -> bool {
        slot.starts != self.starts_at_start
            || slot.changes != self.changes_at_start
            || slot.frees - self.frees_at_start != self.frees_by_itself
            || self.is_streamed_alone()
    }
}

/// Whether the hook of [`Config::skipped`] has run each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    /// It has run each time so far.
    NotYet,
    /// It does not run the next time.
    Next,
    /// It has once not run. The task and entry of that time.
    Done(Tid, u8),
}

/// The programs' maps.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    skipped: Option<Hook>,
    skip: Skip,
    /// What was skipped was the drop of a last reference, so the free follows.
    skipped_drop: bool,
    /// Hooks that did not run, as far as other hooks have found and counted that.
    counted_misses: u8,
    filter: [FilterSlot; SLOTS],
    faults: [Option<InProgress>; FAULTERS],
    shared_slot: bool,
    reference_hook: bool,
    lean: bool,
}

fn task(tid: Tid) -> Task {
    Task { tid: tid.into(), pid: 1, comm: "model".into() }
}

impl Hooks {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            skipped: config.skipped,
            skip: Skip::NotYet,
            skipped_drop: false,
            counted_misses: 0,
            filter: <[FilterSlot; SLOTS]>::default(),
            faults: [const { None }; FAULTERS],
            shared_slot: config.shared_slot,
            reference_hook: config.reference_hook,
            lean: config.lean,
        }
    }

    pub(crate) fn may_skip(&self) -> bool {
        self.skipped.is_some() && self.skip == Skip::NotYet
    }

    pub(crate) fn skip_next(&mut self) {
        self.skip = Skip::Next;
    }

    /// Whether a program has counted that a hook did not run, or will: a fault whose end was missed stays in the table
    /// until the next one of its task, or the end of the observation.
    pub(crate) fn has_counted_misses(&self) -> bool {
        self.counted_misses > 0 || self.skipped == Some(Hook::FaultEnd) && matches!(self.skip, Skip::Done(..))
    }

    /// Whether this hook does not run this time, for this task and device slot.
    fn is_skipped(&mut self, hook: Hook, tid: Tid, slot: u8, log: &mut Log) -> bool {
        let is_skipped = self.skip == Skip::Next && self.skipped == Some(hook);
        if is_skipped {
            self.skip = Skip::Done(tid, slot);
            log.skipped += 1;
        }
        is_skipped
    }

    /// Where a hook can be skipped, numbers no longer follow from what happened: all that decides what is reported.
    pub(crate) fn skip_key(&self) -> Vec<u8> {
        if self.skipped.is_none() {
            return Vec::new();
        }
        let skip = match self.skip {
            Skip::NotYet => 0,
            Skip::Next => 1,
            Skip::Done(..) => 2,
        };
        let mut key = vec![skip, self.counted_misses];
        for filter in self.filter {
            key.extend([filter.in_progress() as u8, u8::from(filter.disturbed)]);
        }
        for state in &self.faults {
            let Some(state) = state else {
                key.push(0xff);
                continue;
            };
            let filter = &self.filter[self.filter_of_entry(state.fault.entry)];
            let Fault { frees, changes, path, pin, lock, read_start, .. } = &state.fault;
            let numbers = [
                filter.starts - state.starts_at_start,
                filter.frees - state.frees_at_start,
                filter.changes - state.changes_at_start,
                filter.frees - frees.at_read,
                filter.changes - changes.at_read,
                filter.frees.wrapping_sub(frees.at_end),
                filter.changes.wrapping_sub(changes.at_end),
                state.frees_by_itself,
            ];
            key.extend(numbers.map(|number| number as u8));
            let bits = [
                state.streamed,
                state.dropped_reference,
                state.unrecorded_free,
                state.unrecorded_read,
                read_start.is_some(),
                pin.is_some(),
                lock.is_some(),
            ];
            key.push(bits.iter().fold(0, |bits, bit| bits << 1 | u8::from(*bit)));
            key.extend([*path as u8, self.slot_of(state.fault.entry), state.evidence, state.hidden]);
        }
        key
    }

    /// The entry of a device slot. Entries 65 536 apart share a slot of the filter.
    fn entry(&self, slot: u8) -> Entry {
        let distance = if self.shared_slot { 1 << 16 } else { 1 };
        Entry::new(0, 8 + u64::from(slot) * distance)
    }

    fn slot_of(&self, entry: Entry) -> u8 {
        (0..SLOTS as u8).find(|slot| self.entry(*slot) == entry).unwrap()
    }

    /// Index of the filter slot of a device slot.
    fn filter_of(&self, slot: u8) -> usize {
        if self.shared_slot { 0 } else { slot.into() }
    }

    fn filter_of_entry(&self, entry: Entry) -> usize {
        self.filter_of(self.slot_of(entry))
    }

    pub(crate) fn fault_started(&mut self, tid: Tid, slot: u8, address: u64, mm: u64, log: &mut Log) {
        if self.is_skipped(Hook::FaultStart, tid, slot, log) {
            return;
        }
        self.end_unended(tid);
        let entry = self.entry(slot);
        let filter = self.filter_of(slot);
        let now = log.now();
        let filter = &mut self.filter[filter];
        filter.starts += 1;
        filter.disturbed |= filter.in_progress() > 1;
        let mut fault =
            Fault { entry, base: entry, nr: 1, address, mm, task: task(tid), start: now, ..Fault::default() };
        fault.frees.at_read = filter.frees;
        fault.changes.at_read = filter.changes;
        let mut state = InProgress {
            fault,
            starts_at_start: filter.starts,
            frees_at_start: filter.frees,
            changes_at_start: filter.changes,
            frees_by_itself: 0,
            streamed: false,
            dropped_reference: false,
            unrecorded_free: false,
            unrecorded_read: false,
            hidden: 0,
            last: None,
            evidence: 0,
        };
        if filter.in_progress() > 1 {
            state.streamed = true;
            log.events.push(Event::Started(Fault { end: now, slot: filter.count(), ..state.fault.clone() }));
        }
        self.faults[usize::from(tid)] = Some(state);
    }

    pub(crate) fn read_started(&mut self, tid: Tid, cached: bool, base: u8, nr: u8, log: &mut Log) {
        if self.is_skipped(Hook::ReadStart, tid, base, log) {
            return;
        }
        let (base, now) = (self.entry(base), log.now());
        let undisturbed = self.is_undisturbed();
        let Some(state) = &self.faults[usize::from(tid)] else { return };
        let filter = self.filter[self.filter_of_entry(state.fault.entry)];
        let Some(state) = &mut self.faults[usize::from(tid)] else { return };
        if state.fault.read_start.is_some() {
            return;
        }
        if self.lean && !cached && undisturbed {
            state.unrecorded_read = true;
            return;
        }
        state.fault.path = if cached { Path::Cached } else { Path::Direct };
        if nr > 1 {
            (state.fault.base, state.fault.nr) = (base, nr.into());
        }
        state.fault.frees.at_read = filter.frees;
        state.fault.changes.at_read = filter.changes;
        state.fault.read_start = Some(now);
        state.evidence = match state.last {
            Some(ChangeKind::Allocated | ChangeKind::WriteStarted) => IN_TRANSIT,
            _ => 0,
        };
    }

    pub(crate) fn read_ended(&mut self, tid: Tid, log: &mut Log) {
        if self.is_skipped(Hook::ReadEnd, tid, 0, log) {
            return;
        }
        let now = log.now();
        if let Some(state) = &mut self.faults[usize::from(tid)] {
            state.fault.read_end.get_or_insert(now);
        }
    }

    pub(crate) fn pin_tried(&mut self, tid: Tid, base: u8, nr: u8, result: PinResult, log: &mut Log) {
        if self.is_skipped(Hook::PinTry, tid, base, log) {
            return;
        }
        let (base, now) = (self.entry(base), log.now());
        let Some(state) = &mut self.faults[usize::from(tid)] else { return };
        let failures = state.fault.pin.map_or(0, |pin| pin.failures) + u32::from(result != PinResult::Taken);
        (state.fault.base, state.fault.nr) = (base, nr.into());
        state.fault.pin = Some(Pin { tried: now, result, failures, dropped: None });
    }

    pub(crate) fn pin_dropped(&mut self, tid: Tid, base: u8, log: &mut Log) {
        if self.is_skipped(Hook::PinDrop, tid, base, log) {
            return;
        }
        let (base, now) = (self.entry(base), log.now());
        let Some(state) = &mut self.faults[usize::from(tid)] else { return };
        if state.fault.base == base
            && let Some(pin) = &mut state.fault.pin
        {
            pin.dropped = Some(now);
        }
    }

    pub(crate) fn lock_failed(&mut self, tid: Tid, log: &mut Log) {
        if self.is_skipped(Hook::LockTry, tid, 0, log) {
            return;
        }
        let now = log.now();
        if let Some(state) = &mut self.faults[usize::from(tid)] {
            state.fault.lock = Some(LockWait { tried: now, ended: None });
        }
    }

    /// `retry`: the lock was not taken, and the fault returns `VM_FAULT_RETRY`.
    pub(crate) fn lock_wait_ended(&mut self, tid: Tid, retry: bool, log: &mut Log) {
        if self.is_skipped(Hook::LockEnd, tid, 0, log) {
            return;
        }
        let now = log.now();
        if let Some(state) = &mut self.faults[usize::from(tid)]
            && let Some(lock) = &mut state.fault.lock
        {
            lock.ended = Some(now);
            state.fault.fault_ret |= if retry { VM_FAULT_RETRY } else { 0 };
        }
    }

    /// Whether nothing has changed on a slot with a fault in progress, and no slot has two.
    fn is_undisturbed(&self) -> bool {
        self.filter.iter().all(|filter| !filter.disturbed)
    }

    pub(crate) fn entry_freed(&mut self, by: Tid, slot: u8, log: &mut Log) {
        // On vulnerable kernels one hook reports a dropped reference and the free.
        let with_drop = self.reference_hook && self.skip == Skip::Done(by, slot) && self.skipped_drop;
        if with_drop || self.is_skipped(Hook::Freed, by, slot, log) {
            self.skipped_drop = false;
            return;
        }
        let (entry, filter) = (self.entry(slot), self.filter_of(slot));
        let fault = self.faults.get(usize::from(by)).and_then(Option::as_ref);
        if fault.is_some_and(|state| state.unrecorded_free && state.fault.entry == entry) {
            // One hook reports the dropped reference and the free, and it has recorded nothing.
            return;
        }
        let in_progress = self.filter[filter].in_progress();
        let own = in_progress != 0 && self.record_own_free(by, entry, in_progress, log);
        self.filter[filter].frees += 1;
        if in_progress > u32::from(own) {
            self.filter[filter].disturbed = true;
            let seq = self.filter[filter].frees;
            self.report_change(ChangeKind::Freed, entry, seq, by, log);
        }
    }

    /// Whether the entry is in the range of a fault of the task that frees it.
    fn record_own_free(&mut self, by: Tid, entry: Entry, in_progress: u32, log: &mut Log) -> bool {
        let filter = self.filter[self.filter_of_entry(entry)];
        let reference_hook = self.reference_hook;
        let Some(state) = self.faults.get_mut(usize::from(by)).and_then(Option::as_mut) else { return false };
        let has_ended_span = state.has_ended_span();
        if state.fault.entry == entry && reference_hook && !has_ended_span {
            // Its own reclaim, before it reads: an install drops the reference first. As if from before the fault.
            state.frees_at_start += 1;
            if !state.has_read() {
                state.fault.frees.at_read += 1;
            }
            return true;
        }
        let fault = &mut state.fault;
        if entry.0.wrapping_sub(fault.base.0) >= fault.nr.into() {
            return false;
        }
        if fault.entry == entry {
            if !has_ended_span {
                fault.frees.at_end = filter.frees;
                fault.changes.at_end = filter.changes;
                if in_progress > 1 {
                    fault.freed = Some(log.now());
                }
            }
            state.frees_by_itself += 1;
        }
        true
    }

    /// `swap_free` in a fault, just after its page was mapped: hooked on vulnerable kernels only. Later changes of the
    /// entry are not under this reader, even if another reference keeps the entry from being freed. `freed`: it was the
    /// last reference, which the same hook reports.
    pub(crate) fn reference_dropped(&mut self, tid: Tid, slot: u8, freed: bool, log: &mut Log) {
        if !self.reference_hook {
            return;
        }
        if self.is_skipped(Hook::Freed, tid, slot, log) {
            self.skipped_drop = freed;
            return;
        }
        let (entry, filter) = (self.entry(slot), self.filter[self.filter_of(slot)]);
        let undisturbed = self.is_undisturbed();
        if let Some(state) = &mut self.faults[usize::from(tid)]
            && state.fault.entry == entry
            && !state.has_ended_span()
        {
            if freed && undisturbed {
                state.unrecorded_free = true;
                return;
            }
            state.dropped_reference = true;
            (state.fault.frees.at_end, state.fault.changes.at_end) = (filter.frees, filter.changes);
        }
    }

    /// A write is about to start. If its end will be reported, returns the number of this change.
    pub(crate) fn write_started(&mut self, by: Tid, slot: u8, both: bool, log: &mut Log) -> Option<u32> {
        if self.is_skipped(Hook::WriteStart, by, slot, log) {
            return None;
        }
        let awaited = both && self.filter[self.filter_of(slot)].in_progress() != 0;
        self.entry_changed(if awaited { ChangeKind::WriteStarted } else { ChangeKind::Written }, by, slot, log);
        awaited.then_some(self.filter[self.filter_of(slot)].changes)
    }

    /// Whether nothing has changed on the slot since the change of this number.
    pub(crate) fn is_last_change(&self, slot: u8, number: u32) -> bool {
        self.filter[self.filter_of(slot)].changes == number
    }

    /// A write has ended, perhaps long ago. If something has changed on the slot since it started, the entry may have
    /// been allocated again: then the change is numbered and not reported.
    pub(crate) fn write_ended(&mut self, by: Tid, slot: u8, number: u32, log: &mut Log) {
        if self.is_skipped(Hook::WriteEnd, by, slot, log) {
            return;
        }
        if self.is_last_change(slot, number) {
            return self.entry_changed(ChangeKind::Written, by, slot, log);
        }
        let index = self.filter_of(slot);
        self.filter[index].changes += 1;
        if self.filter[index].in_progress() == 0 {
            return;
        }
        self.filter[index].disturbed = true;
        log.hidden += 1;
        for at in 0..self.faults.len() {
            let Some(entry) = self.faults[at].as_ref().map(|state| state.fault.entry) else { continue };
            if self.filter_of_entry(entry) == index
                && let Some(state) = self.faults[at].as_mut().filter(|state| !state.has_ended_span())
            {
                state.hidden |= if state.has_read() { HIDDEN_UNDER } else { HIDDEN_BEFORE };
            }
        }
    }

    pub(crate) fn entry_allocated(&mut self, by: Tid, slot: u8, log: &mut Log) {
        if !self.is_skipped(Hook::Allocated, by, slot, log) {
            self.entry_changed(ChangeKind::Allocated, by, slot, log);
        }
    }

    fn entry_changed(&mut self, kind: ChangeKind, by: Tid, slot: u8, log: &mut Log) {
        let (entry, filter) = (self.entry(slot), self.filter_of(slot));
        self.filter[filter].changes += 1;
        if self.filter[filter].in_progress() != 0 {
            self.filter[filter].disturbed = true;
            let seq = self.filter[filter].changes;
            self.report_change(kind, entry, seq, by, log);
        }
    }

    fn report_change(&mut self, kind: ChangeKind, entry: Entry, seq: u32, by: Tid, log: &mut Log) {
        for (tid, state) in self.faults.iter_mut().enumerate() {
            let Some(state) = state.as_mut().filter(|state| state.fault.entry == entry && !state.has_ended_span())
            else {
                continue;
            };
            if !state.has_read() {
                state.last = if kind == ChangeKind::Freed { state.last } else { Some(kind) };
            } else if kind != ChangeKind::Freed || tid != usize::from(by) {
                state.evidence |= UNDER_READ << kind as u8;
            }
        }
        let slot = self.filter[self.filter_of_entry(entry)].count();
        let at = log.now();
        log.events.push(Event::Changed(Change { kind, entry, at, seq, by: task(by), slot }));
    }

    /// The end of the thread's last fault was missed: it leaves the filter when the next one starts.
    fn end_unended(&mut self, tid: Tid) {
        if let Some(state) = self.faults[usize::from(tid)].take() {
            self.counted_misses += 1;
            self.leave(state.fault.entry);
        }
    }

    fn leave(&mut self, entry: Entry) {
        let filter = self.filter_of_entry(entry);
        let filter = &mut self.filter[filter];
        filter.ends += 1;
        filter.disturbed &= filter.in_progress() != 0;
    }

    /// Returns the record of the fault, whether it was sent or not. `None`: there is none, because its start or its end
    /// was not seen.
    pub(crate) fn fault_ended(
        &mut self,
        tid: Tid,
        installed: bool,
        read_directly: bool,
        log: &mut Log,
    ) -> Option<Fault> {
        if self.is_skipped(Hook::FaultEnd, tid, 0, log) {
            return None;
        }
        let Some(mut state) = self.faults[usize::from(tid)].take() else {
            self.counted_misses += 1;
            return None;
        };
        let undisturbed = self.is_undisturbed();
        let filter = self.filter[self.filter_of_entry(state.fault.entry)];
        state.fault.end = log.now();
        state.fault.installed = installed;
        // The return value shows that it has read from the device.
        if self.lean && read_directly && state.fault.path == Path::None {
            state.fault.path = Path::Direct;
        }
        let is_missed = self.record_unrecorded(&mut state, filter);
        self.counted_misses += u8::from(is_missed);
        if installed && state.fault.path == Path::None {
            state.fault.path = Path::Cached;
        }
        let filter = FilterSlot { ends: filter.ends + 1, ..filter };
        state.fault.slot = filter.count();
        let contended = state.streamed || state.is_contended(&filter);
        // The programs rely on this: they do not compare numbers while nothing is disturbed.
        assert!(!undisturbed || !contended || state.is_streamed_alone(), "a contended fault on an undisturbed slot");
        if contended {
            log.events.push(Event::Ended(state.fault.clone()));
        }
        self.leave(state.fault.entry);
        Some(state.fault)
    }

    /// What hooks have left out while nothing was disturbed, or because they did not run: then nothing is charged to the
    /// reader. Whether one did not run.
    fn record_unrecorded(&self, state: &mut InProgress, filter: FilterSlot) -> bool {
        let has_recorded_end = state.frees_by_itself != 0 || state.dropped_reference;
        let fault = &mut state.fault;
        let flags = [
            (fault.installed, F_INSTALLED),
            (has_recorded_end, F_SPAN_ENDED),
            (state.streamed, F_STREAMED),
            (fault.path == Path::Direct, F_DIRECT),
            (fault.read_start.is_some(), F_READ_STARTED),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, flag)| flags | flag);
        let read = unrecorded::read_start(flags);
        let (frees, changes) = (state.frees_at_start, state.changes_at_start);
        if read != Unrecorded::Nothing {
            (fault.frees.at_read, fault.changes.at_read) = (frees, changes);
            fault.read_start = Some(fault.start);
        }
        let read_was_disturbed =
            fault.read_start.is_some() && (fault.frees.at_read, fault.changes.at_read) != (frees, changes);
        let dropped = if self.reference_hook {
            unrecorded::reference_drop(flags, true, read_was_disturbed)
        } else {
            Unrecorded::Nothing
        };
        if dropped != Unrecorded::Nothing {
            (fault.frees.at_end, fault.changes.at_end) = (frees, changes);
        } else if !has_recorded_end {
            (fault.frees.at_end, fault.changes.at_end) = (filter.frees, filter.changes);
        }
        let is_missed = dropped == Unrecorded::Missed || read == Unrecorded::Missed;
        if is_missed {
            let has_read = fault.read_start.is_some();
            fault.frees.at_end = if has_read { fault.frees.at_read } else { frees };
            fault.changes.at_end = if has_read { fault.changes.at_read } else { changes };
        }
        is_missed
    }

    /// The part of a fault's state that decides whether and how it will be streamed. Each bit only ever becomes set.
    pub(crate) fn key(&self, tid: Tid) -> [u8; 3] {
        let Some(state) = &self.faults[usize::from(tid)] else { return [0; 3] };
        let filter = &self.filter[self.filter_of_entry(state.fault.entry)];
        let flags = 1
            | u8::from(state.streamed) << 1
            | u8::from(state.is_contended(filter)) << 2
            | u8::from(state.frees_by_itself != 0) << 3
            | u8::from(state.has_read()) << 4
            | u8::from(state.fault.pin.is_some_and(|pin| pin.failures != 0)) << 5
            | u8::from(state.has_ended_span() && state.fault.changes.at_end < state.fault.changes.at_read) << 6
            | u8::from(state.has_ended_span()) << 7;
        let last = state.last.filter(|_| !state.has_read()).map_or(0, |kind| 1 + kind as u8);
        let unrecorded = u8::from(state.unrecorded_free) | u8::from(state.unrecorded_read) << 1;
        [flags, state.evidence << 3 | last, unrecorded | u8::from(filter.disturbed) << 2 | state.hidden << 3]
    }
}
