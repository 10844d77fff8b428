//! What the dashboard shows of a run and can start again: distributions, the newest findings, and who took part
//! in contention, by entry, process, command and control group. Only there where it is asked for: the summary of a run
//! needs none of it, and it costs a few look-ups for each contended fault.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};

use super::{
    event::{Entry, Fault, Nanos, Task},
    overlap::Overlap,
    totals::Durations,
    verdict::{Finding, Verdict},
    wait::{Hold, Wait, WaitKind},
};

/// Findings kept: the newest ones.
pub const FINDINGS_KEPT: usize = 1_000;

/// Entries listed at most.
const ENTRIES: usize = 65_536;

/// Processes, commands and control groups listed at most, together.
const PARTIES: usize = 16_384;

/// Who contends: the three ways to group tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// By process id.
    Process(u32),
    /// By command.
    Command(String),
    /// By control group id.
    Cgroup(u64),
}

/// Contention of one entry or of one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contention {
    /// Overlaps that it was in.
    pub times: u64,
    /// Deepest of them.
    pub deepest: u32,
    /// Longest of them, nanoseconds.
    pub longest_ns: Nanos,
    /// All of them together, nanoseconds.
    pub total_ns: Nanos,
    /// Waits.
    pub waits: u64,
    /// All of them together, nanoseconds.
    pub waited_ns: Nanos,
    /// The part of that after the pin or the lock was dropped, nanoseconds.
    pub overslept_ns: Nanos,
    /// Worst verdict.
    pub worst: Verdict,
    /// A task that took part: the last one.
    pub last: Task,
    /// Whether tasks of several processes took part.
    pub several: bool,
    /// Control group id of the last task; 0: not known.
    pub cgroup: u64,
}

impl Contention {
    fn new(task: &Task) -> Self {
        Self {
            times: 0,
            deepest: 0,
            longest_ns: 0,
            total_ns: 0,
            waits: 0,
            waited_ns: 0,
            overslept_ns: 0,
            worst: Verdict::Overlap,
            last: task.clone(),
            several: false,
            cgroup: 0,
        }
    }

    fn overlap(&mut self, overlap: &Overlap) {
        self.times += 1;
        self.deepest = self.deepest.max(overlap.depth);
        self.longest_ns = self.longest_ns.max(overlap.duration());
        self.total_ns += overlap.duration();
    }

    fn wait(&mut self, wait: &Wait) {
        self.waits += 1;
        self.waited_ns += wait.duration();
        self.overslept_ns += wait.oversleep_ns.unwrap_or(0);
        self.worst = self.worst.max(wait.verdict());
    }

    fn by(&mut self, task: &Task) {
        self.several |= self.last.pid != task.pid;
        self.last = task.clone();
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    /// Raised with every change.
    pub revision: u64,
    /// Durations of overlaps.
    pub overlap_times: Durations,
    /// Durations of holds of contended pins.
    pub hold_times: Durations,
    /// Durations of pin waits.
    pub wait_times: Durations,
    /// The part of them after the pin was dropped.
    pub oversleep_times: Durations,
    /// Durations of waits on the folio lock.
    pub lock_wait_times: Durations,
    /// The part of them after the lock was dropped.
    pub lock_oversleep_times: Durations,
    /// All waits together, nanoseconds.
    pub waited_ns: Nanos,
    /// The part of that after the pin or the lock was dropped, nanoseconds.
    pub overslept_ns: Nanos,
    entries: HashMap<Entry, Contention>,
    parties: HashMap<Party, Contention>,
    findings: VecDeque<(u64, Finding)>,
    found: u64,
    not_listed: u64,
}

impl Tally {
    /// Contended entries.
    pub fn entries(&self) -> &HashMap<Entry, Contention> {
        &self.entries
    }

    /// Who contended.
    pub fn parties(&self) -> &HashMap<Party, Contention> {
        &self.parties
    }

    /// The newest findings with their numbers from 1, oldest first.
    pub fn findings(&self) -> &VecDeque<(u64, Finding)> {
        &self.findings
    }

