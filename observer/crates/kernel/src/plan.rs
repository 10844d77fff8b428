//! The hook plan: which function carries each meaning on this kernel, on which backend it is hooked, and why. Pure:
//! decided from symbols, BTF and trial loads, never from the version number, because distributions backport.

mod backend;
mod candidates;
mod capabilities;
mod choose;
mod evidence;
mod hook;
mod layout;
mod meaning;
mod missing;
mod offsets;
mod reduce;
mod redundant;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use self::{
    backend::{Backend, Backends, HookSet},
    evidence::{Evidence, Machine, Trials},
    hook::{Hook, HookReason, NoKprobe, NoReturnEvents, NoTrampoline, Program, Scope, TrialRefusal},
    layout::{NoPteLayout, PteLayout},
    meaning::Meaning,
    missing::{Consequence, Layout, Missing, MissingReason, Rejection},
    offsets::Offsets,
    redundant::{Instead, Redundant},
    state::State,
    watch::{Tracepoint, missing_tracepoints},
};

use self::{candidates::CANDIDATES, choose::DIRECT_CALLS};
use crate::{btf::Btf, symbols::Symbols};

/// What is hooked and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub state: State,
    pub set: HookSet,
    pub hooks: Vec<Hook>,
    pub redundant: Vec<Redundant>,
    pub missing: Vec<Missing>,
    pub offsets: Offsets,
    pub pte: PteLayout,
}

impl Plan {
    /// The hooks of a meaning.
    pub fn of(&self, meaning: Meaning) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.meaning == meaning)
    }

    /// Whether a meaning is hooked.
    pub fn has(&self, meaning: Meaning) -> bool {
        self.of(meaning).next().is_some()
    }

    /// The tracepoints that follow the tasks of a watched command.
    pub fn tracepoints(&self) -> impl Iterator<Item = Tracepoint> {
        let is_missing = |tracepoint: &Tracepoint| {
            let name = tracepoint.code();
            self.missing
                .iter()
                .any(|gap| matches!(&gap.reason, MissingReason::NoTracepoint { name: gone } if gone == name))
        };
        Tracepoint::ALL.into_iter().filter(move |tracepoint| !is_missing(tracepoint))
    }

    /// The hook on the start of reads, attached or redundant.
    pub fn read_hook(&self) -> Option<&Hook> {
        let redundant = self.redundant.iter().map(|redundant| &redundant.hook);
        self.hooks.iter().chain(redundant).find(|hook| hook.meaning == Meaning::ReadStart)
    }
}

/// Why nothing can be observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A struct member that every program needs is not in the BTF.
    #[error("this kernel's BTF has no {0}")]
    NoMember(String),
    #[error("the layout of swap PTEs is unknown: {0:?}")]
    NoLayout(NoPteLayout),
    /// `do_swap_page` cannot be hooked.
    #[error("no hook is possible for {}", .0.meaning.code())]
    NoHook(Missing),
}

/// Functions for which trial loads are needed: all that a plan could hook with a trampoline, if there are trampolines.
pub fn functions_to_try(symbols: &Symbols) -> Vec<&'static str> {
    if !symbols.has(DIRECT_CALLS) {
        return Vec::new();
    }
    let mut names: Vec<_> =
        CANDIDATES.iter().map(|candidate| candidate.symbol).filter(|name| symbols.has(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Names of kernel symbols that a plan looks up.
pub fn symbols_of_interest() -> Vec<&'static str> {
    let mut names: Vec<_> = CANDIDATES.iter().map(|candidate| candidate.symbol).collect();
    names.extend(state::symbols());
    names.extend(reduce::OF_ZSWAP);
    names.push(DIRECT_CALLS);
    names.sort_unstable();
    names.dedup();
    names
}

/// What a kernel does about the race, as far as its symbols and types show: also where nothing can be hooked. Unknown
/// without `do_swap_page`: such a kernel does not list its functions.
pub fn state(symbols: &Symbols, btf: Option<&Btf>) -> State {
    if symbols.has("do_swap_page") { State::of(symbols, btf) } else { State::Unknown }
}

/// Makes the plan.
///
/// # Errors
/// When faults cannot be seen at all. Everything less is listed in [`Plan::missing`].
pub fn plan(evidence: &Evidence<'_>) -> Result<Plan, PlanError> {
    let offsets = offsets::find(evidence)?;
    let pte = layout::find(evidence).map_err(PlanError::NoLayout)?;
    let state = State::of(evidence.symbols, Some(evidence.btf));
    let mut hooks = Vec::new();
    let mut missing = Vec::new();
    for meaning in Meaning::ALL.into_iter().filter(|meaning| state.has(*meaning)) {
        match choose::hooks_for(meaning, state, evidence, &offsets) {
            Ok((found, in_part)) => {
                hooks.extend(found);
                missing.extend(in_part);
            }
            Err(reason) => {
                let gap = Missing { meaning, reason, consequence: Consequence::of(meaning), partial: false };
                if gap.consequence == Consequence::NothingObserved {
                    return Err(PlanError::NoHook(gap));
                }
                missing.push(gap);
            }
        }
    }
    missing.extend(choose::few_instances(&hooks, evidence));
    missing.extend(watch::gaps(evidence.no_tracepoints, &offsets));
    let redundant = reduce::omit(state, evidence, &mut hooks, &mut missing);
    Ok(Plan { state, set: evidence.set, hooks, redundant, missing, offsets, pte })
}
