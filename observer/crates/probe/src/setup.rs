//! From this host to a plan, or to a refusal.

use crate::{
    error::chain,
    identity,
    tracefs::Tracefs,
    trial::{self, Answers, TrialError},
};
use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use observer_kernel::{
    facts::Facts,
    plan,
    privileges::Lockdown,
    survey::{self, ProbeResults, Ready, Refusal, SetupOptions, Survey, refusal},
};
use observer_observation::clock;

/// Makes the plan for the running kernel, and makes [`clock::now`] the clock of the programs. Loads programs for trial;
/// attaches nothing.
///
/// # Errors
/// When this host does not allow observing.
pub fn prepare(options: &SetupOptions) -> Result<Ready, Refusal> {
    let Survey { facts, plan, .. } = survey(options);
    Ok(Ready { plan: plan?, host: facts.host })
}

/// As [`prepare`], but returns the facts and the trial results even if this host is refused.
pub fn survey(options: &SetupOptions) -> Survey {
    let facts = Facts::gather(&plan::symbols_of_interest(), options.btf.as_deref());
    let (tried, plan) = match refusal::before_trial(&facts) {
        Some(refusal) => (None, Err(refusal)),
        None => match try_out(&facts) {
            Ok(tried) => {
                let plan = survey::decide(&facts, &tried, options.backends, options.set);
                (Some(tried), plan)
            }
            Err(error) => (None, Err(refusal::cannot_load(&facts, chain(&error)))),
        },
    };
    Survey { facts, tried, plan }
}

fn try_out(facts: &Facts) -> Result<ProbeResults, TrialError> {
    let functions = facts.symbols.as_ref().map(plan::functions_to_try).unwrap_or_default();
    let Answers { functions: fentry, skips_running } = trial::try_functions(&functions)?;
    let clock_ahead_ns = identity::clock_ahead_ns(facts.namespaces.time)?;
    if clock_ahead_ns != 0 {
        log::info!("this process is in a time namespace: the kernel's clock is ahead by {clock_ahead_ns} ns");
    }
    clock::align(clock_ahead_ns);
    let copy = is_helper_supported(ProgramType::KProbe, BpfHelper::BPF_FUNC_probe_read_kernel)
        .unwrap_or(facts.host.lockdown != Lockdown::Confidentiality);
    let no_return_events = Tracefs::for_events().err();
    let no_tracepoints = facts.btf.as_ref().map(plan::missing_tracepoints).unwrap_or_default();
    Ok(ProbeResults { fentry, skips_running, copy, no_return_events, no_tracepoints })
}
