//! Statistics for the dashboard, which can reset them: distributions, the newest findings, and contention by entry,
//! process, command and control group. The report does not need them, and they cost a few look-ups for each contended
//! fault, so the engine keeps them on request only.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use crate::{
    areas::AreaEntry,
    distributions::{Distributions, Durations},
    event::{Comm, Fault, Nanos, Task},
    limits::{MAX_ENTRIES, MAX_GROUPS, MAX_RECENT_FINDINGS},
    overlap::Overlap,
    reported::{Reported, takes_part},
    verdict::{Finding, Verdict},
    wait::{Hold, Wait},
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskGroup {
    /// By process id.
    Process(u32),
    Command(Comm),
    /// By control group id (v2).
    Cgroup(u64),
}

impl TaskGroup {
    /// The groups of a task. Control group 0 is not known and not a group.
    fn of(task: &Task, cgroup: u64) -> impl Iterator<Item = Self> {
        let command = Self::Command(task.comm);
        [Some(Self::Process(task.pid)), Some(command), (cgroup != 0).then_some(Self::Cgroup(cgroup))]
            .into_iter()
            .flatten()
    }
}

/// Contention of one entry or of one group of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contention {
    pub overlaps: u64,
    /// Depth of the deepest overlap.
    pub deepest: u32,
    /// Duration of the longest overlap.
    pub longest_ns: Nanos,
    /// Duration of all overlaps.
    pub total_ns: Nanos,
    pub waits: u64,
    /// Duration of all waits.
    pub waited_ns: Nanos,
    /// The part of `waited_ns` after the pin or the lock was released.
    pub overslept_ns: Nanos,
    /// The highest verdict.
    pub worst: Verdict,
    /// The last task that took part.
    pub last: Task,
    /// Whether tasks of more than one process took part.
    pub multiple_processes: bool,
    /// Control group id (v2) of the last task; 0 if not known.
    pub cgroup: u64,
}

impl Contention {
    fn new(task: &Task) -> Self {
        Self {
            overlaps: 0,
            deepest: 0,
            longest_ns: 0,
            total_ns: 0,
            waits: 0,
            waited_ns: 0,
            overslept_ns: 0,
            worst: Verdict::Overlap,
            last: task.clone(),
            multiple_processes: false,
            cgroup: 0,
        }
    }

    fn add_overlap(&mut self, overlap: &Overlap) {
        self.overlaps += 1;
        self.deepest = self.deepest.max(overlap.depth);
        self.longest_ns = self.longest_ns.max(overlap.duration());
        self.total_ns += overlap.duration();
    }

    fn add_wait(&mut self, wait: &Wait) {
        self.waits += 1;
        self.waited_ns += wait.duration();
        self.overslept_ns += wait.oversleep_ns.unwrap_or(0);
        self.worst = self.worst.max(wait.verdict());
    }

    fn set_last(&mut self, task: &Task) {
        self.multiple_processes |= self.last.pid != task.pid;
        self.last = task.clone();
    }
}

#[derive(Debug, Default)]
pub struct Tally<D> {
    /// Incremented by every change.
    pub revision: u64,
    pub distributions: Distributions<D>,
    /// Duration of all waits.
    pub waited_ns: Nanos,
    /// The part of `waited_ns` after the pin or the lock was released.
    pub overslept_ns: Nanos,
    entries: HashMap<AreaEntry, Contention>,
    groups: HashMap<TaskGroup, Contention>,
    findings: VecDeque<(u64, Finding)>,
    found: u64,
    not_listed: u64,
}

impl<D: Durations> Tally<D> {
    pub fn entries(&self) -> &HashMap<AreaEntry, Contention> {
        &self.entries
    }

    pub fn groups(&self) -> &HashMap<TaskGroup, Contention> {
        &self.groups
    }

    /// The newest findings, at most [`MAX_RECENT_FINDINGS`], oldest first, numbered from 1.
    pub fn findings(&self) -> &VecDeque<(u64, Finding)> {
        &self.findings
    }

    /// Updates of rows for which a table had no room.
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// Deletes everything. Findings continue to be numbered.
    pub(crate) fn clear(&mut self) {
        *self = Self { revision: self.revision + 1, found: self.found, ..Self::default() };
    }

