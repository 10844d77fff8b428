//! The report of `observer doctor`: text for a terminal, one JSON object for a fleet.

use serde::Serialize;

pub use self::text::{Layout, text};
use crate::race::{self, Race};
use observer_kernel::{
    facts::Facts,
    plan::{self, Plan, Redundant, State},
    survey::{ProbeResults, Refusal, Survey},
};
use observer_observation::{Kernel, exit::Exit, self_test};

#[cfg(test)]
mod tests;
mod text;

/// Raised when a key of the JSON object is removed or changes its meaning.
const SCHEMA: &str = "observer-doctor/1";

#[derive(Clone, Debug, Serialize)]
pub struct Doctor<'a> {
    pub schema: &'static str,
    /// The kernel, and the hooks that an observation would attach.
    pub kernel: Kernel,
    /// Three facts: whether this kernel is vulnerable, whether the race is reachable now, and what was observed.
    pub race: Race,
    /// Whether this host allows observing.
    pub observable: bool,
    /// Hooks that are possible and would not be attached.
    pub redundant: &'a [Redundant],
    /// Why this host does not allow observing; `null` if it does.
    pub refusal: Option<&'a Refusal>,
    /// The kernel's answers to trial loads; `null` if it was refused before.
    pub trial: Option<&'a ProbeResults>,
    /// Absent if no self-test was requested, or nothing can be hooked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<self_test::Outcome>,
    /// Everything else that is known of this host; `gaps` has what is unknown.
    pub facts: &'a Facts,
}

impl<'a> Doctor<'a> {
    pub fn new(survey: &'a Survey) -> Self {
        let facts = &survey.facts;
        let (release, arch) = (&facts.host.release.text, &facts.host.arch);
        let state = facts.symbols.as_ref().map_or(State::Unknown, |symbols| plan::state(symbols, facts.btf.as_ref()));
        let plan: Option<&Plan> = survey.plan.as_ref().ok();
        let kernel = plan.map_or_else(
            || Kernel {
                release: release.clone(),
                arch: arch.clone(),
                state,
                tick_ns: facts.host.tick_ns,
                ..Kernel::default()
            },
            |plan| Kernel::new(release, arch, facts.host.tick_ns, plan),
        );
        // The self-test is no evidence: one thread faults, on a separate device.
        let race = Race::new(state, facts.swaps.as_deref().map(race::areas).as_deref(), None);
        Self {
            schema: SCHEMA,
            kernel,
            race,
            observable: plan.is_some(),
            redundant: plan.map_or(&[], |plan| &plan.redundant),
            refusal: survey.plan.as_ref().err(),
            trial: survey.tried.as_ref(),
            self_test: None,
            facts,
        }
    }

    #[must_use]
    pub fn with_self_test(self, self_test: Option<self_test::Outcome>) -> Self {
        Self { self_test, ..self }
    }

    pub const fn exit(&self) -> Exit {
        match (self.refusal, &self.self_test) {
            (Some(_), _) => Exit::Refused,
            (None, Some(outcome)) => outcome.exit(),
            (None, None) => Exit::Clean,
        }
    }
}