    /// Entries and parties that found no room.
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// Starts again. Findings keep their numbers.
    pub fn clear(&mut self) {
        *self = Self { revision: self.revision + 1, found: self.found, ..Self::default() };
    }

    pub(super) fn hold(&mut self, hold: &Hold) {
        self.hold_times.add(hold.dropped_ns.saturating_sub(hold.taken_ns));
    }

    /// An overlap, and the faults that hang together with it.
    pub(super) fn overlap(&mut self, overlap: &Overlap, group: &[impl Borrow<Fault>]) {
        self.revision += 1;
        self.overlap_times.add(overlap.duration());
        let mut parties: Vec<(Party, &Fault)> = Vec::new();
        for fault in group.iter().map(Borrow::borrow).filter(|fault| takes_part(fault, overlap)) {
            if let Some(entry) = self.entry(overlap.entry, &fault.task) {
                entry.by(&fault.task);
            }
            parties.extend(parties_of(&fault.task, fault.cgroup).map(|party| (party, fault)));
        }
        if let Some(first) = parties.first().map(|(_, fault)| *fault)
            && let Some(entry) = self.entry(overlap.entry, &first.task)
        {
            entry.overlap(overlap);
        }
        // A party counts once for an overlap, however many of its tasks are in it.
        parties.sort_by(|(a, _), (b, _)| a.cmp(b));
        parties.dedup_by(|(a, _), (b, _)| a == b);
        for (party, fault) in parties {
            if let Some(contention) = self.party(party, &fault.task) {
                contention.by(&fault.task);
                contention.cgroup = fault.cgroup;
                contention.overlap(overlap);
            }
        }
    }

    pub(super) fn wait(&mut self, wait: &Wait) {
        self.revision += 1;
        let (times, oversleep_times) = match wait.kind {
            WaitKind::Pin => (&mut self.wait_times, &mut self.oversleep_times),
            WaitKind::FolioLock => (&mut self.lock_wait_times, &mut self.lock_oversleep_times),
        };
        times.add(wait.duration());
        self.waited_ns += wait.duration();
        if let Some(oversleep) = wait.oversleep_ns {
            oversleep_times.add(oversleep);
            self.overslept_ns += oversleep;
        }
        if let Some(entry) = self.entry(wait.entry, &wait.task) {
            entry.wait(wait);
        }
        for party in parties_of(&wait.task, wait.cgroup) {
            if let Some(contention) = self.party(party, &wait.task) {
                contention.wait(wait);
            }
        }
    }

    pub(super) fn finding(&mut self, finding: &Finding) {
        self.revision += 1;
        self.found += 1;
        if let Some(entry) = self.entry(finding.entry, &finding.reader) {
            entry.worst = entry.worst.max(finding.verdict);
        }
        for party in parties_of(&finding.reader, finding.cgroup) {
            if let Some(contention) = self.party(party, &finding.reader) {
                contention.cgroup = finding.cgroup;
                contention.worst = contention.worst.max(finding.verdict);
            }
        }
        if self.findings.len() >= FINDINGS_KEPT {
            self.findings.pop_front();
        }
        self.findings.push_back((self.found, finding.clone()));
    }

    fn entry(&mut self, entry: Entry, task: &Task) -> Option<&mut Contention> {
        row(&mut self.entries, ENTRIES, &mut self.not_listed, entry, task)
    }

    fn party(&mut self, party: Party, task: &Task) -> Option<&mut Contention> {
        row(&mut self.parties, PARTIES, &mut self.not_listed, party, task)
    }
}

/// The row of a key; a new one if there is room.
fn row<'a, K: std::hash::Hash + Eq>(
    rows: &'a mut HashMap<K, Contention>,
    most: usize,
    not_listed: &mut u64,
    key: K,
    task: &Task,
) -> Option<&'a mut Contention> {
    if rows.len() >= most && !rows.contains_key(&key) {
        *not_listed += 1;
        return None;
    }
    Some(rows.entry(key).or_insert_with(|| Contention::new(task)))
}

