//! Why a host does not allow observing, and what to do about it.

use serde::Serialize;

use super::ProbeResults;
use crate::{
    codes,
    errno::Errno,
    facts::{Fact, Facts},
    host::Host,
    plan::{Backends, MissingReason, NoKprobe, NoPteLayout, PlanError, TrialRefusal},
    privileges::{Capability, Lockdown, Privileges},
};

/// Why this host does not allow observing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("this host does not allow observing ({})", .obstacle.code())]
pub struct Refusal {
    /// As `uname -r` prints it.
    pub release: String,
    pub obstacle: Obstacle,
    pub causes: Vec<Cause>,
    /// Any of these helps.
    pub remedies: Vec<Remedy>,
}

codes! {
    /// What makes observing impossible.
    pub enum Obstacle {
        /// This process may not load eBPF programs.
        MissingPrivileges = "missing_privileges",
        UnsupportedArchitecture = "unsupported_architecture",
        FtraceOff = "ftrace_off",
        SymbolsUnreadable = "symbols_unreadable",
        TypesUnreadable = "types_unreadable",
        EbpfRefused = "ebpf_refused",
        PteLayoutUnknown = "pte_layout_unknown",
        /// The kernel's types lack what the programs need.
        TypesUnfit = "types_unfit",
        /// `do_swap_page` cannot be hooked.
        NoFaultHook = "no_fault_hook",
        /// The kernel accepted the trial programs and refuses the real ones; none is left attached.
        NotAttached = "not_attached",
    }
}

/// What leads to the obstacle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Cause {
    /// This process runs in a user namespace; the kernel honours capabilities for eBPF in the first one only.
    UserNamespace,
    /// Without `CAP_SYS_ADMIN`, and without these, which would do as well.
    MissingCapabilities {
        euid: u32,
        missing: Vec<Capability>,
    },
    /// Swap PTEs are laid out differently there.
    Architecture {
        arch: String,
    },
    /// `kernel.ftrace_enabled` is 0: hooks are refused, or attach and never fire.
    FtraceOff,
    /// Something cannot be read; `detail` names the file.
    Unreadable {
        fact: Fact,
        detail: String,
    },
    /// Not even the maps of the trial programs can be created.
    LoadError {
        detail: String,
    },
    /// Two layouts of swap PTEs are possible, and userfaultfd cannot be asked.
    AmbiguousPteLayout,
    /// BTF lacks a struct member.
    NoMember {
        member: String,
    },
    NoHook {
        reason: MissingReason,
    },
    /// Fentry programs are refused on all functions that were tried.
    TrampolinesRefused {
        functions: usize,
        refusal: TrialRefusal,
    },
    /// Neither privileges nor lockdown explain it: a policy of this kernel or of a security module refuses.
    SecurityPolicy,
    NoKprobes {
        reason: NoKprobe,
    },
    /// Kprobe programs may not copy kernel memory.
    NoMemoryCopy {
        lockdown: Lockdown,
    },
    AttachError {
        detail: String,
    },
    /// `kernel.perf_event_paranoid` is above 2: on kernels that know such a level, kprobes need `CAP_SYS_ADMIN`.
    PerfEventParanoid,
}

codes! {
    /// What to do.
    pub enum Remedy {
        RunAsRoot = "run_as_root",
        /// Give it `CAP_BPF` and `CAP_PERFMON` (before 5.8: `CAP_SYS_ADMIN`), or leave the container that withholds
        /// them.
        GrantCapabilities = "grant_capabilities",
        /// Run it on the host itself, not in an unprivileged container.
        LeaveContainer = "leave_container",
        EnableFtrace = "enable_ftrace",
        MountProc = "mount_proc",
        /// Pass this kernel's types with `--btf`.
        PassBtf = "pass_btf",
        /// Boot a kernel with `CONFIG_DEBUG_INFO_BTF=y`.
        BootWithBtf = "boot_with_btf",
        /// Boot a kernel with `CONFIG_BPF_SYSCALL=y` whose security policy lets root use it.
        BootWithBpf = "boot_with_bpf",
        OmitBackend = "omit_backend",
        /// Kprobes need no trampoline.
        UseKprobes = "use_kprobes",
        LiftPolicy = "lift_policy",
        /// Boot a kernel with `CONFIG_KPROBES=y` and `CONFIG_KPROBE_EVENTS=y`.
        BootWithKprobes = "boot_with_kprobes",
        EnableKprobes = "enable_kprobes",
        BootUnlocked = "boot_unlocked",
        LowerPerfEventParanoid = "lower_perf_event_paranoid",
        GrantSysAdmin = "grant_sys_admin",
        /// See `observer doctor`, and the verifier's log with `OBSERVER_LOG=debug`, which a bug report should contain.
        ReadVerifierLog = "read_verifier_log",
        /// Run it on a test host, or in a guest with `cargo xtask demo`.
        UseTestHost = "use_test_host",
    }
}

/// What makes observing impossible before anything is loaded.
pub fn before_trial(facts: &Facts) -> Option<Refusal> {
    facts
        .privileges
        .as_ref()
        .and_then(|privileges| missing_privileges(facts, privileges))
        .or_else(|| architecture(facts))
        .or_else(|| ftrace(facts))
        .or_else(|| (facts.btf.is_none() || facts.symbols.is_none()).then(|| unseen(facts)))
}

