//! The actors, their steps, and their state.

use std::ops::Range;

/// Index of a faulter, or the id of another actor.
pub(crate) type Tid = u8;

/// The largest number of faulting threads. Their ids are 0, 1, ..
pub(crate) const FAULTERS: usize = 3;

pub(crate) const RECLAIM: Tid = 10;
pub(crate) const ZAPPER: Tid = 11;
pub(crate) const OTHER_PROCESS: Tid = 12;
pub(crate) const WRITER: Tid = 13;

/// A step of an actor. The number selects a slot or a PTE where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Fault(Tid),
    Evict(u8),
    Write(u8),
    Zap,
    Fork,
    OtherPage(u8),
    Drain(u8),
    /// From here on the next run of a hook is skipped.
    Skip,
}

/// The next step of a thread in `do_swap_page`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultStep {
    /// In user space, about to access the page.
    Idle,
    /// Has read the PTE; enters `do_swap_page`.
    Enter,
    /// Looks the entry up in the swap cache.
    Lookup,
    /// Did not find it there; looks at its count.
    Dispatch,
    /// Direct path of kernels that pin: tries the pin.
    Pin,
    /// Found the pin held.
    Sleep,
    /// Direct path: has a page and starts the read.
    Read,
    /// Direct path: the device is read.
    Device,
    /// Direct path: takes the PTE lock, checks the PTE, maps the page, drops the reference to the entry.
    Check,
    /// Drops the pin.
    Unpin,
    /// Cached path: adds a page to the swap cache.
    AddToCache,
    /// Cached path: the device is read.
    CacheDevice,
    /// Found or added a page in the swap cache; tries the folio lock.
    LockPage,
    /// Waits for the folio lock.
    LockWait,
    /// Holds the folio lock; checks the PTE, maps the page, drops the reference to the entry.
    CheckCached,
    Return,
}

/// What happened under the read of a fault, independently of the hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Truth {
    /// An unprotected direct read has started, and the fault has not freed its entry itself.
    pub(crate) unprotected: bool,
    pub(crate) freed: bool,
    pub(crate) changed: bool,
    /// The value of `changed` when the page was mapped.
    pub(crate) changed_before: bool,
    pub(crate) installed: bool,
    /// The installed page was older than the page had to be.
    pub(crate) data_loss: bool,
    /// The read started while the entry was being written: after the hook on the write, before the content changed.
    pub(crate) in_write: bool,
    /// A direct read has started.
    pub(crate) read_directly: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Faulter {
    pub(crate) next: FaultStep,
    pub(crate) pte: u8,
    /// Faults that it may still take.
    pub(crate) faults: u8,
    pub(crate) slot: u8,
    pub(crate) base: u8,
    pub(crate) nr: u8,
    pub(crate) page: u8,
    pub(crate) version: u8,
    pub(crate) pinned: bool,
    /// `FAULT_FLAG_TRIED`: its last fault returned without the folio lock, so this one waits for the lock itself.
    pub(crate) tried: bool,
    /// It waits without taking the folio lock, and the page has been unlocked since.
    pub(crate) woken: bool,
    /// The fault returns without the folio lock, to be repeated.
    pub(crate) retry: bool,
    pub(crate) truth: Truth,
    /// The generation of its PTE when the fault started. Not part of the key, like the two fields below: only waits
    /// depend on it.
    pub(crate) generation: u8,
    /// The holder of the pin at the last failed try.
    pub(crate) holder: Option<Tid>,
    /// The faulter that was reading the page when it was found locked.
    pub(crate) reader: Option<Tid>,
}

impl Faulter {
    pub(crate) fn idle(faults: u8) -> Self {
        Self {
            next: FaultStep::Idle,
            pte: 0,
            faults,
            slot: 0,
            base: 0,
            nr: 1,
            page: 0,
            version: 0,
            pinned: false,
            tried: false,
            woken: false,
            retry: false,
            truth: Truth::default(),
            generation: 0,
            holder: None,
            reader: None,
        }
    }