/// Whether a fault is one of those that overlap here.
fn takes_part(fault: &Fault, overlap: &Overlap) -> bool {
    let ranges = fault.base.0 < overlap.entry.0 + u64::from(overlap.nr)
        && overlap.entry.0 < fault.base.0 + u64::from(fault.nr.max(1));
    ranges && fault.start < overlap.to_ns && overlap.from_ns < fault.end
}

/// The groups that a task belongs to. Control group 0 is none.
fn parties_of(task: &Task, cgroup: u64) -> impl Iterator<Item = Party> {
    let command = Party::Command(name(&task.comm));
    [Some(Party::Process(task.pid)), Some(command), (cgroup != 0).then_some(Party::Cgroup(cgroup))]
        .into_iter()
        .flatten()
}

/// However the engine keeps a command's name.
fn name(comm: &impl std::fmt::Display) -> String {
    comm.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tid: u32, pid: u32, comm: &str) -> Task {
        Task { tid, pid, comm: comm.into() }
    }

    fn fault(task: Task, start: Nanos, end: Nanos) -> Fault {
        let entry = Entry::new(0, 5);
        Fault { entry, base: entry, nr: 1, task, cgroup: 77, start, end, ..Fault::default() }
    }

    fn overlap(from_ns: Nanos, to_ns: Nanos) -> Overlap {
        Overlap { entry: Entry::new(0, 5), nr: 1, from_ns, to_ns, depth: 2, tasks: Vec::new(), spaces: 1 }
    }

    #[test]
    fn a_party_counts_once_for_an_overlap_and_only_if_it_was_in_it() {
        let group = [fault(task(1, 1, "a"), 0, 30), fault(task(2, 1, "a"), 10, 40), fault(task(3, 3, "b"), 50, 60)];
        let mut tally = Tally::default();
        tally.overlap(&overlap(10, 30), &group);
        let times = |party| tally.parties().get(&party).map(|row| (row.times, row.total_ns, row.deepest));
        assert_eq!(times(Party::Process(1)), Some((1, 20, 2)));
        assert_eq!(times(Party::Command("a".into())), Some((1, 20, 2)));
        assert_eq!(times(Party::Cgroup(77)), Some((1, 20, 2)));
        assert_eq!(times(Party::Process(3)), None);
        let entry = &tally.entries()[&Entry::new(0, 5)];
        assert_eq!((entry.times, entry.longest_ns, entry.several), (1, 20, false));
    }

    #[test]
    fn a_wait_goes_to_the_groups_of_its_process() {
        let mut tally = Tally::default();
        let group = [fault(task(1, 1, "a"), 0, 30), fault(task(2, 2, "b"), 10, 40)];
        tally.overlap(&overlap(10, 30), &group);
        tally.wait(&Wait {
            kind: WaitKind::Pin,
            ended: crate::wait::WaitEnd::PageThere,
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
        });
        let group = &tally.parties()[&Party::Cgroup(77)];
        assert_eq!((group.waits, group.waited_ns, group.overslept_ns, group.worst), (1, 30, 12, Verdict::PinWait));
        assert!(tally.entries()[&Entry::new(0, 5)].several);
        assert_eq!((tally.waited_ns, tally.overslept_ns), (30, 12));
    }

    #[test]
    fn cleared_it_is_empty_and_numbers_go_on() {
        let mut tally = Tally::default();
        tally.overlap(&overlap(1, 2), &[fault(task(1, 1, "a"), 0, 9)]);
        let before = tally.revision;
        tally.clear();
        assert!(tally.entries().is_empty() && tally.parties().is_empty());
        assert!(tally.overlap_times.histogram().is_empty());
        assert!(tally.revision > before);
    }

    #[test]
    fn tables_are_bounded() {
        let mut tally = Tally::default();
        for pid in 0..20_000 {
            tally.party(Party::Process(pid), &task(pid, pid, "a"));
        }
        assert_eq!((tally.parties().len(), tally.not_listed()), (PARTIES, 20_000 - PARTIES as u64));
    }
}
