//! Makes the dashboard's sample from an engine and its counters. Tables are made again only when something has changed, and
//! the longer they are the less often: the event path never waits for the screen.

mod about;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

pub use self::about::form;
use self::about::{about, device};
use super::model::{
    About, BINS, Cost, Counts, DelayInjection, DeviceLine, Distribution, EntryRow, FindingRow, Model, NO_DEVICE,
    PartyRow, ProgramShare, bin,
};
use observer_engine::{
    Engine,
    event::{Entry, Nanos},
    tally::{FINDINGS_KEPT, Party, Tally},
    totals::Durations,
};
use observer_observation::{Context, Overhead, ProgramStats, Sample, percent};
use observer_record::player::Transport;
use observer_report::summary::dropped;

/// Samples over which the overhead is averaged.
const COST_SAMPLES: usize = 50;

/// Distributions are counted again at most every so many samples.
const DISTRIBUTION_SAMPLES: u64 = 5;

/// Names of control groups by id and by a process in it, where they can be found out.
pub trait Names {
    /// The path of a control group.
    fn cgroup(&mut self, id: u64, pid: u32) -> Option<String>;
}

/// Nothing can be found out, as in a replay on another host.
impl Names for () {
    fn cgroup(&mut self, _id: u64, _pid: u32) -> Option<String> {
        None
    }
}

/// What a sample is made from.
pub struct Source<'a> {
    /// The engine, with its tally.
    pub engine: &'a Engine,
    /// The latest counters.
    pub sample: &'a Sample,
    /// Now, on the events' clock.
    pub now: Nanos,
    /// Swap devices as they are now; `None`: as they were at the start.
    pub devices: Option<Vec<DeviceLine>>,
    /// What observing has cost so far; `None`: not of interest.
    pub spent: Option<Spent<'a>>,
    /// The replay.
    pub transport: Option<Transport>,
    /// Whether delay injection is on; `None`: there is none, or it is not known yet.
    pub widening: Option<bool>,
}

/// What observing has cost so far.
#[derive(Clone, Copy, Debug)]
pub struct Spent<'a> {
    /// CPU time of this process, nanoseconds.
    pub cpu_ns: Nanos,
    /// Time of the real clock, nanoseconds.
    pub clock_ns: Nanos,
    /// The rest, as it was when counters were read last.
    pub own: &'a Overhead,
}

/// See the module.
#[derive(Debug)]
pub struct ModelBuilder {
    about: Arc<About>,
    start: Nanos,
    devices: Option<Vec<DeviceLine>>,
    /// Delay of delay injection of a live observation.
    widen_ns: Option<Nanos>,
    /// What counts are multiplied by: of so many entries one is observed.
    one_in: u64,
    /// Nothing tells how long pins are held, nor so how long their losers oversleep.
    holds_unseen: bool,
    live: bool,
    samples: u64,
    seen: Seen,
    distributions: Arc<Vec<Distribution>>,
    entries: Arc<Vec<EntryRow>>,
    parties: Arc<Vec<PartyRow>>,
    findings: Arc<Vec<FindingRow>>,
    cpu: VecDeque<(Nanos, Nanos)>,
    cgroups: HashMap<u64, String>,
}

/// Revision of the tally that each part was made from.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    distributions: Option<u64>,
    tables: Option<u64>,
    findings: Option<u64>,
}

impl ModelBuilder {
    /// For an observation, or a recording of one in `file`.
    pub fn new(context: &Context, file: &str) -> Self {
        let live = file.is_empty();
        Self {
            about: Arc::new(about(context, file)),
            start: context.clocks.monotonic_ns,
            devices: (!context.swaps.is_empty() || live).then(|| context.swaps.iter().map(device).collect()),
            widen_ns: context.widen_ns,
            one_in: context.sample_one_in.max(1).into(),
            holds_unseen: context.kernel.holds_unseen(),
            live,
            samples: 0,
            seen: Seen::default(),
            distributions: Arc::default(),
            entries: Arc::default(),
            parties: Arc::default(),
            findings: Arc::default(),
            cpu: VecDeque::new(),
            cgroups: HashMap::new(),
        }
    }

    /// The engine was replaced, or its tally cleared.
    pub fn forget(&mut self) {
        self.seen = Seen::default();
        self.findings = Arc::default();
    }

    /// What can be said of delay injection. It starts switched on.
    fn delay_injection(&self, on: Option<bool>, sample: &Sample) -> DelayInjection {
        let delays = sample.snapshot.counters.widened;
        match self.widen_ns {
            _ if !self.live => DelayInjection::Recorded,
            Some(ns) => DelayInjection::Attached { on: on.unwrap_or(true), ns, delays },
            None => DelayInjection::NotAsked,
        }
    }

