//! The state of the model, with the operations that several actors share.

use std::{mem, ops::Range};

use observer_engine::event::PinResult;

use super::{
    actors::{FAULTERS, Faulter, OtherPage, Reclaim, ReclaimStep, Tid, WRITER, ZAPPER},
    config::{Config, Kernel, WriteHook},
    hooks::Hooks,
    log::Log,
    memory::{PAGES, PTES, Page, Pte, SLOTS, Slot, ZEROES},
};

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) ptes: [Pte; PTES],
    /// The version that each PTE's page must have.
    pub(crate) latest: [u8; PTES],
    /// How often each PTE was unmapped. Not part of the key: only waits depend on it.
    pub(crate) generation: [u8; PTES],
    versions: u8,
    pub(crate) slots: [Slot; SLOTS],
    pub(crate) pages: [Page; PAGES],
    pub(crate) hooks: Hooks,
    pub(crate) faulters: [Faulter; FAULTERS],
    pub(crate) reclaim: Reclaim,
    pub(crate) other_page: OtherPage,
    pub(crate) writes: u8,
    pub(crate) zaps: u8,
    pub(crate) forks: u8,
}

impl World {
    /// The page is swapped out to the first slot.
    pub(crate) fn new(config: Config) -> Self {
        let mut slots = [Slot::default(); SLOTS];
        slots[0].count = 1;
        let mut ptes = [Pte::Swap(0), Pte::None];
        if config.forked {
            slots[0].count = 2;
            ptes[1] = Pte::Swap(0);
        }
        if config.large {
            slots[1].count = 1;
            ptes[1] = Pte::Swap(1);
        }
        let mut faulters = [Faulter::idle(config.faults); FAULTERS];
        for (tid, faulter) in faulters.iter_mut().enumerate() {
            if tid >= config.faulters {
                faulter.faults = 0;
            }
            // The last faulter is the child's, or faults on the neighbour.
            faulter.pte = u8::from(tid + 1 == config.faulters && (config.forked || config.large || config.forks > 0));
        }
        Self {
            config,
            ptes,
            latest: [0; PTES],
            generation: [0; PTES],
            versions: 0,
            slots,
            pages: [Page::default(); PAGES],
            hooks: Hooks::new(&config),
            faulters,
            reclaim: Reclaim::new(config.evictions),
            other_page: OtherPage::new(config.other_pages),
            writes: config.writes,
            zaps: config.zaps,
            forks: config.forks,
        }
    }

    pub(crate) fn kernel(&self) -> Kernel {
        self.config.kernel
    }

    /// Whether no actor is in the middle of an operation. Where no step is possible, this must hold.
    pub(crate) fn is_idle(&self) -> bool {
        self.faulters.iter().all(Faulter::is_idle) && self.reclaim.is_idle()
    }

    /// A store to the page. A write fault on a page in the swap cache removes it from there, or copies it if it is
    /// shared.
    pub(crate) fn write(&mut self, pte: u8, log: &mut Log) {
        self.writes -= 1;
        self.versions += 1;
        let at = usize::from(pte);
        self.latest[at] = self.versions;
        let page = match self.ptes[at] {
            Pte::Present(page) if self.is_shared(page) => self.new_page(),
            Pte::Present(page) => page,
            _ => self.new_page(),
        };
        self.ptes[at] = Pte::Present(page);
        if !self.pages[usize::from(page)].writable {
            self.try_to_free_swap(page, WRITER, log);
        }
        let page = &mut self.pages[usize::from(page)];
        (page.version, page.dirty, page.writable) = (self.versions, true, true);
        self.free_unused_pages();
    }

    /// Whether a store to the page must copy it first.
    fn is_shared(&self, page: u8) -> bool {
        let by_entry = self.pages[usize::from(page)].slot.is_some_and(|slot| self.slots[usize::from(slot)].count > 0);
        by_entry || self.ptes.iter().filter(|pte| **pte == Pte::Present(page)).count() > 1
    }

    pub(crate) fn fork(&mut self) {
        self.forks -= 1;
        self.ptes[1] = self.ptes[0];
        self.latest[1] = self.latest[0];
        if let Pte::Swap(slot) = self.ptes[0] {
            self.slots[usize::from(slot)].count += 1;
        }
    }

