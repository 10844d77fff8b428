//! Loads the programs with this kernel's constants and attaches them by plan.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd},
    sync::Arc,
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, CgroupArray, HashMap, MapData, MapError, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, FEntry, FExit, KProbe, Program, ProgramError, RawTracePoint},
};
use observer_ebpf::{
    self as abi, config,
    counter::Counters,
    slot::{self, Slot},
};

use super::{
    OBJECT, SelfCost, UserTime,
    cost::{fdinfo, max_resident_bytes},
    counters::{self, FlightTimes, Skipped, Snapshot},
    decode, left, trial, widener,
};
use crate::{
    engine::event::Event,
    kernel::plan::{Backend, Hook, Meaning, Plan, State},
};

/// Delays tasks of the watched command after their read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widen {
    /// By how much, nanoseconds.
    pub ns: u64,
    /// Only tasks of this command, zero-padded; all zero: any watched task.
    pub comm: [u8; 16],
    /// Of the reads that qualify one in so many is delayed, at random; 0 and 1: every one.
    pub one_in: u32,
}

/// Which flights to observe.
#[derive(Clone, Debug)]
pub struct Only {
    /// One bit for each swap type that is wanted; all ones: whatever there is.
    pub types: u32,
    /// Only of this process; 0: of all.
    pub pid: u32,
    /// Only of tasks of this command, zero-padded; all zero: of any.
    pub comm: [u8; 16],
    /// Only of tasks in this control group (a directory of version 2) or below.
    pub cgroup: Option<Arc<OwnedFd>>,
}

impl Default for Only {
    fn default() -> Self {
        Self { types: u32::MAX, pid: 0, comm: [0; 16], cgroup: None }
    }
}

/// How to observe.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring buffer in bytes, a power of two, at least a page.
    pub ring_bytes: u32,
    /// Observe only tasks named by [`Probes::watch`] and their children.
    pub watch: bool,
    /// Of those, only these.
    pub only: Only,
    /// Seats for open flights, a power of two, at most [`config::FLIGHT_SEATS`]. Fewer make flights share seats, which costs
    /// time and must change nothing else.
    pub flight_seats: u32,
    /// The widener, if wanted.
    pub widen: Option<Widen>,
    /// Let programs log, through the `log` crate.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            watch: false,
            only: Only::default(),
            flight_seats: config::FLIGHT_SEATS,
            widen: None,
            log: false,
        }
    }
}

/// Why the programs could not be set up. Whatever had been attached is detached again.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A trampoline was asked for on a kernel that does not show its types.
    #[error("{program} ({backend} {symbol}) takes the kernel's own types, which it does not show")]
    Btf {
        /// The program.
        program: String,
        /// Its backend.
        backend: &'static str,
        /// The function.
        symbol: String,
    },
    /// The maps could not be made, or the object is not ours.
    #[error("cannot set up the eBPF object: {0}")]
    Object(String),
    /// A program was refused.
    #[error("the kernel refuses the program {program} ({backend} {symbol}): {reason}")]
    Program {
        /// The program.
        program: String,
        /// Its backend.
        backend: &'static str,
        /// The function.
        symbol: String,
        /// What the kernel said.
        reason: String,
    },
    /// A map could not be read or written.
    #[error("cannot use the eBPF map {name}: {reason}")]
    Map {
        /// The map.
        name: &'static str,
        /// What the kernel said.
        reason: String,
    },
}

/// Slots of the filter.
pub type Slots = Vec<Slot>;

/// A program that has been loaded.
struct Loaded {
    fd: RawFd,
    counts_reads: bool,
}

