//! What waits cost, added up: altogether, and by who waited, on which device, and for whom. Every table is bounded.

use std::hash::Hash;

use serde::Serialize;

use super::{
    event::{Comm, Nanos, Task},
    hash::NumberMap,
    wait::{Wait, WaitEnd, WaitKind},
};

/// Rows of one table at most.
const ROWS: usize = 4_096;

/// Waits of one kind, or of one part of them, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Price {
    /// Waits.
    pub waits: u64,
    /// How long all of them took, nanoseconds.
    pub waited_ns: Nanos,
    /// Longest of them, nanoseconds.
    pub longest_ns: Nanos,
    /// Of `waited_ns`: in the kernel after a try had failed, nanoseconds. Asleep, where this kernel sleeps.
    pub slept_ns: Nanos,
    /// Of `waited_ns`: from the return of a fault that had failed to the next try, nanoseconds. On a CPU, or waiting for one.
    pub retrying_ns: Nanos,
    /// Tries that failed.
    pub retries: u64,
    /// Of these: tries that found the entry gone (`-ENOENT`).
    pub gone: u64,
    /// Waits whose holder was seen; of the others it is not known how long they overslept.
    pub holder_seen: u64,
    /// Of `waited_ns`: after the holder had let go, nanoseconds, of the waits whose holder was seen.
    pub overslept_ns: Nanos,
    /// Waits behind a holder that had its range of entries for another page of it.
    pub neighbours: u64,
    /// Waits that ended with the pin or the lock.
    pub acquired: u64,
    /// Waits that ended because somebody else had brought the page in.
    pub page_there: u64,
    /// Waits that ended because the entry was gone.
    pub entry_gone: u64,
}

impl Price {
    fn wait(&mut self, wait: &Wait) {
        let took = wait.duration();
        self.add(&Self {
            waits: 1,
            waited_ns: took,
            longest_ns: took,
            slept_ns: wait.slept_ns.min(took),
            retrying_ns: took.saturating_sub(wait.slept_ns),
            retries: wait.retries.into(),
            gone: wait.gone.into(),
            holder_seen: wait.holder.is_some().into(),
            overslept_ns: wait.oversleep_ns.unwrap_or(0),
            neighbours: wait.is_behind_a_neighbour().into(),
            acquired: (wait.ended == WaitEnd::Acquired).into(),
            page_there: (wait.ended == WaitEnd::PageThere).into(),
            entry_gone: (wait.ended == WaitEnd::EntryGone).into(),
        });
    }

    /// Adds another part. Sums stop at the end of the number's range, which only records of nonsense reach.
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
            page_there,
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
            page_there: self.page_there.saturating_add(page_there),
            entry_gone: self.entry_gone.saturating_add(entry_gone),
        };
    }
}

/// Prices by a key and the kind of wait.
#[derive(Debug)]
pub struct Table<K>(NumberMap<(WaitKind, K), Price>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(NumberMap::default())
    }
}

impl<K: Hash + Eq + Ord + Clone> Table<K> {
    /// True if there was room for it.
    fn wait(&mut self, key: K, wait: &Wait) -> bool {
        let key = (wait.kind, key);
        if self.0.len() >= ROWS && !self.0.contains_key(&key) {
            return false;
        }
        self.0.entry(key).or_default().wait(wait);
        true
    }

    /// Its rows, the dearest first.
    pub fn rows(&self) -> Vec<(WaitKind, K, Price)> {
        let mut rows: Vec<_> = self.0.iter().map(|((kind, key), price)| (*kind, key.clone(), *price)).collect();
        rows.sort_by(|(a_kind, a, a_price), (b_kind, b, b_price)| {
            b_price.waited_ns.cmp(&a_price.waited_ns).then_with(|| (a_kind, a).cmp(&(b_kind, b)))
        });
        rows
    }
}

/// A task as a key: the same thread under another name is another row.
type TaskKey = (u32, u32, Comm);

