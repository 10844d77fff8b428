//! What is known of a host before anything is attached, and the refusal where that is not enough.

pub mod refusal;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Serialize, Serializer};

pub use self::refusal::Refusal;
use crate::{
    facts::Facts,
    host::Host,
    plan::{self, Backends, Evidence, HookSet, Machine, NoReturnEvents, Plan, Tracepoint, Trials},
};

/// A host on which observing is possible.
#[derive(Debug)]
pub struct Ready {
    pub host: Host,
    pub plan: Plan,
}

/// The kernel's answers to programs that were loaded for trial, and attached nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeResults {
    /// By function: whether it accepts fentry programs. In JSON: `null`, or why not.
    #[serde(serialize_with = "refusals")]
    pub fentry: Trials,
    /// Whether a trampoline skips a program that is already running on the CPU.
    pub skips_running: bool,
    /// Whether programs may copy kernel memory; only lockdown `confidentiality` is known to forbid it.
    pub copy: bool,
    /// Why return probes cannot be events of tracefs; `None`: they can.
    pub no_return_events: Option<NoReturnEvents>,
    /// Tracepoints that the kernel lacks.
    pub no_tracepoints: Vec<Tracepoint>,
}

fn refusals<S: Serializer>(trials: &Trials, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(trials.iter().map(|(name, outcome)| (name, outcome.as_ref().err())))
}

/// What is known of this host, and what can be done on it.
#[derive(Debug)]
pub struct Survey {
    pub facts: Facts,
    /// `None`: refused before the trial loads.
    pub tried: Option<ProbeResults>,
    pub plan: Result<Plan, Refusal>,
}

/// What the user chose of the set-up.
#[derive(Clone, Debug, Default)]
pub struct SetupOptions {
    pub backends: Backends,
    pub set: HookSet,
    /// The kernel's types, if it does not show them itself.
    pub btf: Option<PathBuf>,
}

/// The plan, or the refusal.
///
/// # Errors
/// When this host does not allow observing.
pub fn decide(facts: &Facts, tried: &ProbeResults, backends: Backends, set: HookSet) -> Result<Plan, Refusal> {
    let (Some(symbols), Some(btf)) = (&facts.symbols, &facts.btf) else { return Err(refusal::unseen(facts)) };
    let host = &facts.host;
    let Host { arch, uffd_wp, release, preemption, .. } = host;
    let machine = Machine { arch, uffd_wp: *uffd_wp, version: release.version, preemption: *preemption };
    let evidence = Evidence {
        symbols,
        btf,
        trials: &tried.fentry,
        skips_running: tried.skips_running,
        no_kprobes: refusal::no_kprobe(host),
        no_return_events: tried.no_return_events,
        no_tracepoints: &tried.no_tracepoints,
        copy: tried.copy,
        backends,
        set,
        machine,
    };
    plan::plan(&evidence).map_err(|error| refusal::cannot_plan(facts, tried, backends, error))
}
