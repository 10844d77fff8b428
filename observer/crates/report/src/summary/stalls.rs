//! Faults and waits that had been in progress for long when the summary was made: at the end of the observation, or
//! while it lasts.

use serde::Serialize;

use super::place::device;

use observer_engine::{
    event::{Entry, Task},
    wait::{Wait, WaitKind},
};
use observer_observation::{Known, Stall};
use observer_text::Name;

/// A fault or a wait that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StalledTask {
    /// Of several observations: which one.
    pub host: Name,
    pub task: Task,
    pub entry: Entry,
    /// The path of the swap area; `None`: unknown.
    pub device: Option<Name>,
    /// How long the fault, or the wait over all its faults, has been in progress.
    pub for_ns: u64,
    /// What the task waits for; `None`: nothing that another task holds, probably the device.
    pub waits_for: Option<WaitKind>,
    /// For how long.
    pub waited_ns: Option<u64>,
}

/// What has been in progress for longer than a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stalled {
    /// Faults. Waits for a pin are not among them: they are many short faults.
    pub faults: u64,
    /// The longest faults and pin waits, longest first.
    pub longest: Vec<StalledTask>,
    /// How many of those that are listed have waited longer than the budget.
    pub over_budget: u64,
}

impl Stalled {
    pub(crate) fn new(known: &Known<'_>) -> Self {
        let now = known.sample.at;
        let stalls = known.sample.stalls.as_ref();
        let faults =
            stalls.iter().flat_map(|stalls| &stalls.longest).map(|stall| StalledTask::fault(stall, known, now));
        let waits = known.report.long_waits.iter().map(|wait| StalledTask::wait(wait, known));
        let mut stalled = Self {
            faults: stalls.map_or(0, |stalls| stalls.count),
            longest: faults.chain(waits).collect(),
            over_budget: 0,
        };
        stalled.sort();
        if let Some(budget) = known.context.budget_ns {
            let is_over = |task: &&StalledTask| task.waited_ns.is_some_and(|waited| waited > budget);
            stalled.over_budget = stalled.longest.iter().filter(is_over).count() as u64;
        }
        stalled
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let Self { faults, longest, over_budget } = other;
        self.faults += faults;
        self.longest.extend(longest.iter().cloned());
        self.over_budget += over_budget;
        self.sort();
    }

    /// The longest time; `None`: nothing is stalled.
    pub fn longest_ns(&self) -> Option<u64> {
        self.longest.first().map(|task| task.for_ns)
    }

    fn sort(&mut self) {
        self.longest.sort_by_key(|task| (std::cmp::Reverse(task.for_ns), task.task.tid));
    }
}

impl StalledTask {
    fn fault(stall: &Stall, known: &Known<'_>, now: u64) -> Self {
        Self {
            host: known.context.host.clone(),
            device: device(known.swaps, stall.entry, stall.start_ns),
            task: stall.task.clone(),
            entry: stall.entry,
            for_ns: now.saturating_sub(stall.start_ns),
            waits_for: stall.waits_since_ns.map(|_| WaitKind::FolioLock),
            waited_ns: stall.waits_since_ns.map(|since| now.saturating_sub(since)),
        }
    }

    fn wait(wait: &Wait, known: &Known<'_>) -> Self {
        Self {
            host: known.context.host.clone(),
            device: device(known.swaps, wait.page_entry, wait.from_ns),
            task: wait.task.clone(),
            entry: wait.page_entry,
            for_ns: wait.duration(),
            waits_for: Some(wait.kind),
            waited_ns: Some(wait.duration()),
        }
    }
}