    /// Findings since the start, those that are no longer kept included.
    pub const fn found(&self) -> u64 {
        self.found
    }

    pub(crate) fn add(&mut self, reported: &Reported) {
        match reported {
            Reported::Finding { finding, of } => self.add_finding(finding, *of),
            Reported::Overlap { overlap, of, faults } => self.add_overlap(overlap, *of, faults),
            Reported::Wait { wait, of } => self.add_wait(wait, *of),
            Reported::PinHold { hold, .. } => self.add_pin_hold(hold),
        }
    }

    pub(crate) fn add_pin_hold(&mut self, hold: &Hold) {
        self.distributions.pin_hold.add(hold.duration());
    }

    /// Adds an overlap and the connected group of faults that it is part of.
    pub(crate) fn add_overlap(&mut self, overlap: &Overlap, entry: AreaEntry, faults: &[impl Borrow<Fault>]) {
        self.revision += 1;
        self.distributions.overlap.add(overlap.duration());
        let mut groups: Vec<(TaskGroup, &Fault)> = Vec::new();
        for fault in faults.iter().map(Borrow::borrow).filter(|fault| takes_part(fault, overlap)) {
            if let Some(row) = self.entry(entry, &fault.task) {
                row.set_last(&fault.task);
            }
            groups.extend(TaskGroup::of(&fault.task, fault.cgroup).map(|group| (group, fault)));
        }
        if let Some(first) = groups.first().map(|(_, fault)| *fault)
            && let Some(row) = self.entry(entry, &first.task)
        {
            row.add_overlap(overlap);
        }
        // An overlap counts once for a group, however many tasks of the group are in it.
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        groups.dedup_by(|(a, _), (b, _)| a == b);
        for (group, fault) in groups {
            if let Some(contention) = self.group(group, &fault.task) {
                contention.set_last(&fault.task);
                contention.cgroup = fault.cgroup;
                contention.add_overlap(overlap);
            }
        }
    }

    pub(crate) fn add_wait(&mut self, wait: &Wait, entry: AreaEntry) {
        self.revision += 1;
        self.distributions.add_wait(wait);
        self.waited_ns += wait.duration();
        self.overslept_ns += wait.oversleep_ns.unwrap_or(0);
        if let Some(row) = self.entry(entry, &wait.task) {
            row.add_wait(wait);
        }
        for group in TaskGroup::of(&wait.task, wait.cgroup) {
            if let Some(contention) = self.group(group, &wait.task) {
                contention.add_wait(wait);
            }
        }
    }

    pub(crate) fn add_finding(&mut self, finding: &Finding, entry: AreaEntry) {
        self.revision += 1;
        self.found += 1;
        if let Some(row) = self.entry(entry, &finding.reader) {
            row.worst = row.worst.max(finding.verdict);
        }
        for group in TaskGroup::of(&finding.reader, finding.cgroup) {
            if let Some(contention) = self.group(group, &finding.reader) {
                contention.cgroup = finding.cgroup;
                contention.worst = contention.worst.max(finding.verdict);
            }
        }
        if self.findings.len() >= MAX_RECENT_FINDINGS {
            self.findings.pop_front();
        }
        self.findings.push_back((self.found, finding.clone()));
    }

    fn entry(&mut self, entry: AreaEntry, task: &Task) -> Option<&mut Contention> {
        row(&mut self.entries, MAX_ENTRIES, &mut self.not_listed, entry, task)
    }

    fn group(&mut self, group: TaskGroup, task: &Task) -> Option<&mut Contention> {
        row(&mut self.groups, MAX_GROUPS, &mut self.not_listed, group, task)
    }
}

