//! The host's settings: what each is, and what it means for observing.

use super::kernel::{no_return_events, preemption, trial_refusal};
use crate::units::number;
use observer_kernel::{
    cgroups::{CgroupMode, Cgroups},
    facts::{Fact, Facts},
    host::Host,
    memory::{Ksm, Memory, Zswap},
    namespaces::{Namespace, Namespaces},
    plan::TrialRefusal,
    privileges::{Capability, Lockdown, Privileges},
    survey::ProbeResults,
    swaps::{Driver, SwapArea, SynchronousReason},
};

/// A label and its text for each setting.
pub(crate) fn host(facts: &Facts, trial: Option<&ProbeResults>) -> Vec<(&'static str, String)> {
    let (host, memory) = (&facts.host, &facts.memory);
    let btf = if facts.btf.is_some() { "available" } else { "not readable: programs cannot be adapted to this kernel" };
    let mut rows = vec![
        ("user", facts.privileges.as_ref().map_or_else(|| "unknown".to_owned(), user)),
        ("namespaces", namespaces(facts.namespaces)),
        ("lockdown", lockdown(host.lockdown, trial.map(|trial| trial.copy)).to_owned()),
        ("BTF", btf.to_owned()),
        ("preemption", preemption(host.preemption).to_owned()),
        ("fentry", trial.map_or_else(|| "not tried".to_owned(), fentry)),
        ("kprobes", kprobes(host).to_owned()),
        ("return probes", trial.map_or("not tried", return_probes).to_owned()),
        ("tracefs", tracefs(host)),
        ("perf events", perf_events(host)),
        ("ftrace", switch(host.ftrace_enabled, "off: hooks do not fire (kernel.ftrace_enabled)").to_owned()),
        ("BPF JIT", jit(host.bpf_jit).to_owned()),
        ("tick", host.tick_ns.map_or_else(|| "unknown".to_owned(), tick)),
        ("page-cluster", memory.page_cluster.map_or_else(|| "unknown".to_owned(), page_cluster)),
        ("huge pages", huge_pages(memory)),
        ("zswap", zswap(memory.zswap).to_owned()),
        ("KSM", ksm(memory.ksm).to_owned()),
        ("zram", zram(memory.zram).to_owned()),
        ("control groups", control_groups(&host.cgroups)),
        ("kptr_restrict", kptr_restrict(facts)),
    ];
    if let Some(vmstat) = &facts.vmstat {
        rows.push((
            "swapped",
            format!("{} pages in, {} pages out since boot", number(vmstat.pswpin), number(vmstat.pswpout)),
        ));
    }
    rows
}

pub(crate) const fn fact(fact: Fact) -> &'static str {
    match fact {
        Fact::Btf => "BTF",
        Fact::Symbols => "symbols",
        Fact::Swaps => "swap areas",
        Fact::Vmstat => "vmstat",
        Fact::Privileges => "privileges",
    }
}

/// Why a swap area is read synchronously or not.
pub(crate) fn synchronous_reason(area: &SwapArea) -> String {
    let disk = area.device.as_ref().map_or("its device", |device| &device.disk);
    match &area.reason {
        SynchronousReason::Driver { driver } => format!("{disk} is {}", self::driver(*driver)),
        SynchronousReason::BackedZram { backing } => {
            format!("{disk} is zram with the backing device {backing}, which is synchronous since Linux 6.1")
        }
        SynchronousReason::NoBlockDevice { number } => {
            format!("its file system (device {number}) has no block device, as with btrfs and NFS")
        }
        SynchronousReason::Unreadable { detail } => detail.clone(),
    }
}

const fn driver(driver: Driver) -> &'static str {
    match driver {
        Driver::Zram => "zram: compressed memory",
        Driver::Brd => "brd: a RAM disk",
        Driver::Pmem => "pmem: persistent memory",
        Driver::Btt => "btt: sectors in persistent memory",
        Driver::Stacked => "a stacked device, which is asynchronous whatever is below it",
        Driver::Asynchronous => "asynchronous: reads complete later, through the swap cache",
        Driver::Unknown => "of an unknown driver",
    }
}

fn user(privileges: &Privileges) -> String {
    let user = match privileges.euid {
        0 => "root".to_owned(),
        euid => format!("user {euid}"),
    };
    let capabilities = match (privileges.missing.len(), privileges.held.len()) {
        (0, _) => "with every capability that observing needs".to_owned(),
        (_, 0) => "without any capability that observing needs".to_owned(),
        _ => {
            let missing: Vec<_> = privileges.missing.iter().copied().map(Capability::name).collect();
            format!("without {}", missing.join(", "))
        }
    };
    let namespace = match privileges.initial_user_namespace {
        Some(false) => ", in a user namespace, where they do not count for eBPF",
        _ => "",
    };
    format!("{user}, {capabilities}{namespace}")
}

