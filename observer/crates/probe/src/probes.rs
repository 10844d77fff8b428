//! The attached programs: drains their records, reads their counters.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use crate::{
    attach, counters, decode, delay_injection,
    error::LoadError,
    identity::Identifier,
    in_progress,
    loaded::Loaded,
    mapped::Mapped,
    object,
    options::Options,
    ring::RingGauge,
    statistics::Statistics,
    type_filter::TypeFilter,
    usage::{CpuTime, Resident, fdinfo},
};
use aya::{
    Ebpf,
    maps::{Array, MapData, MapError, RingBuf},
};
use observer_ebpf::{
    self as abi,
    slot::{self, Slot},
    swap_entry,
    totals::DerivedCounters,
};
use observer_engine::event::{Event, Nanos};
use observer_kernel::plan::{Hook, Meaning, Plan};
use observer_observation::{FaultTimes, Overhead, Skipped, Snapshot, Stalls};

pub type Slots = Vec<Slot>;

/// How long [`Probes::detach`] waits for faults in progress. They last microseconds, or milliseconds if the task is
/// delayed or waits for a CPU.
const PATIENCE: Duration = Duration::from_millis(250);

/// The attached programs. Dropping it detaches them.
pub struct Probes {
    ebpf: Option<Ebpf>,
    /// Attached beside [`Self::ebpf`].
    events: attach::Events,
    ring: RingBuf<MapData>,
    /// `None`: the kernel does not let the ring be read.
    gauge: Option<RingGauge>,
    statistics: Statistics,
    totals: counters::OfCpus,
    derived: DerivedCounters,
    disturbed: Array<MapData, u32>,
    /// `None`: all tasks are observed.
    identifier: Option<Identifier>,
    /// The hooks on the start of faults.
    starts: Vec<Hook>,
    faults: in_progress::Table,
    /// Whether all faults are observed.
    every_task: bool,
    has_kprobes: bool,
    slots: Array<MapData, Slot>,
    delay_injection: Option<delay_injection::Switch>,
    /// `None`: every type is observed.
    type_filter: Option<TypeFilter>,
    logger: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
    programs: Vec<Loaded>,
    kernel_bytes: u64,
    records: u64,
    undecodable: u64,
}

