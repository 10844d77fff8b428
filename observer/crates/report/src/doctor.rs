//! What `observer doctor` tells: one page for people, one JSON object for a fleet.

mod host;
mod page;
mod race;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::{
    page::page,
    race::{Answer, Race, reachability},
};
use observer_kernel::{
    facts::Facts,
    plan::{self, Hook, Missing, Redundant},
    survey::{ProbeResults, Refusal, Survey},
};
use observer_observation::{exit::Exit, self_test};

/// Version of the JSON object: raised when a name goes or changes its meaning.
pub const SCHEMA: &str = "observer-doctor/1";

/// The kernel and how it would be hooked.
#[derive(Clone, Debug, Serialize)]
pub struct Kernel<'a> {
    /// As `uname -r` prints it.
    pub release: &'a str,
    /// As `uname -m` prints it.
    pub arch: &'a str,
    /// What it does about the race, in words; `unknown` if its symbols do not tell.
    pub state: &'static str,
    /// By hook: backend and function. Empty: nothing can be hooked.
    pub backend: BTreeMap<&'static str, String>,
    /// What cannot be told on this kernel.
    pub degraded: &'a [Missing],
    /// Length of a tick, nanoseconds.
    pub tick_ns: Option<u64>,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Doctor<'a> {
    /// Version of this object.
    pub schema: &'static str,
    /// The kernel.
    pub kernel: Kernel<'a>,
    /// Whether the race can happen here.
    pub race: Race,
    /// The hooks, with the reason for each.
    pub hooks: &'a [Hook],
    /// Hooks that could be attached and are not, because others tell the same.
    pub redundant: &'a [Redundant],
    /// Why this host does not allow observing; `null`: it does.
    pub refusal: Option<&'a Refusal>,
    /// What the kernel said to programs loaded for trial; `null`: it did not come to that.
    pub trial: Option<&'a ProbeResults>,
    /// How the self-test came out; missing where none was asked for, or nothing can be hooked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<self_test::Outcome>,
    /// Everything else that is known of this host, and what is not (`gaps`).
    pub facts: &'a Facts,
}

impl<'a> Doctor<'a> {
    /// From what was found out.
    pub fn new(survey: &'a Survey) -> Self {
        let facts = &survey.facts;
        let state = facts.symbols.as_ref().and_then(plan::state);
        let plan = survey.plan.as_ref().ok();
        Self {
            schema: SCHEMA,
            kernel: Kernel {
                release: &facts.host.release.text,
                arch: &facts.host.arch,
                state: state.map_or("unknown", plan::State::words),
                backend: plan.map(plan::Plan::backends).unwrap_or_default(),
                degraded: plan.map_or(&[], |plan| &plan.missing),
                tick_ns: facts.host.tick_ns,
            },
            race: reachability(state, facts.swaps.as_deref()),
            hooks: plan.map_or(&[], |plan| &plan.hooks),
            redundant: plan.map_or(&[], |plan| &plan.redundant),
            refusal: survey.plan.as_ref().err().map(AsRef::as_ref),
            trial: survey.tried.as_ref(),
            self_test: None,
            facts,
        }
    }

    /// Adds how the self-test came out, if one was made.
    #[must_use]
    pub fn with_self_test(self, self_test: Option<self_test::Outcome>) -> Self {
        Self { self_test, ..self }
    }

    /// The exit code that goes with it.
    pub const fn exit(&self) -> Exit {
        match (self.refusal, &self.self_test) {
            (Some(_), _) => Exit::Refused,
            (None, Some(outcome)) => outcome.exit(),
            (None, None) => Exit::Clean,
        }
    }
}
