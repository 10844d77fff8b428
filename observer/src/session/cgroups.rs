//! Finds the paths of the control groups that events have, while the groups exist.

use std::collections::HashSet;

use observer_engine::event::Event;
use observer_observation::{CgroupPath, MAX_CGROUPS};
use observer_text::Name;

/// Most groups that are looked up at once: meanwhile no events are read.
const MAX_AT_ONCE: usize = 64;

/// The control groups of a host.
pub trait FindCgroup {
    /// The path of a group, of which this process was a member; `None`: it is not found.
    fn path(&self, id: u64, pid: u32) -> Option<Name>;
}

/// The groups that events have had.
#[derive(Default)]
pub struct CgroupWatch {
    finder: Option<Box<dyn FindCgroup>>,
    /// That of the event before: most events have the same.
    last: u64,
    seen: HashSet<u64>,
    /// Groups to look up, each with a process.
    new: Vec<(u64, u32)>,
}

impl CgroupWatch {
    /// `None`: no group can be found.
    pub fn new(finder: Option<Box<dyn FindCgroup>>) -> Self {
        Self { finder, ..Self::default() }
    }

    pub(super) fn see(&mut self, event: &Event) {
        let (Event::Started(fault) | Event::Ended(fault)) = event else { return };
        if fault.cgroup == self.last || fault.cgroup == 0 || self.finder.is_none() {
            return;
        }
        self.last = fault.cgroup;
        if self.seen.len() < MAX_CGROUPS && self.seen.insert(fault.cgroup) {
            self.new.push((fault.cgroup, fault.task.pid));
        }
    }

    /// Whether groups wait to be looked up.
    pub(super) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// Looks up groups that have not been looked up.
    pub(super) fn look(&mut self) -> Vec<CgroupPath> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut found = Vec::new();
        for (id, pid) in self.new.drain(..self.new.len().min(MAX_AT_ONCE)) {
            if let Some(path) = finder.path(id, pid) {
                found.push(CgroupPath { id, path });
            } else {
                // The process of a later event may live longer.
                self.seen.remove(&id);
                self.last = 0;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::event::{Fault, Task};

    /// Knows groups from 100 on by their id, and others by process 5.
    struct Finder;

    impl FindCgroup for Finder {
        fn path(&self, id: u64, pid: u32) -> Option<Name> {
            (id >= 100 || pid == 5).then(|| Name::from(format!("/{id}").as_str()))
        }
    }

    fn event(cgroup: u64, pid: u32) -> Event {
        Event::Ended(Fault { cgroup, task: Task { pid, ..Task::default() }, ..Fault::default() })
    }

    fn found(watch: &mut CgroupWatch, events: &[Event]) -> Vec<u64> {
        for event in events {
            watch.see(event);
        }
        watch.look().into_iter().map(|group| group.id).collect()
    }

    #[test]
    fn each_group_is_looked_up_until_it_is_found() {
        let mut watch = CgroupWatch::new(Some(Box::new(Finder)));
        assert_eq!(found(&mut watch, &[event(100, 1), event(0, 1), event(100, 2), event(101, 1)]), [100, 101]);
        assert_eq!(found(&mut watch, &[event(101, 1), event(100, 1)]), [] as [u64; 0]);
        assert_eq!(found(&mut watch, &[event(7, 1), event(7, 5)]), [] as [u64; 0], "by the first process");
        assert_eq!(found(&mut watch, &[event(7, 5)]), [7]);
    }

    #[test]
    fn many_groups_are_looked_up_little_by_little_and_not_without_end() {
        let mut watch = CgroupWatch::new(Some(Box::new(Finder)));
        let many: Vec<Event> = (100..10_000).map(|cgroup| event(cgroup, 1)).collect();
        assert_eq!(found(&mut watch, &many).len(), MAX_AT_ONCE);
        let mut all = MAX_AT_ONCE;
        while watch.has_new() {
            all += found(&mut watch, &[]).len();
        }
        assert_eq!(all, MAX_CGROUPS);
        assert_eq!(found(&mut CgroupWatch::default(), &many), [] as [u64; 0]);
    }
}
