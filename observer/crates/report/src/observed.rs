//! Observations with their distributions, and several merged into one.

use std::collections::BTreeMap;

use crate::{
    selection::Picked,
    summary::{
        CommandSummary, DelayInjection, LISTED, Source, Summary, counts::Count, distributions::Histograms,
        remarks::Budget, timeline::Timeline, wait_cost::Wholes,
    },
};
use observer_kernel::plan::State;
use observer_observation::{Kernel, Known, Outcome, Overhead, ProgramStats, RingUse, percent};
use observer_text::{Name, joined};

mod listing;

/// One observation, or several merged.
#[derive(Clone, Debug)]
pub struct Observed {
    pub summary: Summary,
    pub histograms: Histograms,
    /// One of each observation.
    pub timelines: Vec<Timeline>,
    /// The same without a selection; `None`: nothing is selected.
    whole: Option<Box<Self>>,
}

/// What a report is made from: the observations, and all of them merged.
#[derive(Clone, Debug)]
pub struct Reported {
    pub parts: Vec<Observed>,
    pub whole: Observed,
}

impl Observed {
    pub fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let known = known.into();
        let timelines = vec![Timeline::new(&known, None)];
        Self { summary: Summary::new(known), histograms: Histograms::new(known), timelines, whole: None }
    }

    /// What is selected of a recording. Counters and what is timed in the kernel cover all of it.
    pub fn selected(outcome: &Outcome, picked: &Picked) -> Self {
        let whole = Self::new(outcome);
        let mut observed = Self::new(Known { report: picked.report(), ..Known::from(outcome) });
        let elapsed_ns = whole.summary.sources.iter().map(|source| source.elapsed_ns).sum();
        let mut selected = picked.selected(&outcome.wall_clock, elapsed_ns);
        selected.whole = whole.summary.verdicts.clone();
        for timeline in &mut observed.timelines {
            timeline.selected.clone_from(&selected.time);
        }
        observed.summary.selection = Some(selected);
        observed.whole = Some(Box::new(whole));
        observed.update_derived();
        observed
    }

    /// `None` of none.
    pub fn merged(all: &[Self]) -> Option<Self> {
        let mut all = all.iter();
        let mut merged = all.next()?.clone();
        for other in all {
            merged.add(other);
        }
        Some(merged)
    }

    fn add(&mut self, other: &Self) {
        self.histograms.add(&other.histograms);
        self.timelines.extend(other.timelines.iter().cloned());
        add_summary(&mut self.summary, &other.summary);
        if let (Some(whole), Some(other)) = (&mut self.whole, &other.whole) {
            whole.add(other);
        }
        self.update_derived();
    }

    /// Brings up to date what follows from sums and distributions.
    fn update_derived(&mut self) {
        let Self { summary, histograms, whole, timelines: _ } = self;
        if let (Some(selected), Some(whole)) = (&mut summary.selection, whole) {
            selected.all = Some(Box::new(whole.summary.clone()));
        }
        summary.distributions = histograms.summaries(!summary.kernel.holds_unseen());
        let is_whole = summary.selection.is_none();
        summary.wait_cost.update_rates(Wholes {
            swapins: is_whole.then_some(summary.swapins.seen),
            elapsed_ns: summary.covered_ns(),
            tick_ns: summary.kernel.tick_ns,
            histograms,
        });
        summary.update_conclusions(histograms);
    }
}

