//! Builds the dashboard's model from an engine and its counters. Tables are built again only after a change, and long
//! tables less often: events never wait for the screen.

use std::{collections::VecDeque, sync::Arc};

use super::model::{
    About, BINS, Cost, Counts, DelayInjection, Distribution, EntryRow, FindingRow, GroupRow, Model, ProgramTime,
    Stalled, SwapDevice, bin,
};
use observer_engine::{
    areas::AreaEntry,
    event::{Entry, Nanos},
    tally::{Contention, TaskGroup},
};
use observer_kernel::swaps::device_name;
use observer_observation::{
    CgroupPaths, Context, Durations, Engine, Known, Overhead, ProgramStats, Sample, Swap, Tally, percent,
};
use observer_record::player::Transport;
use observer_report::summary::{distributions::Measure, headline::Doubt};
use observer_text::Name;

/// Samples over which the overhead is averaged: five seconds.
const COST_SAMPLES: usize = 50;

/// Distributions are built from every fifth sample at most.
const DISTRIBUTION_SAMPLES: u64 = 5;

/// What a model is built from.
pub struct Source<'a> {
    /// With its tally started.
    pub engine: &'a Engine,
    /// What is known so far, with the report of the engine.
    pub known: Known<'a>,
    /// Now, on the clock of the events.
    pub now: Nanos,
    /// The swap devices now; `None`: as before, or in a replay those that are known to be in use.
    pub devices: Option<Vec<SwapDevice>>,
    /// `None`: a replay, which measures no cost.
    pub spent: Option<Spent<'a>>,
    /// `None`: live.
    pub transport: Option<Transport>,
    /// Whether delay injection is on; `None`: unknown yet, or not loaded.
    pub delay_injection: Option<bool>,
}

/// What observing has cost so far.
#[derive(Clone, Copy, Debug)]
pub struct Spent<'a> {
    /// CPU time of this process, nanoseconds.
    pub cpu_ns: Nanos,
    /// Elapsed time, nanoseconds.
    pub elapsed_ns: Nanos,
    /// The rest, as of the latest counters.
    pub overhead: &'a Overhead,
}

#[derive(Debug)]
pub struct ModelBuilder {
    about: Arc<About>,
    start: Nanos,
    devices: Option<Vec<SwapDevice>>,
    /// The delay of a live observation's delay injection.
    delay_ns: Option<Nanos>,
    /// One entry in this many is observed: counts are multiplied by it.
    one_in: u64,
    /// The release of pins is not observed, so there are no pin holds and no oversleep.
    holds_unseen: bool,
    live: bool,
    samples: u64,
    built: Built,
    distributions: Arc<Vec<Distribution>>,
    entries: Arc<Vec<EntryRow>>,
    groups: Arc<Vec<GroupRow>>,
    findings: Arc<Vec<FindingRow>>,
    /// CPU time and elapsed time of the last samples.
    cpu: VecDeque<(Nanos, Nanos)>,
}

/// The revision of the tally that each part was built from.
#[derive(Clone, Copy, Debug, Default)]
struct Built {
    distributions: Option<u64>,
    /// With the number of control groups that were known.
    tables: Option<(u64, usize)>,
    findings: Option<u64>,
}

impl ModelBuilder {
    pub fn live(context: &Context) -> Self {
        Self::new(context, true)
    }

    pub fn replay(context: &Context) -> Self {
        Self::new(context, false)
    }

    /// `selection`: the options by which the tally of the engine is limited.
    #[must_use]
    pub fn selecting(mut self, selection: Option<String>) -> Self {
        Arc::make_mut(&mut self.about).selection = selection;
        self
    }

    fn new(context: &Context, live: bool) -> Self {
        let about = About {
            kernel: context.kernel.clone(),
            command: (!context.command.is_empty()).then(|| context.command.clone()),
            filters: context.filters.clone(),
            selection: None,
            sample_one_in: context.sample_one_in,
            cgroups: context.cgroups,
        };
        Self {
            about: Arc::new(about),
            start: context.clocks.monotonic_ns,
            // A recording without devices does not show that there were none.
            devices: (!context.swaps.is_empty() || live).then(|| context.swaps.iter().map(device).collect()),
            delay_ns: context.widen_ns,
            one_in: context.sample_one_in.max(1).into(),
            holds_unseen: context.kernel.holds_unseen(),
            live,
            samples: 0,
            built: Built::default(),
            distributions: Arc::default(),
            entries: Arc::default(),
            groups: Arc::default(),
            findings: Arc::default(),
            cpu: VecDeque::new(),
        }
    }

    /// Must be called after the engine was replaced, or its tally cleared.
    pub fn reset(&mut self) {
        self.built = Built::default();
        self.findings = Arc::default();
    }

