//! A thread that faults on the page: `do_swap_page`, step by step.

use super::{
    Kernel,
    log::{Ended, Log},
    world::{Pte, Tid, World},
};
use crate::{
    event::{Fault, PinResult},
    verdict::Verdict,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pc {
    /// In user space, about to touch the page.
    Idle,
    /// Has read the PTE; looks into the swap cache.
    Lookup,
    /// Direct path, pinned kernels: tries the pin.
    Pin,
    /// Lost the pin.
    Sleep,
    /// Direct path: has its page, starts the read.
    Read,
    /// The device is read.
    Device,
    /// Takes the PTE's lock, checks, maps, frees.
    Check,
    /// Drops the pin.
    Unpin,
    /// Cached path: makes the page's place in the swap cache.
    AddToCache,
    /// The device is read into the swap cache.
    CacheDevice,
    /// Found or made a page in the swap cache; tries its lock.
    LockPage,
    /// The lock was taken; waits for it.
    LockWait,
    /// Holds the page's lock; checks, maps, frees.
    CheckCached,
    /// Returns.
    Return,
}

/// What really happened under the read of a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Truth {
    /// An unprotected direct read has started and the fault has not released its entry itself.
    exposed: bool,
    freed: bool,
    changed: bool,
    /// `changed` when the page was mapped.
    changed_before: bool,
    installed: bool,
    lost: bool,
    /// The read started while the entry was being written: after the hook on the write, before the content was there.
    in_write: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Faulter {
    pub(super) pc: Pc,
    pub(super) pte: u8,
    /// Faults it may still take.
    pub(super) faults: u8,
    pub(super) slot: u8,
    base: u8,
    nr: u8,
    pub(super) page: u8,
    version: u8,
    pinned: bool,
    /// Its last fault gave up the page's lock to wait without it: this time it waits with the lock.
    pub(super) tried: bool,
    /// It waits without the page's lock, and that has been dropped since.
    pub(super) woken: bool,
    truth: Truth,
    /// Of its PTE when the fault started. Like the holders not part of the key: only waits ask for it.
    generation: u8,
    holder: Option<Tid>,
    /// Who was reading the page that it found locked.
    pub(super) reader: Option<Tid>,
}

impl Faulter {
    pub(super) fn idle(faults: u8) -> Self {
        let (pc, truth) = (Pc::Idle, Truth::default());
        Self {
            pc,
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
            truth,
            generation: 0,
            holder: None,
            reader: None,
        }
    }

    /// Whether it is in the page allocator, where it may have to reclaim.
    pub(super) fn allocates(&self) -> bool {
        matches!(self.pc, Pc::Read | Pc::AddToCache)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pc == Pc::Idle
    }

    pub(super) fn entry_freed(&mut self, slot: u8, own: bool) {
        if self.pc == Pc::Idle || self.slot != slot || !self.truth.exposed {
            return;
        }
        if own {
            self.truth.exposed = false;
        } else {
            self.truth.freed = true;
        }
    }

    pub(super) fn entry_changed(&mut self, slot: u8) {
        self.truth.changed |= self.truth.exposed && self.slot == slot;
    }

    pub(super) fn key(&self, hooks: [u8; 3]) -> [u8; 12] {
        let Truth { exposed, freed, changed, changed_before, installed, lost, in_write } = self.truth;
        let bits = [exposed, freed, changed, changed_before, installed, lost, in_write, self.pinned];
        let truth = bits.iter().fold(0, |bits, bit| bits << 1 | u8::from(*bit));
        let range = self.base << 4 | self.nr;
        let [flags, evidence, redundant] = hooks;
        let waits = u8::from(self.tried) << 1 | u8::from(self.woken);
        let Self { pc, pte, faults, slot, page, version, .. } = *self;
        [pc as u8, pte, faults, slot, range, page, version, truth, waits, flags, evidence, redundant]
    }

    fn range(&self) -> std::ops::Range<u8> {
        self.base..self.base + self.nr
    }
}

impl World {
    pub(super) fn can_fault(&self, tid: Tid) -> bool {
        let faulter = &self.faulters[usize::from(tid)];
        let slot = &self.slots[usize::from(faulter.slot)];
        match faulter.pc {
            Pc::Idle => faulter.faults > 0 && matches!(self.ptes[usize::from(faulter.pte)], Pte::Swap(_)),
            Pc::Sleep => {
                let held = faulter.range().any(|slot| self.slots[usize::from(slot)].pinned_by.is_some());
                self.kernel() == Kernel::PinnedTick || !held
            }
            // In its own reclaim it does not go on until that is over.
            Pc::Read | Pc::AddToCache if self.config.reclaims && tid == 0 && !self.evictor.is_idle() => false,
            // `__read_swap_cache_async` tries again until the pin is free or the page is there.
            Pc::AddToCache => slot.cached.is_some() || !(slot.has_cache || slot.parked),
            Pc::LockWait => faulter.woken || !self.pages[usize::from(faulter.page)].locked,
            _ => true,
        }
    }

    pub(super) fn fault(&mut self, tid: Tid, log: &mut Log) {
        let me = usize::from(tid);
        let Faulter { pc, slot, base, nr, pinned, .. } = self.faulters[me];
        let at = usize::from(slot);
        self.faulters[me].pc = match pc {
            Pc::Idle => self.start(tid, log),
            Pc::Lookup => self.look_up(tid),
            Pc::Pin => self.try_pin(tid, log),
            Pc::Sleep => Pc::Return,
            Pc::Read => {
                self.hooks.read_start(tid, false, base, nr, log);
                self.faulters[me].truth.exposed = !pinned;
                // A read that starts before the write is done finds what was there before the allocation.
                self.faulters[me].truth.changed = !pinned && self.slots[at].in_transit;
                self.faulters[me].truth.in_write = self.slots[at].in_write;
                Pc::Device
            }
            Pc::Device => {
                self.faulters[me].version = self.slots[at].content;
                self.hooks.read_end(tid, log);
                Pc::Check
            }
            Pc::Check => {
                self.check_and_map(tid, log);
                if pinned { Pc::Unpin } else { Pc::Return }
            }
            Pc::Unpin => {
                self.unpin(tid, log);
                Pc::Return
            }
            Pc::AddToCache => self.add_to_cache(tid, log),
            Pc::CacheDevice => self.read_into_cache(tid, log),
            Pc::LockPage => self.try_lock(tid, log),
            Pc::LockWait => self.wait_for_lock(tid, log),
            Pc::CheckCached => {
                self.check_and_map_cached(tid, log);
                Pc::Return
            }
            Pc::Return => {
                self.end(tid, log);
                Pc::Idle
            }
        };
    }

    fn start(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let faulter = &mut self.faulters[usize::from(tid)];
        let Pte::Swap(slot) = self.ptes[usize::from(faulter.pte)] else { return Pc::Idle };
        faulter.faults -= 1;
        (faulter.slot, faulter.base, faulter.nr) = (slot, slot, 1);
        faulter.generation = self.generation[usize::from(faulter.pte)];
        let mm = if self.config.large { 0 } else { u64::from(faulter.pte) };
        self.hooks.start(tid, slot, 0x7000_0000 + (u64::from(faulter.pte) << 12), mm, log);
        Pc::Lookup
    }

    fn look_up(&mut self, tid: Tid) -> Pc {
        let kernel = self.kernel();
        let faulter = &mut self.faulters[usize::from(tid)];
        let slot = self.slots[usize::from(faulter.slot)];
        if let Some(page) = slot.cached {
            faulter.page = page;
            self.pages[usize::from(page)].refs += 1;
            return Pc::LockPage;
        }
        if kernel == Kernel::NoBypass || slot.count != 1 {
            return Pc::AddToCache;
        }
        if self.config.large && tid == 0 && self.ptes == [Pte::Swap(0), Pte::Swap(1)] {
            (faulter.base, faulter.nr) = (0, 2);
        }
        if kernel.pins() { Pc::Pin } else { Pc::Read }
    }

    /// `swapcache_prepare`.
    pub(super) fn prepare(&self, range: std::ops::Range<u8>) -> PinResult {
        let mut slots = range.map(|slot| self.slots[usize::from(slot)]);
        slots
            .find_map(|slot| match (slot.has_cache || slot.parked, slot.count) {
                (true, _) => Some(PinResult::Held),
                (false, 0) => Some(PinResult::Gone),
                (false, _) => None,
            })
            .unwrap_or(PinResult::Taken)
    }

    fn try_pin(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let Faulter { base, nr, .. } = self.faulters[usize::from(tid)];
        let range = self.faulters[usize::from(tid)].range();
        let result = self.prepare(range.clone());
        self.hooks.pin_tried(tid, base, nr, result, log);
        if result != PinResult::Taken {
            let held = range.clone().find_map(|slot| self.slots[usize::from(slot)].pinned_by);
            self.faulters[usize::from(tid)].holder = held;
            return Pc::Sleep;
        }
        for slot in range {
            self.slots[usize::from(slot)].has_cache = true;
            self.slots[usize::from(slot)].pinned_by = Some(tid);
        }
        self.faulters[usize::from(tid)].pinned = true;
        Pc::Read
    }

    /// `swapcache_clear`: on these kernels the entry is released here.
    fn unpin(&mut self, tid: Tid, log: &mut Log) {
        let range = self.faulters[usize::from(tid)].range();
        self.hooks.pin_dropped(tid, range.start, log);
        for slot in range {
            self.slots[usize::from(slot)].has_cache = false;
            self.slots[usize::from(slot)].pinned_by = None;
            self.release_if_unused(slot, tid, log);
        }
    }

    /// Under the PTE's lock: nobody else sees PTE or count in between.
    fn check_and_map(&mut self, tid: Tid, log: &mut Log) {
        let Faulter { pte, slot, version, .. } = self.faulters[usize::from(tid)];
        let range = self.faulters[usize::from(tid)].range();
        let whole = range.len() == 1 || range.clone().all(|slot| self.ptes[usize::from(slot)] == Pte::Swap(slot));
        if self.ptes[usize::from(pte)] != Pte::Swap(slot) || !whole {
            return;
        }
        self.map(tid, pte, version);
        for other in range.clone().filter(|other| *other != slot) {
            let version = self.slots[usize::from(other)].content;
            self.map(tid, other, version);
        }
        for slot in range {
            self.drop_count(tid, slot);
            self.release_if_unused(slot, tid, log);
        }
    }

    /// `swap_free`, as far as it only counts.
    pub(super) fn drop_count(&mut self, tid: Tid, slot: u8) {
        self.slots[usize::from(slot)].count -= 1;
        let released = self.slots[usize::from(slot)].is_free();
        self.hooks.count_dropped(tid, slot, released);
    }

    fn map(&mut self, tid: Tid, pte: u8, version: u8) {
        let page = self.new_page();
        self.pages[usize::from(page)].version = version;
        self.pages[usize::from(page)].dirty = true;
        self.pages[usize::from(page)].writable = true;
        self.ptes[usize::from(pte)] = Pte::Present(page);
        self.installed(tid, pte, version);
    }

    pub(super) fn installed(&mut self, tid: Tid, pte: u8, version: u8) {
        let truth = &mut self.faulters[usize::from(tid)].truth;
        truth.installed = true;
        truth.lost |= version != self.latest[usize::from(pte)];
        truth.changed_before = truth.changed;
        // What is lost is lost once: from here on this is the page's content.
        self.latest[usize::from(pte)] = version;
    }

    fn end(&mut self, tid: Tid, log: &mut Log) {
        let faulter = self.faulters[usize::from(tid)];
        let truth = faulter.truth;
        let fault: Fault = self.hooks.end(tid, truth.installed, log);
        let verdict = match truth {
            Truth { installed: true, changed_before: true, .. } => Some(Verdict::StaleInstall),
            Truth { installed: true, .. } => None,
            Truth { changed: true, .. } => Some(Verdict::Reuse),
            Truth { freed: true, .. } => Some(Verdict::Window),
            _ => None,
        };
        log.ended.push(Ended {
            tid,
            fault,
            verdict,
            lost: truth.lost,
            in_write: truth.in_write,
            changed_after: truth.installed && (truth.changed || truth.freed) && !truth.changed_before,
            generation: faulter.generation,
            holder: faulter.holder,
            reader: faulter.reader,
        });
        let tried = log.ended.last().is_some_and(|ended| ended.fault.faults_again());
        self.faulters[usize::from(tid)] = Faulter { pte: faulter.pte, tried, ..Faulter::idle(faulter.faults) };
    }
}
