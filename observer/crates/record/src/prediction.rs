//! State that the encoder and the decoder both keep while they go through a frame, to predict the next event. Both
//! update it by the same calls in the same order, so both predict the same, and only what differs is stored.

use observer_engine::event::{Change, ChangeKind, Entry, Fault, Nanos, SlotCount, Task};

/// Entries remembered, most recent first.
const RECENT: usize = 64;

/// Last known state of an entry and its slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) entry: Entry,
    pub(crate) address: u64,
    pub(crate) count: SlotCount,
    pub(crate) frees: u32,
    pub(crate) changes: u32,
}

impl Slot {
    /// The counters after the next event of a fault.
    pub(crate) const fn next_count(&self, ended: bool) -> SlotCount {
        let SlotCount { starts, ends } = self.count;
        SlotCount { starts, ends: ends.wrapping_add(ended as u32) }
    }

    /// The sequence number of the next change.
    pub(crate) const fn next_seq(&self, kind: ChangeKind) -> u32 {
        match kind {
            ChangeKind::Freed => self.frees.wrapping_add(1),
            ChangeKind::Allocated | ChangeKind::WriteStarted | ChangeKind::Written => self.changes.wrapping_add(1),
        }
    }
}

/// The fault that a task started last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub(crate) entry: Entry,
    pub(crate) base: Entry,
    pub(crate) nr: u32,
    pub(crate) address: u64,
    pub(crate) start: Nanos,
    pub(crate) space: u32,
}

impl Started {
    pub(crate) fn is_start_of(&self, fault: &Fault, space: u32) -> bool {
        (self.entry, self.base, self.nr) == (fault.entry, fault.base, fault.nr)
            && (self.address, self.start, self.space) == (fault.address, fault.start, space)
    }
}

#[derive(Debug)]
struct TaskState {
    task: Task,
    space: Option<u32>,
    started: Option<Started>,
}

/// Everything remembered of the current frame. Tasks and address spaces are numbered by their first mention in it.
#[derive(Debug, Default)]
pub(crate) struct Prediction {
    /// Time of the previous input.
    pub(crate) at: Nanos,
    tasks: Vec<TaskState>,
    /// Address space and control group.
    spaces: Vec<(u64, u64)>,
    recent: Vec<Slot>,
}

impl Prediction {
    pub(crate) fn clear(&mut self) {
        self.at = 0;
        self.tasks.clear();
        self.spaces.clear();
        self.recent.clear();
    }

    pub(crate) fn task_count(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn space_count(&self) -> u32 {
        u32::try_from(self.spaces.len()).unwrap_or(u32::MAX)
    }

    /// Whether `index` is this very task: a thread may change its name, and thread ids are reused.
    pub(crate) fn is_task(&self, index: u32, task: &Task) -> bool {
        self.state(index).is_some_and(|state| state.task == *task)
    }

    pub(crate) fn task(&self, index: u32) -> Option<Task> {
        self.state(index).map(|state| state.task.clone())
    }

    /// The address space that a task was seen in last, and the fault that it started last.
    pub(crate) fn last_of_task(&self, index: u32) -> (Option<u32>, Option<Started>) {
        self.state(index).map_or((None, None), |state| (state.space, state.started))
    }

    /// Adds a task and returns its number.
    pub(crate) fn add_task(&mut self, task: Task) -> u32 {
        let index = self.task_count();
        self.tasks.push(TaskState { task, space: None, started: None });
        index
    }

    /// The address space and control group of a number.
    pub(crate) fn space(&self, index: u32) -> Option<(u64, u64)> {
        self.spaces.get(index as usize).copied()
    }

    /// Adds a space if `index` is the next free number.
    pub(crate) fn add_space(&mut self, index: u32, space: (u64, u64)) -> bool {
        let is_new = index == self.space_count();
        if is_new {
            self.spaces.push(space);
        }
        is_new
    }

    pub(crate) fn remembers(&self, entry: Entry) -> bool {
        self.recent.iter().any(|slot| slot.entry == entry)
    }

    pub(crate) fn place_of(&self, entry: Entry) -> Option<usize> {
        self.recent.iter().position(|slot| slot.entry == entry)
    }

    pub(crate) fn entry_at(&self, place: usize) -> Option<Entry> {
        self.recent.get(place).map(|slot| slot.entry)
    }

    pub(crate) fn last_entry(&self) -> Entry {
        self.recent.first().map_or(Entry(0), |slot| slot.entry)
    }

    /// Makes an entry the most recent one and returns what is known of it.
    pub(crate) fn touch(&mut self, entry: Entry) -> Slot {
        if let Some(place) = self.place_of(entry) {
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

    /// Updates the most recent entry and the task from an event of a fault.
    pub(crate) fn apply_fault(&mut self, task: u32, space: u32, fault: &Fault, is_start: bool) {
        self.at = fault.end;
        if let Some(slot) = self.recent.first_mut() {
            slot.address = fault.address;
            slot.count = fault.slot;
            slot.frees = fault.frees.at_end;
            slot.changes = fault.changes.at_end;
        }
        if let Some(state) = self.tasks.get_mut(task as usize) {
            state.space = Some(space);
            state.started = is_start.then_some(Started {
                entry: fault.entry,
                base: fault.base,
                nr: fault.nr,
                address: fault.address,
                start: fault.start,
                space,
            });
        }
    }

    /// Updates the most recent entry from a change.
    pub(crate) fn apply_change(&mut self, change: &Change) {
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
