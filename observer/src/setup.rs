//! From this host to a probe plan, or to one message that says what is in the way and what to do about it.

mod refusal;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use serde::{Serialize, Serializer};

pub use self::refusal::{Refusal, at_attach};
use crate::{
    kernel::{
        facts::Facts,
        host::Host,
        plan::{self, Backends, Evidence, HookSet, Machine, Plan, Trials},
        privileges::Lockdown,
    },
    probe,
};

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

/// What the kernel said to programs that were loaded for trial, and attached nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeResults {
    /// By function: whether it takes fentry programs. In JSON: `null`, or why not.
    #[serde(serialize_with = "refusals")]
    pub fentry: Trials,
    /// Whether programs may copy kernel memory; only lockdown `confidentiality` is known to forbid it.
    pub copy: bool,
}

fn refusals<S: Serializer>(trials: &Trials, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(trials.iter().map(|(name, outcome)| (name, outcome.as_ref().err())))
}

/// All that is known of this host, and what can be done on it.
#[derive(Debug)]
pub struct Survey {
    /// What it is.
    pub facts: Facts,
    /// What it said to trial loads, if it came to that.
    pub tried: Option<ProbeResults>,
    /// What can be hooked, or why nothing can.
    pub plan: Result<Plan, Box<Refusal>>,
}

/// What the user wants of the set-up.
#[derive(Clone, Debug, Default)]
pub struct SetupOptions {
    /// Which way programs are attached.
    pub backends: Backends,
    /// Which hooks.
    pub set: HookSet,
    /// The kernel's types, if it does not show them itself.
    pub btf: Option<PathBuf>,
}

/// Looks at the running kernel and makes the plan. Loads programs for trial; attaches nothing.
///
/// # Errors
/// When this host does not allow observing.
pub fn prepare(options: &SetupOptions) -> Result<Ready, Box<Refusal>> {
    let Survey { facts, tried, plan } = survey(options);
    Ok(Ready { plan: plan?, host: facts.host, trials: tried.unwrap_or_default().fentry })
}

/// As [`prepare`], but keeps everything that was found out on the way, whatever comes of it.
pub fn survey(options: &SetupOptions) -> Survey {
    let facts = Facts::gather(&plan::symbols_of_interest(), options.btf.as_deref());
    let (tried, plan) = match refusal::before_trial(&facts) {
        Some(refusal) => (None, Err(Box::new(refusal))),
        None => match try_out(&facts) {
            Ok(tried) => {
                let plan = decide(&facts, &tried, options.backends, options.set);
                (Some(tried), plan.map_err(Box::new))
            }
            Err(error) => (None, Err(Box::new(refusal::cannot_load(&facts, &error)))),
        },
    };
    Survey { facts, tried, plan }
}

fn try_out(facts: &Facts) -> Result<ProbeResults, probe::TrialError> {
    let functions = facts.symbols.as_ref().map(plan::functions_to_try).unwrap_or_default();
    let fentry = probe::try_functions(&functions)?;
    let copy = is_helper_supported(ProgramType::KProbe, BpfHelper::BPF_FUNC_probe_read_kernel)
        .unwrap_or(facts.host.lockdown != Lockdown::Confidentiality);
    Ok(ProbeResults { fentry, copy })
}

/// The plan, or the refusal. Pure.
fn decide(facts: &Facts, tried: &ProbeResults, backends: Backends, set: HookSet) -> Result<Plan, Refusal> {
    let (Some(symbols), Some(btf)) = (&facts.symbols, &facts.btf) else { return Err(refusal::unseen(facts)) };
    let no_kprobes = no_kprobes(&facts.host);
    let host = &facts.host;
    let machine = Machine { arch: &host.arch, uffd_wp: host.uffd_wp, version: host.release.version };
    let evidence =
        Evidence { symbols, btf, trials: &tried.fentry, no_kprobes, copy: tried.copy, backends, set, machine };
    plan::plan(&evidence).map_err(|error| refusal::cannot_plan(facts, tried, backends, &error))
}

/// Why kprobes are of no use here; `None`: they are.
const fn no_kprobes(host: &Host) -> Option<&'static str> {
    match (host.kprobe_pmu, host.kprobes_armed) {
        (None, _) => Some("this kernel has no kprobes"),
        // They would attach, and never fire.
        (_, Some(false)) => Some("kprobes are switched off (debugfs kprobes/enabled is 0)"),
        _ => None,
    }
}