    /// Whether it is in the page allocator, where it may have to reclaim.
    pub(crate) fn allocates(&self) -> bool {
        matches!(self.next, FaultStep::Read | FaultStep::AddToCache)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.next == FaultStep::Idle
    }

    pub(crate) fn range(&self) -> Range<u8> {
        self.base..self.base + self.nr
    }

    /// Whether it waits until this page is unlocked, without taking the lock.
    pub(crate) fn waits_for_unlock(&self, page: u8) -> bool {
        self.next == FaultStep::LockWait && self.page == page && !self.tried
    }

    pub(crate) fn entry_freed(&mut self, slot: u8, by_itself: bool) {
        if self.is_idle() || self.slot != slot || !self.truth.unprotected {
            return;
        }
        if by_itself {
            self.truth.unprotected = false;
        } else {
            self.truth.freed = true;
        }
    }

    pub(crate) fn entry_changed(&mut self, slot: u8) {
        self.truth.changed |= self.truth.unprotected && self.slot == slot;
    }

    /// The state that decides what can still happen, with the hooks' state of the fault.
    pub(crate) fn key(&self, hooks: [u8; 3]) -> [u8; 12] {
        let Truth { unprotected, freed, changed, changed_before, installed, data_loss, in_write, .. } = self.truth;
        let bits = [unprotected, freed, changed, changed_before, installed, data_loss, in_write, self.pinned];
        let truth = bits.iter().fold(0, |bits, bit| bits << 1 | u8::from(*bit));
        let range = self.base << 4 | self.nr;
        let [flags, evidence, unrecorded] = hooks;
        let waits = u8::from(self.retry) << 2 | u8::from(self.tried) << 1 | u8::from(self.woken);
        let Self { next, pte, faults, slot, page, version, .. } = *self;
        [next as u8, pte, faults, slot, range, page, version, truth, waits, flags, evidence, unrecorded]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReclaimStep {
    Idle,
    /// Between the hook on the allocation and its effect.
    Added,
    Unmap,
    Write,
    Device,
    /// The write has ended, and its end has not been reported.
    Written,
    WriteEnd,
    Remove,
}

/// Reclaim of the page, step by step as in `shrink_page_list`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reclaim {
    /// Evictions left.
    pub(crate) left: u8,
    pub(crate) next: ReclaimStep,
    pub(crate) page: u8,
    pub(crate) slot: u8,
    /// The number of the start of the write among the changes of its filter slot, if its end will be reported.
    pub(crate) write: Option<u32>,
    /// The entry was allocated again after the write had ended, and before that is reported.
    pub(crate) overtaken: bool,
}

impl Reclaim {
    pub(crate) fn new(left: u8) -> Self {
        Self { left, next: ReclaimStep::Idle, page: 0, slot: 0, write: None, overtaken: false }
    }

    pub(crate) fn is_idle(self) -> bool {
        self.next == ReclaimStep::Idle
    }

    /// `undisturbed`: nothing has changed on the filter slot since the write started.
    pub(crate) fn key(self, undisturbed: bool) -> [u8; 5] {
        let write = u8::from(self.write.is_some()) << 2 | u8::from(self.overtaken) << 1 | u8::from(undisturbed);
        [self.left, self.next as u8, self.page, self.slot, write]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherPageStep {
    Idle,
    Write,
    Exit,
}

/// A page of another process that occupies an entry for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OtherPage {
    /// Pages left.
    pub(crate) left: u8,
    pub(crate) next: OtherPageStep,
    pub(crate) slot: u8,
}

impl OtherPage {
    pub(crate) fn new(left: u8) -> Self {
        Self { left, next: OtherPageStep::Idle, slot: 0 }
    }

    pub(crate) fn key(self) -> [u8; 3] {
        [self.left, self.next as u8, self.slot]
    }
}