fn missing_privileges(facts: &Facts, privileges: &Privileges) -> Option<Refusal> {
    if privileges.may_trace() {
        return None;
    }
    let (cause, remedy) = if privileges.initial_user_namespace == Some(false) {
        (Cause::UserNamespace, Remedy::LeaveContainer)
    } else {
        let halves = [Capability::CapBpf, Capability::CapPerfmon];
        let missing = halves.into_iter().filter(|&half| !privileges.has(half)).collect();
        let remedy = if privileges.euid == 0 { Remedy::GrantCapabilities } else { Remedy::RunAsRoot };
        (Cause::MissingCapabilities { euid: privileges.euid, missing }, remedy)
    };
    Some(refusal(facts, Obstacle::MissingPrivileges, vec![cause], vec![remedy]))
}

fn architecture(facts: &Facts) -> Option<Refusal> {
    let arch = &facts.host.arch;
    let supported = matches!(arch.as_str(), "x86_64" | "aarch64");
    (!supported).then(|| {
        let cause = Cause::Architecture { arch: arch.clone() };
        refusal(facts, Obstacle::UnsupportedArchitecture, vec![cause], vec![Remedy::UseTestHost])
    })
}

/// With ftrace off, 5.10 refuses to attach with EBUSY; 6.12 attaches, and nothing ever fires.
fn ftrace(facts: &Facts) -> Option<Refusal> {
    let off = facts.host.ftrace_enabled == Some(false);
    off.then(|| refusal(facts, Obstacle::FtraceOff, vec![Cause::FtraceOff], vec![Remedy::EnableFtrace]))
}

/// The types or the symbols cannot be read.
pub(super) fn unseen(facts: &Facts) -> Refusal {
    let (fact, obstacle, remedies) = if facts.btf.is_some() {
        (Fact::Symbols, Obstacle::SymbolsUnreadable, vec![Remedy::MountProc])
    } else {
        let remedies = vec![Remedy::PassBtf, Remedy::BootWithBtf, Remedy::UseTestHost];
        (Fact::Btf, Obstacle::TypesUnreadable, remedies)
    };
    let gap = facts.gaps.iter().find(|gap| gap.what == fact);
    let detail = gap.map(|gap| gap.why.clone()).unwrap_or_default();
    refusal(facts, obstacle, vec![Cause::Unreadable { fact, detail }], remedies)
}

/// The trial programs cannot be loaded.
pub fn cannot_load(facts: &Facts, detail: String) -> Refusal {
    let remedies = vec![Remedy::BootWithBpf, Remedy::UseTestHost];
    refusal(facts, Obstacle::EbpfRefused, vec![Cause::LoadError { detail }], remedies)
}

/// No plan is possible.
pub(super) fn cannot_plan(facts: &Facts, tried: &ProbeResults, backends: Backends, error: PlanError) -> Refusal {
    let elsewhere = |obstacle, cause| refusal(facts, obstacle, vec![cause], vec![Remedy::UseTestHost]);
    match error {
        PlanError::NoLayout(NoPteLayout::Ambiguous) => elsewhere(Obstacle::PteLayoutUnknown, Cause::AmbiguousPteLayout),
        PlanError::NoLayout(NoPteLayout::Architecture(arch)) => {
            elsewhere(Obstacle::PteLayoutUnknown, Cause::Architecture { arch })
        }
        PlanError::NoMember(member) => elsewhere(Obstacle::TypesUnfit, Cause::NoMember { member }),
        PlanError::NoHook(missing) => {
            let reason = missing.reason;
            if !matches!(backends, Backends::Auto | Backends::Cheapest) {
                let causes = vec![Cause::NoHook { reason }];
                return refusal(facts, Obstacle::NoFaultHook, causes, vec![Remedy::OmitBackend]);
            }
            let refused: Vec<_> = tried.fentry.values().filter_map(|outcome| outcome.as_ref().err()).collect();
            match refused.first() {
                Some(first) if refused.len() == tried.fentry.len() => no_way_in(facts, refused.len(), first),
                _ => elsewhere(Obstacle::NoFaultHook, Cause::NoHook { reason }),
            }
        }
    }
}

/// Trampolines are refused on every function, and kprobes are not possible either.
fn no_way_in(facts: &Facts, functions: usize, answer: &TrialRefusal) -> Refusal {
    let host = &facts.host;
    let policy = answer.is(Errno::PERM);
    let mut causes = vec![Cause::TrampolinesRefused { functions, refusal: answer.clone() }];
    if policy {
        causes.push(Cause::SecurityPolicy);
    }
    causes.push(match no_kprobe(host) {
        Some(reason) => Cause::NoKprobes { reason },
        None => Cause::NoMemoryCopy { lockdown: host.lockdown },
    });
    let mut remedies = ways_out(host, policy);
    remedies.push(Remedy::UseTestHost);
    refusal(facts, Obstacle::NoFaultHook, causes, remedies)
}

/// What would make kprobes possible, which need no trampoline; or trampolines, if only a policy refuses them.
fn ways_out(host: &Host, policy: bool) -> Vec<Remedy> {
    match no_kprobe(host) {
        Some(NoKprobe::NotBuilt) if policy => vec![Remedy::LiftPolicy, Remedy::BootWithKprobes],
        Some(NoKprobe::NotBuilt) => vec![Remedy::BootWithKprobes],
        Some(_) => vec![Remedy::EnableKprobes],
        None => vec![Remedy::BootUnlocked],
    }
}

fn refusal(facts: &Facts, obstacle: Obstacle, causes: Vec<Cause>, remedies: Vec<Remedy>) -> Refusal {
    Refusal { release: facts.host.release.text.clone(), obstacle, causes, remedies }
}

/// Why kprobes are of no use here; `None`: they are.
pub(super) const fn no_kprobe(host: &Host) -> Option<NoKprobe> {
    match (host.kprobe_pmu, host.kprobes_armed) {
        (None, _) => Some(NoKprobe::NotBuilt),
        (_, Some(false)) => Some(NoKprobe::SwitchedOff),
        _ => None,
    }
}