/// Programs that are attached. Dropping it detaches them.
pub struct Probes {
    ebpf: Option<Ebpf>,
    ring: RingBuf<MapData>,
    counters: PerCpuArray<MapData, Counters>,
    flight_times: PerCpuArray<MapData, u64>,
    watched: HashMap<MapData, u32, u32>,
    flights: left::Table,
    slots: Array<MapData, Slot>,
    /// None: there is no widener.
    widener: Option<widener::Switch>,
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
        // Types from a file stand in for offsets, but not for what a trampoline is checked against.
        let btf = Btf::from_sys_fs().ok();
        let btf = btf.as_ref();
        lift_memlock_limit();
        let mut ebpf = load_object(plan, options)?;
        if let Some(cgroup) = &options.only.cgroup {
            only_in(&mut ebpf, cgroup)?;
        }
        let widener = if options.widen.is_some() { Some(widener(plan)?) } else { None };
        // Trampolines first: of two programs at one place the one attached last runs first, and a read begins and ends
        // before the delay. Kprobes run in the order in which they were attached.
        let late = |widener: &&Widener<'_>| widener.backend == Backend::Kprobe;
        if let Some(Widener { program, backend, symbol }) = widener.as_ref().filter(|widener| !late(widener)) {
            attach(&mut ebpf, btf, program, *backend, symbol)?;
        }
        for hook in in_order(plan) {
            match attach(&mut ebpf, btf, hook.program, hook.backend, &hook.symbol) {
                // Evidence only: what it would tell is counted with what cannot be told.
                Err(error) if hook.meaning == Meaning::PinPath => log::warn!("{error}"),
                attached => attached?,
            }
        }
        if let Some(Widener { program, backend, symbol }) = widener.as_ref().filter(late) {
            attach(&mut ebpf, btf, program, *backend, symbol)?;
        }
        if options.watch {
            attach_tracepoint(&mut ebpf, btf, ["watch_fork", "watch_fork_raw"], "sched_process_fork")?;
            attach_tracepoint(&mut ebpf, btf, ["watch_exit", "watch_exit_raw"], "sched_process_exit")?;
        }
        let logger = if options.log { aya_log::EbpfLogger::init(&mut ebpf).ok() } else { None };
        let widener = options.widen.map(|_| widener::Switch::take(&mut ebpf)).transpose();
        let widener = widener.map_err(|error| widener_failed(&error))?;
        Ok(Self { widener, ..Self::with(ebpf, logger)? })
    }

    fn with(mut ebpf: Ebpf, logger: Option<aya_log::EbpfLogger<&'static dyn log::Log>>) -> Result<Self, LoadError> {
        let kernel_bytes = ebpf.maps().filter_map(|(_, map)| map_bytes(map)).sum();
        let programs = ebpf
            .programs()
            .filter_map(|(name, program)| {
                let fd = program.fd().ok()?.as_fd().as_raw_fd();
                Some(Loaded { fd, counts_reads: name.starts_with("read_begin") })
            })
            .collect();
        let map = |ebpf: &mut Ebpf, name| {
            ebpf.take_map(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no map {name}")))
        };
        let failed = |name| move |error: MapError| LoadError::Map { name, reason: trial::chain(&error) };
        Ok(Self {
            ring: map(&mut ebpf, abi::MAP_EVENTS)?.try_into().map_err(failed(abi::MAP_EVENTS))?,
            counters: map(&mut ebpf, abi::MAP_COUNTERS)?.try_into().map_err(failed(abi::MAP_COUNTERS))?,
            flight_times: map(&mut ebpf, abi::MAP_FLIGHT_TIMES)?.try_into().map_err(failed(abi::MAP_FLIGHT_TIMES))?,
            watched: map(&mut ebpf, abi::MAP_WATCHED)?.try_into().map_err(failed(abi::MAP_WATCHED))?,
            slots: map(&mut ebpf, abi::MAP_SLOTS)?.try_into().map_err(failed(abi::MAP_SLOTS))?,
            flights: left::Table {
                seats: map(&mut ebpf, abi::MAP_FLIGHTS)?.try_into().map_err(failed(abi::MAP_FLIGHTS))?,
                spilled: map(&mut ebpf, abi::MAP_SPILLED)?.try_into().map_err(failed(abi::MAP_SPILLED))?,
            },
            ebpf: Some(ebpf),
            widener: None,
            logger,
            programs,
            kernel_bytes,
            records: 0,
            undecodable: 0,
        })
    }

    /// Watches a task, by thread id, and all that it will fork.
    ///
    /// # Errors
    /// When the kernel refuses the map update.
    pub fn watch(&mut self, tid: u32) -> Result<(), LoadError> {
        let name = abi::MAP_WATCHED;
        self.watched.insert(tid, 1, 0).map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })
    }

    /// Whether the widener is on; None: there is none.
    pub fn widening(&self) -> Option<bool> {
        self.widener.as_ref().map(widener::Switch::is_on)
    }

    /// Turns the widener on or off, where there is one.
    ///
    /// # Errors
    /// When the kernel refuses the map update.
    pub fn set_widening(&mut self, on: bool) -> Result<(), LoadError> {
        self.widener.as_mut().map_or(Ok(()), |switch| switch.turn(on)).map_err(|error| widener_failed(&error))
    }

    /// A descriptor that becomes readable when there are records.
    ///
    /// # Errors
    /// When there are no more descriptors to be had.
    pub fn ring_fd(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::dup(self.ring.as_fd())?)
    }

    /// Hands over the records that have arrived, at most `limit`. True: there may be more.
    pub fn drain(&mut self, limit: usize, mut sink: impl FnMut(Event)) -> bool {
        if let Some(logger) = &mut self.logger {
            logger.flush();
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
    /// Detaching takes a while. What the kernel counts as well is therefore given as of the begin of this call, so that a
    /// reading of `/proc/vmstat` right before it is of the same moment; flights are given to their end.
    pub fn detach(&mut self) -> Result<Snapshot, LoadError> {
        // The skipped invocations are known to the programs only: read them while they live.
        let before = self.snapshot()?;
        let name = abi::MAP_FLIGHTS;
        let counters = &before.counters;
        let ends_missed = if counters.begun == counters.ended + counters.lost_flight_end {
            0
        } else {
            self.flights.ends_missed().map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })?
        };
        self.ebpf = None;
        self.programs.clear();
        let Snapshot { counters: after, .. } = self.snapshot()?;
        Ok(Snapshot { counters: after.with_witnessed_of(&before.counters), skipped: before.skipped, ends_missed })
    }

    /// The counters now.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn snapshot(&self) -> Result<Snapshot, LoadError> {
        let name = abi::MAP_COUNTERS;
        let counters =
            counters::sum(&self.counters).map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })?;
        Ok(Snapshot { counters, skipped: self.skipped(), ends_missed: 0 })
    }

    fn skipped(&self) -> Option<Skipped> {
        let misses = |program: &Loaded| fdinfo(program.fd, "recursion_misses");
        // A kernel that tells it of one tells it of all.
        self.programs.first().and_then(misses)?;
        let sum = |programs: &mut dyn Iterator<Item = &Loaded>| programs.filter_map(misses).sum();
        Some(Skipped {
            all: sum(&mut self.programs.iter()),
            reads: sum(&mut self.programs.iter().filter(|program| program.counts_reads)),
        })
    }

    /// The filter's slots of these entries, given by type and offset, in their order.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn slots(&self, entries: impl Iterator<Item = (u64, u64)>) -> Result<Slots, LoadError> {
        let name = abi::MAP_SLOTS;
        entries
            .map(|(kind, offset)| self.slots.get(&slot::index((kind << config::ENTRY_TYPE_SHIFT) | offset), 0))
            .collect::<Result<_, _>>()
            .map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })
    }

    /// The durations of all flights so far, by path.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn flight_times(&self) -> Result<FlightTimes, LoadError> {
        let name = abi::MAP_FLIGHT_TIMES;
        counters::flight_times(&self.flight_times)
            .map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })
    }

    /// Records that could not be decoded: lost.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The tool's own cost since `since`.
    pub fn cost(&self, since: UserTime, elapsed_ns: u64) -> SelfCost {
        let now = UserTime::now();
        SelfCost {
            elapsed_ns,
            user_ns: now.user_ns.saturating_sub(since.user_ns),
            system_ns: now.system_ns.saturating_sub(since.system_ns),
            max_resident_bytes: max_resident_bytes(),
            kernel_bytes: self.kernel_bytes,
            programs: u32::try_from(self.programs.len()).unwrap_or(u32::MAX),
            records: self.records,
        }
    }
}

