//! From this host to a probe plan, or to one message that says what is in the way and what to do about it.

use std::fmt;

use crate::{
    kernel::{
        btf::{self, Btf},
        host::Host,
        plan::{self, Evidence, Plan, PlanError, Trials},
        privileges::{Lockdown, Privileges},
        symbols::Symbols,
        tree::Tree,
    },
    probe,
};

/// This host does not allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is not possible.
    pub what: String,
    /// Why.
    pub why: Vec<String>,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        for why in &self.why {
            writeln!(f, "  because: {why}")?;
        }
        write!(f, "  to do: {}", self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// Where else to see the tool at work.
const ELSEWHERE: &str = "run observer on a test host, or see it at work in a guest of its own with `cargo xtask demo`";

/// A host on which observing is possible.
#[derive(Debug)]
pub struct Ready {
    /// What the host is.
    pub host: Host,
    /// What the kernel said to trial loads.
    pub trials: Trials,
    /// What will be hooked.
    pub plan: Plan,
}

/// Looks at the running kernel and makes the plan. Loads programs for trial; attaches nothing.
///
/// # Errors
/// When this host does not allow observing.
pub fn prepare() -> Result<Ready, Box<Refusal>> {
    let tree = Tree::system();
    let host = Host::gather(&tree);
    check_privileges(Privileges::gather(&tree).as_ref())?;
    check_architecture(&host.arch)?;
    let types = read_btf(&host)?;
    let symbols = read_symbols()?;
    let present = |name: &str| symbols.has(name);
    let trials = probe::try_functions(&plan::functions_to_try(&present)).map_err(|error| cannot_load(&host, &error))?;
    let evidence = Evidence {
        present: &present,
        btf: &types,
        trials: &trials,
        kprobes: host.kprobe_pmu.is_some(),
        copy: host.lockdown != Lockdown::Confidentiality,
    };
    let plan = plan::plan(&evidence).map_err(|error| cannot_plan(&host, &trials, &error))?;
    Ok(Ready { host, trials, plan })
}

/// Root, or the capabilities that tracing takes.
fn check_privileges(privileges: Option<&Privileges>) -> Result<(), Box<Refusal>> {
    let Some(privileges) = privileges.filter(|privileges| !privileges.may_trace()) else { return Ok(()) };
    let what = "cannot observe: this process may not load eBPF programs".to_owned();
    if privileges.initial_user_namespace == Some(false) {
        return Err(Box::new(Refusal {
            what,
            why: vec![
                "it runs inside a user namespace; the kernel honours BPF capabilities in the first one only".into(),
            ],
            remedy: "run observer on the host itself, as root, not inside an unprivileged container".into(),
        }));
    }
    let missing: Vec<_> = privileges.missing.iter().map(|capability| capability.name()).collect();
    Err(Box::new(Refusal {
        what,
        why: vec![format!("effective user id {}, without {}", privileges.euid, missing.join(", "))],
        remedy: "run it with sudo, or give it CAP_BPF and CAP_PERFMON".into(),
    }))
}

fn check_architecture(arch: &str) -> Result<(), Box<Refusal>> {
    if arch == "x86_64" {
        return Ok(());
    }
    Err(Box::new(Refusal {
        what: format!("cannot observe on {arch}"),
        why: vec!["swap PTEs are laid out differently there, and this build knows x86_64 only".into()],
        remedy: ELSEWHERE.into(),
    }))
}

fn read_btf(host: &Host) -> Result<Btf, Box<Refusal>> {
    Btf::from_file(std::path::Path::new(btf::VMLINUX)).map_err(|error| {
        Box::new(Refusal {
            what: format!("cannot observe on {}: the kernel does not show its types", host.release.text),
            why: vec![format!("{}: {error}", btf::VMLINUX)],
            remedy: format!(
                "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (every distribution since 2021); or {ELSEWHERE}"
            ),
        })
    })
}

fn read_symbols() -> Result<Symbols, Box<Refusal>> {
    Symbols::of_running_kernel(&plan::symbols_of_interest()).map_err(|error| {
        Box::new(Refusal {
            what: "cannot observe: the kernel's symbols cannot be read".into(),
            why: vec![error.to_string()],
            remedy: "mount /proc, and run as root".into(),
        })
    })
}

fn cannot_load(host: &Host, error: &probe::TrialError) -> Box<Refusal> {
    let mut why = vec![error.to_string()];
    why.extend(lockdown_in_words(host.lockdown));
    Box::new(Refusal {
        what: format!("cannot observe on {}: the kernel refuses eBPF", host.release.text),
        why,
        remedy: ELSEWHERE.into(),
    })
}

fn cannot_plan(host: &Host, trials: &Trials, error: &PlanError) -> Box<Refusal> {
    let mut why = vec![error.to_string()];
    let refused: Vec<_> = trials.values().filter_map(|outcome| outcome.as_ref().err()).collect();
    if let Some(first) = refused.first().filter(|_| refused.len() == trials.len()) {
        why.push(format!("fentry programs are refused on all {} functions ({first})", trials.len()));
    }
    if host.kprobe_pmu.is_none() {
        why.push("this kernel has no kprobes (no /sys/bus/event_source/devices/kprobe)".into());
    }
    why.extend(lockdown_in_words(host.lockdown));
    let remedy = match host.lockdown {
        Lockdown::Confidentiality => format!("boot without lockdown=confidentiality; or {ELSEWHERE}"),
        _ => ELSEWHERE.to_owned(),
    };
    Box::new(Refusal { what: format!("cannot observe on {}", host.release.text), why, remedy })
}

fn lockdown_in_words(lockdown: Lockdown) -> Option<String> {
    match lockdown {
        Lockdown::Integrity => Some("the kernel is locked down (integrity)".into()),
        Lockdown::Confidentiality => {
            Some("the kernel is locked down (confidentiality): no kprobes, no reading of kernel memory".into())
        }
        Lockdown::Unknown => Some("whether the kernel is locked down is unknown: securityfs is not mounted".into()),
        Lockdown::None | Lockdown::NotBuilt => None,
    }
}
