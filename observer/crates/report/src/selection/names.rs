//! The names that recordings have, for a selection by a name that they do not have.

use std::collections::BTreeSet;

use observer_engine::event::Comm;
use observer_observation::{Outcome, Swap};
use observer_text::Name;

use super::{Selection, is_cgroup, is_device};

/// The names in one or more recordings.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub(super) swaps: Vec<Swap>,
    pub(super) cgroups: BTreeSet<(u64, Name)>,
    pub(super) comms: BTreeSet<Comm>,
}

/// Most names of tasks that are kept.
const MAX_COMMS: usize = 4_096;

/// A name that no recording has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The option it was given with, without dashes.
    pub option: &'static str,
    pub given: Name,
    /// The names that there are.
    pub known: Vec<Name>,
}

impl Names {
    /// Adds the areas and control groups of a recording.
    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.swaps.extend(outcome.context.swaps.iter().cloned());
        self.cgroups.extend(outcome.cgroups.iter().map(|(id, path)| (id, path.clone())));
    }

    pub(super) fn add_comm(&mut self, comm: Comm) {
        if self.comms.len() < MAX_COMMS {
            self.comms.insert(comm);
        }
    }

    /// Adds those of another recording.
    pub fn merge(&mut self, other: &Self) {
        self.swaps.extend(other.swaps.iter().cloned());
        self.cgroups.extend(other.cgroups.iter().cloned());
        self.comms.extend(other.comms.iter().copied());
    }

    /// The first name of a selection that is none of these. A recording without contention has no tasks to compare with.
    pub fn missing(&self, selection: &Selection) -> Option<Missing> {
        let device = selection.devices.iter().find(|given| !self.has_device(given));
        let device =
            device.map(|given| ("device", given.clone(), self.swaps.iter().map(|swap| swap.path.clone()).collect()));
        let cgroup = selection.cgroups.iter().find(|given| !self.has_cgroup(given));
        let cgroup =
            cgroup.map(|given| ("cgroup", given.clone(), self.cgroups.iter().map(|(_, path)| path.clone()).collect()));
        let comm = selection.comms.iter().find(|given| !self.comms.is_empty() && !self.has_comm(given));
        let of_comm = |comm: &Comm| Name::from(comm.as_bytes());
        let comm = comm.map(|given| ("comm", of_comm(given), self.comms.iter().map(of_comm).collect()));
        let (option, given, known): (_, _, BTreeSet<Name>) = device.or(cgroup).or(comm)?;
        Some(Missing { option, given, known: known.into_iter().collect() })
    }

    fn has_device(&self, given: &Name) -> bool {
        self.swaps.iter().any(|swap| is_device(given, swap, &self.swaps))
    }

    /// An id may be of a group whose path is not known.
    fn has_cgroup(&self, given: &Name) -> bool {
        given.to_string().parse::<u64>().is_ok()
            || self.cgroups.iter().any(|(id, path)| is_cgroup(given, *id, Some(path)) == Some(true))
    }

    fn has_comm(&self, given: &Comm) -> bool {
        self.comms.contains(given) || self.comms.len() >= MAX_COMMS
    }
}