fn add_summary(all: &mut Summary, one: &Summary) {
    all.sources.extend(one.sources.iter().cloned());
    all.host = names(all.sources.iter().map(|source| &source.host));
    all.tool = texts(all.sources.iter().map(|source| &source.tool));
    all.filters = filters(&all.sources);
    add_kernel(&mut all.kernel, &one.kernel);
    all.kernel.arch = texts(all.sources.iter().map(|source| &source.arch));
    all.kernel.release = texts(all.sources.iter().map(|source| &source.release));
    extend_new(&mut all.swaps, &one.swaps);
    // Counts are scaled already; of several samples the coarsest is the one to warn of.
    all.sample = all.sample.take().into_iter().chain(one.sample.clone()).max_by_key(|sample| sample.one_in);
    if let (Some(all), Some(one)) = (&mut all.selection, &one.selection) {
        all.add(one);
    }
    all.swapins.add(&one.swapins);
    all.swapouts.add(&one.swapouts);
    all.faults.add(&one.faults);
    all.pins.add(&one.pins);
    all.locks.add(&one.locks);
    all.verdicts.add(&one.verdicts);
    for (verdict, at) in &one.last_unix_ns {
        let last = all.last_unix_ns.entry(*verdict).or_default();
        *last = (*last).max(*at);
    }
    all.wait_cost.add(&one.wait_cost);
    // `over` counts against the budget of each observation; of several budgets the smallest is named.
    all.budget = match (all.budget, one.budget) {
        (Some(a), Some(b)) => Some(Budget { ns: a.ns.min(b.ns), over: a.over + b.over }),
        (a, b) => a.or(b),
    };
    all.findings.extend(one.findings.iter().cloned());
    all.overlaps.extend(one.overlaps.iter().cloned());
    all.overlaps.truncate(LISTED);
    all.waits.extend(one.waits.iter().cloned());
    all.waits.truncate(LISTED);
    all.entries.extend(one.entries.iter().cloned());
    all.entries.sort_by_key(|stats| (std::cmp::Reverse((stats.worst, stats.total_ns)), stats.of));
    all.entries.truncate(LISTED);
    // The sum has every cause that either of them counts.
    for (cause, count) in &one.dropped {
        *all.dropped.entry(*cause).or_default() += count;
    }
    all.stalled.add(&one.stalled);
    all.unlisted.findings += one.unlisted.findings;
    all.unlisted.entries += one.unlisted.entries;
    all.left_out.add(&one.left_out);
    add_overhead(&mut all.overhead, &one.overhead);
    all.widen = match (all.widen, one.widen) {
        (Some(a), Some(b)) => {
            Some(DelayInjection { ns: a.ns.max(b.ns), delays: a.delays + b.delays, short: a.short + b.short })
        }
        (a, b) => a.or(b),
    };
    // One command that failed decides the exit code.
    if !all.command.as_ref().is_some_and(CommandSummary::has_failed) {
        let failed = one.command.as_ref().filter(|command| command.has_failed());
        all.command = failed.or(all.command.as_ref()).or(one.command.as_ref()).cloned();
    }
    match (&mut all.on_finding, &one.on_finding) {
        (Some(all), Some(one)) => all.add(one),
        (all @ None, one) => all.clone_from(one),
        (Some(_), None) => {}
    }
    all.damage.extend(one.damage.iter().cloned());
    all.notes.extend(one.notes.iter().cloned());
}

/// The different values, in order of appearance.
fn distinct<'a, T: PartialEq + 'a>(values: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn texts<'a>(values: impl Iterator<Item = &'a String>) -> String {
    distinct(values).into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn names<'a>(values: impl Iterator<Item = &'a Name>) -> Name {
    joined(distinct(values), ", ")
}

fn filters(sources: &[Source]) -> BTreeMap<String, Name> {
    let options = sources.iter().flat_map(|source| source.filters.keys());
    let values = |option| sources.iter().filter_map(move |source| source.filters.get(option));
    options.map(|option| (option.clone(), names(values(option)))).collect()
}

fn extend_new<T: PartialEq + Clone>(all: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
}

