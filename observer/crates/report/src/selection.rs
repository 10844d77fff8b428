//! Which part of a recording is reported: a pure predicate on what the engine reports.
//!
//! Different options must all match, and of the values of one option any. A thing belongs to the time at which it ended,
//! so the parts before and after a time add up to the whole.

use observer_engine::{
    event::{Comm, Entry, Event, Nanos, Task},
    reported::Reported,
    verdict::{Finding, Verdict},
};
use observer_kernel::swaps::device_name;
use observer_observation::{CgroupPaths, Clocks, Swap, WallClock};
use observer_text::Name;

pub use self::{
    moment::{Bound, Moment},
    names::{Missing, Names},
    picked::Picked,
};

mod moment;
mod names;
mod options;
pub mod parse;
mod picked;
pub mod query;

/// The options. An empty list, and `None`, select everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub verdicts: Vec<Verdict>,
    /// Process ids.
    pub pids: Vec<u32>,
    pub comms: Vec<Comm>,
    pub entries: Vec<Entry>,
    /// Paths or names.
    pub devices: Vec<Name>,
    /// Paths, or ids in digits.
    pub cgroups: Vec<Name>,
    /// The first time that is selected.
    pub since: Option<Moment>,
    /// The first time that is not selected any more.
    pub until: Option<Moment>,
}

impl Selection {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it has names, which a recording may not have.
    pub fn has_names(&self) -> bool {
        !(self.comms.is_empty() && self.devices.is_empty() && self.cgroups.is_empty())
    }
}

/// What was known of the observation when something was reported.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub swaps: &'a [Swap],
    pub cgroups: &'a CgroupPaths,
    pub wall_clock: &'a WallClock,
}

/// A selection in one observation, whose start fixes the times.
#[derive(Clone, Debug)]
pub struct Selector {
    selection: Selection,
    since: Option<Bound>,
    until: Option<Bound>,
}

impl Selector {
    /// `start`: the clocks at the start of the observation.
    pub fn new(selection: &Selection, start: Clocks) -> Self {
        let bound = |moment: Option<Moment>| moment.map(|moment| moment.bound(start));
        Self { since: bound(selection.since), until: bound(selection.until), selection: selection.clone() }
    }

    /// Whether no time is selected, whatever the observation has.
    pub fn is_never(&self, start: Clocks) -> bool {
        let at = |bound: Option<Bound>| bound.map(|bound| bound.unix_ns(start));
        at(self.since).zip(at(self.until)).is_some_and(|(since, until)| since >= until)
    }

    /// `None`: a control group or a swap area is not known, or not yet.
    pub fn selects(&self, reported: &Reported, seen: Seen<'_>) -> Option<bool> {
        let facts = Facts::of(reported);
        let certain = self.has_verdict(&facts)
            && self.has_task(&facts)
            && self.has_entry(&facts)
            && self.is_in_time(facts.ended, seen.wall_clock);
        if certain {
            both(self.is_on_device(&facts, seen.swaps), self.is_in_cgroup(&facts, seen.cgroups))
        } else {
            Some(false)
        }
    }

    /// Whether a trace has an event: one at a selected time, on a selected entry, by whichever task, so that the tasks
    /// beside those selected stay visible.
    pub fn shows(&self, event: &Event, wall_clock: &WallClock) -> bool {
        let entries = &self.selection.entries;
        let range = match event {
            Event::Started(fault) | Event::Ended(fault) => Range { first: fault.base, nr: fault.nr },
            Event::Changed(change) => Range { first: change.entry, nr: 1 },
        };
        let is_entry = entries.is_empty() || entries.iter().any(|entry| range.contains(*entry));
        is_entry && self.is_in_time(event.at(), wall_clock)
    }

    fn has_verdict(&self, facts: &Facts<'_>) -> bool {
        let verdicts = &self.selection.verdicts;
        verdicts.is_empty() || facts.verdict.is_some_and(|verdict| verdicts.contains(&verdict))
    }

    /// Whether one of the tasks has one of the process ids and one of the names.
    fn has_task(&self, facts: &Facts<'_>) -> bool {
        let Selection { pids, comms, .. } = &self.selection;
        let is_selected = |task: &&Task| {
            (pids.is_empty() || pids.contains(&task.pid)) && (comms.is_empty() || comms.contains(&task.comm))
        };
        (pids.is_empty() && comms.is_empty()) || facts.tasks.iter().any(is_selected)
    }

    fn has_entry(&self, facts: &Facts<'_>) -> bool {
        let entries = &self.selection.entries;
        entries.is_empty() || entries.iter().any(|entry| facts.ranges.iter().any(|range| range.contains(*entry)))
    }

    fn is_in_time(&self, at: Nanos, wall_clock: &WallClock) -> bool {
        self.since.is_none_or(|since| !since.is_after(at, wall_clock))
            && self.until.is_none_or(|until| until.is_after(at, wall_clock))
    }