fn namespaces(found: Namespaces) -> String {
    if found.pid == Namespace::Unknown {
        return "unknown, because /proc does not show this process; --pid is refused".to_owned();
    }
    let inside: Vec<_> = [
        (found.pid, "PID: tasks have the ids of the host, and --pid is refused"),
        (found.time, "time: times are those of the host's clock"),
        (found.cgroup, "control group: paths start at that of the container"),
    ]
    .into_iter()
    .filter_map(|(namespace, consequence)| (namespace == Namespace::Other).then_some(consequence))
    .collect();
    if inside.is_empty() { "those of the host".to_owned() } else { format!("of a container; {}", inside.join("; ")) }
}

/// `copy`: whether programs may copy kernel memory, if that was tried.
const fn lockdown(lockdown: Lockdown, copy: Option<bool>) -> &'static str {
    match (lockdown, copy) {
        (Lockdown::None, _) => "off",
        (Lockdown::Integrity, _) => "integrity: fentry, kprobes and copying kernel memory still work",
        (Lockdown::Confidentiality, _) => "confidentiality: no kprobes, no copying of kernel memory; fentry works",
        (Lockdown::NotBuilt, _) => "not built into this kernel",
        (Lockdown::Unknown, Some(true)) => {
            "not confidentiality, because programs may copy kernel memory; otherwise unknown: securityfs is not mounted"
        }
        (Lockdown::Unknown, Some(false)) => {
            "probably confidentiality, because programs may not copy kernel memory; securityfs is not mounted"
        }
        (Lockdown::Unknown, None) => "unknown: securityfs is not mounted on /sys/kernel/security",
    }
}

fn fentry(trial: &ProbeResults) -> String {
    let all = trial.fentry.len();
    let refused: Vec<(&str, &TrialRefusal)> =
        trial.fentry.iter().filter_map(|(name, outcome)| Some((name.as_str(), outcome.as_ref().err()?))).collect();
    match refused.first() {
        None if all == 0 => "not supported: this kernel cannot divert functions to a trampoline".to_owned(),
        None => format!("supported on all {all} functions tried"),
        Some((_, refusal)) if refused.len() == all => {
            format!("refused on all {all} functions tried: {}", trial_refusal(refusal))
        }
        Some(_) => {
            let names: Vec<_> = refused.iter().map(|(name, _)| *name).collect();
            format!("supported on {} of {all} functions tried; refused on {}", all - refused.len(), names.join(", "))
        }
    }
}

const fn kprobes(host: &Host) -> &'static str {
    match (host.kprobe_pmu, host.kprobes_armed) {
        (None, _) => "none (CONFIG_KPROBES or CONFIG_KPROBE_EVENTS is off)",
        (_, Some(false)) => "switched off: echo 1 > /sys/kernel/debug/kprobes/enabled",
        (_, Some(true)) => "available",
        (_, None) => "available, unless they are switched off, which only debugfs shows",
    }
}

const fn return_probes(trial: &ProbeResults) -> &'static str {
    match trial.no_return_events {
        None => "with room for 4096 tasks at once",
        Some(cause) => no_return_events(cause),
    }
}

fn tracefs(host: &Host) -> String {
    match &host.tracefs {
        Some(place) => format!("mounted on {place}"),
        None => "not mounted: mounted for observer alone where it is needed and allowed".to_owned(),
    }
}

fn perf_events(host: &Host) -> String {
    host.perf_event_paranoid.map_or_else(
        || "not built into this kernel: no kprobes".to_owned(),
        |value| format!("available (kernel.perf_event_paranoid is {value})"),
    )
}

const fn ksm(ksm: Ksm) -> &'static str {
    match ksm {
        Ksm::On => "on: an entry may stand for pages of several processes",
        Ksm::Off => "off",
        Ksm::NotBuilt => "not built into this kernel",
    }
}

const fn zram(zram: bool) -> &'static str {
    if zram {
        "available"
    } else {
        "not loaded: the self-test, stress and bench load it, which fails if this kernel was built without it"
    }
}

fn control_groups(cgroups: &Cgroups) -> String {
    let memory = match cgroups.memory {
        Some(false) => ", without the memory controller",
        Some(true) | None => "",
    };
    match cgroups.mode {
        CgroupMode::V2 => format!("cgroup v2{memory}"),
        CgroupMode::None => "none in use".to_owned(),
        CgroupMode::Unknown => "unknown".to_owned(),
        CgroupMode::Hybrid | CgroupMode::V1 => format!("{}{memory}", coarse_groups(cgroups.mode)),
    }
}

