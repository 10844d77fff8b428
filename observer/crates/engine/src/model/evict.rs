//! Who pages out: the page itself, and pages of others that take a free entry.

use super::{
    log::Log,
    world::{EVICTOR, Move, OF_A_STRANGER, Pte, SLOTS, STRANGER, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pc {
    Idle,
    Unmap,
    Write,
    Device,
    WriteEnd,
    Remove,
}

/// Reclaim of the page, step by step as in `shrink_page_list`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evictor {
    left: u8,
    pc: Pc,
    page: u8,
    slot: u8,
}

impl Evictor {
    pub(super) fn new(left: u8) -> Self {
        Self { left, pc: Pc::Idle, page: 0, slot: 0 }
    }

    pub(super) fn is_idle(self) -> bool {
        self.pc == Pc::Idle
    }

    pub(super) fn key(self) -> [u8; 4] {
        [self.left, self.pc as u8, self.page, self.slot]
    }
}

impl World {
    fn evicts_as(&self) -> u8 {
        if self.config.reclaims { 0 } else { EVICTOR }
    }

    pub(super) fn evictor_moves(&self, moves: &mut Vec<Move>) {
        if self.config.reclaims && !self.faulters[0].allocates() {
            return;
        }
        if !self.evictor.is_idle() {
            moves.push(Move::Evict(0));
            return;
        }
        let Pte::Present(page) = self.ptes[0] else { return };
        let state = self.pages[usize::from(page)];
        if self.evictor.left == 0 || state.locked {
            return;
        }
        if state.slot.is_some() {
            moves.push(Move::Evict(0));
            return;
        }
        moves.extend((0..SLOTS as u8).filter(|slot| self.slots[usize::from(*slot)].is_free()).map(Move::Evict));
    }

    pub(super) fn evict(&mut self, choice: u8, log: &mut Log) {
        let by = self.evicts_as();
        let Evictor { pc, page, slot, .. } = self.evictor;
        let state = usize::from(page);
        self.evictor.pc = match pc {
            Pc::Idle => {
                let Pte::Present(page) = self.ptes[0] else { return };
                self.start_eviction(page, choice, log);
                Pc::Unmap
            }
            Pc::Unmap => {
                for pte in 0..self.ptes.len() {
                    if self.ptes[pte] == Pte::Present(page) {
                        self.ptes[pte] = Pte::Swap(slot);
                        self.slots[usize::from(slot)].count += 1;
                        self.generation[pte] += 1;
                    }
                }
                if self.pages[state].dirty {
                    Pc::Write
                } else {
                    self.unlock(page);
                    Pc::Remove
                }
            }
            Pc::Write => {
                self.start_write(slot, by, log);
                Pc::Device
            }
            Pc::Device => {
                self.slots[usize::from(slot)].content = self.pages[state].version;
                Pc::WriteEnd
            }
            Pc::WriteEnd => {
                self.end_write(slot, by, log);
                self.pages[state].dirty = false;
                self.unlock(page);
                Pc::Remove
            }
            Pc::Remove => {
                let now = self.pages[state];
                // `__remove_mapping`: somebody may have taken it back meanwhile.
                let keep = now.slot != Some(slot) || now.locked || now.refs > 0 || now.dirty || self.is_mapped(page);
                if !keep {
                    self.drop_from_cache(page, by, log);
                }
                self.sweep();
                self.evictor.left -= 1;
                Pc::Idle
            }
        };
        if self.evictor.pc == Pc::Idle {
            (self.evictor.page, self.evictor.slot) = (0, 0);
        }
    }

    /// Locks the page and gives it an entry, unless it still has one.
    fn start_eviction(&mut self, page: u8, choice: u8, log: &mut Log) {
        let state = &mut self.pages[usize::from(page)];
        state.locked = true;
        let slot = state.slot.unwrap_or(choice);
        (self.evictor.page, self.evictor.slot) = (page, slot);
        if state.slot.is_none() {
            state.slot = Some(slot);
            state.dirty = true;
            self.slots[usize::from(slot)].has_cache = true;
            self.slots[usize::from(slot)].cached = Some(page);
            let by = self.evicts_as();
            self.allocation(slot, by, log);
        }
    }

    pub(super) fn stranger_moves(&self, moves: &mut Vec<Move>) {
        match self.stranger.pc {
            StrangerPc::Idle if self.stranger.left > 0 => {
                let free = (0..SLOTS as u8).filter(|slot| self.slots[usize::from(*slot)].is_free());
                moves.extend(free.map(Move::Stranger));
            }
            StrangerPc::Idle => {}
            StrangerPc::Write | StrangerPc::Out => moves.push(Move::Stranger(0)),
        }
    }

    pub(super) fn page_out_a_stranger(&mut self, choice: u8, log: &mut Log) {
        let slot = self.stranger.slot;
        self.stranger.pc = match self.stranger.pc {
            StrangerPc::Idle => {
                self.stranger.left -= 1;
                self.stranger.slot = choice;
                self.slots[usize::from(choice)].has_cache = true;
                self.allocation(choice, STRANGER, log);
                StrangerPc::Write
            }
            StrangerPc::Write => {
                self.start_write(slot, STRANGER, log);
                self.slots[usize::from(slot)].content = OF_A_STRANGER;
                self.end_write(slot, STRANGER, log);
                self.slots[usize::from(slot)].count = 1;
                self.slots[usize::from(slot)].has_cache = false;
                StrangerPc::Out
            }
            StrangerPc::Out => {
                // It exits.
                self.slots[usize::from(slot)].count -= 1;
                self.release_if_unused(slot, STRANGER, log);
                self.stranger.slot = 0;
                StrangerPc::Idle
            }
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StrangerPc {
    Idle,
    Write,
    Out,
}

/// Somebody else whose page takes an entry for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    left: u8,
    pc: StrangerPc,
    slot: u8,
}

impl Stranger {
    pub(super) fn new(left: u8) -> Self {
        Self { left, pc: StrangerPc::Idle, slot: 0 }
    }

    pub(super) fn key(self) -> [u8; 3] {
        [self.left, self.pc as u8, self.slot]
    }
}
