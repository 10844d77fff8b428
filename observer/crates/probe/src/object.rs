//! Loads the object with this kernel's constants.

use std::os::fd::{AsFd as _, OwnedFd};

use super::{LoadError, Notes, OBJECT, Options, Widen, trial};
use aya::{Ebpf, EbpfLoader, maps::CgroupArray};
use observer_ebpf::{self as abi, config, sample};
use observer_kernel::plan::{HookSet, Meaning, Plan};

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

/// The object with this kernel's constants; nothing is attached.
pub(super) fn load(plan: &Plan, options: &Options) -> Result<Ebpf, LoadError> {
    lift_memlock_limit();
    let offsets = &plan.offsets;
    let widen = options.widen.unwrap_or(Widen { ns: 0, comm: [0; 16], one_in: 1 });
    let words: [(&str, u32); 29] = [
        (config::VMF_ORIG_PTE, offsets.vmf_orig_pte),
        (config::VMF_ADDRESS, offsets.vmf_address),
        (config::VMF_VMA, offsets.vmf_vma),
        (config::VMA_MM, offsets.vma_mm),
        (config::PAGE_FLAGS, offsets.page_flags),
        (config::PAGE_PRIVATE, offsets.page_private),
        (config::PAGE_ORDER, offsets.page_order),
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
        (config::READS_HOOKED, u32::from(plan.hooks_reads())),
        (config::READS_TIMED, u32::from(plan.set == HookSet::Full)),
        (config::DIRECT_BY_END, u32::from(plan.direct_by_end())),
        (config::RELEASES_SPARED, u32::from(plan.tells_every_reference())),
        (config::PINS_UNTOLD, u32::from(plan.pins_untold())),
        (config::FILTERED, u32::from(options.watch || options.only.is_something() || options.sample_one_in > 1)),
        (config::SAMPLE_SHIFT, if plan.takes_ranges() { sample::RANGES_SHIFT } else { 0 }),
        (config::WATCH, u32::from(options.watch)),
        (config::ONLY_TYPES, options.only.types),
        (config::ONLY_PID, options.only.pid),
        (config::ONLY_CGROUP, u32::from(options.only.cgroup.is_some())),
        (config::FAULT_SEAT_MASK, options.fault_seats.clamp(1, config::FAULT_SEATS) - 1),
        (config::WIDEN_ONE_IN, widen.one_in),
    ];
    let [comm_low, comm_high]: [u64; 2] = bytemuck::cast(widen.comm);
    let [only_comm_low, only_comm_high]: [u64; 2] = bytemuck::cast(options.only.comm);
    let low_bits = |bits: u32| (1u64 << (bits & 63)) - 1;
    let long_words: [(&str, u64); 15] = [
        (config::TIMED_MASK, u64::from(plan.set.timed_one_in()) - 1),
        (config::PG_SWAPCACHE, 1 << (offsets.pg_swapcache & 63)),
        (config::PG_HEAD, 1 << (offsets.pg_head & 63)),
        (config::PG_UPTODATE, 1 << (offsets.pg_uptodate & 63)),
        (config::PTE_TYPE_MASK, low_bits(plan.pte.type_bits)),
        (config::PTE_OFFSET_MASK, low_bits(plan.pte.offset_bits)),
        (config::PTE_OFFSET_FLIP, if plan.pte.inverted { u64::MAX } else { 0 }),
        (config::PTE_PRESENT, plan.pte.present),
        (config::SAMPLE_BELOW, sample::below(options.sample_one_in)),
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
    let disturbed = u32::from(options.notes == Notes::Everything);
    loader.override_global(config::DISTURBED, &disturbed, true);
    loader.map_max_entries(abi::MAP_FAULTS, options.fault_seats.clamp(1, config::FAULT_SEATS));
    loader.override_global(aya_log::LEVEL, &log_level, false).map_max_entries(abi::MAP_EVENTS, options.ring_bytes);
    if options.widen.is_none() {
        loader.map_max_entries("WIDEN_SCRATCH", 1);
    }
    loader.map_max_entries(abi::MAP_WATCHED, if options.watch { options.watched_tasks.max(1) } else { 1 });
    loader.verifier_log_level(aya::VerifierLogLevel::STATS);
    let mut ebpf = loader.load(OBJECT).map_err(|error| LoadError::Object(trial::chain(&error)))?;
    if let Some(cgroup) = &options.only.cgroup {
        only_in(&mut ebpf, cgroup)?;
    }
    Ok(ebpf)
}