/// Before 5.11 maps are charged to `RLIMIT_MEMLOCK`. Only this process's limit is lifted; where that is not allowed, the
/// map creation that fails says so.
fn lift_memlock_limit() {
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited);
}

/// Tells the programs which control group is wanted.
fn only_in(ebpf: &mut Ebpf, cgroup: &OwnedFd) -> Result<(), LoadError> {
    let name = abi::MAP_CGROUPS;
    let map = ebpf.map_mut(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no map {name}")))?;
    CgroupArray::try_from(map)
        .and_then(|mut map| map.set(0, cgroup.as_fd(), 0))
        .map_err(|error| LoadError::Map { name, reason: trial::chain(&error) })
}

fn load_object(plan: &Plan, options: &Options) -> Result<Ebpf, LoadError> {
    let offsets = &plan.offsets;
    let widen = options.widen.unwrap_or(Widen { ns: 0, comm: [0; 16], one_in: 1 });
    let words: [(&str, u32); 25] = [
        (config::VMF_ORIG_PTE, offsets.vmf_orig_pte),
        (config::VMF_ADDRESS, offsets.vmf_address),
        (config::VMF_VMA, offsets.vmf_vma),
        (config::VMA_MM, offsets.vma_mm),
        (config::PAGE_FLAGS, offsets.page_flags),
        (config::PAGE_PRIVATE, offsets.page_private),
        (config::PAGE_ORDER, offsets.page_order),
        (config::PG_SWAPCACHE, offsets.pg_swapcache),
        (config::PG_HEAD, offsets.pg_head),
        (config::PG_UPTODATE, offsets.pg_uptodate),
        (config::SI_TYPE, offsets.si_type),
        (config::SI_CLUSTERS, offsets.si_clusters),
        // A divisor: never 0, used or not.
        (config::CLUSTER_BYTES, offsets.cluster_bytes.max(1)),
        (config::CLUSTER_ENTRIES, offsets.cluster_entries),
        (config::PTE_TYPE_SHIFT, plan.pte.type_shift),
        (config::PTE_OFFSET_SHIFT, plan.pte.offset_shift),
        (config::TASK_PID, offsets.task_pid),
        (config::CAN_COPY, u32::from(offsets.copy)),
        (config::WRITE_ENDS, u32::from(plan.of(Meaning::WriteEnd).next().is_some())),
        (config::WATCH, u32::from(options.watch)),
        (config::ONLY_TYPES, options.only.types),
        (config::ONLY_PID, options.only.pid),
        (config::ONLY_CGROUP, u32::from(options.only.cgroup.is_some())),
        (config::FLIGHT_SEAT_MASK, options.flight_seats.clamp(1, config::FLIGHT_SEATS) - 1),
        (config::WIDEN_ONE_IN, widen.one_in),
    ];
    let [comm_low, comm_high]: [u64; 2] = bytemuck::cast(widen.comm);
    let [only_comm_low, only_comm_high]: [u64; 2] = bytemuck::cast(options.only.comm);
    let low_bits = |bits: u32| (1u64 << (bits & 63)) - 1;
    let long_words: [(&str, u64); 10] = [
        (config::PTE_TYPE_MASK, low_bits(plan.pte.type_bits)),
        (config::PTE_OFFSET_MASK, low_bits(plan.pte.offset_bits)),
        (config::PTE_OFFSET_FLIP, if plan.pte.inverted { u64::MAX } else { 0 }),
        (config::PTE_PRESENT, plan.pte.present),
        (config::WAKEUP_BYTES, u64::from(options.ring_bytes / 4)),
        (config::WIDEN_NS, widen.ns),
        (config::WIDEN_COMM_LOW, comm_low),
        (config::WIDEN_COMM_HIGH, comm_high),
        (config::ONLY_COMM_LOW, only_comm_low),
        (config::ONLY_COMM_HIGH, only_comm_high),
    ];
    let log_level: u8 = if options.log { aya_log::Level::Debug as u8 } else { 0 };
    let mut loader = EbpfLoader::new();
    for (name, value) in &words {
        loader.override_global(name, value, true);
    }
    for (name, value) in &long_words {
        loader.override_global(name, value, true);
    }
    loader.override_global(aya_log::LEVEL, &log_level, false).map_max_entries(abi::MAP_EVENTS, options.ring_bytes);
    if options.widen.is_none() {
        loader.map_max_entries("WIDEN_SCRATCH", 1);
    }
    if !options.watch {
        loader.map_max_entries(abi::MAP_WATCHED, 1);
    }
    loader.verifier_log_level(aya::VerifierLogLevel::STATS);
    loader.load(OBJECT).map_err(|error| LoadError::Object(trial::chain(&error)))
}

/// The order in which hooks go live: a flight's begin last and its end right before it, so that a flight that is seen to
/// begin is seen to the end.
fn in_order(plan: &Plan) -> Vec<&Hook> {
    let mut hooks: Vec<&Hook> = plan.hooks.iter().collect();
    hooks.sort_by_key(|hook| match hook.meaning {
        Meaning::FlightBegin => 2,
        Meaning::FlightEnd => 1,
        _ => 0,
    });
    hooks
}

fn attach(ebpf: &mut Ebpf, btf: Option<&Btf>, name: &str, backend: Backend, symbol: &str) -> Result<(), LoadError> {
    let program =
        ebpf.program_mut(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no program {name}")))?;
    let begin = std::time::Instant::now();
    let (program_name, backend_name) = (name.to_owned(), backend.name());
    match attach_program(program, btf, backend, symbol) {
        None => Err(LoadError::Btf { program: program_name, backend: backend_name, symbol: symbol.to_owned() }),
        Some(Err(error)) => Err(LoadError::Program {
            program: program_name,
            backend: backend_name,
            symbol: symbol.to_owned(),
            reason: refusal(&error),
        }),
        Some(Ok(())) => {
            log::debug!("{name} on {symbol} ({backend_name}): attached in {:?}", begin.elapsed());
            Ok(())
        }
    }
}

/// `None`: it takes types, and there are none.
pub(super) fn attach_program(
    program: &mut Program,
    btf: Option<&Btf>,
    backend: Backend,
    symbol: &str,
) -> Option<Result<(), ProgramError>> {
    match backend {
        Backend::Fentry | Backend::Fexit => Some(attach_trampoline(program, btf?, symbol)),
        Backend::Kprobe | Backend::Kretprobe => Some(attach_probe(program, symbol)),
    }
}

fn attach_trampoline(program: &mut Program, btf: &Btf, symbol: &str) -> Result<(), ProgramError> {
    if let Ok(program) = <&mut FEntry>::try_from(&mut *program) {
        program.load(symbol, btf)?;
        program.attach()?;
    } else {
        let program: &mut FExit = program.try_into()?;
        program.load(symbol, btf)?;
        program.attach()?;
    }
    Ok(())
}

fn attach_probe(program: &mut Program, symbol: &str) -> Result<(), ProgramError> {
    let program: &mut KProbe = program.try_into()?;
    program.load()?;
    program.attach(symbol, 0)?;
    Ok(())
}

/// With types, or without.
fn attach_tracepoint(
    ebpf: &mut Ebpf,
    btf: Option<&Btf>,
    [typed, raw]: [&str; 2],
    tracepoint: &str,
) -> Result<(), LoadError> {
    let (name, backend) = if btf.is_some() { (typed, "tp_btf") } else { (raw, "raw_tp") };
    let program =
        ebpf.program_mut(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no program {name}")))?;
    let mut attached = || -> Result<(), ProgramError> {
        if let Some(btf) = btf {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(tracepoint, btf)?;
            program.attach()?;
        } else {
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(tracepoint)?;
        }
        Ok(())
    };
    attached().map_err(|error| LoadError::Program {
        program: name.to_owned(),
        backend,
        symbol: tracepoint.to_owned(),
        reason: refusal(&error),
    })
}

/// Where the widener goes.
struct Widener<'a> {
    program: &'static str,
    backend: Backend,
    symbol: &'a str,
}

/// The widener goes on the return of the read that the plan hooks; without the bypass on its begin, while the page is
/// locked.
fn widener(plan: &Plan) -> Result<Widener<'_>, LoadError> {
    let Some(read) = plan.of(Meaning::ReadBegin).next() else {
        return Err(LoadError::Object("no read hook on this kernel, so nothing to widen".to_owned()));
    };
    let trampoline = matches!(read.backend, Backend::Fentry | Backend::Fexit);
    let (program, backend) = match (plan.state == State::NoBypass, trampoline) {
        (false, true) => ("widen_fexit", Backend::Fexit),
        (false, false) => ("widen_kretprobe", Backend::Kretprobe),
        (true, true) => ("widen_fentry", Backend::Fentry),
        (true, false) => ("widen_kprobe", Backend::Kprobe),
    };
    Ok(Widener { program, backend, symbol: &read.symbol })
}

fn widener_failed(error: &MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_WIDEN_OFF, reason: trial::chain(error) }
}