    /// Makes a sample.
    pub fn gather(&mut self, source: Source<'_>, names: &mut impl Names) -> Model {
        if let Some(devices) = source.devices {
            self.devices = Some(devices);
        }
        if let Some(tally) = source.engine.tally() {
            self.take(tally, names);
        }
        self.samples += 1;
        let counts = counts(source.engine, source.sample).map(|count| count.saturating_mul(self.one_in));
        let delay_injection = self.delay_injection(source.widening, source.sample);
        let mut dropped = dropped::collect(source.sample, &source.engine.report().dropped);
        let tally = source.engine.tally();
        if let Some(tally) = tally.filter(|tally| tally.not_listed() > 0) {
            *dropped.entry("entry_not_listed").or_default() += tally.not_listed();
        }
        Model {
            about: Arc::clone(&self.about),
            at_ns: source.now.max(self.start),
            start_ns: self.start,
            devices: self.devices.clone(),
            counts,
            faults_in_progress: source.engine.faults_in_progress().count(),
            dropped,
            cost: source.spent.map(|spent| self.cost(spent, source.sample)),
            waited_ns: tally.map_or(0, |tally| tally.waited_ns),
            overslept_ns: tally.map_or(0, |tally| tally.overslept_ns),
            distributions: Arc::clone(&self.distributions),
            entries: Arc::clone(&self.entries),
            parties: Arc::clone(&self.parties),
            findings: Arc::clone(&self.findings),
            transport: source.transport,
            delay_injection,
        }
    }

    fn take(&mut self, tally: &Tally, names: &mut impl Names) {
        let changed = |seen: Option<u64>| seen != Some(tally.revision);
        let due = |every: u64| self.samples.is_multiple_of(every);
        if changed(self.seen.distributions) && (due(DISTRIBUTION_SAMPLES) || self.seen.distributions.is_none()) {
            self.distributions = Arc::new(distributions(tally, self.holds_unseen));
            self.seen.distributions = Some(tally.revision);
        }
        let rows = tally.entries().len() + tally.parties().len();
        if changed(self.seen.tables) && (due(table_samples(rows)) || self.seen.tables.is_none()) {
            self.entries = Arc::new(self.entry_rows(tally));
            self.parties = Arc::new(self.party_rows(tally, names));
            self.seen.tables = Some(tally.revision);
        }
        if changed(self.seen.findings) {
            self.add_findings(tally);
            self.seen.findings = Some(tally.revision);
        }
    }

    fn entry_rows(&self, tally: &Tally) -> Vec<EntryRow> {
        let row = |(entry, contention): (&Entry, _)| EntryRow {
            entry: *entry,
            device: self.device_of(*entry),
            contention: Clone::clone(contention),
        };
        tally.entries().iter().map(row).collect()
    }

    fn party_rows(&mut self, tally: &Tally, names: &mut impl Names) -> Vec<PartyRow> {
        let row = |(party, contention): (&Party, &observer_engine::tally::Contention)| {
            let name = match party {
                Party::Process(pid) => format!("{} {pid}", contention.last.comm),
                Party::Command(command) => command.clone(),
                Party::Cgroup(id) => self.cgroup(*id, contention.last.pid, names),
            };
            PartyRow { party: party.clone(), name, contention: contention.clone() }
        };
        tally.parties().iter().map(row).collect()
    }

    fn cgroup(&mut self, id: u64, pid: u32, names: &mut impl Names) -> String {
        if let Some(known) = self.cgroups.get(&id) {
            return known.clone();
        }
        match names.cgroup(id, pid) {
            Some(path) => {
                self.cgroups.insert(id, path.clone());
                path
            }
            // Asked again next time: another process of the group may live longer.
            None => format!("cgroup {id}"),
        }
    }

    /// Findings are only ever added: what is known already is kept.
    fn add_findings(&mut self, tally: &Tally) {
        let last = self.findings.last().map_or(0, |row| row.number);
        let new = tally.findings().iter().filter(|(number, _)| *number > last);
        let new: Vec<FindingRow> = new
            .map(|(number, finding)| FindingRow {
                number: *number,
                device: self.device_of(finding.entry),
                at_ns: finding.end_ns.saturating_sub(self.start),
                finding: Arc::new(finding.clone()),
            })
            .collect();
        if new.is_empty() {
            return;
        }
        let mut all: Vec<FindingRow> = self.findings.iter().chain(&new).cloned().collect();
        all.drain(..all.len().saturating_sub(FINDINGS_KEPT));
        self.findings = Arc::new(all);
    }

    fn device_of(&self, entry: Entry) -> String {
        let devices = self.devices.as_deref().unwrap_or_default();
        let device = devices.iter().find(|device| device.kind == u32::from(entry.kind()));
        device.map_or_else(|| NO_DEVICE.to_owned(), |device| device.name.clone())
    }