    /// `MADV_DONTNEED`: removes the page and its content, and the reference to the entry.
    pub(crate) fn zap(&mut self, log: &mut Log) {
        self.zaps -= 1;
        let pte = mem::replace(&mut self.ptes[0], Pte::None);
        match pte {
            Pte::Swap(slot) => {
                self.slots[usize::from(slot)].count -= 1;
                match self.slots[usize::from(slot)].cached {
                    Some(page) => self.try_to_free_swap(page, ZAPPER, log),
                    None => self.free_if_unused(slot, ZAPPER, log),
                }
            }
            Pte::Present(page) => self.try_to_free_swap(page, ZAPPER, log),
            Pte::None => {}
        }
        self.free_unused_pages();
    }

    /// The slot cache returns a freed entry to the swap map.
    pub(crate) fn drain(&mut self, slot: u8) {
        let slot = &mut self.slots[usize::from(slot)];
        (slot.parked, slot.content) = (false, ZEROES);
    }

    /// Removes an unlocked page from the swap cache, if no PTE refers to its entry.
    fn try_to_free_swap(&mut self, page: u8, by: Tid, log: &mut Log) {
        let state = self.pages[usize::from(page)];
        if let Some(slot) = state.slot
            && !state.locked
            && self.slots[usize::from(slot)].count == 0
        {
            self.remove_from_cache(page, by, log);
        }
    }

    /// Removes a page from the swap cache; its content is in memory only from then on. Frees the entry if no PTE refers
    /// to it.
    pub(crate) fn remove_from_cache(&mut self, page: u8, by: Tid, log: &mut Log) {
        let state = &mut self.pages[usize::from(page)];
        state.dirty = true;
        let Some(slot) = state.slot.take() else { return };
        self.slots[usize::from(slot)].cached = None;
        self.slots[usize::from(slot)].has_cache = false;
        self.free_if_unused(slot, by, log);
    }

    /// Frees the entry if it has neither references nor `SWAP_HAS_CACHE`. This is where the hook on frees runs.
    pub(crate) fn free_if_unused(&mut self, slot: u8, by: Tid, log: &mut Log) {
        if !self.slots[usize::from(slot)].is_free() {
            return;
        }
        self.slots[usize::from(slot)].parked = self.config.slot_cache;
        if !self.config.slot_cache {
            self.slots[usize::from(slot)].content = ZEROES;
        }
        self.hooks.entry_freed(by, slot, log);
        for (tid, faulter) in self.faulters.iter_mut().enumerate() {
            faulter.entry_freed(slot, tid == usize::from(by));
        }
    }

    /// Gives the entry to a page that is being swapped out.
    pub(crate) fn allocate(&mut self, slot: u8, by: Tid, log: &mut Log) {
        self.hooks.entry_allocated(by, slot, log);
        self.reclaim.overtaken |= self.reclaim.next == ReclaimStep::WriteEnd && self.reclaim.slot == slot;
        self.slots[usize::from(slot)].in_transit = true;
        self.change_under_readers(slot);
    }

    /// Starts to write a page to its entry. The number of the start, if the end will be reported.
    pub(crate) fn start_write(&mut self, slot: u8, by: Tid, log: &mut Log) -> Option<u32> {
        let both = self.config.write_hook == WriteHook::Both;
        let number = self.hooks.write_started(by, slot, both, log);
        self.slots[usize::from(slot)].in_write = true;
        self.change_under_readers(slot);
        number
    }

    /// `write`: what [`Self::start_write`] returned. `overtaken`: the entry has been allocated again, so this is the end
    /// of a write from its last life.
    pub(crate) fn end_write(&mut self, slot: u8, write: Option<u32>, overtaken: bool, by: Tid, log: &mut Log) {
        if let Some(number) = write {
            self.hooks.write_ended(by, slot, number, log);
            if !overtaken {
                self.change_under_readers(slot);
            }
        }
        if !overtaken {
            let slot = &mut self.slots[usize::from(slot)];
            (slot.in_transit, slot.in_write) = (false, false);
        }
    }

    fn change_under_readers(&mut self, slot: u8) {
        for faulter in &mut self.faulters {
            faulter.entry_changed(slot);
        }
    }

    /// The result of `swapcache_prepare`.
    pub(crate) fn prepare(&self, range: Range<u8>) -> PinResult {
        let mut slots = range.map(|slot| self.slots[usize::from(slot)]);
        slots
            .find_map(|slot| match (slot.has_cache || slot.parked, slot.count) {
                (true, _) => Some(PinResult::Held),
                (false, 0) => Some(PinResult::Gone),
                (false, _) => None,
            })
            .unwrap_or(PinResult::Taken)
    }