    /// It starts switched on.
    fn delay_injection(&self, on: Option<bool>, sample: &Sample) -> DelayInjection {
        let delays = sample.snapshot.counters.delays;
        match self.delay_ns {
            _ if !self.live => DelayInjection::Recorded,
            Some(ns) => DelayInjection::Attached { on: on.unwrap_or(true), ns, delays },
            None => DelayInjection::NotLoaded,
        }
    }

    pub fn build(&mut self, source: Source<'_>) -> Model {
        let Known { sample, swaps, cgroups, .. } = source.known;
        let stalled = Stalled::of(sample, &source.engine.report().long_waits);
        if let Some(devices) = source.devices {
            self.devices = Some(devices);
        } else if !self.live && !swaps.is_empty() {
            self.devices = Some(swaps.iter().filter(|swap| swap.until_ns.is_none()).map(device).collect());
        }
        let tally = source.engine.tally();
        if let Some(tally) = tally {
            self.update(tally, swaps, cgroups);
        }
        self.samples += 1;
        let unlisted = source.engine.report().unlisted;
        Model {
            about: Arc::clone(&self.about),
            at_ns: source.now.max(self.start),
            start_ns: self.start,
            wall_clock: source.known.wall_clock.clone(),
            devices: self.devices.clone(),
            counts: counts(source.engine, sample).map(|count| count.saturating_mul(self.one_in)),
            faults_in_progress: source.engine.faults_in_progress().count(),
            stalled,
            dropped: source.known.dropped(),
            doubts: Doubt::of(&source.known),
            unlisted: tally.map_or(0, Tally::not_listed) + unlisted.findings + unlisted.entries,
            cost: source.spent.map(|spent| self.cost(spent, sample)),
            waited_ns: tally.map_or(0, |tally| tally.waited_ns),
            overslept_ns: tally.map_or(0, |tally| tally.overslept_ns),
            distributions: Arc::clone(&self.distributions),
            entries: Arc::clone(&self.entries),
            groups: Arc::clone(&self.groups),
            findings: Arc::clone(&self.findings),
            transport: source.transport,
            delay_injection: self.delay_injection(source.delay_injection, sample),
        }
    }

    fn update(&mut self, tally: &Tally, swaps: &[Swap], cgroups: &CgroupPaths) {
        let changed = |built: Option<u64>| built != Some(tally.revision);
        let due = |every: u64| self.samples.is_multiple_of(every);
        if changed(self.built.distributions) && (due(DISTRIBUTION_SAMPLES) || self.built.distributions.is_none()) {
            self.distributions = Arc::new(distributions(tally, self.holds_unseen));
            self.built.distributions = Some(tally.revision);
        }
        let rows = tally.entries().len() + tally.groups().len();
        let tables = Some((tally.revision, cgroups.len()));
        if self.built.tables != tables && (due(table_samples(rows)) || self.built.tables.is_none()) {
            self.entries = Arc::new(entry_rows(tally, swaps));
            self.groups = Arc::new(group_rows(tally, cgroups));
            self.built.tables = tables;
        }
        if changed(self.built.findings) {
            self.add_findings(tally, swaps);
            self.built.findings = Some(tally.revision);
        }
    }

    /// Appends the findings that are new in the tally.
    fn add_findings(&mut self, tally: &Tally, swaps: &[Swap]) {
        let last = self.findings.last().map_or(0, |row| row.number);
        let new = tally.findings().iter().filter(|(number, _)| *number > last);
        let new: Vec<FindingRow> = new
            .map(|(number, finding)| FindingRow {
                number: *number,
                device: device_of(swaps, finding.entry, finding.start_ns),
                at_ns: finding.end_ns.saturating_sub(self.start),
                finding: Arc::new(finding.clone()),
            })
            .collect();
        if new.is_empty() {
            return;
        }
        // The tally keeps the newest ones; older rows go with them.
        let oldest = tally.findings().front().map_or(0, |(number, _)| *number);
        let kept = self.findings.iter().filter(|row| row.number >= oldest);
        self.findings = Arc::new(kept.chain(&new).cloned().collect());
    }

    fn cost(&mut self, spent: Spent<'_>, sample: &Sample) -> Cost {
        if self.cpu.len() >= COST_SAMPLES {
            self.cpu.pop_front();
        }
        let Spent { cpu_ns, elapsed_ns, overhead } = spent;
        self.cpu.push_back((cpu_ns, elapsed_ns));
        let (cpu_before, elapsed_before) = self.cpu.front().copied().unwrap_or((cpu_ns, elapsed_ns));
        let counters = &sample.snapshot.counters;
        Cost {
            cpu_percent: percent(cpu_ns.saturating_sub(cpu_before), elapsed_ns.saturating_sub(elapsed_before)),
            per_swap_in_ns: cpu_ns.checked_div(self.one_in * (counters.read_direct + counters.read_cached)),
            resident_bytes: overhead.resident_bytes.map(|now| (now, overhead.max_resident_bytes)),
            kernel_bytes: overhead.kernel_bytes,
            ring: overhead.ring,
            programs: program_time(overhead),
        }
    }
}