    fn is_on_device(&self, facts: &Facts<'_>, swaps: &[Swap]) -> Option<bool> {
        let devices = &self.selection.devices;
        if devices.is_empty() {
            return Some(true);
        }
        let (entry, at) = facts.place;
        let area = Swap::of_entry(swaps, entry, at)?;
        Some(devices.iter().any(|given| is_device(given, area, swaps)))
    }

    fn is_in_cgroup(&self, facts: &Facts<'_>, known: &CgroupPaths) -> Option<bool> {
        let given = &self.selection.cgroups;
        let pairs = facts.cgroups.iter().flat_map(|id| given.iter().map(move |given| (*id, given)));
        if given.is_empty() { Some(true) } else { any(pairs.map(|(id, given)| is_cgroup(given, id, known.path(id)))) }
    }
}

/// Whether both are true; `None`: unknown.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Whether one is true; `None`: unknown.
fn any(mut all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all.try_fold(Some(false), |so_far, one| match one {
        Some(true) => Err(Some(true)),
        Some(false) => Ok(so_far),
        None => Ok(None),
    })
    .unwrap_or_else(|found| found)
}

/// Consecutive entries.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: Entry,
    nr: u32,
}

impl Range {
    fn contains(self, entry: Entry) -> bool {
        (self.first.0..self.first.0.saturating_add(self.nr.max(1).into())).contains(&entry.0)
    }
}

/// What a selection looks at.
struct Facts<'a> {
    /// `None`: it has none.
    verdict: Option<Verdict>,
    ended: Nanos,
    /// The entry and the time that give its swap area.
    place: (Entry, Nanos),
    ranges: Vec<Range>,
    /// All that are in the evidence.
    tasks: Vec<&'a Task>,
    /// Those of the tasks that read or wait; 0: unknown.
    cgroups: Vec<u64>,
}

impl<'a> Facts<'a> {
    fn of(reported: &'a Reported) -> Self {
        match reported {
            Reported::Finding { finding, .. } => Self::of_finding(finding),
            Reported::Overlap { overlap, faults, .. } => Self {
                verdict: Some(Verdict::Overlap),
                ended: overlap.to_ns,
                place: (overlap.entry, overlap.from_ns),
                ranges: vec![Range { first: overlap.entry, nr: overlap.nr }],
                tasks: faults.iter().map(|fault| &fault.task).collect(),
                cgroups: faults.iter().map(|fault| fault.cgroup).collect(),
            },
            Reported::Wait { wait, .. } => {
                let held = wait.holder.as_ref();
                Self {
                    verdict: Some(wait.verdict()),
                    ended: wait.to_ns,
                    place: (wait.entry, wait.from_ns),
                    ranges: vec![
                        Range { first: wait.page_entry, nr: 1 },
                        Range { first: wait.entry, nr: held.map_or(1, |hold| hold.nr) },
                    ],
                    tasks: std::iter::once(&wait.task).chain(held.map(|hold| &hold.task)).collect(),
                    cgroups: vec![wait.cgroup],
                }
            }
            Reported::PinHold { hold, fault } => Self {
                verdict: None,
                ended: hold.dropped_ns,
                place: (fault.entry, fault.start),
                ranges: vec![Range { first: fault.base, nr: fault.nr }],
                tasks: vec![&hold.task],
                cgroups: vec![fault.cgroup],
            },
        }
    }

    fn of_finding(finding: &'a Finding) -> Self {
        let actions = [&finding.freed, &finding.allocated, &finding.written];
        let others = finding.others.iter().map(|other| &other.task);
        let tasks = actions.into_iter().flatten().map(|action| &action.by).chain(others);
        Self {
            verdict: Some(finding.verdict),
            ended: finding.end_ns,
            place: (finding.entry, finding.start_ns),
            ranges: vec![Range { first: finding.entry, nr: 1 }],
            tasks: std::iter::once(&finding.reader).chain(tasks).collect(),
            cgroups: vec![finding.cgroup],
        }
    }
}

/// Whether an area has this path or, if no area has it, this name.
fn is_device(given: &Name, area: &Swap, areas: &[Swap]) -> bool {
    if areas.iter().any(|area| area.path == *given) {
        return area.path == *given;
    }
    device_name(&area.path) == given.without_prefix("/dev/")
}

/// Whether a control group is the given one or below it; `None`: its path is unknown.
fn is_cgroup(given: &Name, id: u64, path: Option<&Name>) -> Option<bool> {
    if id != 0 && given.to_string().parse() == Ok(id) {
        return Some(true);
    }
    path.map(|path| is_below(path, given))
}

/// Whether a path of a control group is the given one or below it. It may be given as a path of the file system.
fn is_below(path: &Name, given: &Name) -> bool {
    let given = given.without_prefix("/sys/fs/cgroup");
    let folders = |path: &Name| {
        let bytes = path.as_bytes().split(|byte| *byte == b'/');
        bytes.filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    folders(path).starts_with(&folders(&given))
}

#[cfg(test)]
mod tests;
