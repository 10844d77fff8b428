//! The way through the swap cache: who meets there waits for the page's lock.

use super::{
    Kernel,
    fault::{Faulter, Pc},
    log::Log,
    world::{Pte, Tid, World},
};
use crate::event::PinResult;

impl World {
    /// `__read_swap_cache_async`, `swap_cache_alloc_folio`.
    pub(super) fn add_to_cache(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let slot = self.faulters[usize::from(tid)].slot;
        let at = usize::from(slot);
        if let Some(page) = self.slots[at].cached {
            self.faulters[usize::from(tid)].page = page;
            self.pages[usize::from(page)].refs += 1;
            return Pc::LockPage;
        }
        let result = self.prepare(slot..slot + 1);
        if self.kernel() != Kernel::NoBypass {
            self.hooks.pin_tried(tid, slot, 1, result, log);
        }
        if result != PinResult::Taken {
            return Pc::Return;
        }
        let page = self.new_page();
        self.faulters[usize::from(tid)].page = page;
        let state = &mut self.pages[usize::from(page)];
        (state.slot, state.locked, state.refs) = (Some(slot), true, 1);
        self.slots[at].has_cache = true;
        self.slots[at].cached = Some(page);
        self.hooks.read_start(tid, true, slot, 1, log);
        Pc::CacheDevice
    }

    /// Under the page's and the PTE's lock.
    pub(super) fn check_and_map_cached(&mut self, tid: Tid, log: &mut Log) {
        let Faulter { pte, slot, page, .. } = self.faulters[usize::from(tid)];
        if self.ptes[usize::from(pte)] == Pte::Swap(slot) {
            self.ptes[usize::from(pte)] = Pte::Present(page);
            self.pages[usize::from(page)].writable = false;
            self.installed(tid, pte, self.pages[usize::from(page)].version);
            self.drop_count(tid, slot);
            let unused = self.slots[usize::from(slot)].count == 0;
            if unused && (self.kernel() == Kernel::NoBypass || self.config.swap_full) {
                self.drop_from_cache(page, tid, log);
            }
        }
        self.unlock(page);
        self.let_go(tid);
    }

    fn let_go(&mut self, tid: Tid) {
        let page = usize::from(self.faulters[usize::from(tid)].page);
        self.pages[page].refs -= 1;
        self.sweep();
    }

    /// The device is read; as it is done the page is unlocked.
    pub(super) fn read_into_cache(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let Faulter { page, slot, .. } = self.faulters[usize::from(tid)];
        self.pages[usize::from(page)].version = self.slots[usize::from(slot)].content;
        self.unlock(page);
        self.hooks.read_end(tid, log);
        Pc::LockPage
    }

    /// `folio_lock_or_retry`: the slow half is hooked.
    pub(super) fn try_lock(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let page = self.faulters[usize::from(tid)].page;
        if !self.pages[usize::from(page)].locked {
            return self.lock(tid);
        }
        let reads = |faulter: &Faulter| faulter.pc == Pc::CacheDevice && faulter.page == page;
        let reader = self.faulters.iter().position(reads).map(|tid| tid as Tid);
        self.faulters[usize::from(tid)].reader = reader;
        self.hooks.lock_failed(tid, log);
        Pc::LockWait
    }

    /// The first time it waits until the page is unlocked, whoever locks it next, and faults again; the second time for
    /// the lock itself.
    pub(super) fn wait_for_lock(&mut self, tid: Tid, log: &mut Log) -> Pc {
        let again = !self.faulters[usize::from(tid)].tried;
        self.hooks.lock_over(tid, again, log);
        self.faulters[usize::from(tid)].woken = false;
        if again {
            self.let_go(tid);
            return Pc::Return;
        }
        self.lock(tid)
    }

    /// Takes the page's lock, if the page is still that of the entry.
    fn lock(&mut self, tid: Tid) -> Pc {
        let Faulter { page, slot, .. } = self.faulters[usize::from(tid)];
        if self.pages[usize::from(page)].slot == Some(slot) {
            self.pages[usize::from(page)].locked = true;
            return Pc::CheckCached;
        }
        self.let_go(tid);
        Pc::Return
    }

    /// Unlocks a page and wakes who waits for that, without the lock.
    pub(super) fn unlock(&mut self, page: u8) {
        self.pages[usize::from(page)].locked = false;
        for faulter in &mut self.faulters {
            faulter.woken |= faulter.pc == Pc::LockWait && faulter.page == page && !faulter.tried;
        }
    }
}