fn refusal(error: &ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        log::debug!("verifier: {verifier_log}");
        return format!("{}: {}", trial::errno_name(io_error), verdict(&verifier_log.to_string()));
    }
    trial::chain(error)
}

/// The line of a verifier's log that says why: the last one before the figures. What they look like differs by kernel
/// (7.3 tells of each subprogram), and means nothing to whoever reads the message.
fn verdict(log: &str) -> &str {
    const FIGURES: [&str; 5] = ["processed ", "verification time", "stack depth", "subprog ", "insns_"];
    let says_why = |line: &&str| !line.is_empty() && !FIGURES.iter().any(|figures| line.starts_with(figures));
    log.lines().map(str::trim).rev().find(says_why).unwrap_or("no verifier log")
}

fn map_bytes(map: &aya::maps::Map) -> Option<u64> {
    use aya::maps::Map;
    let (Map::Array(data) | Map::HashMap(data) | Map::PerCpuArray(data) | Map::RingBuf(data)) = map else {
        return None;
    };
    fdinfo(data.fd().as_fd().as_raw_fd(), "memlock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_s_reason_is_told_and_not_its_figures() {
        let old = "0: R1=ctx\narg0 accesses a struct\nprocessed 9 insns (limit 1000000) max_states_per_insn 0\n";
        assert_eq!(verdict(old), "arg0 accesses a struct");
        let new = "last insn is not an exit or jmp\nverification time 296 usec\nstack depth max 0\n\
            subprog 0 (<unknown>) main insns_self 0 insns_total 0 stack 0\nprocessed 0 insns (limit 1000000)\n\n";
        assert_eq!(verdict(new), "last insn is not an exit or jmp", "as 7.3 words it");
        assert_eq!(verdict(""), "no verifier log");
    }
}
