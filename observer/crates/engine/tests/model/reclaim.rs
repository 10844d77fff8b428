//! Steps that swap pages out: reclaim of the page, and a page of another process that takes a free entry.

use super::{
    actors::{OTHER_PROCESS, OtherPageStep, RECLAIM, Reclaim, ReclaimStep, Step, Tid},
    config::AllocationHook,
    log::Log,
    memory::{OTHER_CONTENT, Pte, SLOTS},
    world::World,
};

impl World {
    fn evicting_tid(&self) -> Tid {
        if self.config.reclaims { 0 } else { RECLAIM }
    }

    fn free_slots(&self) -> impl Iterator<Item = u8> {
        (0..SLOTS as u8).filter(|slot| self.slots[usize::from(*slot)].is_free())
    }

    pub(crate) fn add_reclaim_steps(&self, steps: &mut Vec<Step>) {
        if self.config.reclaims && !self.faulters[0].allocates() {
            return;
        }
        if !self.reclaim.is_idle() {
            steps.push(Step::Evict(0));
            return;
        }
        let Pte::Present(page) = self.ptes[0] else { return };
        let state = self.pages[usize::from(page)];
        if self.reclaim.left == 0 || state.locked {
            return;
        }
        if state.slot.is_some() {
            steps.push(Step::Evict(0));
            return;
        }
        steps.extend(self.free_slots().map(Step::Evict));
    }

    pub(crate) fn evict(&mut self, choice: u8, log: &mut Log) {
        let by = self.evicting_tid();
        let Reclaim { next, page, slot, .. } = self.reclaim;
        let state = usize::from(page);
        self.reclaim.next = match next {
            ReclaimStep::Idle => {
                let Pte::Present(page) = self.ptes[0] else { return };
                let is_new = self.start_eviction(page, choice, log);
                if is_new && self.config.interrupted { ReclaimStep::Added } else { ReclaimStep::Unmap }
            }
            ReclaimStep::Added => {
                match self.config.allocation_hook {
                    AllocationHook::Before => self.slots[usize::from(slot)].cached = Some(page),
                    AllocationHook::After => self.allocate(slot, by, log),
                }
                ReclaimStep::Unmap
            }
            ReclaimStep::Unmap => {
                for pte in 0..self.ptes.len() {
                    if self.ptes[pte] == Pte::Present(page) {
                        self.ptes[pte] = Pte::Swap(slot);
                        self.slots[usize::from(slot)].count += 1;
                        self.generation[pte] += 1;
                    }
                }
                if self.pages[state].dirty {
                    ReclaimStep::Write
                } else {
                    self.unlock(page);
                    ReclaimStep::Remove
                }
            }
            ReclaimStep::Write => {
                self.reclaim.write = self.start_write(slot, by, log);
                ReclaimStep::Device
            }
            ReclaimStep::Device => {
                self.slots[usize::from(slot)].content = self.pages[state].version;
                if self.config.interrupted { ReclaimStep::Written } else { ReclaimStep::WriteEnd }
            }
            ReclaimStep::Written => {
                self.pages[state].dirty = false;
                self.unlock(page);
                ReclaimStep::WriteEnd
            }
            ReclaimStep::WriteEnd => {
                let Reclaim { write, overtaken, .. } = self.reclaim;
                self.end_write(slot, write, overtaken, by, log);
                (self.reclaim.write, self.reclaim.overtaken) = (None, false);
                if !self.config.interrupted {
                    self.pages[state].dirty = false;
                    self.unlock(page);
                }
                ReclaimStep::Remove
            }
            ReclaimStep::Remove => {
                let now = self.pages[state];
                // `__remove_mapping`: a fault may have mapped the page again.
                let keep = now.slot != Some(slot) || now.locked || now.refs > 0 || now.dirty || self.is_mapped(page);
                if !keep {
                    self.remove_from_cache(page, by, log);
                }
                self.free_unused_pages();
                self.reclaim.left -= 1;
                ReclaimStep::Idle
            }
        };
        if self.reclaim.is_idle() {
            (self.reclaim.page, self.reclaim.slot) = (0, 0);
        }
    }

    /// Locks the page and allocates an entry for it, unless it still has one. Whether it had none.
    fn start_eviction(&mut self, page: u8, choice: u8, log: &mut Log) -> bool {
        let state = &mut self.pages[usize::from(page)];
        state.locked = true;
        let slot = state.slot.unwrap_or(choice);
        (self.reclaim.page, self.reclaim.slot) = (page, slot);
        if state.slot.is_some() {
            return false;
        }
        state.slot = Some(slot);
        state.dirty = true;
        self.slots[usize::from(slot)].has_cache = true;
        let (apart, hook) = (self.config.interrupted, self.config.allocation_hook);
        if !apart || hook == AllocationHook::After {
            self.slots[usize::from(slot)].cached = Some(page);
        }
        if !apart || hook == AllocationHook::Before {
            let by = self.evicting_tid();
            self.allocate(slot, by, log);
        }
        true
    }

    pub(crate) fn add_other_page_steps(&self, steps: &mut Vec<Step>) {
        match self.other_page.next {
            OtherPageStep::Idle if self.other_page.left > 0 => steps.extend(self.free_slots().map(Step::OtherPage)),
            OtherPageStep::Idle => {}
            OtherPageStep::Write | OtherPageStep::Exit => steps.push(Step::OtherPage(0)),
        }
    }

    pub(crate) fn step_other_page(&mut self, choice: u8, log: &mut Log) {
        let slot = self.other_page.slot;
        self.other_page.next = match self.other_page.next {
            OtherPageStep::Idle => {
                self.other_page.left -= 1;
                self.other_page.slot = choice;
                self.slots[usize::from(choice)].has_cache = true;
                self.allocate(choice, OTHER_PROCESS, log);
                OtherPageStep::Write
            }
            OtherPageStep::Write => {
                let write = self.start_write(slot, OTHER_PROCESS, log);
                self.slots[usize::from(slot)].content = OTHER_CONTENT;
                self.end_write(slot, write, false, OTHER_PROCESS, log);
                self.slots[usize::from(slot)].count = 1;
                self.slots[usize::from(slot)].has_cache = false;
                OtherPageStep::Exit
            }
            OtherPageStep::Exit => {
                self.slots[usize::from(slot)].count -= 1;
                self.free_if_unused(slot, OTHER_PROCESS, log);
                self.other_page.slot = 0;
                OtherPageStep::Idle
            }
        };
    }
}
