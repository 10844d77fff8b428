//! Memory, device and swap map, with the few operations that all actors share.

use super::{
    Config, Kernel, WriteHook,
    evict::{Evictor, Stranger},
    explore::fingerprint,
    fault::Faulter,
    hooks::Hooks,
    log::Log,
};
use crate::event::ChangeKind;

pub(super) type Tid = u8;

/// Entries of the device.
pub(super) const SLOTS: usize = 2;
/// PTEs: the page's own, and that of a forked child or of the page's neighbour.
pub(super) const PTES: usize = 2;
/// Faulting threads at most; their tids are 0, 1, ..
pub(super) const FAULTERS: usize = 3;
const PAGES: usize = 6;

pub(super) const EVICTOR: Tid = 10;
pub(super) const ZAPPER: Tid = 11;
pub(super) const STRANGER: Tid = 12;
pub(super) const WRITER: Tid = 13;

/// What zram gives for a slot that has been freed.
const ZEROES: u8 = 201;
/// Content of a page of somebody else.
pub(super) const OF_A_STRANGER: u8 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pte {
    None,
    Present(u8),
    Swap(u8),
}

/// A device slot and its word in the swap map.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) count: u8,
    /// `SWAP_HAS_CACHE`: in the swap cache, or pinned.
    pub(super) has_cache: bool,
    /// The page in the swap cache.
    pub(super) cached: Option<u8>,
    /// Freed, but still in a per-CPU slot cache; carries `SWAP_HAS_CACHE` there.
    pub(super) parked: bool,
    pub(super) pinned_by: Option<Tid>,
    /// Version of the content on the device.
    pub(super) content: u8,
    /// Handed out, and the write of what it was allocated for has not come back yet.
    pub(super) in_transit: bool,
    /// Being written: a hook has told that it starts.
    pub(super) in_write: bool,
    /// The end of that will be told as well.
    pub(super) end_awaited: bool,
}

impl Slot {
    pub(super) fn is_free(self) -> bool {
        self.count == 0 && !self.has_cache && !self.parked
    }
}

/// A page in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Page {
    live: bool,
    pub(super) version: u8,
    pub(super) dirty: bool,
    /// Can be stored to without a fault.
    pub(super) writable: bool,
    pub(super) locked: bool,
    /// Its entry, while in the swap cache.
    pub(super) slot: Option<u8>,
    /// Faulters that look at it.
    pub(super) refs: u8,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) config: Config,
    pub(super) ptes: [Pte; PTES],
    /// The version that each PTE's page must have.
    pub(super) latest: [u8; PTES],
    /// How often each PTE was unmapped. Not part of the key: only waits ask for it.
    pub(super) generation: [u8; PTES],
    versions: u8,
    pub(super) slots: [Slot; SLOTS],
    pub(super) pages: [Page; PAGES],
    pub(super) hooks: Hooks,
    pub(super) faulters: [Faulter; FAULTERS],
    pub(super) evictor: Evictor,
    pub(super) stranger: Stranger,
    writes: u8,
    zaps: u8,
    forks: u8,
}

/// One step of one actor. The number is its choice where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Fault(Tid),
    Evict(u8),
    Write(u8),
    Zap,
    Fork,
    Stranger(u8),
    Drain(u8),
}