    /// `swap_free`: drops a reference to the entry.
    pub(crate) fn drop_reference(&mut self, tid: Tid, slot: u8, log: &mut Log) {
        self.slots[usize::from(slot)].count -= 1;
        let freed = self.slots[usize::from(slot)].is_free();
        self.hooks.reference_dropped(tid, slot, freed, log);
    }

    /// Records that a faulter mapped a page of this version.
    pub(crate) fn record_install(&mut self, tid: Tid, pte: u8, version: u8) {
        let truth = &mut self.faulters[usize::from(tid)].truth;
        truth.installed = true;
        truth.data_loss |= version != self.latest[usize::from(pte)];
        truth.changed_before = truth.changed;
        // The loss counts once: from now on this is the page's content.
        self.latest[usize::from(pte)] = version;
    }

    pub(crate) fn new_page(&mut self) -> u8 {
        let page = self.pages.iter().position(|page| !page.live).unwrap();
        self.pages[page] = Page { live: true, ..Page::default() };
        page as u8
    }

    pub(crate) fn is_mapped(&self, page: u8) -> bool {
        self.ptes.contains(&Pte::Present(page))
    }

    /// Unlocks a page. Faulters that wait for that without taking the lock can continue.
    pub(crate) fn unlock(&mut self, page: u8) {
        self.pages[usize::from(page)].locked = false;
        for faulter in &mut self.faulters {
            faulter.woken |= faulter.waits_for_unlock(page);
        }
    }

    /// Frees the pages that nothing refers to.
    pub(crate) fn free_unused_pages(&mut self) {
        for page in 0..PAGES as u8 {
            let state = self.pages[usize::from(page)];
            if state.live && state.slot.is_none() && state.refs == 0 && !state.locked && !self.is_mapped(page) {
                self.pages[usize::from(page)] = Page::default();
            }
        }
    }

    /// Everything that decides what can still happen and what the engine will report about the faults in progress: see
    /// `docs/model.md`. Faulters with the same PTE are interchangeable, so their order does not matter.
    pub(crate) fn key(&self) -> u128 {
        let mut bytes: Vec<u8> = Vec::with_capacity(128);
        let option = |value: Option<u8>| value.map_or(0xff, |value| value);
        for pte in self.ptes {
            bytes.push(match pte {
                Pte::None => 0xff,
                Pte::Present(page) => page,
                Pte::Swap(slot) => 0x80 | slot,
            });
        }
        bytes.extend(self.latest);
        bytes.push(self.versions);
        for slot in self.slots {
            let bits = [slot.has_cache, slot.parked, slot.in_transit, slot.in_write];
            let flags = bits.iter().fold(slot.count, |bits, bit| bits << 1 | u8::from(*bit));
            bytes.extend([flags, option(slot.cached), option(slot.pinned_by.map(|_| 0)), slot.content]);
        }
        for page in self.pages {
            let flags = u8::from(page.live)
                | u8::from(page.dirty) << 1
                | u8::from(page.locked) << 2
                | u8::from(page.writable) << 3
                | page.refs << 4;
            bytes.extend([flags, page.version, option(page.slot)]);
        }
        let mut faulters: Vec<_> = (0..).zip(&self.faulters).map(|(tid, f)| f.key(self.hooks.key(tid))).collect();
        if !self.config.large && !self.config.reclaims {
            faulters.sort_unstable();
        }
        bytes.extend(faulters.iter().flatten());
        let Reclaim { slot, write, .. } = self.reclaim;
        bytes.extend(self.reclaim.key(write.is_some_and(|number| self.hooks.is_last_change(slot, number))));
        bytes.extend(self.other_page.key());
        bytes.extend([self.writes, self.zaps, self.forks]);
        bytes.extend(self.hooks.skip_key());
        fingerprint(&bytes)
    }
}

/// Two multiplicative hashes side by side.
fn fingerprint(bytes: &[u8]) -> u128 {
    let (mut a, mut b) = (0x9e37_79b9_7f4a_7c15_u64, 0xc2b2_ae3d_27d4_eb4f_u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        a = (a ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        b = (b.rotate_left(31) ^ word).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        b ^= b >> 32;
    }
    u128::from(a ^ a >> 33) << 64 | u128::from(b)
}
