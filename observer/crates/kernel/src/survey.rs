//! All that is known of a host before anything is attached, and the refusal where that is not enough.

pub mod refusal;
#[cfg(test)]
mod tests;

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

use crate::{
    facts::Facts,
    host::Host,
    plan::{self, Backends, Evidence, HookSet, Machine, Plan, Trials},
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

/// This host does not allow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// The plan, or the refusal.
///
/// # Errors
/// When this host does not allow observing.
pub fn decide(facts: &Facts, tried: &ProbeResults, backends: Backends, set: HookSet) -> Result<Plan, Refusal> {
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