impl Probes {
    /// Loads and attaches. When it returns, every hook is live: only then may a workload start.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn attach(plan: &Plan, options: &Options) -> Result<Self, LoadError> {
        let mut ebpf = object::load(plan, options)?;
        // Before the first run, so that every run is counted.
        let statistics = Statistics::start(options.program_stats);
        let filter = &options.filter;
        let type_filter = filter.has_types().then(|| TypeFilter::take(&mut ebpf, filter.types)).transpose()?;
        let events = attach::all(&mut ebpf, plan, options)?;
        let logger = if options.log { aya_log::EbpfLogger::init(&mut ebpf).ok() } else { None };
        let delay_injection = options.delay.map(|_| delay_injection::Switch::take(&mut ebpf)).transpose()?;
        let probes = Self::with(ebpf, plan, logger, options)?;
        let gauge = RingGauge::new(&probes.ring, options.ring_size().into());
        Ok(Self { events, gauge, statistics, delay_injection, type_filter, ..probes })
    }

    fn with(
        mut ebpf: Ebpf,
        plan: &Plan,
        logger: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
        options: &Options,
    ) -> Result<Self, LoadError> {
        let counting: Vec<&str> =
            plan.hooks.iter().filter(|hook| plan.counts_reads(hook)).map(|hook| hook.program.name).collect();
        let kernel_bytes = ebpf.maps().filter_map(|(_, map)| map_bytes(map)).sum();
        let programs = ebpf
            .programs()
            .filter_map(|(name, program)| {
                let fd = program.fd().ok()?.as_fd().as_raw_fd();
                Some(Loaded { name: name.to_owned(), fd, counts_reads: counting.contains(&name) })
            })
            .collect();
        let map = |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(LoadError::Missing { kind: "map", name });
        Ok(Self {
            ring: map(&mut ebpf, abi::MAP_EVENTS)?.try_into().map_err(failed(abi::MAP_EVENTS))?,
            totals: mapped(&mut ebpf, abi::MAP_TOTALS, object::cpus()?)?,
            derived: DerivedCounters { direct_reads: plan.direct_by_end(), frees: plan.reports_every_reference() },
            disturbed: map(&mut ebpf, abi::MAP_BSS)?.try_into().map_err(failed(abi::MAP_BSS))?,
            identifier: if options.watch { Some(Identifier::load(&mut ebpf)?) } else { None },
            slots: map(&mut ebpf, abi::MAP_SLOTS)?.try_into().map_err(failed(abi::MAP_SLOTS))?,
            starts: plan.of(Meaning::FaultStart).cloned().collect(),
            faults: in_progress::Table {
                seats: mapped(&mut ebpf, abi::MAP_FAULTS, object::fault_seats(options))?,
                spilled: map(&mut ebpf, abi::MAP_SPILLED)?.try_into().map_err(failed(abi::MAP_SPILLED))?,
            },
            ebpf: Some(ebpf),
            events: attach::Events::default(),
            every_task: !options.excludes_any(),
            has_kprobes: plan.hooks.iter().any(|hook| !hook.backend.is_trampoline()),
            gauge: None,
            statistics: Statistics::Off,
            delay_injection: None,
            type_filter: None,
            logger,
            programs,
            kernel_bytes,
            records: 0,
            undecodable: 0,
        })
    }

    /// Watches the calling thread, and all tasks that it forks from now on.
    ///
    /// # Errors
    /// When the kernel does not run the program that adds it.
    pub fn watch_this_thread(&self) -> Result<(), LoadError> {
        self.identifies()?.of_this_thread()?;
        self.watched().map(drop)
    }

    fn identifies(&self) -> Result<&Identifier, LoadError> {
        self.identifier.as_ref().ok_or(LoadError::NotWatched)
    }

    /// The program that adds the task that runs it, by [`identify`](crate::identify), to the watched tasks. The kernel
    /// adds it by the ids that all programs see, whatever the PID namespace.
    ///
    /// # Errors
    /// When all tasks are observed.
    pub fn identifier(&self) -> Result<BorrowedFd<'_>, LoadError> {
        self.identifies().map(Identifier::program)
    }

    /// The id, in the initial PID namespace, of the process that was added last.
    ///
    /// # Errors
    /// When none was added.
    pub fn watched(&self) -> Result<u32, LoadError> {
        let last = self.identifies()?.last()?;
        if last.watched == 1 { Ok(last.tgid) } else { Err(LoadError::NotWatched) }
    }

    /// Whether delay injection is on; `None`: it is not attached.
    pub fn delay_injection(&self) -> Option<bool> {
        self.delay_injection.as_ref().map(delay_injection::Switch::is_on)
    }

    /// Turns delay injection on or off, if it is attached.
    ///
    /// # Errors
    /// When the kernel refuses the map update.
    pub fn set_delay_injection(&mut self, on: bool) -> Result<(), LoadError> {
        self.delay_injection.as_mut().map_or(Ok(()), |switch| switch.set(on))
    }

    /// Observes faults on entries of other swap types from now on, one bit for each type, if there is a filter by type.
    ///
    /// # Errors
    /// When the kernel refuses the map update.
    pub fn observe_types(&mut self, types: u32) -> Result<(), LoadError> {
        self.type_filter.as_mut().map_or(Ok(()), |filter| filter.set(types))
    }

    /// A descriptor that becomes readable when there are records.
    ///
    /// # Errors
    /// When this process has no descriptor left.
    pub fn ring_fd(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::dup(self.ring.as_fd())?)
    }

    /// Passes at most `limit` records to `sink`. True: there may be more.
    pub fn drain(&mut self, limit: usize, mut sink: impl FnMut(Event)) -> bool {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        if let Some(gauge) = &mut self.gauge {
            gauge.read();
        }
        for _ in 0..limit {
            let Some(record) = self.ring.next() else { return false };
            self.records += 1;
            match decode(&record) {
                Ok(event) => sink(event),
                Err(_) => self.undecodable += 1,
            }
        }
        true
    }

    /// Detaches all programs. Counters and records can still be read.
    ///
    /// Detaching takes time. Counters that the kernel has too are therefore those of the start of this call, so that
    /// they match a reading of `/proc/vmstat` right before it; faults are counted to their end, for which those in
    /// progress get [`PATIENCE`].
    ///
    /// # Errors
    /// When the kernel refuses to read a map.
    pub fn detach(&mut self) -> Result<Snapshot, LoadError> {
        // Skipped runs are counted by the programs: read them while they are loaded.
        let before = self.snapshot();
        for program in &self.programs {
            if let Some(skipped @ 1..) = program.skipped() {
                log::debug!("{} was skipped {skipped} times", program.name);
            }
        }
        self.programs.clear();
        // Starts first: the end of a fault that starts after the program at the end is gone would be missed.
        if let Some(ebpf) = &mut self.ebpf {
            attach::stop_starts(ebpf, &self.starts)?;
        }
        let patience = Instant::now() + PATIENCE;
        let mut places = self.faults.in_progress().map_err(failed(abi::MAP_SPILLED))?;
        while !places.is_empty() && Instant::now() < patience {
            thread::sleep(PATIENCE / 50);
            places.retain(|place| self.faults.is_in_progress(*place));
        }
        let ends_missed = self.faults.ends_missed(&places);
        let (missed, skipped_returns) = self.returns_missed();
        self.ebpf = None;
        self.events = attach::Events::default();
        let Snapshot { counters: after, .. } = self.snapshot();
        let ends_missed = ends_missed.max(missed.saturating_sub(after.fault_end_missed));
        let mut counters = after.with_kernel_counted_of(&before.counters);
        counters.started += places.len() as u64;
        let skipped = match before.skipped {
            Some(skipped) => Some(Skipped { all: skipped.all + skipped_returns, ..skipped }),
            None => (skipped_returns > 0).then_some(Skipped { all: skipped_returns, reads: 0 }),
        };
        Ok(Snapshot { counters, skipped, ends_missed })
    }

    /// Returns that the kernel reports as missed: of faults, if these are ends of observed faults, and of all other
    /// functions. It does not identify the tasks, and the faults may be on entries that are in no swap area.
    fn returns_missed(&self) -> (u64, u64) {
        let of_faults = |symbol: &str| self.starts.iter().any(|start| start.symbol == symbol);
        let (faults, others): (Vec<_>, Vec<_>) =
            self.events.returns.missed().partition(|(symbol, _)| of_faults(symbol));
        let sum = |missed: Vec<(&str, u64)>| missed.into_iter().map(|(_, missed)| missed).sum();
        (if self.every_task { sum(faults) } else { 0 }, sum(others))
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let counters = counters::sum(&self.totals, self.derived);
        Snapshot { counters, skipped: self.skipped(), ends_missed: 0 }
    }

    /// Faults in progress for long.
    pub fn stalls(&self, now: Nanos) -> Stalls {
        self.faults.stalls(now)
    }

    fn skipped(&self) -> Option<Skipped> {
        // A kernel that counts them for one program counts them for all.
        self.programs.first().and_then(Loaded::skipped)?;
        let sum = |programs: &mut dyn Iterator<Item = &Loaded>| programs.filter_map(Loaded::skipped).sum();
        Some(Skipped {
            all: sum(&mut self.programs.iter()),
            reads: sum(&mut self.programs.iter().filter(|program| program.counts_reads)),
        })
    }

    /// The slots of these entries, given by type and offset, in order.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn slots(&self, entries: impl Iterator<Item = (u64, u64)>) -> Result<Slots, LoadError> {
        entries
            .map(|(kind, offset)| self.slots.get(&slot::index((kind << swap_entry::TYPE_SHIFT) | offset), 0))
            .collect::<Result<_, _>>()
            .map_err(failed(abi::MAP_SLOTS))
    }

    /// The durations of all faults so far, by path.
    pub fn fault_times(&self) -> FaultTimes {
        counters::fault_times(&self.totals)
    }

    /// Records that could not be decoded: dropped events.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// Disturbances that have not ended; `None`: not known before the end, because reading them takes a system call on a
    /// map, during which no kprobe program runs on that CPU, or the kernel refuses it.
    pub fn disturbed(&self) -> Option<u32> {
        let holds_up_kprobes = self.ebpf.is_some() && self.has_kprobes;
        if holds_up_kprobes { None } else { self.disturbed.get(&0, 0).ok() }
    }

    /// The overhead since `since`.
    pub fn overhead(&self, since: CpuTime, elapsed_ns: u64) -> Overhead {
        let now = CpuTime::now();
        let resident = Resident::of_this_process();
        Overhead {
            elapsed_ns,
            user_ns: now.user_ns.saturating_sub(since.user_ns),
            system_ns: now.system_ns.saturating_sub(since.system_ns),
            resident_bytes: resident.now,
            max_resident_bytes: resident.largest.unwrap_or(0),
            kernel_bytes: self.kernel_bytes,
            ring: self.gauge.as_ref().map(RingGauge::seen),
            programs: u32::try_from(self.programs.len()).unwrap_or(u32::MAX),
            records: self.records,
            disturbed: self.disturbed(),
            program_stats: self.statistics.of(&self.programs),
        }
    }
}

/// The elements of an array, as memory.
fn mapped<T: bytemuck::Pod>(ebpf: &mut Ebpf, name: &'static str, elements: u32) -> Result<Mapped<T>, LoadError> {
    let map = ebpf.map(name).ok_or(LoadError::Missing { kind: "map", name })?;
    let aya::maps::Map::Array(data) = map else { return Err(LoadError::Missing { kind: "array", name }) };
    Mapped::new(data.fd(), elements).map_err(|error| failed(name)(MapError::IoError(error)))
}

/// Names the map that could not be used.
fn failed(name: &'static str) -> impl Fn(MapError) -> LoadError {
    move |error| LoadError::Map { name, source: error.into() }
}

fn map_bytes(map: &aya::maps::Map) -> Option<u64> {
    use aya::maps::Map;
    // All kinds of maps in the object; constants are arrays too.
    let (Map::Array(data) | Map::CgroupArray(data) | Map::HashMap(data) | Map::PerCpuArray(data) | Map::RingBuf(data)) =
        map
    else {
        return None;
    };
    fdinfo(data.fd().as_fd().as_raw_fd(), "memlock")
}
