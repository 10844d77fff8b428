//! The messages of a host that does not allow it: what is not possible, why, and what to do.

use super::no_kprobes;
use super::{ProbeResults, Refusal};
use crate::{
    btf,
    facts::Facts,
    plan::{Backends, PlanError},
    privileges::{Capability, Lockdown, Privileges},
};

/// Where else to see the tool at work.
pub const ELSEWHERE: &str = "run observer on a test host, or see it at work in a guest of its own: `cargo xtask demo`";

/// Whatever stands in the way before anything is loaded.
pub fn before_trial(facts: &Facts) -> Option<Refusal> {
    facts
        .privileges
        .as_ref()
        .and_then(privileges)
        .or_else(|| architecture(&facts.host.arch))
        .or_else(|| ftrace(facts))
        .or_else(|| (facts.btf.is_none() || facts.symbols.is_none()).then(|| unseen(facts)))
}

/// Root, or the capabilities that tracing takes.
fn privileges(privileges: &Privileges) -> Option<Refusal> {
    if privileges.may_trace() {
        return None;
    }
    let what = "cannot observe: this process may not load eBPF programs".to_owned();
    if privileges.initial_user_namespace == Some(false) {
        return Some(Refusal {
            what,
            why: vec![
                "it runs inside a user namespace; the kernel honours capabilities for eBPF in the first one only"
                    .into(),
            ],
            remedy: "run observer on the host itself, as root, not inside an unprivileged container".into(),
        });
    }
    let who = match privileges.euid {
        0 => "root".to_owned(),
        euid => format!("user {euid}"),
    };
    let lacks = |capability| !privileges.has(capability);
    let halves: Vec<_> = [Capability::CapBpf, Capability::CapPerfmon].into_iter().filter(|&half| lacks(half)).collect();
    let halves = halves.iter().map(|half| half.name()).collect::<Vec<_>>().join(" and ");
    let remedy = match privileges.euid {
        0 => {
            "give it CAP_BPF and CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN), or run it outside the container that withholds them"
        }
        _ => "run it as root: sudo observer ...",
    };
    Some(Refusal {
        what,
        why: vec![format!("it runs as {who}, without CAP_SYS_ADMIN, and without {halves}, which would do as well")],
        remedy: remedy.into(),
    })
}

fn architecture(arch: &str) -> Option<Refusal> {
    (!matches!(arch, "x86_64" | "aarch64")).then(|| Refusal {
        what: format!("cannot observe on {arch}"),
        why: vec!["swap PTEs are laid out differently there, and this build knows x86_64 and aarch64 only".into()],
        remedy: ELSEWHERE.into(),
    })
}

/// With ftrace off, 5.10 refuses to attach with EBUSY; 6.12 attaches, and nothing ever fires.
fn ftrace(facts: &Facts) -> Option<Refusal> {
    (facts.host.ftrace_enabled == Some(false)).then(|| Refusal {
        what: cannot_observe(facts, "ftrace is switched off"),
        why: vec!["kernel.ftrace_enabled is 0: hooks would be refused, or attach and never fire".into()],
        remedy: "sysctl kernel.ftrace_enabled=1".into(),
    })
}

/// The types or the symbols are out of sight.
pub(super) fn unseen(facts: &Facts) -> Refusal {
    let why = |what: &str| {
        facts.gaps.iter().find(|gap| gap.what == what).map_or_else(|| format!("no {what}"), |gap| gap.why.clone())
    };
    if facts.btf.is_some() {
        return Refusal {
            what: cannot_observe(facts, "its symbols cannot be read"),
            why: vec![why("symbols")],
            remedy: "mount /proc, and run as root".into(),
        };
    }
    let why = why("btf");
    Refusal {
        what: cannot_observe(facts, "the kernel does not show its types"),
        why: vec![if why.contains('/') { why } else { format!("{}: {why}", btf::VMLINUX) }],
        remedy: format!(
            "give this kernel's types as raw BTF with --btf FILE (every hook is a kprobe then); or boot a kernel built with \
             CONFIG_DEBUG_INFO_BTF=y, as the large distributions do; or {ELSEWHERE}"
        ),
    }
}

/// Not even the maps of a trial could be made.
pub fn cannot_load(facts: &Facts, error: &dyn std::error::Error) -> Refusal {
    Refusal {
        what: cannot_observe(facts, "the kernel refuses eBPF"),
        why: vec![error.to_string()],
        remedy: format!(
            "boot a kernel built with CONFIG_BPF_SYSCALL=y whose security policy lets root use it; or {ELSEWHERE}"
        ),
    }
}

/// No plan can be made.
pub(super) fn cannot_plan(facts: &Facts, tried: &ProbeResults, backends: Backends, error: &PlanError) -> Refusal {
    let missing = match error {
        PlanError::NoHook(missing) => missing,
        PlanError::NoLayout(why) => {
            return Refusal {
                what: cannot_observe(facts, "what its swap PTEs say is not known"),
                why: vec![why.clone()],
                remedy: ELSEWHERE.into(),
            };
        }
        PlanError::NoMember(_) => {
            return Refusal {
                what: cannot_observe(facts, "its types are not as the programs need them"),
                why: vec![error.to_string()],
                remedy: ELSEWHERE.into(),
            };
        }
    };
    let what = cannot_observe(facts, "there is no way to hook do_swap_page, where every fault starts and ends");
    if backends != Backends::Auto {
        return Refusal { what, why: vec![missing.reason.clone()], remedy: "leave --backend out".into() };
    }
    let refused: Vec<_> = tried.fentry.values().filter_map(|outcome| outcome.as_ref().err()).collect();
    let (Some(said), true) = (refused.first(), refused.len() == tried.fentry.len()) else {
        return Refusal { what, why: vec![missing.reason.clone()], remedy: ELSEWHERE.into() };
    };
    let mut why = vec![format!("fentry programs are refused on all {} functions tried: {said}", refused.len())];
    let policy = said.starts_with("EPERM");
    if policy {
        let held = "privileges are not what is missing, and lockdown does not forbid fentry";
        why.push(format!("{held}: a policy of this kernel or of a security module does"));
    }
    why.push(match no_kprobes(&facts.host) {
        Some(no_kprobes) => format!("{no_kprobes}, which would be the other way in"),
        None => no_copying(facts.host.lockdown),
    });
    Refusal { what, why, remedy: format!("{}; or {ELSEWHERE}", way_out(facts, policy)) }
}

fn no_copying(lockdown: Lockdown) -> String {
    let cause = match lockdown {
        Lockdown::Confidentiality => "the kernel is locked down (confidentiality)",
        _ => "that is what lockdown=confidentiality does (cat /sys/kernel/security/lockdown)",
    };
    format!("kprobe programs, the other way in, may not read kernel memory: {cause}")
}

/// What would open the way by kprobes, which needs no trampoline; or by trampolines, if only a policy is against it.
const fn way_out(facts: &Facts, policy: bool) -> &'static str {
    match (facts.host.kprobe_pmu, facts.host.kprobes_armed) {
        (None, _) if policy => {
            "lift that policy, or boot a kernel with kprobes (CONFIG_KPROBES=y, CONFIG_KPROBE_EVENTS=y)"
        }
        (None, _) => "boot a kernel with kprobes (CONFIG_KPROBES=y, CONFIG_KPROBE_EVENTS=y)",
        (_, Some(false)) => "echo 1 > /sys/kernel/debug/kprobes/enabled",
        _ => "boot without lockdown=confidentiality",
    }
}

fn cannot_observe(facts: &Facts, because: &str) -> String {
    format!("cannot observe on {}: {because}", facts.host.release.text)
}
