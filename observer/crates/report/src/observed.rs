//! Several observations as one: counts add, distributions add, what was said in words is said once.

use crate::summary::{
    CommandSummary, LISTED, Summary, Widened, counts::Count, distributions::Histograms, dropped::Dropped,
    price::Against, remarks::Budget,
};
use observer_observation::{Kernel, Known, Overhead, ProgramStats, RingUse, percent};

/// One observation, or several as one.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Everything but the distributions.
    pub summary: Summary,
    /// The distributions.
    pub histograms: Histograms,
}

/// What a report is made from: the observations, and all of them merged.
#[derive(Clone, Debug)]
pub struct Reported {
    pub parts: Vec<Observed>,
    pub whole: Observed,
}

impl Observed {
    /// Of one observation.
    pub fn new<'a>(known: impl Into<Known<'a>>) -> Self {
        let known = known.into();
        Self { summary: Summary::new(known), histograms: Histograms::new(known) }
    }

    /// Of all of them; `None`: of none.
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
        add_summary(&mut self.summary, &other.summary);
        self.work_out();
    }

    /// What follows from the sums.
    fn work_out(&mut self) {
        let Self { summary, histograms } = self;
        summary.distributions = histograms.summaries(!summary.kernel.holds_unseen());
        summary.price.set_against(Against {
            swapins: summary.swapins.seen,
            elapsed_ns: summary.sources.iter().map(|source| source.elapsed_ns).sum(),
            tick_ns: summary.kernel.tick_ns,
            histograms,
        });
        summary.remark(histograms);
    }
}

fn add_summary(all: &mut Summary, one: &Summary) {
    join(&mut all.host, &one.host);
    join(&mut all.tool, &one.tool);
    all.sources.extend(one.sources.iter().cloned());
    add_kernel(&mut all.kernel, &one.kernel);
    extend_new(&mut all.swaps, &one.swaps);
    for (option, value) in &one.filters {
        join(all.filters.entry(option.clone()).or_default(), value);
    }
    // What is scaled is scaled already; the coarser sample is the one to warn of.
    all.sample = all.sample.take().into_iter().chain(one.sample.clone()).max_by_key(|sample| sample.one_in);
    all.swapins.add(&one.swapins);
    all.swapouts.add(&one.swapouts);
    all.faults.add(&one.faults);
    all.pins.add(&one.pins);
    all.locks.add(&one.locks);
    Count::add(&mut all.verdicts, &one.verdicts);
    all.price.add(&one.price);
    // Waits are over the budget that each observation was given; of several budgets the smallest is named.
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
    all.entries.sort_by_key(|stats| (std::cmp::Reverse((stats.worst, stats.total_ns)), stats.entry));
    all.entries.truncate(LISTED);
    add_dropped(&mut all.dropped, &one.dropped);
    add_cost(&mut all.self_cost, &one.self_cost);
    all.widen = match (all.widen, one.widen) {
        (Some(a), Some(b)) => {
            Some(Widened { ns: a.ns.max(b.ns), delays: a.delays + b.delays, short: a.short + b.short })
        }
        (a, b) => a.or(b),
    };
    // Of several commands, one that failed decides the exit code.
    let failed = |command: &&CommandSummary| !command.cut_short && command.code != Some(0);
    if !all.command.as_ref().is_some_and(|command| failed(&command)) {
        all.command = one.command.as_ref().filter(failed).or(all.command.as_ref()).or(one.command.as_ref()).cloned();
    }
    all.damage.extend(one.damage.iter().map(|what| format!("{}: {what}", one.host)));
    all.notes.extend(one.notes.iter().map(|what| format!("{}: {what}", one.host)));
}

/// Adds a word to a list of words, once.
fn join(all: &mut String, one: &str) {
    if all.is_empty() {
        one.clone_into(all);
    } else if !all.split(", ").any(|known| known == one) {
        all.push_str(", ");
        all.push_str(one);
    }
}

fn extend_new<T: PartialEq + Clone>(all: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
}

fn add_kernel(all: &mut Kernel, one: &Kernel) {
    // A state has a comma in it, so it is compared whole.
    if all.state != one.state && !all.state.split(" / ").any(|known| known == one.state) {
        all.state = format!("{} / {}", all.state, one.state);
    }
    join(&mut all.release, &one.release);
    join(&mut all.arch, &one.arch);
    join(&mut all.hooks, &one.hooks);
    for (meaning, how) in &one.backend {
        join(all.backend.entry(meaning.clone()).or_default(), how);
    }
    extend_new(&mut all.reasons, &one.reasons);
    extend_new(&mut all.degraded, &one.degraded);
    all.tick_ns = all.tick_ns.filter(|_| all.tick_ns == one.tick_ns);
}

/// A cause that one of them cannot tell is told of the others.
fn add_dropped(all: &mut Dropped, one: &Dropped) {
    for (cause, count) in one {
        *all.entry(cause).or_default() += count;
    }
}

fn add_cost(all: &mut Overhead, one: &Overhead) {
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
        program_stats: both_stats(all.program_stats.take(), program_stats.clone()),
    };
}

/// The ring buffer that came nearer to its end.
fn fuller((a, b): (RingUse, RingUse)) -> RingUse {
    let share = |ring: &RingUse| percent(ring.highest_bytes, ring.size_bytes);
    if share(&b) > share(&a) { b } else { a }
}

/// Run times of both; where one does not tell them, the sum would be of a part.
fn both_stats(a: Option<ProgramStats>, b: Option<ProgramStats>) -> Option<ProgramStats> {
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
    use observer_observation::ProgramRun;

    #[test]
    fn run_times_add_up_or_are_not_told() {
        let run = |name: &str, runs| ProgramRun { name: name.to_owned(), runs, run_ns: 10 * runs };
        let counted = |runs: &[ProgramRun]| Some(ProgramStats::Counted(runs.to_vec()));
        let (one, two) = (counted(&[run("a", 1)]), counted(&[run("a", 2), run("b", 5)]));
        assert_eq!(both_stats(one.clone(), two), counted(&[run("a", 3), run("b", 5)]));
        assert_eq!(both_stats(one.clone(), None), None);
        let refused = Some(ProgramStats::Refused("no".to_owned()));
        assert_eq!(both_stats(refused.clone(), one.clone()), refused);
        assert_eq!(both_stats(one, refused.clone()), refused);
    }

    #[test]
    fn of_two_rings_the_fuller_one_is_told() {
        let ring = |size_bytes, highest_bytes| RingUse { size_bytes, waiting_bytes: 0, highest_bytes };
        assert_eq!(fuller((ring(100, 50), ring(1_000, 60))), ring(100, 50));
        assert_eq!(fuller((ring(1_000, 60), ring(100, 50))), ring(100, 50));
    }
}
