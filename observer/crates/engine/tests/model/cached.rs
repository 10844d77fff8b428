//! `do_swap_page`, step by step: the path through the swap cache, where tasks wait for the folio lock.

use observer_engine::event::PinResult;

use super::{
    actors::{FaultStep, Faulter, Tid},
    config::Kernel,
    log::Log,
    memory::Pte,
    world::World,
};

impl World {
    /// `__read_swap_cache_async`, `swap_cache_alloc_folio`.
    pub(crate) fn add_to_cache(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let slot = self.faulters[usize::from(tid)].slot;
        let at = usize::from(slot);
        if let Some(page) = self.slots[at].cached {
            self.faulters[usize::from(tid)].page = page;
            self.pages[usize::from(page)].refs += 1;
            return FaultStep::LockPage;
        }
        let result = self.prepare(slot..slot + 1);
        if self.kernel() != Kernel::NoBypass {
            self.hooks.pin_tried(tid, slot, 1, result, log);
        }
        if result != PinResult::Taken {
            return FaultStep::Return;
        }
        let page = self.new_page();
        self.faulters[usize::from(tid)].page = page;
        let state = &mut self.pages[usize::from(page)];
        (state.slot, state.locked, state.refs) = (Some(slot), true, 1);
        self.slots[at].has_cache = true;
        self.slots[at].cached = Some(page);
        self.hooks.read_started(tid, true, slot, 1, log);
        FaultStep::CacheDevice
    }

    /// Under the folio lock and the PTE lock.
    pub(crate) fn check_and_map_cached(&mut self, tid: Tid, log: &mut Log) {
        let Faulter { pte, slot, page, .. } = self.faulters[usize::from(tid)];
        if self.ptes[usize::from(pte)] == Pte::Swap(slot) {
            self.ptes[usize::from(pte)] = Pte::Present(page);
            self.pages[usize::from(page)].writable = false;
            self.record_install(tid, pte, self.pages[usize::from(page)].version);
            self.drop_reference(tid, slot, log);
            let unused = self.slots[usize::from(slot)].count == 0;
            if unused && (self.kernel() == Kernel::NoBypass || self.config.swap_full) {
                self.remove_from_cache(page, tid, log);
            }
        }
        self.unlock(page);
        self.put_page(tid);
    }

    /// `folio_put`.
    fn put_page(&mut self, tid: Tid) {
        let page = usize::from(self.faulters[usize::from(tid)].page);
        self.pages[page].refs -= 1;
        self.free_unused_pages();
    }

    /// The device is read; on completion the page is unlocked.
    pub(crate) fn read_into_cache(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let Faulter { page, slot, .. } = self.faulters[usize::from(tid)];
        self.pages[usize::from(page)].version = self.slots[usize::from(slot)].content;
        self.unlock(page);
        self.hooks.read_ended(tid, log);
        FaultStep::LockPage
    }

    /// `folio_lock_or_retry`: the function that is called when the first try fails is hooked.
    pub(crate) fn try_lock(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let page = self.faulters[usize::from(tid)].page;
        if !self.pages[usize::from(page)].locked {
            return self.lock(tid);
        }
        let reads = |faulter: &Faulter| faulter.next == FaultStep::CacheDevice && faulter.page == page;
        let reader = self.faulters.iter().position(reads).map(|tid| tid as Tid);
        self.faulters[usize::from(tid)].reader = reader;
        self.hooks.lock_failed(tid, log);
        FaultStep::LockWait
    }

    /// A fault waits until the page is unlocked, and is repeated. The repeated fault waits for the lock itself.
    pub(crate) fn end_lock_wait(&mut self, tid: Tid, log: &mut Log) -> FaultStep {
        let retry = !self.faulters[usize::from(tid)].tried;
        self.hooks.lock_wait_ended(tid, retry, log);
        self.faulters[usize::from(tid)].retry = retry;
        self.faulters[usize::from(tid)].woken = false;
        if retry {
            self.put_page(tid);
            return FaultStep::Return;
        }
        self.lock(tid)
    }

    /// Takes the folio lock, if the page still belongs to the entry.
    fn lock(&mut self, tid: Tid) -> FaultStep {
        let Faulter { page, slot, .. } = self.faulters[usize::from(tid)];
        if self.pages[usize::from(page)].slot == Some(slot) {
            self.pages[usize::from(page)].locked = true;
            return FaultStep::CheckCached;
        }
        self.put_page(tid);
        FaultStep::Return
    }
}
