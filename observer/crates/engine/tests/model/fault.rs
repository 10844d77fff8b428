//! `do_swap_page`, step by step: dispatch, and the direct path.

use observer_engine::{event::PinResult, verdict::Verdict};

use super::{
    actors::{FaultStep, Faulter, Tid, Truth},
    config::Kernel,
    log::{EndedFault, Log},
    memory::Pte,
    world::World,
};

impl World {
    /// Whether a faulter can take its next step.
    pub(crate) fn can_fault(&self, tid: Tid) -> bool {
        let faulter = &self.faulters[usize::from(tid)];
        let slot = &self.slots[usize::from(faulter.slot)];
        match faulter.next {
            FaultStep::Idle => faulter.faults > 0 && matches!(self.ptes[usize::from(faulter.pte)], Pte::Swap(_)),
            FaultStep::Sleep => {
                let held = faulter.range().any(|slot| self.slots[usize::from(slot)].pinned_by.is_some());
                self.kernel() == Kernel::PinnedTick || !held
            }
            // A faulter that reclaims continues when that is done.
            FaultStep::Read | FaultStep::AddToCache if self.config.reclaims && tid == 0 && !self.reclaim.is_idle() => {
                false
            }
            // `__read_swap_cache_async` retries until the pin is free or the page is present.
            FaultStep::AddToCache => slot.cached.is_some() || !(slot.has_cache || slot.parked),
            FaultStep::LockWait => faulter.woken || !self.pages[usize::from(faulter.page)].locked,
            _ => true,
        }
    }

    pub(crate) fn fault(&mut self, tid: Tid, log: &mut Log) {
        let me = usize::from(tid);
        let Faulter { next, slot, base, nr, pinned, .. } = self.faulters[me];
        let at = usize::from(slot);
        self.faulters[me].next = match next {
            FaultStep::Idle => self.read_pte(tid, log),
            FaultStep::Enter => self.start_fault(tid, log),
            FaultStep::Lookup => self.look_up(tid),
            FaultStep::Dispatch => self.dispatch(tid),
            FaultStep::Pin => self.try_pin(tid, log),
            FaultStep::Sleep => FaultStep::Return,
            FaultStep::Read => {
                self.hooks.read_started(tid, false, base, nr, log);
                self.faulters[me].truth.unprotected = !pinned;
                self.faulters[me].truth.read_directly = true;
                // A read that starts before the write is complete returns the content from before the allocation.
                self.faulters[me].truth.changed = !pinned && self.slots[at].in_transit;
                self.faulters[me].truth.in_write = self.slots[at].in_write;
                FaultStep::Device
            }
            FaultStep::Device => {
                self.faulters[me].version = self.slots[at].content;
                self.hooks.read_ended(tid, log);
                FaultStep::Check
            }
            FaultStep::Check => {
                self.check_and_map(tid, log);
                if pinned { FaultStep::Unpin } else { FaultStep::Return }
            }
            FaultStep::Unpin => {
                self.unpin(tid, log);
                FaultStep::Return
            }
            FaultStep::AddToCache => self.add_to_cache(tid, log),
            FaultStep::CacheDevice => self.read_into_cache(tid, log),
            FaultStep::LockPage => self.try_lock(tid, log),
            FaultStep::LockWait => self.end_lock_wait(tid, log),
            FaultStep::CheckCached => {
                self.check_and_map_cached(tid, log);
                FaultStep::Return
            }
            FaultStep::Return => {
                self.end_fault(tid, log);
                FaultStep::Idle
            }
        };
    }

    fn read_pte(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let faulter = &mut self.faulters[usize::from(tid)];
        let Pte::Swap(slot) = self.ptes[usize::from(faulter.pte)] else { return FaultStep::Idle };
        faulter.faults -= 1;
        (faulter.slot, faulter.base, faulter.nr) = (slot, slot, 1);
        faulter.generation = self.generation[usize::from(faulter.pte)];
        if self.config.interrupted { FaultStep::Enter } else { self.start_fault(tid, log) }
    }

    fn start_fault(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let Faulter { pte, slot, .. } = self.faulters[usize::from(tid)];
        let mm = if self.config.large { 0 } else { u64::from(pte) };
        self.hooks.fault_started(tid, slot, 0x7000_0000 + (u64::from(pte) << 12), mm, log);
        FaultStep::Lookup
    }