impl World {
    /// The page is swapped out to the first slot.
    pub(super) fn new(config: Config) -> Self {
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
            // The last faulter is the child's, or the one on the neighbour.
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
            evictor: Evictor::new(config.evictions),
            stranger: Stranger::new(config.strangers),
            writes: config.writes,
            zaps: config.zaps,
            forks: config.forks,
        }
    }

    /// Steps that can be taken now.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::with_capacity(8);
        for tid in 0..self.config.faulters as Tid {
            if self.can_fault(tid) {
                moves.push(Move::Fault(tid));
            }
        }
        self.evictor_moves(&mut moves);
        self.stranger_moves(&mut moves);
        if self.writes > 0 {
            let mapped = |pte: &u8| match self.ptes[usize::from(*pte)] {
                // The write fault waits for the page's lock.
                Pte::Present(page) => self.pages[usize::from(page)].writable || !self.pages[usize::from(page)].locked,
                _ => false,
            };
            // A page that was dropped comes back as a fresh one when it is written.
            let fresh = |pte: &u8| *pte == 0 && self.ptes[0] == Pte::None;
            moves.extend((0..PTES as u8).filter(|pte| mapped(pte) || fresh(pte)).map(Move::Write));
        }
        if self.zaps > 0 && self.ptes[0] != Pte::None {
            moves.push(Move::Zap);
        }
        if self.forks > 0 && self.ptes[0] != Pte::None {
            moves.push(Move::Fork);
        }
        for slot in 0..SLOTS as u8 {
            if self.slots[usize::from(slot)].parked {
                moves.push(Move::Drain(slot));
            }
        }
        moves
    }

    /// Whether nobody is in the middle of something: where nothing can go on, that must be so.
    pub(super) fn is_at_rest(&self) -> bool {
        self.faulters.iter().all(Faulter::is_idle) && self.evictor.is_idle()
    }

    /// Takes a step.
    pub(super) fn step(&mut self, step: Move, log: &mut Log) {
        match step {
            Move::Fault(tid) => self.fault(tid, log),
            Move::Evict(choice) => self.evict(choice, log),
            Move::Stranger(choice) => self.page_out_a_stranger(choice, log),
            Move::Write(pte) => self.write(pte, log),
            Move::Zap => self.zap(log),
            Move::Fork => self.fork(),
            Move::Drain(slot) => {
                let slot = &mut self.slots[usize::from(slot)];
                (slot.parked, slot.content) = (false, ZEROES);
            }
        }
    }

    /// A store to the page. A write fault on a page in the swap cache takes it out, or copies it if others need it.
    fn write(&mut self, pte: u8, log: &mut Log) {
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
        self.sweep();
    }

    /// Whether a store to the page must copy it first.
    fn is_shared(&self, page: u8) -> bool {
        let by_entry = self.pages[usize::from(page)].slot.is_some_and(|slot| self.slots[usize::from(slot)].count > 0);
        by_entry || self.ptes.iter().filter(|pte| **pte == Pte::Present(page)).count() > 1
    }

    fn fork(&mut self) {
        self.forks -= 1;
        self.ptes[1] = self.ptes[0];
        self.latest[1] = self.latest[0];
        if let Pte::Swap(slot) = self.ptes[0] {
            self.slots[usize::from(slot)].count += 1;
        }
    }

    /// `MADV_DONTNEED`: the page and its content go, the entry's reference too.
    fn zap(&mut self, log: &mut Log) {
        self.zaps -= 1;
        let pte = std::mem::replace(&mut self.ptes[0], Pte::None);
        match pte {
            Pte::Swap(slot) => {
                self.slots[usize::from(slot)].count -= 1;
                match self.slots[usize::from(slot)].cached {
                    Some(page) => self.try_to_free_swap(page, ZAPPER, log),
                    None => self.release_if_unused(slot, ZAPPER, log),
                }
            }
            Pte::Present(page) => self.try_to_free_swap(page, ZAPPER, log),
            Pte::None => {}
        }
        self.sweep();
    }

    /// Takes a page that nobody is busy with out of the swap cache, if no PTE needs its entry.
    fn try_to_free_swap(&mut self, page: u8, by: Tid, log: &mut Log) {
        let state = self.pages[usize::from(page)];
        if let Some(slot) = state.slot
            && !state.locked
            && self.slots[usize::from(slot)].count == 0
        {
            self.drop_from_cache(page, by, log);
        }
    }

    /// Takes a page out of the swap cache; what it held goes on in memory only. Releases the entry if no PTE has it.
    pub(super) fn drop_from_cache(&mut self, page: u8, by: Tid, log: &mut Log) {
        let state = &mut self.pages[usize::from(page)];
        state.dirty = true;
        let Some(slot) = state.slot.take() else { return };
        self.slots[usize::from(slot)].cached = None;
        self.slots[usize::from(slot)].has_cache = false;
        self.release_if_unused(slot, by, log);
    }

    /// The entry is released once it has neither references nor `SWAP_HAS_CACHE`: this is where kernels hook their free.
    pub(super) fn release_if_unused(&mut self, slot: u8, by: Tid, log: &mut Log) {
        if !self.slots[usize::from(slot)].is_free() {
            return;
        }
        self.slots[usize::from(slot)].parked = self.config.slot_cache;
        if !self.config.slot_cache {
            self.slots[usize::from(slot)].content = ZEROES;
        }
        self.hooks.freed(by, slot, log);
        for (tid, faulter) in self.faulters.iter_mut().enumerate() {
            faulter.entry_freed(slot, tid == usize::from(by));
        }
    }

    /// The entry is given to a page on its way out.
    pub(super) fn allocation(&mut self, slot: u8, by: Tid, log: &mut Log) {
        self.hooks.changed(ChangeKind::Allocated, by, slot, log);
        self.slots[usize::from(slot)].in_transit = true;
        self.changes_under_readers(slot);
    }

    /// A page is about to be written to its entry.
    pub(super) fn start_write(&mut self, slot: u8, by: Tid, log: &mut Log) {
        let both = self.config.write_hook == WriteHook::Both;
        self.slots[usize::from(slot)].end_awaited = self.hooks.write_started(by, slot, both, log);
        self.slots[usize::from(slot)].in_write = true;
        self.changes_under_readers(slot);
    }

    /// The write comes back.
    pub(super) fn end_write(&mut self, slot: u8, by: Tid, log: &mut Log) {
        if self.slots[usize::from(slot)].end_awaited {
            self.hooks.changed(ChangeKind::Written, by, slot, log);
            self.changes_under_readers(slot);
        }
        let slot = &mut self.slots[usize::from(slot)];
        (slot.in_transit, slot.in_write, slot.end_awaited) = (false, false, false);
    }

    fn changes_under_readers(&mut self, slot: u8) {
        for faulter in &mut self.faulters {
            faulter.entry_changed(slot);
        }
    }

    pub(super) fn new_page(&mut self) -> u8 {
        let page = self.pages.iter().position(|page| !page.live).unwrap();
        self.pages[page] = Page { live: true, ..Page::default() };
        page as u8
    }

    pub(super) fn is_mapped(&self, page: u8) -> bool {
        self.ptes.contains(&Pte::Present(page))
    }

    /// Forgets pages that nobody has.
    pub(super) fn sweep(&mut self) {
        for page in 0..PAGES as u8 {
            let state = self.pages[usize::from(page)];
            if state.live && state.slot.is_none() && state.refs == 0 && !state.locked && !self.is_mapped(page) {
                self.pages[usize::from(page)] = Page::default();
            }
        }
    }

    /// All that decides what can still happen and what the engine will say of the faults that are open: see
    /// `docs/model.md`. Faulters with the same PTE are alike, so their order does not matter.
    pub(super) fn key(&self) -> u128 {
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
            let bits = [slot.has_cache, slot.parked, slot.in_transit, slot.in_write, slot.end_awaited];
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
        bytes.extend(self.evictor.key());
        bytes.extend(self.stranger.key());
        bytes.extend([self.writes, self.zaps, self.forks]);
        fingerprint(&bytes)
    }

    pub(super) fn kernel(&self) -> Kernel {
        self.config.kernel
    }
}
