//! What both sides of the encoding remember while they go through a frame. The encoder and the decoder change it by the
//! same calls in the same order, so they foretell the same.

use observer_engine::event::{Change, ChangeKind, Entry, Fault, Nanos, SlotCount, Task};

/// Entries remembered, the one spoken of last first.
const RECENT: usize = 64;

/// What is known of an entry and its slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) entry: Entry,
    pub(super) address: u64,
    pub(super) count: SlotCount,
    pub(super) frees: u32,
    pub(super) changes: u32,
}

impl Slot {
    /// The counters after the next event of a fault.
    pub(super) const fn next_count(&self, closed: bool) -> SlotCount {
        let SlotCount { opens, closes } = self.count;
        SlotCount { opens, closes: closes.wrapping_add(closed as u32) }
    }

    /// The number of the next change.
    pub(super) const fn next_seq(&self, kind: ChangeKind) -> u32 {
        match kind {
            ChangeKind::Freed => self.frees.wrapping_add(1),
            ChangeKind::Allocated | ChangeKind::WriteStarted | ChangeKind::Written => self.changes.wrapping_add(1),
        }
    }
}

/// The fault that a task opened last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) entry: Entry,
    pub(super) base: Entry,
    pub(super) nr: u32,
    pub(super) address: u64,
    pub(super) start: Nanos,
    pub(super) space: u32,
}

impl Opened {
    /// Whether this is the start of `fault`.
    pub(super) fn is_of(&self, fault: &Fault, space: u32) -> bool {
        (self.entry, self.base, self.nr) == (fault.entry, fault.base, fault.nr)
            && (self.address, self.start, self.space) == (fault.address, fault.start, space)
    }
}

#[derive(Debug)]
struct TaskState {
    task: Task,
    space: Option<u32>,
    opened: Option<Opened>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The time spoken of last.
    pub(super) at: Nanos,
    tasks: Vec<TaskState>,
    spaces: Vec<(u64, u64)>,
    recent: Vec<Slot>,
}

impl Model {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.at = 0;
        self.tasks.clear();
        self.spaces.clear();
        self.recent.clear();
    }

    /// Number of tasks known.
    pub(super) fn tasks(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    /// Number of address spaces known.
    pub(super) fn spaces(&self) -> u32 {
        u32::try_from(self.spaces.len()).unwrap_or(u32::MAX)
    }

    /// Whether this is the task of that number: a thread may change its name, and ids are used again.
    pub(super) fn is_task(&self, index: u32, task: &Task) -> bool {
        self.state(index).is_some_and(|state| state.task == *task)
    }

    /// The task of a number.
    pub(super) fn task_of(&self, index: u32) -> Option<Task> {
        self.state(index).map(|state| state.task.clone())
    }

    /// Where a task was last, and what it opened last.
    pub(super) fn task(&self, index: u32) -> (Option<u32>, Option<Opened>) {
        self.state(index).map_or((None, None), |state| (state.space, state.opened))
    }

    /// Adds a task. Returns its number.
    pub(super) fn add_task(&mut self, task: Task) -> u32 {
        let index = self.tasks();
        self.tasks.push(TaskState { task, space: None, opened: None });
        index
    }

    /// The address space and control group of a number.
    pub(super) fn space_of(&self, index: u32) -> Option<(u64, u64)> {
        self.spaces.get(index as usize).copied()
    }

    /// Adds a space if it is the next one.
    pub(super) fn add_space(&mut self, index: u32, space: (u64, u64)) -> bool {
        let new = index == self.spaces();
        if new {
            self.spaces.push(space);
        }
        new
    }

    /// Whether an entry is remembered.
    pub(super) fn knows(&self, entry: Entry) -> bool {
        self.recent.iter().any(|slot| slot.entry == entry)
    }

    /// Where an entry is in the list, and the entry spoken of last.
    pub(super) fn place(&self, entry: u64) -> (Option<usize>, u64) {
        (self.recent.iter().position(|slot| slot.entry.0 == entry), self.last_entry())
    }

    /// The entry at a place of the list.
    pub(super) fn at_place(&self, place: usize) -> Option<Entry> {
        self.recent.get(place).map(|slot| slot.entry)
    }

    /// The entry spoken of last.
    pub(super) fn last_entry(&self) -> u64 {
        self.recent.first().map_or(0, |slot| slot.entry.0)
    }

    /// Speaks of an entry: puts it first, and tells what is known of it.
    pub(super) fn touch(&mut self, entry: Entry) -> Slot {
        if let Some(place) = self.recent.iter().position(|slot| slot.entry == entry) {
            if let Some(until) = self.recent.get_mut(..=place) {
                until.rotate_right(1);
            }
        } else {
            // Neighbours are faulted in one after the other, at neighbouring addresses.
            let address = self.recent.first().map_or(0, |slot| slot.address);
            self.recent.truncate(RECENT - 1);
            self.recent.insert(0, Slot { entry, address, ..Slot::default() });
        }
        self.recent.first().copied().unwrap_or_default()
    }

    /// Remembers a fault of the entry spoken of.
    pub(super) fn fault(&mut self, task: u32, space: u32, fault: &Fault, opened: bool) {
        self.at = fault.end;
        if let Some(slot) = self.recent.first_mut() {
            slot.address = fault.address;
            slot.count = fault.slot;
            slot.frees = fault.frees.at_end;
            slot.changes = fault.changes.at_end;
        }
        if let Some(state) = self.tasks.get_mut(task as usize) {
            state.space = Some(space);
            state.opened = opened.then_some(Opened {
                entry: fault.entry,
                base: fault.base,
                nr: fault.nr,
                address: fault.address,
                start: fault.start,
                space,
            });
        }
    }

    /// Remembers a change of the entry spoken of.
    pub(super) fn change(&mut self, change: &Change) {
        self.at = change.at;
        if let Some(slot) = self.recent.first_mut() {
            slot.count = change.slot;
            match change.kind {
                ChangeKind::Freed => slot.frees = change.seq,
                ChangeKind::Allocated | ChangeKind::WriteStarted | ChangeKind::Written => slot.changes = change.seq,
            }
        }
    }

    fn state(&self, index: u32) -> Option<&TaskState> {
        self.tasks.get(index as usize)
    }
}
