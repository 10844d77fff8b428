//! The cost of waits: in total, and by waiting task, swap area and holder.

use std::hash::Hash;

use serde::Serialize;

use crate::{
    areas::Area,
    event::{Comm, Nanos, Task},
    hash::NumberMap,
    limits::MAX_COST_ROWS,
    wait::{Wait, WaitKind, WaitOutcome},
};

/// Sums over waits of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaitCost {
    pub waits: u64,
    pub waited_ns: Nanos,
    pub longest_ns: Nanos,
    /// The part of `waited_ns` in the kernel after a failed try: asleep, if this kernel sleeps there.
    pub slept_ns: Nanos,
    /// The part of `waited_ns` from the return of a failed fault to the next try: running, or waiting for a CPU.
    pub retrying_ns: Nanos,
    /// Failed tries.
    pub retries: u64,
    /// Failed tries that found the entry freed (`-ENOENT`).
    pub gone: u64,
    /// Waits whose holder was observed. The oversleep of the others is not known.
    pub holder_seen: u64,
    /// The part of `waited_ns` after the holder had released, of waits whose holder was observed.
    pub overslept_ns: Nanos,
    /// Waits whose holder held its range because of a fault on another page of it (large folios).
    pub neighbours: u64,
    /// Waits that ended with the pin or the lock.
    pub acquired: u64,
    /// Waits that ended because another task had swapped the page in.
    pub page_present: u64,
    /// Waits that ended because the entry was freed.
    pub entry_gone: u64,
}

impl WaitCost {
    fn add_wait(&mut self, wait: &Wait) {
        let duration = wait.duration();
        self.add(&Self {
            waits: 1,
            waited_ns: duration,
            longest_ns: duration,
            slept_ns: wait.slept_ns.min(duration),
            retrying_ns: duration.saturating_sub(wait.slept_ns),
            retries: wait.retries.into(),
            gone: wait.gone.into(),
            holder_seen: wait.holder.is_some().into(),
            overslept_ns: wait.oversleep_ns.unwrap_or(0),
            neighbours: wait.is_behind_neighbour().into(),
            acquired: (wait.outcome == WaitOutcome::Acquired).into(),
            page_present: (wait.outcome == WaitOutcome::PagePresent).into(),
            entry_gone: (wait.outcome == WaitOutcome::EntryGone).into(),
        });
    }

    /// Adds other sums. They saturate, which only invalid records can cause.
    pub fn add(&mut self, other: &Self) {
        let Self {
            waits,
            waited_ns,
            longest_ns,
            slept_ns,
            retrying_ns,
            retries,
            gone,
            holder_seen,
            overslept_ns,
            neighbours,
            acquired,
            page_present,
            entry_gone,
        } = *other;
        *self = Self {
            waits: self.waits.saturating_add(waits),
            waited_ns: self.waited_ns.saturating_add(waited_ns),
            longest_ns: self.longest_ns.max(longest_ns),
            slept_ns: self.slept_ns.saturating_add(slept_ns),
            retrying_ns: self.retrying_ns.saturating_add(retrying_ns),
            retries: self.retries.saturating_add(retries),
            gone: self.gone.saturating_add(gone),
            holder_seen: self.holder_seen.saturating_add(holder_seen),
            overslept_ns: self.overslept_ns.saturating_add(overslept_ns),
            neighbours: self.neighbours.saturating_add(neighbours),
            acquired: self.acquired.saturating_add(acquired),
            page_present: self.page_present.saturating_add(page_present),
            entry_gone: self.entry_gone.saturating_add(entry_gone),
        };
    }
}

/// Costs by kind of wait and a key.
#[derive(Debug)]
pub struct CostTable<K>(NumberMap<(WaitKind, K), WaitCost>);

impl<K> Default for CostTable<K> {
    fn default() -> Self {
        Self(NumberMap::default())
    }
}

impl<K: Hash + Eq + Ord + Clone> CostTable<K> {
    /// Returns false if the wait needs a new row and there is no room.
    fn add(&mut self, key: K, wait: &Wait) -> bool {
        let key = (wait.kind, key);
        if self.0.len() >= MAX_COST_ROWS && !self.0.contains_key(&key) {
            return false;
        }
        self.0.entry(key).or_default().add_wait(wait);
        true
    }

    /// The rows, longest total wait first.
    pub fn rows(&self) -> Vec<(WaitKind, K, WaitCost)> {
        let mut rows: Vec<_> = self.0.iter().map(|((kind, key), cost)| (*kind, key.clone(), *cost)).collect();
        rows.sort_by(|(a_kind, a, a_cost), (b_kind, b, b_cost)| {
            b_cost.waited_ns.cmp(&a_cost.waited_ns).then_with(|| (a_kind, a).cmp(&(b_kind, b)))
        });
        rows
    }
}

