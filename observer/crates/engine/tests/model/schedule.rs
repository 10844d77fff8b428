//! The steps that are possible in a state of the model, and what each does.

use super::{
    actors::{Step, Tid},
    log::Log,
    memory::{PTES, Pte, SLOTS},
    world::World,
};

impl World {
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::with_capacity(8);
        for tid in 0..self.config.faulters as Tid {
            if self.can_fault(tid) {
                steps.push(Step::Fault(tid));
            }
        }
        self.add_reclaim_steps(&mut steps);
        self.add_other_page_steps(&mut steps);
        if self.writes > 0 {
            let mapped = |pte: &u8| match self.ptes[usize::from(*pte)] {
                // The write fault waits for the folio lock.
                Pte::Present(page) => self.pages[usize::from(page)].writable || !self.pages[usize::from(page)].locked,
                _ => false,
            };
            // A store after a zap maps a new page.
            let zapped = |pte: &u8| *pte == 0 && self.ptes[0] == Pte::None;
            steps.extend((0..PTES as u8).filter(|pte| mapped(pte) || zapped(pte)).map(Step::Write));
        }
        if self.zaps > 0 && self.ptes[0] != Pte::None {
            steps.push(Step::Zap);
        }
        if self.forks > 0 && self.ptes[0] != Pte::None {
            steps.push(Step::Fork);
        }
        for slot in 0..SLOTS as u8 {
            if self.slots[usize::from(slot)].parked {
                steps.push(Step::Drain(slot));
            }
        }
        if self.hooks.may_skip() {
            steps.push(Step::Skip);
        }
        steps
    }

    pub(crate) fn take_step(&mut self, step: Step, log: &mut Log) {
        match step {
            Step::Fault(tid) => self.fault(tid, log),
            Step::Evict(choice) => self.evict(choice, log),
            Step::OtherPage(choice) => self.step_other_page(choice, log),
            Step::Write(pte) => self.write(pte, log),
            Step::Zap => self.zap(log),
            Step::Fork => self.fork(),
            Step::Drain(slot) => self.drain(slot),
            Step::Skip => self.hooks.skip_next(),
        }
    }
}