    fn look_up(&mut self, tid: Tid) -> FaultStep {
        let faulter = &mut self.faulters[usize::from(tid)];
        let slot = self.slots[usize::from(faulter.slot)];
        if let Some(page) = slot.cached {
            faulter.page = page;
            self.pages[usize::from(page)].refs += 1;
            return FaultStep::LockPage;
        }
        if self.config.interrupted { FaultStep::Dispatch } else { self.dispatch(tid) }
    }

    fn dispatch(&mut self, tid: Tid) -> FaultStep {
        let kernel = self.kernel();
        let faulter = &mut self.faulters[usize::from(tid)];
        let slot = self.slots[usize::from(faulter.slot)];
        if kernel == Kernel::NoBypass || slot.count != 1 {
            return FaultStep::AddToCache;
        }
        if self.config.large && tid == 0 && self.ptes == [Pte::Swap(0), Pte::Swap(1)] {
            (faulter.base, faulter.nr) = (0, 2);
        }
        if kernel.pins() { FaultStep::Pin } else { FaultStep::Read }
    }

    fn try_pin(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let Faulter { base, nr, .. } = self.faulters[usize::from(tid)];
        let range = self.faulters[usize::from(tid)].range();
        let result = self.prepare(range.clone());
        self.hooks.pin_tried(tid, base, nr, result, log);
        if result != PinResult::Taken {
            let holder = range.clone().find_map(|slot| self.slots[usize::from(slot)].pinned_by);
            self.faulters[usize::from(tid)].holder = holder;
            return FaultStep::Sleep;
        }
        for slot in range {
            self.slots[usize::from(slot)].has_cache = true;
            self.slots[usize::from(slot)].pinned_by = Some(tid);
        }
        self.faulters[usize::from(tid)].pinned = true;
        FaultStep::Read
    }

    /// `swapcache_clear`: kernels that pin free the entry here.
    fn unpin(&mut self, tid: Tid, log: &mut Log) {
        let range = self.faulters[usize::from(tid)].range();
        self.hooks.pin_dropped(tid, range.start, log);
        for slot in range {
            self.slots[usize::from(slot)].has_cache = false;
            self.slots[usize::from(slot)].pinned_by = None;
            self.free_if_unused(slot, tid, log);
        }
    }

    /// Under the PTE lock: PTE and reference count change together.
    fn check_and_map(&mut self, tid: Tid, log: &mut Log) {
        let Faulter { pte, slot, version, .. } = self.faulters[usize::from(tid)];
        let range = self.faulters[usize::from(tid)].range();
        let unchanged = range.len() == 1 || range.clone().all(|slot| self.ptes[usize::from(slot)] == Pte::Swap(slot));
        if self.ptes[usize::from(pte)] != Pte::Swap(slot) || !unchanged {
            return;
        }
        self.map(tid, pte, version);
        for other in range.clone().filter(|other| *other != slot) {
            let version = self.slots[usize::from(other)].content;
            self.map(tid, other, version);
        }
        for slot in range {
            self.drop_reference(tid, slot, log);
            self.free_if_unused(slot, tid, log);
        }
    }

    fn map(&mut self, tid: Tid, pte: u8, version: u8) {
        let page = self.new_page();
        self.pages[usize::from(page)].version = version;
        self.pages[usize::from(page)].dirty = true;
        self.pages[usize::from(page)].writable = true;
        self.ptes[usize::from(pte)] = Pte::Present(page);
        self.record_install(tid, pte, version);
    }

    fn end_fault(&mut self, tid: Tid, log: &mut Log) {
        let faulter = self.faulters[usize::from(tid)];
        let truth = faulter.truth;
        let fault = self.hooks.fault_ended(tid, truth.installed, truth.read_directly, log);
        let verdict = match truth {
            Truth { installed: true, changed_before: true, .. } => Some(Verdict::StaleInstall),
            Truth { installed: true, .. } => None,
            Truth { changed: true, .. } => Some(Verdict::Reuse),
            Truth { freed: true, .. } => Some(Verdict::Window),
            _ => None,
        };
        log.ended.push(EndedFault {
            tid,
            fault: fault.unwrap_or_default(),
            miss_counted: self.hooks.has_counted_misses(),
            verdict,
            data_loss: truth.data_loss,
            in_write: truth.in_write,
            changed_after: truth.installed && (truth.changed || truth.freed) && !truth.changed_before,
            generation: faulter.generation,
            holder: faulter.holder,
            reader: faulter.reader,
        });
        self.faulters[usize::from(tid)] =
            Faulter { pte: faulter.pte, tried: faulter.retry, ..Faulter::idle(faulter.faults) };
    }
}