/// Thread id, process id and command. A thread that changes its name gets another row.
type TaskKey = (u32, u32, Comm);

fn key(task: &Task) -> TaskKey {
    (task.tid, task.pid, task.comm)
}

/// Costs of all waits. The tables are bounded, the totals are not.
#[derive(Debug, Default)]
pub struct WaitCosts {
    pub pin: WaitCost,
    pub folio_lock: WaitCost,
    pub tasks: CostTable<TaskKey>,
    pub commands: CostTable<Comm>,
    /// By control group id (v2); 0 if not known.
    pub cgroups: CostTable<u64>,
    pub areas: CostTable<Area>,
    /// By holder and waiter.
    pub edges: CostTable<(TaskKey, TaskKey)>,
    /// By command of the holder and of the waiter.
    pub command_edges: CostTable<(Comm, Comm)>,
    /// Rows for which a table had no room. The totals include them.
    pub not_listed: u64,
}

impl WaitCosts {
    pub(crate) fn add(&mut self, wait: &Wait, area: Area) {
        match wait.kind {
            WaitKind::Pin => &mut self.pin,
            WaitKind::FolioLock => &mut self.folio_lock,
        }
        .add_wait(wait);
        let holder = wait.holder.as_ref().map(|hold| &hold.task);
        let listed = [
            self.tasks.add(key(&wait.task), wait),
            self.commands.add(wait.task.comm, wait),
            self.cgroups.add(wait.cgroup, wait),
            self.areas.add(area, wait),
            holder.is_none_or(|holder| self.edges.add((key(holder), key(&wait.task)), wait)),
            holder.is_none_or(|holder| self.command_edges.add((holder.comm, wait.task.comm), wait)),
        ];
        self.not_listed += listed.iter().filter(|listed| !**listed).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Entry, wait::Hold};

    const AREA: Area = Area { swap_type: 2, since_ns: 0 };

    fn task(tid: u32, comm: &str) -> Task {
        Task { tid, pid: 1, comm: comm.into() }
    }

    fn wait(tid: u32, length: Nanos, holder: Option<&str>) -> Wait {
        let entry = Entry::new(2, 5);
        let hold = |comm| Hold { task: task(9, comm), taken_ns: 0, dropped_ns: 150, nr: 1, page_entry: entry };
        Wait {
            kind: WaitKind::Pin,
            entry,
            page_entry: entry,
            task: task(tid, "waiter"),
            cgroup: 7,
            address: 0,
            from_ns: 100,
            to_ns: 100 + length,
            slept_ns: length - 10,
            retries: 3,
            gone: 1,
            outcome: WaitOutcome::PagePresent,
            holder: holder.map(hold),
            oversleep_ns: holder.map(|_| length - 50),
        }
    }

    #[test]
    fn waits_are_added_to_every_table() {
        let mut costs = WaitCosts::default();
        costs.add(&wait(1, 100, Some("holder")), AREA);
        costs.add(&wait(2, 300, None), Area { since_ns: 7, ..AREA });
        let WaitCost { waits, waited_ns, longest_ns, slept_ns, retrying_ns, overslept_ns, holder_seen, .. } = costs.pin;
        assert_eq!((waits, waited_ns, longest_ns, slept_ns, retrying_ns), (2, 400, 300, 380, 20));
        assert_eq!((overslept_ns, holder_seen, costs.pin.retries, costs.pin.gone), (50, 1, 6, 2));
        assert_eq!(costs.folio_lock, WaitCost::default());
        let tids: Vec<u32> = costs.tasks.rows().iter().map(|(_, (tid, ..), _)| *tid).collect();
        assert_eq!(tids, [2, 1], "the longest total wait comes first");
        assert_eq!(costs.commands.rows()[0].2.waits, 2);
        assert_eq!(costs.cgroups.rows()[0].1, 7);
        let areas: Vec<_> = costs.areas.rows().iter().map(|(_, area, cost)| (area.since_ns, cost.waited_ns)).collect();
        assert_eq!(areas, [(7, 300), (0, 100)], "two areas that had the type");
        let (_, (holder, waiter), cost) = &costs.command_edges.rows()[0];
        assert_eq!((holder.to_string(), waiter.to_string(), cost.waits), ("holder".into(), "waiter".into(), 1));
    }

    #[test]
    fn tables_are_bounded_and_totals_are_not() {
        let mut costs = WaitCosts::default();
        for tid in 0..5_000 {
            costs.add(&wait(tid, 100, None), AREA);
        }
        assert_eq!((costs.tasks.rows().len(), costs.not_listed), (MAX_COST_ROWS, 5_000 - MAX_COST_ROWS as u64));
        assert_eq!((costs.pin.waits, costs.commands.rows()[0].2.waits), (5_000, 5_000));
    }
}
