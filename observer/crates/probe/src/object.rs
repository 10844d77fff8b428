//! Loads the eBPF object with this kernel's constants.

use std::os::fd::{AsFd as _, OwnedFd};

use crate::{
    counters,
    error::LoadError,
    options::{Delay, Detail, Options},
};
use aya::{Ebpf, EbpfLoader, maps::CgroupArray};
use observer_ebpf::{
    self as abi,
    globals::{self, Globals},
    sample,
    seat::FAULT_SEATS,
};
use observer_kernel::plan::{HookSet, Meaning, Plan};

/// Built by the build script.
pub(crate) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer-ebpf"));

/// Before 5.11 maps are charged to `RLIMIT_MEMLOCK`. Lifts the limit of this process only. An error is ignored: the map
/// that cannot be created then reports it.
fn lift_memlock_limit() {
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited);
}

/// Sets the control group that the filter by control group refers to.
fn set_cgroup(ebpf: &mut Ebpf, cgroup: &OwnedFd) -> Result<(), LoadError> {
    let name = abi::MAP_CGROUPS;
    let map = ebpf.map_mut(name).ok_or(LoadError::Missing { kind: "map", name })?;
    CgroupArray::try_from(map)
        .and_then(|mut map| map.set(0, cgroup.as_fd(), 0))
        .map_err(|error| LoadError::Map { name, source: error.into() })
}

/// What the programs' globals are for this plan and these options.
fn globals(plan: &Plan, options: &Options) -> Globals {
    let (offsets, pte, filter) = (&plan.offsets, &plan.pte, &options.filter);
    let delay = options.delay.unwrap_or(Delay { ns: 0, comm: [0; 16], one_in: 1 });
    let [delay_comm_low, delay_comm_high] = bytemuck::cast(delay.comm);
    let [filter_comm_low, filter_comm_high] = bytemuck::cast(filter.comm);
    let low_bits = |bits: u32| (1u64 << (bits & 63)) - 1;
    Globals {
        vmf_orig_pte: offsets.vmf_orig_pte,
        vmf_address: offsets.vmf_address,
        vmf_vma: offsets.vmf_vma,
        vma_mm: offsets.vma_mm,
        page_flags: offsets.page_flags,
        page_private: offsets.page_private,
        page_order: offsets.page_order,
        pg_swapcache: 1 << (offsets.pg_swapcache & 63),
        pg_head: 1 << (offsets.pg_head & 63),
        pg_uptodate: 1 << (offsets.pg_uptodate & 63),
        si_type: offsets.si_type,
        si_clusters: offsets.si_clusters,
        cluster_bytes: offsets.cluster_bytes.max(1),
        cluster_entries: offsets.cluster_entries,
        pte_type_shift: pte.type_shift,
        pte_type_mask: low_bits(pte.type_bits),
        pte_offset_shift: pte.offset_shift,
        pte_offset_mask: low_bits(pte.offset_bits),
        pte_offset_flip: if pte.inverted { u64::MAX } else { 0 },
        pte_present: pte.present,
        task_pid: offsets.task_pid,
        task_tgid: offsets.task_tgid,
        mm_owner: offsets.mm_owner,
        can_copy: offsets.copy.into(),
        write_end_hooked: plan.has(Meaning::WriteEnd).into(),
        reads_hooked: plan.hooks_reads().into(),
        reads_timed: (plan.set == HookSet::Full).into(),
        timed_mask: u64::from(plan.set.timed_one_in()) - 1,
        direct_at_end: plan.direct_by_end().into(),
        frees_at_end: plan.reports_every_reference().into(),
        cache_tries_hooked: plan.has(Meaning::CacheTry).into(),
        references_hooked: (plan.has(Meaning::CountDrop) || plan.reports_every_reference()).into(),
        pins_implied: plan.assumes_pins().into(),
        filtered: options.excludes_any().into(),
        watch: options.watch.into(),
        filter_types: filter.has_types().into(),
        filter_pid: filter.pid,
        filter_comm_low,
        filter_comm_high,
        filter_cgroup: filter.cgroup.is_some().into(),
        sample_below: sample::below(options.sample_one_in),
        sample_shift: if plan.takes_ranges() { sample::ranges_shift(rustix::param::page_size()) } else { 0 },
        fault_seat_mask: fault_seats(options) - 1,
        wakeup_bytes: (options.ring_size() / 4).into(),
        delay_ns: delay.ns,
        delay_one_in: delay.one_in,
        delay_comm_low,
        delay_comm_high,
    }
}

/// Elements of the map of totals.
pub(crate) fn cpus() -> Result<u32, LoadError> {
    counters::cpus().map_err(LoadError::Cpus)
}

/// Seats in the table of faults.
pub(crate) fn fault_seats(options: &Options) -> u32 {
    options.fault_seats.clamp(1, FAULT_SEATS)
}

/// The object with this kernel's constants; nothing is attached.
pub(crate) fn load(plan: &Plan, options: &Options) -> Result<Ebpf, LoadError> {
    lift_memlock_limit();
    let globals = globals(plan, options);
    let disturbed = u32::from(options.detail == Detail::Everything);
    let log_level: u8 = if options.log { aya_log::Level::Debug as u8 } else { 0 };
    let mut loader = EbpfLoader::new();
    set_globals(&mut loader, &globals);
    loader.override_global(globals::DISTURBED, &disturbed, true);
    loader.override_global(aya_log::LEVEL, &log_level, false);
    loader.map_max_entries(abi::MAP_TOTALS, cpus()?);
    loader.map_max_entries(abi::MAP_FAULTS, fault_seats(options));
    loader.map_max_entries(abi::MAP_EVENTS, options.ring_size());
    if options.delay.is_none() {
        loader.map_max_entries(abi::MAP_DELAY_SCRATCH, 1);
    }
    loader.map_max_entries(abi::MAP_WATCHED, if options.watch { options.watched_tasks.max(1) } else { 1 });
    loader.verifier_log_level(aya::VerifierLogLevel::STATS);
    let mut ebpf = loader.load(OBJECT).map_err(|error| LoadError::Object(error.into()))?;
    if let Some(cgroup) = &options.filter.cgroup {
        set_cgroup(&mut ebpf, cgroup)?;
    }
    Ok(ebpf)
}

/// Has the loader set the globals; the object must have each of them.
pub(crate) fn set_globals<'a>(loader: &mut EbpfLoader<'a>, globals: &'a Globals) {
    globals.for_each(|symbol, bytes| {
        loader.override_global(symbol, bytes, true);
    });
}

/// A loader for programs that use none of the large maps: these are created as small as possible.
pub(crate) fn small_loader<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    for map in [abi::MAP_FAULTS, abi::MAP_SPILLED, abi::MAP_WRITES, abi::MAP_WATCHED, abi::MAP_SLOTS] {
        loader.map_max_entries(map, 1);
    }
    loader.map_max_entries(abi::MAP_EVENTS, 4096).map_max_entries("AYA_LOGS", 4096);
    loader
}