/// Release and architecture are set from the sources. What differs between two kernels is unknown of both together.
fn add_kernel(all: &mut Kernel, one: &Kernel) {
    if all.state != one.state {
        all.state = State::Unknown;
    }
    // The lean set is the one to warn of.
    if one.is_lean() {
        all.hook_set = one.hook_set;
    }
    all.timed_one_in = all.timed_one_in.max(one.timed_one_in);
    extend_new(&mut all.hooks, &one.hooks);
    extend_new(&mut all.degraded, &one.degraded);
    all.tick_ns = all.tick_ns.filter(|_| all.tick_ns == one.tick_ns);
}

fn add_overhead(all: &mut Overhead, one: &Overhead) {
    let Overhead {
        elapsed_ns,
        user_ns,
        system_ns,
        resident_bytes,
        max_resident_bytes,
        kernel_bytes,
        ring,
        programs,
        records,
        disturbed,
        program_stats,
    } = one;
    *all = Overhead {
        elapsed_ns: all.elapsed_ns.max(*elapsed_ns),
        user_ns: all.user_ns + user_ns,
        system_ns: all.system_ns + system_ns,
        resident_bytes: all.resident_bytes.zip(*resident_bytes).map(|(a, b)| a.max(b)),
        max_resident_bytes: all.max_resident_bytes.max(*max_resident_bytes),
        kernel_bytes: all.kernel_bytes + kernel_bytes,
        ring: all.ring.zip(*ring).map(fuller),
        programs: all.programs + programs,
        records: all.records + records,
        disturbed: all.disturbed.zip(*disturbed).map(|(a, b)| a.saturating_add(b)),
        program_stats: add_program_stats(all.program_stats.take(), program_stats.clone()),
    };
}

/// The ring buffer that was closer to full.
fn fuller((a, b): (RingUse, RingUse)) -> RingUse {
    let share = |ring: &RingUse| percent(ring.highest_bytes, ring.size_bytes);
    if share(&b) > share(&a) { b } else { a }
}

/// Run times of both; unknown where one of them is unknown.
fn add_program_stats(a: Option<ProgramStats>, b: Option<ProgramStats>) -> Option<ProgramStats> {
    match (a?, b?) {
        (refused @ ProgramStats::Refused(_), _) | (_, refused @ ProgramStats::Refused(_)) => Some(refused),
        (ProgramStats::Counted(mut all), ProgramStats::Counted(more)) => {
            for run in more {
                match all.iter_mut().find(|known| known.name == run.name) {
                    Some(known) => (known.runs, known.run_ns) = (known.runs + run.runs, known.run_ns + run.run_ns),
                    None => all.push(run),
                }
            }
            Some(ProgramStats::Counted(all))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::{ProgramRun, StatsRefusal};

    #[test]
    fn run_times_add_up_unless_one_is_unknown() {
        let run = |name: &str, runs| ProgramRun { name: name.to_owned(), runs, run_ns: 10 * runs };
        let counted = |runs: &[ProgramRun]| Some(ProgramStats::Counted(runs.to_vec()));
        let (one, two) = (counted(&[run("a", 1)]), counted(&[run("a", 2), run("b", 5)]));
        assert_eq!(add_program_stats(one.clone(), two), counted(&[run("a", 3), run("b", 5)]));
        assert_eq!(add_program_stats(one.clone(), None), None);
        let refused = Some(ProgramStats::Refused(StatsRefusal::NotCounted));
        assert_eq!(add_program_stats(refused.clone(), one.clone()), refused);
        assert_eq!(add_program_stats(one, refused.clone()), refused);
    }

    #[test]
    fn the_fuller_of_two_rings_is_reported() {
        let ring = |size_bytes, highest_bytes| RingUse { size_bytes, waiting_bytes: 0, highest_bytes };
        assert_eq!(fuller((ring(100, 50), ring(1_000, 60))), ring(100, 50));
        assert_eq!(fuller((ring(1_000, 60), ring(100, 50))), ring(100, 50));
    }

    #[test]
    fn a_name_is_joined_once() {
        let all = ["a, b", "c", "a, b"].map(Name::from);
        assert_eq!(names(all.iter()), "a, b, c");
    }
}