fn key(task: &Task) -> TaskKey {
    (task.tid, task.pid, task.comm)
}

/// See the module.
#[derive(Debug, Default)]
pub struct Prices {
    /// All waits for pins.
    pub pin: Price,
    /// All waits on folio locks.
    pub folio_lock: Price,
    /// By task: thread id, process id, command.
    pub tasks: Table<TaskKey>,
    /// By command.
    pub commands: Table<Comm>,
    /// By control group id (version 2); 0 is not known.
    pub cgroups: Table<u64>,
    /// By type of the swap area.
    pub devices: Table<u8>,
    /// By holder and waiter, as tasks.
    pub edges: Table<(TaskKey, TaskKey)>,
    /// By holder and waiter, as commands.
    pub command_edges: Table<(Comm, Comm)>,
    /// Rows that found no room in one of these tables. They are in the totals.
    pub not_listed: u64,
}

impl Prices {
    pub(super) fn wait(&mut self, wait: &Wait) {
        match wait.kind {
            WaitKind::Pin => &mut self.pin,
            WaitKind::FolioLock => &mut self.folio_lock,
        }
        .wait(wait);
        let holder = wait.holder.as_ref().map(|hold| &hold.task);
        let listed = [
            self.tasks.wait(key(&wait.task), wait),
            self.commands.wait(wait.task.comm, wait),
            self.cgroups.wait(wait.cgroup, wait),
            self.devices.wait(wait.entry.kind(), wait),
            holder.is_none_or(|holder| self.edges.wait((key(holder), key(&wait.task)), wait)),
            holder.is_none_or(|holder| self.command_edges.wait((holder.comm, wait.task.comm), wait)),
        ];
        self.not_listed += listed.iter().filter(|listed| !**listed).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Entry, wait::Hold};

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
            task: task(tid, "loser"),
            cgroup: 7,
            address: 0,
            from_ns: 100,
            to_ns: 100 + length,
            slept_ns: length - 10,
            retries: 3,
            gone: 1,
            ended: WaitEnd::PageThere,
            holder: holder.map(hold),
            oversleep_ns: holder.map(|_| length - 50),
        }
    }

    #[test]
    fn waits_add_up_in_every_table() {
        let mut prices = Prices::default();
        prices.wait(&wait(1, 100, Some("winner")));
        prices.wait(&wait(2, 300, None));
        let Price { waits, waited_ns, longest_ns, slept_ns, retrying_ns, overslept_ns, holder_seen, .. } = prices.pin;
        assert_eq!((waits, waited_ns, longest_ns, slept_ns, retrying_ns), (2, 400, 300, 380, 20));
        assert_eq!((overslept_ns, holder_seen, prices.pin.retries, prices.pin.gone), (50, 1, 6, 2));
        assert_eq!(prices.folio_lock, Price::default());
        let tids: Vec<u32> = prices.tasks.rows().iter().map(|(_, (tid, ..), _)| *tid).collect();
        assert_eq!(tids, [2, 1], "the dearest first");
        assert_eq!(prices.commands.rows()[0].2.waits, 2);
        assert_eq!(prices.cgroups.rows()[0].1, 7);
        assert_eq!(prices.devices.rows()[0].1, 2);
        let (_, (holder, waiter), price) = &prices.command_edges.rows()[0];
        assert_eq!((holder.to_string(), waiter.to_string(), price.waits), ("winner".into(), "loser".into(), 1));
    }

    #[test]
    fn tables_are_bounded_and_totals_are_not() {
        let mut prices = Prices::default();
        for tid in 0..5_000 {
            prices.wait(&wait(tid, 100, None));
        }
        assert_eq!((prices.tasks.rows().len(), prices.not_listed), (ROWS, 5_000 - ROWS as u64));
        assert_eq!((prices.pin.waits, prices.commands.rows()[0].2.waits), (5_000, 5_000));
    }
}