    fn cost(&mut self, spent: Spent<'_>, sample: &Sample) -> Cost {
        if self.cpu.len() >= COST_SAMPLES {
            self.cpu.pop_front();
        }
        let Spent { cpu_ns: cpu, clock_ns: clock, own } = spent;
        self.cpu.push_back((cpu, clock));
        let (cpu_then, clock_then) = self.cpu.front().copied().unwrap_or((cpu, clock));
        let counters = &sample.snapshot.counters;
        Cost {
            cpu_percent: percent(cpu.saturating_sub(cpu_then), clock.saturating_sub(clock_then)),
            per_swap_in_ns: cpu.checked_div(self.one_in * (counters.read_direct + counters.read_cached)),
            resident_bytes: own.resident_bytes.map(|now| (now, own.max_resident_bytes)),
            kernel_bytes: own.kernel_bytes,
            ring: own.ring,
            programs: program_share(own),
        }
    }
}

fn program_share(own: &Overhead) -> ProgramShare {
    match own.program_stats.as_ref().map(ProgramStats::sum) {
        None => ProgramShare::NotAsked,
        Some(None) => ProgramShare::Refused,
        Some(Some((_, ns))) => ProgramShare::Percent(percent(ns, own.elapsed_ns)),
    }
}

/// How often long tables are made again, in samples.
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

/// `holds_unseen`: no row for what cannot be seen, where a 0 would say that there is none.
fn distributions(tally: &Tally, holds_unseen: bool) -> Vec<Distribution> {
    let locks = [("lock wait", &tally.lock_wait_times), ("lock oversleep", &tally.lock_oversleep_times)];
    [
        ("overlap", &tally.overlap_times),
        ("pin hold", &tally.hold_times),
        ("pin wait", &tally.wait_times),
        ("oversleep", &tally.oversleep_times),
    ]
    .into_iter()
    .filter(|(name, _)| !(holds_unseen && matches!(*name, "pin hold" | "oversleep")))
    // Shown where there are any: most kernels pin.
    .chain(locks.into_iter().filter(|(_, durations)| !durations.histogram().is_empty()))
    .map(|(name, durations)| distribution(name, durations))
    .collect()
}

fn distribution(name: &'static str, durations: &Durations) -> Distribution {
    let mut bins = Vec::new();
    if !durations.histogram().is_empty() {
        bins.resize(BINS, 0);
        for value in durations.histogram().iter_recorded() {
            if let Some(count) = bins.get_mut(bin(value.value_iterated_to())) {
                *count += value.count_at_value();
            }
        }
    }
    Distribution { name, summary: durations.summary(), bins }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::ProgramRun;

    #[test]
    fn what_cannot_be_seen_has_no_row_of_zeroes() {
        let names = |unseen| distributions(&Tally::default(), unseen).iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(false), ["overlap", "pin hold", "pin wait", "oversleep"]);
        assert_eq!(names(true), ["overlap", "pin wait"]);
    }

    #[test]
    fn nothing_is_made_twice_from_the_same_tally() {
        let mut model_builder = ModelBuilder::new(&Context::default(), "");
        let mut engine = Engine::default();
        engine.start_tally();
        let sample = Sample::default();
        let mut gather = || {
            let source = Source {
                engine: &engine,
                sample: &sample,
                now: 9,
                devices: None,
                spent: None,
                transport: None,
                widening: None,
            };
            model_builder.gather(source, &mut ())
        };
        let (first, second) = (gather(), gather());
        assert!(Arc::ptr_eq(&first.entries, &second.entries));
        assert!(Arc::ptr_eq(&first.distributions, &second.distributions));
        assert_eq!(first.distributions.len(), 4);
    }

    #[test]
    fn the_cost_is_that_of_the_last_seconds() {
        let mut model_builder = ModelBuilder::new(&Context::default(), "");
        let mut sample = Sample::default();
        sample.snapshot.counters.read_direct = 10;
        let own = Overhead {
            resident_bytes: Some(3),
            max_resident_bytes: 4,
            elapsed_ns: 1_000,
            program_stats: Some(ProgramStats::Counted(vec![ProgramRun { run_ns: 20, ..ProgramRun::default() }])),
            ..Overhead::default()
        };
        let spent = |cpu_ns, clock_ns| Spent { cpu_ns, clock_ns, own: &own };
        assert!(model_builder.cost(spent(0, 0), &sample).cpu_percent.abs() < f64::EPSILON);
        let cost = model_builder.cost(spent(5_000_000, 1_000_000_000), &sample);
        assert_eq!((cost.resident_bytes, cost.programs), (Some((3, 4)), ProgramShare::Percent(2.0)));
        assert!((cost.cpu_percent - 0.5).abs() < 1e-9);
        assert_eq!(cost.per_swap_in_ns, Some(500_000));
    }
}