fn group_rows(tally: &Tally, cgroups: &CgroupPaths) -> Vec<GroupRow> {
    let row = |(group, contention): (&TaskGroup, &Contention)| {
        let name = match group {
            TaskGroup::Process(pid) => format!("{} {pid}", contention.last.comm),
            TaskGroup::Command(command) => command.to_string(),
            TaskGroup::Cgroup(id) => cgroups.path(*id).map_or_else(|| format!("cgroup {id}"), Name::to_string),
        };
        GroupRow { group: group.clone(), name, contention: contention.clone() }
    };
    tally.groups().iter().map(row).collect()
}

fn entry_rows(tally: &Tally, swaps: &[Swap]) -> Vec<EntryRow> {
    let row = |(entry, contention): (&AreaEntry, &Contention)| EntryRow {
        entry: *entry,
        device: device_of(swaps, entry.entry, entry.since_ns),
        contention: contention.clone(),
    };
    tally.entries().iter().map(row).collect()
}

/// The short name of the area that had the entry's type at a time; `None`: unknown.
fn device_of(swaps: &[Swap], entry: Entry, at: Nanos) -> Option<String> {
    Swap::of_entry(swaps, entry, at).map(|swap| device_name(&swap.path).to_string())
}

/// A swap area of the context.
fn device(swap: &Swap) -> SwapDevice {
    let name = device_name(&swap.path).to_string();
    SwapDevice { driver: driver(&name), name, size_kib: swap.size_kib, used_kib: None, synchronous: swap.synchronous }
}

/// The driver of a block device, as far as its name shows it; `file` for a swap file.
pub fn driver(device: &str) -> &'static str {
    match device.trim_end_matches(|ch: char| ch.is_ascii_digit()) {
        "ram" => "brd",
        "zram" => "zram",
        "pmem" => "pmem",
        "dm-" => "dm",
        "md" => "md",
        "loop" => "loop",
        name if name.starts_with("nvme") => "nvme",
        name if name.starts_with("sd") || name.starts_with("vd") => "disk",
        _ => "file",
    }
}

fn program_time(overhead: &Overhead) -> ProgramTime {
    match overhead.program_stats.as_ref().map(ProgramStats::sum) {
        None => ProgramTime::NotRequested,
        Some(None) => ProgramTime::Unavailable,
        Some(Some((_, ns))) => ProgramTime::Percent(percent(ns, overhead.elapsed_ns)),
    }
}

/// Samples between two builds of tables with this many rows.
const fn table_samples(rows: usize) -> u64 {
    match rows {
        0..=200 => 1,
        201..=5_000 => 5,
        _ => 20,
    }
}

fn counts(engine: &Engine, sample: &Sample) -> Counts {
    let (counters, verdicts) = (&sample.snapshot.counters, &engine.report().verdicts);
    [
        counters.read_direct,
        counters.read_cached,
        verdicts.overlap,
        verdicts.pin_wait,
        verdicts.lock_wait,
        verdicts.window,
        verdicts.reuse,
        verdicts.stale_install,
    ]
}

/// `holds_unseen`: without the distributions that are not observed, for which a count of 0 would be false.
fn distributions(tally: &Tally, holds_unseen: bool) -> Vec<Distribution> {
    let all = &tally.distributions;
    // Lock waits only if there are any: most kernels pin.
    let has_locks = !all.lock_wait.histogram().is_empty();
    [
        (Measure::Overlap, &all.overlap, true),
        (Measure::PinHold, &all.pin_hold, !holds_unseen),
        (Measure::PinWait, &all.pin_wait, true),
        (Measure::Oversleep, &all.pin_oversleep, !holds_unseen),
        (Measure::LockWait, &all.lock_wait, has_locks),
        (Measure::LockOversleep, &all.lock_oversleep, has_locks && !all.lock_oversleep.histogram().is_empty()),
    ]
    .into_iter()
    .filter(|(.., shown)| *shown)
    .map(|(measure, durations, _)| distribution(measure, durations))
    .collect()
}

