//! Why a host does not allow observing, and what to do about it.

use super::kernel::{missing_reason, no_kprobe, trial_refusal};
use observer_kernel::{
    privileges::{Capability, Lockdown},
    survey::{
        Refusal,
        refusal::{Cause, Obstacle, Remedy},
    },
};

/// What is not possible, why, and what to do, on one line each.
pub fn refusal(refusal: &Refusal) -> String {
    let mut lines = vec![format!("cannot observe on {}: {}", refusal.release, obstacle(refusal.obstacle))];
    lines.extend(refusal.causes.iter().map(|one| format!("  because: {}", refusal_cause(one))));
    lines.push(format!("  to do: {}", remedies(&refusal.remedies)));
    lines.iter().map(|line| observer_text::line(line)).collect::<Vec<_>>().join("\n")
}

/// What makes observing impossible.
pub(crate) const fn obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::MissingPrivileges => "this process may not load eBPF programs",
        Obstacle::UnsupportedArchitecture => "this architecture is not supported",
        Obstacle::FtraceOff => "ftrace is switched off",
        Obstacle::SymbolsUnreadable => "the symbols of the kernel cannot be read",
        Obstacle::TypesUnreadable => "the types of the kernel cannot be read",
        Obstacle::EbpfRefused => "the kernel refuses eBPF",
        Obstacle::PteLayoutUnknown => "the layout of swap PTEs is unknown",
        Obstacle::TypesUnfit => "the types of the kernel lack what the programs need",
        Obstacle::NoFaultHook => "do_swap_page, where every fault starts and ends, cannot be hooked",
        Obstacle::NotAttached => "the kernel refuses the programs; none is left attached",
    }
}

pub(crate) fn refusal_cause(cause: &Cause) -> String {
    match cause {
        Cause::UserNamespace => {
            "this process runs in a user namespace; the kernel honours capabilities for eBPF only in the initial one"
                .to_owned()
        }
        Cause::MissingCapabilities { euid, missing } => {
            let user = if *euid == 0 { "root".to_owned() } else { format!("user {euid}") };
            let missing = missing.iter().copied().map(Capability::name).collect::<Vec<_>>().join(" and ");
            format!("this process runs as {user} without CAP_SYS_ADMIN, and without {missing}, which would be enough")
        }
        Cause::Architecture { arch } => {
            format!("swap PTEs have another layout on {arch}; this build supports x86_64 and aarch64")
        }
        Cause::FtraceOff => "kernel.ftrace_enabled is 0: hooks are refused, or attach and never fire".to_owned(),
        Cause::Unreadable { detail, .. } | Cause::LoadError { detail } | Cause::AttachError { detail } => {
            detail.clone()
        }
        Cause::AmbiguousPteLayout => {
            "two layouts of swap PTEs are possible, and userfaultfd cannot be asked which one is used".to_owned()
        }
        Cause::NoMember { member } => {
            format!("BTF has no {member}: the location of a fault's swap entry is unknown")
        }
        Cause::NoHook { reason } => missing_reason(reason),
        Cause::TrampolinesRefused { functions, refusal } => {
            format!("fentry programs are refused on all {functions} functions tried: {}", trial_refusal(refusal))
        }
        Cause::SecurityPolicy => {
            "no privilege is missing, and lockdown does not forbid fentry: a policy of this kernel or of a security \
             module forbids it"
                .to_owned()
        }
        Cause::NoKprobes { reason } => format!("{}, which would be the alternative", no_kprobe(*reason)),
        Cause::NoMemoryCopy { lockdown: Lockdown::Confidentiality } => {
            "kprobe programs, the alternative, may not copy kernel memory: the kernel is locked down (confidentiality)"
                .to_owned()
        }
        Cause::NoMemoryCopy { .. } => {
            "kprobe programs, the alternative, may not copy kernel memory, as under lockdown=confidentiality (see \
             /sys/kernel/security/lockdown)"
                .to_owned()
        }
        Cause::PerfEventParanoid => {
            "kernel.perf_event_paranoid is above 2, where some kernels require CAP_SYS_ADMIN for kprobes".to_owned()
        }
    }
}

/// All remedies in one line; any of them helps.
pub(crate) fn remedies(remedies: &[Remedy]) -> String {
    remedies.iter().copied().map(remedy).collect::<Vec<_>>().join("; or ")
}

const fn remedy(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::RunAsRoot => "run it as root: sudo observer ...",
        Remedy::GrantCapabilities => {
            "grant CAP_BPF and CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN), or run it outside the container that \
             withholds them"
        }
        Remedy::LeaveContainer => "run observer on the host itself, as root, not in an unprivileged container",
        Remedy::EnableFtrace => "sysctl kernel.ftrace_enabled=1",
        Remedy::MountProc => "mount /proc, and run as root",
        Remedy::PassBtf => "pass this kernel's types as raw BTF with --btf FILE (every hook is then a kprobe)",
        Remedy::BootWithBtf => "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, as large distributions build theirs",
        Remedy::BootWithBpf => "boot a kernel built with CONFIG_BPF_SYSCALL=y whose security policy lets root use it",
        Remedy::OmitBackend => "omit --backend",
        Remedy::UseKprobes => {
            "pass --backend kprobe, which needs no trampoline: another tool may use all that a function can have"
        }
        Remedy::LiftPolicy => "lift that policy",
        Remedy::BootWithKprobes => "boot a kernel built with CONFIG_KPROBES=y and CONFIG_KPROBE_EVENTS=y",
        Remedy::EnableKprobes => "echo 1 > /sys/kernel/debug/kprobes/enabled",
        Remedy::BootUnlocked => "boot without lockdown=confidentiality",
        Remedy::LowerPerfEventParanoid => "sysctl kernel.perf_event_paranoid=2",
        Remedy::GrantSysAdmin => "grant CAP_SYS_ADMIN",
        Remedy::ReadVerifierLog => {
            "run observer doctor; attach the log of OBSERVER_LOG=debug, which has the verifier's, to a bug report"
        }
        Remedy::UseTestHost => "run observer on a test host, or in a guest: `cargo xtask demo`",
    }
}