/// What tasks by control group are on a host with cgroup v1.
pub(crate) const fn coarse_groups(mode: CgroupMode) -> &'static str {
    match mode {
        CgroupMode::V1 => {
            "cgroup v1: programs see only groups of cgroup v2, so every task is in one group, and --cgroup is refused"
        }
        _ => {
            "cgroup v1 and v2: programs see only groups of v2, and tasks of several groups of v1 (such as containers) \
             may be in one of them"
        }
    }
}

const fn switch(value: Option<bool>, off: &'static str) -> &'static str {
    match value {
        Some(true) => "on",
        Some(false) => off,
        None => "unknown",
    }
}

const fn jit(value: Option<u32>) -> &'static str {
    match value {
        Some(0) => "off: programs are interpreted, which costs more (net.core.bpf_jit_enable)",
        Some(_) => "on",
        None => "unknown",
    }
}

fn tick(ns: u64) -> String {
    format!(
        "{} ms ({} Hz): how long a pin wait sleeps on kernels with the one-tick sleep",
        ns / 1_000_000,
        1_000_000_000 / ns.max(1)
    )
}

fn page_cluster(cluster: u32) -> String {
    match 1_u64.checked_shl(cluster) {
        Some(1) => "0: no read-ahead".to_owned(),
        pages => format!("{cluster}: up to {} pages per read-ahead; direct reads have none", pages.unwrap_or(0)),
    }
}

fn huge_pages(memory: &Memory) -> String {
    let Some(mode) = &memory.huge_pages else { return "not built into this kernel".to_owned() };
    let enabled: Vec<_> = memory
        .huge_page_sizes
        .iter()
        .filter(|size| size.enabled != "never")
        .map(|size| format!("{} kB {}", size.kib, size.enabled))
        .collect();
    match (memory.huge_page_sizes.is_empty(), memory.large_folios_possible()) {
        (true, _) => format!("{mode}; this kernel swaps in single pages, without sizes to choose from"),
        (false, true) => format!("{mode} ({}): a fault may swap in a range (6.12 and later)", enabled.join(", ")),
        (false, false) => format!("{mode}: no large folios, so none is swapped in"),
    }
}

const fn zswap(zswap: Zswap) -> &'static str {
    match zswap {
        Zswap::On => {
            "on: pages that it holds are not read from the device; the path of a fault still depends on the device"
        }
        Zswap::Off => "off",
        Zswap::NotBuilt => "not built into this kernel",
        Zswap::Unknown => "unknown",
    }
}

fn kptr_restrict(facts: &Facts) -> String {
    let value = facts.host.kptr_restrict.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    match &facts.symbols {
        Some(symbols) if symbols.addresses_hidden => format!("{value}: addresses are hidden, only names are needed"),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::errno::Errno;

    #[test]
    fn an_unknown_lockdown_follows_from_what_programs_may_do() {
        assert_eq!(lockdown(Lockdown::None, Some(true)), "off");
        assert!(lockdown(Lockdown::Unknown, Some(true)).starts_with("not confidentiality"));
        assert!(lockdown(Lockdown::Unknown, Some(false)).starts_with("probably confidentiality"));
        assert!(lockdown(Lockdown::Unknown, None).starts_with("unknown"));
    }

    #[test]
    fn namespaces_of_a_container_have_consequences() {
        assert_eq!(namespaces(Namespaces::INITIAL), "those of the host");
        let pid = Namespaces { pid: Namespace::Other, ..Namespaces::INITIAL };
        assert!(namespaces(pid).contains("--pid is refused"));
        assert!(!namespaces(pid).contains("clock"));
    }

    #[test]
    fn trial_loads_are_summed_up() {
        let trial = |outcomes: [(&str, Result<(), TrialRefusal>); 2]| ProbeResults {
            fentry: outcomes.into_iter().map(|(name, outcome)| (name.to_owned(), outcome)).collect(),
            copy: true,
            no_return_events: None,
            skips_running: false,
            no_tracepoints: Vec::new(),
        };
        assert_eq!(fentry(&trial([("a", Ok(())), ("b", Ok(()))])), "supported on all 2 functions tried");
        let refused = || Err(TrialRefusal::Load { errno: Errno::PERM, verifier: None });
        assert_eq!(fentry(&trial([("a", refused()), ("b", refused())])), "refused on all 2 functions tried: EPERM");
        let one = fentry(&trial([("a", Ok(())), ("b", refused())]));
        assert_eq!(one, "supported on 1 of 2 functions tried; refused on b");
    }

    #[test]
    fn numbers_have_a_meaning() {
        assert!(tick(4_000_000).starts_with("4 ms (250 Hz)"));
        assert_eq!(page_cluster(0), "0: no read-ahead");
        assert!(page_cluster(3).contains("up to 8 pages"));
        assert!(page_cluster(99).starts_with("99"));
    }
}