/// The row of a key, which is added if there is room.
fn row<'a, K: Hash + Eq>(
    rows: &'a mut HashMap<K, Contention>,
    limit: usize,
    not_listed: &mut u64,
    key: K,
    task: &Task,
) -> Option<&'a mut Contention> {
    if rows.len() >= limit && !rows.contains_key(&key) {
        *not_listed += 1;
        return None;
    }
    Some(rows.entry(key).or_insert_with(|| Contention::new(task)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Entry;
    use crate::wait::{WaitKind, WaitOutcome};

    const ENTRY: AreaEntry = AreaEntry { entry: Entry::new(0, 5), since_ns: 0 };

    fn task(tid: u32, pid: u32, comm: &str) -> Task {
        Task { tid, pid, comm: comm.into() }
    }

    fn fault(task: Task, start: Nanos, end: Nanos) -> Fault {
        let entry = Entry::new(0, 5);
        Fault { entry, base: entry, nr: 1, task, cgroup: 77, start, end, ..Fault::default() }
    }

    fn overlap(from_ns: Nanos, to_ns: Nanos) -> Overlap {
        Overlap { entry: Entry::new(0, 5), nr: 1, from_ns, to_ns, depth: 2, tasks: Vec::new(), address_spaces: 1 }
    }

    #[test]
    fn an_overlap_counts_once_for_each_group_that_takes_part() {
        let faults = [fault(task(1, 1, "a"), 0, 30), fault(task(2, 1, "a"), 10, 40), fault(task(3, 3, "b"), 50, 60)];
        let mut tally = Tally::<Vec<Nanos>>::default();
        tally.add_overlap(&overlap(10, 30), ENTRY, &faults);
        let overlaps = |group| tally.groups().get(&group).map(|row| (row.overlaps, row.total_ns, row.deepest));
        assert_eq!(overlaps(TaskGroup::Process(1)), Some((1, 20, 2)));
        assert_eq!(overlaps(TaskGroup::Command("a".into())), Some((1, 20, 2)));
        assert_eq!(overlaps(TaskGroup::Cgroup(77)), Some((1, 20, 2)));
        assert_eq!(overlaps(TaskGroup::Process(3)), None);
        let entry = &tally.entries()[&ENTRY];
        assert_eq!((entry.overlaps, entry.longest_ns, entry.multiple_processes), (1, 20, false));
    }

    #[test]
    fn a_wait_counts_for_the_groups_of_its_task() {
        let mut tally = Tally::<Vec<Nanos>>::default();
        let faults = [fault(task(1, 1, "a"), 0, 30), fault(task(2, 2, "b"), 10, 40)];
        tally.add_overlap(&overlap(10, 30), ENTRY, &faults);
        let wait = Wait {
            kind: WaitKind::Pin,
            outcome: WaitOutcome::PagePresent,
            entry: Entry::new(0, 5),
            page_entry: Entry::new(0, 5),
            task: task(2, 2, "b"),
            cgroup: 77,
            address: 0,
            from_ns: 12,
            to_ns: 42,
            slept_ns: 30,
            retries: 1,
            gone: 0,
            holder: None,
            oversleep_ns: Some(12),
        };
        tally.add_wait(&wait, ENTRY);
        let group = &tally.groups()[&TaskGroup::Cgroup(77)];
        assert_eq!((group.waits, group.waited_ns, group.overslept_ns, group.worst), (1, 30, 12, Verdict::PinWait));
        assert!(tally.entries()[&ENTRY].multiple_processes);
        assert_eq!((tally.waited_ns, tally.overslept_ns), (30, 12));
    }

    #[test]
    fn a_cleared_tally_is_empty_and_has_a_new_revision() {
        let mut tally = Tally::<Vec<Nanos>>::default();
        tally.add_overlap(&overlap(1, 2), ENTRY, &[fault(task(1, 1, "a"), 0, 9)]);
        let before = tally.revision;
        tally.clear();
        assert!(tally.entries().is_empty());
        assert!(tally.groups().is_empty());
        assert!(tally.distributions.overlap.is_empty());
        assert!(tally.revision > before);
    }

    #[test]
    fn tables_are_bounded() {
        let mut tally = Tally::<Vec<Nanos>>::default();
        for pid in 0..20_000 {
            tally.group(TaskGroup::Process(pid), &task(pid, pid, "a"));
        }
        assert_eq!((tally.groups().len(), tally.not_listed()), (MAX_GROUPS, 20_000 - MAX_GROUPS as u64));
    }
}