fn distribution(measure: Measure, durations: &Durations) -> Distribution {
    let mut bins = Vec::new();
    if !durations.histogram().is_empty() {
        bins.resize(BINS, 0);
        for value in durations.histogram().iter_recorded() {
            if let Some(count) = bins.get_mut(bin(value.value_iterated_to())) {
                *count += value.count_at_value();
            }
        }
    }
    Distribution { measure, summary: durations.summary(), bins }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::event::{Event, Fault, SlotCount, Task};
    use observer_observation::{CgroupPath, Outcome, ProgramRun};

    fn known<'a>(engine: &'a Engine, outcome: &'a Outcome, cgroups: &'a CgroupPaths) -> Known<'a> {
        Known { report: engine.report(), cgroups, ..Known::from(outcome) }
    }

    #[test]
    fn distributions_that_are_not_observed_are_left_out() {
        use Measure::{Overlap, Oversleep, PinHold, PinWait};
        let measures =
            |unseen| distributions(&Tally::default(), unseen).iter().map(|one| one.measure).collect::<Vec<_>>();
        assert_eq!(measures(false), [Overlap, PinHold, PinWait, Oversleep]);
        assert_eq!(measures(true), [Overlap, PinWait]);
    }

    #[test]
    fn tables_of_an_unchanged_tally_are_built_once() {
        let mut builder = ModelBuilder::live(&Context::default());
        let mut engine = Engine::default();
        engine.start_tally();
        let outcome = Outcome::unfinished(Context::default());
        let mut build = || {
            let source = Source {
                engine: &engine,
                known: known(&engine, &outcome, &outcome.cgroups),
                now: 9,
                devices: None,
                spent: None,
                transport: None,
                delay_injection: None,
            };
            builder.build(source)
        };
        let (first, second) = (build(), build());
        assert!(Arc::ptr_eq(&first.entries, &second.entries));
        assert!(Arc::ptr_eq(&first.distributions, &second.distributions));
        assert_eq!(first.distributions.len(), 4);
    }

    #[test]
    fn a_control_group_gets_its_path_when_it_is_found() {
        let mut builder = ModelBuilder::live(&Context::default());
        let mut engine = Engine::default();
        engine.start_tally();
        let entry = Entry::new(0, 1);
        let fault = Fault { entry, base: entry, nr: 1, cgroup: 7, start: 1, end: 2, ..Fault::default() };
        for number in [1, 2] {
            let task = Task { tid: number, pid: number, comm: "t".into() };
            let slot = SlotCount { starts: 2, ends: number };
            engine.feed(Event::Ended(Fault { task, slot, ..fault.clone() }));
        }
        engine.finish();
        let outcome = Outcome::unfinished(Context::default());
        let mut names = |cgroups: &CgroupPaths| {
            let source = Source {
                engine: &engine,
                known: known(&engine, &outcome, cgroups),
                now: 9,
                devices: None,
                spent: None,
                transport: None,
                delay_injection: None,
            };
            let groups = builder.build(source).groups;
            let of_cgroups = groups.iter().filter(|row| matches!(row.group, TaskGroup::Cgroup(_)));
            of_cgroups.map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        let mut cgroups = CgroupPaths::default();
        assert_eq!(names(&cgroups), ["cgroup 7"]);
        cgroups.add(CgroupPath { id: 7, path: "/a".into() });
        assert_eq!(names(&cgroups), ["/a"]);
    }

    #[test]
    fn the_cost_is_that_of_the_last_seconds() {
        let mut builder = ModelBuilder::live(&Context::default());
        let mut sample = Sample::default();
        sample.snapshot.counters.read_direct = 10;
        let overhead = Overhead {
            resident_bytes: Some(3),
            max_resident_bytes: 4,
            elapsed_ns: 1_000,
            program_stats: Some(ProgramStats::Counted(vec![ProgramRun { run_ns: 20, ..ProgramRun::default() }])),
            ..Overhead::default()
        };
        let spent = |cpu_ns, elapsed_ns| Spent { cpu_ns, elapsed_ns, overhead: &overhead };
        assert!(builder.cost(spent(0, 0), &sample).cpu_percent.abs() < f64::EPSILON);
        let cost = builder.cost(spent(5_000_000, 1_000_000_000), &sample);
        assert_eq!((cost.resident_bytes, cost.programs), (Some((3, 4)), ProgramTime::Percent(2.0)));
        assert!((cost.cpu_percent - 0.5).abs() < 1e-9);
        assert_eq!(cost.per_swap_in_ns, Some(500_000));
    }

    #[test]
    fn drivers_of_devices() {
        let drivers = ["zram0", "ram1", "nvme0n1p3", "sda2", "swapfile", "dm-0"].map(driver);
        assert_eq!(drivers, ["zram", "brd", "nvme", "disk", "file", "dm"]);
        let swap = Swap { path: "/dev/zram0".into(), ..Swap::default() };
        assert_eq!(device(&swap).name, "zram0");
    }
}
