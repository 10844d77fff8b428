//! The probe plan: which function carries each meaning on this kernel, on which backend it is hooked, and why. Pure:
//! decided from symbols, BTF and trial loads, never from the version number, because distributions backport.

mod candidates;
mod capabilities;
mod layout;
mod lean;
mod meaning;
mod offsets;
mod redundant;
mod rejection;
mod state;

use std::collections::BTreeMap;

use serde::Serialize;

pub use layout::PteLayout;
pub use meaning::Meaning;
pub use offsets::Offsets;
pub use redundant::Redundant;
pub use state::State;

use super::{
    btf::{Btf, Prototype},
    symbols::Symbols,
};
use candidates::{CANDIDATES, Candidate};
use rejection::Rejection;

/// How a function is hooked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// BPF trampoline, at entry.
    Fentry,
    /// BPF trampoline, at return.
    Fexit,
    /// Breakpoint or ftrace probe, at entry.
    Kprobe,
    /// Return probe.
    Kretprobe,
}

impl Backend {
    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
        }
    }
}

/// Which backends a plan may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backends {
    /// Trampolines where the kernel takes them, kprobes where it does not
    #[default]
    Auto,
    /// Kprobes and return probes only
    Kprobe,
    /// Trampolines (fentry and fexit) only
    Fentry,
}

/// Which hooks a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HookSet {
    /// All that tell something
    #[default]
    Full,
    /// Only those without which a verdict would not be exact: cheaper, and silent about holds and errors of the pin
    Lean,
}

impl HookSet {
    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lean => "lean",
        }
    }

    /// Of faults, one in so many is timed; a power of two.
    pub const fn timed_one_in(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Lean => observer_ebpf::config::LEAN_TIMED_ONE_IN,
        }
    }
}

/// One program on one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// What for.
    pub meaning: Meaning,
    /// The kernel's function.
    pub symbol: String,
    /// How.
    pub backend: Backend,
    /// Name of the program in the eBPF object.
    pub program: &'static str,
    /// Why this function and this backend.
    pub reason: String,
}

/// A meaning that has no hook on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Which.
    pub meaning: Meaning,
    /// Why.
    pub reason: String,
    /// What cannot be told without it.
    pub consequence: String,
}

/// What is hooked and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What this kernel does about the race.
    pub state: State,
    /// Which hooks were wanted.
    pub set: HookSet,
    /// The hooks.
    pub hooks: Vec<Hook>,
    /// Hooks that could be attached and are not: others tell the same, or the set does without.
    pub redundant: Vec<Redundant>,
    /// What is degraded.
    pub missing: Vec<Missing>,
    /// Where things lie.
    pub offsets: Offsets,
    /// How this kernel writes an entry into a PTE.
    pub pte: PteLayout,
}

impl Plan {
    /// The hooks of a meaning.
    pub fn of(&self, meaning: Meaning) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.meaning == meaning)
    }

    /// The hook on the start of reads, attached or redundant.
    pub fn read_hook(&self) -> Option<&Hook> {
        let redundant = self.redundant.iter().map(|redundant| &redundant.hook);
        self.hooks.iter().chain(redundant).find(|hook| hook.meaning == Meaning::ReadStart)
    }

    /// By meaning: backend and function, as every JSON object shows them.
    pub fn backends(&self) -> BTreeMap<&'static str, String> {
        let mut backends: BTreeMap<&'static str, String> = BTreeMap::new();
        for hook in &self.hooks {
            let how = format!("{} {}", hook.backend.name(), hook.symbol);
            let all = backends.entry(hook.meaning.name()).or_default();
            let comma = if all.is_empty() { "" } else { ", " };
            *all = format!("{all}{comma}{how}");
        }
        backends
    }
}

/// Outcome of loading a do-nothing fentry program on a function: accepted, or why not.
pub type Trials = BTreeMap<String, Result<(), String>>;

/// What the plan is made from.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Which of [`symbols_of_interest`] the kernel has.
    pub symbols: &'a Symbols,
    /// Its types.
    pub btf: &'a Btf,
    /// What it said to fentry programs.
    pub trials: &'a Trials,
    /// Why there are no kprobes; `None`: there are.
    pub no_kprobes: Option<&'a str>,
    /// Whether programs may copy kernel memory (not under lockdown `confidentiality`): kprobe programs must.
    pub copy: bool,
    /// Which backends are wanted.
    pub backends: Backends,
    /// Which hooks are wanted.
    pub set: HookSet,
    /// The machine.
    pub machine: Machine<'a>,
}

/// What decides how a swap PTE is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// As `uname -m` prints it.
    pub arch: &'a str,
    /// Whether userfaultfd can write-protect pages here; `None`: it was not to be found out.
    pub uffd_wp: Option<bool>,
    /// The kernel's branch, for what leaves no other trace.
    pub version: Option<(u32, u32)>,
}

/// Why nothing can be observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A struct member that every program needs is not in the BTF.
    #[error("this kernel's BTF has no {0}: where the swap entry of a fault lies is unknown")]
    NoMember(String),
    /// Swap PTEs of this machine are not known.
    #[error("{0}")]
    NoLayout(String),
    /// No way to hook `do_swap_page`.
    #[error("cannot hook {meaning}: {reason}", meaning = .0.meaning.name(), reason = .0.reason)]
    NoHook(Missing),
}

/// Functions for which trial loads are wanted: all that a plan could hook with a trampoline, if there are trampolines.
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

/// What a BPF trampoline is hung into a function with (`CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`). arm64 had none before
/// 6.4: fentry programs load there all the same, and cannot be attached.
const DIRECT_CALLS: &str = "register_ftrace_direct";

/// Names of kernel symbols that a plan looks at.
pub fn symbols_of_interest() -> Vec<&'static str> {
    let mut names: Vec<_> = CANDIDATES.iter().map(|candidate| candidate.symbol).collect();
    names.extend(state::SYMBOLS);
    names.extend(redundant::OF_ZSWAP);
    names.push(DIRECT_CALLS);
    names.sort_unstable();
    names.dedup();
    names
}

/// What a kernel does about the race, as far as its symbols tell: also where nothing can be hooked. `None`: it has no
/// `do_swap_page`, so it does not swap or does not show its functions.
pub fn state(symbols: &Symbols) -> Option<State> {
    symbols.has("do_swap_page").then(|| state::judge(symbols))
}

/// Makes the plan.
///
/// # Errors
/// When faults cannot be seen at all. Everything less is listed in [`Plan::missing`].
pub fn plan(evidence: &Evidence<'_>) -> Result<Plan, PlanError> {
    let offsets = offsets::find(evidence)?;
    let pte = layout::find(evidence)?;
    let state = state::judge(evidence.symbols);
    let mut hooks = Vec::new();
    let mut missing = Vec::new();
    for meaning in Meaning::ALL.into_iter().filter(|meaning| state.has(*meaning)) {
        match hooks_for(meaning, evidence, &offsets) {
            Ok((found, in_part)) => {
                hooks.extend(found);
                missing.extend(in_part);
            }
            Err(reason) => {
                let consequence = meaning.without().unwrap_or("nothing can be observed").to_owned();
                let gap = Missing { meaning, reason, consequence };
                if meaning.without().is_none() {
                    return Err(PlanError::NoHook(gap));
                }
                missing.push(gap);
            }
        }
    }
    let redundant = redundant::take(state, evidence, &mut hooks, &mut missing);
    Ok(Plan { state, set: evidence.set, hooks, redundant, missing, offsets, pte })
}

/// The hooks for one meaning: those of the first group of candidates that this kernel has; and what of the group is
/// there and cannot be hooked.
fn hooks_for(
    meaning: Meaning,
    evidence: &Evidence<'_>,
    offsets: &Offsets,
) -> Result<(Vec<Hook>, Option<Missing>), String> {
    let mut rejection = Vec::new();
    let of_meaning = || CANDIDATES.iter().filter(move |candidate| candidate.meaning == meaning);
    for first in of_meaning().filter(|candidate| !candidate.also) {
        match hook(first, evidence, offsets) {
            Ok(mut hooks) => {
                let mut in_part = Vec::new();
                for also in of_meaning().filter(|candidate| candidate.also && candidate.goes_with == first.symbol) {
                    match hook(also, evidence, offsets) {
                        Ok(more) => hooks.extend(more),
                        Err(Rejection::Absent { copies: [], .. }) => {}
                        Err(reason) => in_part.push(reason),
                    }
                }
                let missing = (!in_part.is_empty()).then(|| Missing {
                    meaning,
                    reason: Rejection::join(&in_part),
                    consequence: format!("in part: {}", meaning.without().unwrap_or("faults are missed")),
                });
                return Ok((hooks, missing));
            }
            Err(reason) => rejection.push(reason),
        }
    }
    Err(Rejection::join(&rejection))
}

/// The hook on one candidate, or why there is none. A kretprobe that needs its function's arguments brings a kprobe.
fn hook<'a>(candidate: &Candidate, evidence: &Evidence<'a>, offsets: &Offsets) -> Result<Vec<Hook>, Rejection<'a>> {
    let symbol = candidate.symbol;
    if !evidence.symbols.has(symbol) {
        return Err(Rejection::Absent { symbol, copies: evidence.symbols.copies(symbol) });
    }
    let prototype =
        evidence.btf.function(symbol).ok_or_else(|| Rejection::Unfit(format!("{symbol} is not in the BTF")))?;
    if !candidate.fits(&prototype) {
        return Err(Rejection::Unfit(format!("{symbol} is now `{prototype}`, which no program here fits")));
    }
    let (known, unknown) = candidate.needs;
    if !known(offsets) {
        return Err(Rejection::Unfit(format!("{symbol}: {unknown}")));
    }
    if candidate.many_params && prototype.params.len() > SMALL_TRAMPOLINE && !takes_many_params(evidence) {
        let why = format!("{symbol}: the trampoline of so old a kernel takes {SMALL_TRAMPOLINE} arguments at most");
        return Err(Rejection::Refused(why));
    }
    if evidence.symbols.has(candidate.not_beside) {
        let why = format!("{symbol}: releases that pass {} do not pass here", candidate.not_beside);
        return Err(Rejection::Unfit(why));
    }
    let make =
        |backend, program, reason| Hook { meaning: candidate.meaning, symbol: symbol.into(), backend, program, reason };
    let (backend, program) = candidate.trampoline;
    let refused = match evidence.trials.get(symbol) {
        _ if evidence.backends == Backends::Kprobe => "--backend kprobe asks for kprobes".to_owned(),
        _ if !evidence.symbols.has(DIRECT_CALLS) => {
            format!("this kernel cannot divert functions to a trampoline (no {DIRECT_CALLS})")
        }
        Some(Ok(())) if candidate.trampoline_copies && !evidence.copy => {
            "programs may not copy kernel memory here".to_owned()
        }
        Some(Ok(())) => return Ok(vec![make(backend, program, format!("{prototype}: the trampoline takes it"))]),
        Some(Err(why)) => format!("the trampoline refuses it ({why})"),
        None => "no trial load was made".to_owned(),
    };
    if evidence.backends == Backends::Fentry {
        return Err(Rejection::Refused(format!("{symbol}: {refused}, and --backend fentry allows no kprobe")));
    }
    if candidate.kprobes.is_empty() {
        let why = format!("{symbol}: {refused}, and a return probe would miss returns without a word");
        return Err(Rejection::Refused(why));
    }
    if let Some(no_kprobes) = evidence.no_kprobes {
        return Err(Rejection::Refused(format!("{symbol}: {refused}, and {no_kprobes}")));
    }
    if !evidence.copy {
        let as_well =
            if candidate.trampoline_copies { "" } else { ", and kprobe programs may not read kernel memory here" };
        return Err(Rejection::Refused(format!("{symbol}: {refused}{as_well}")));
    }
    Ok(candidate.kprobes.iter().map(|(backend, program)| make(*backend, program, refused.clone())).collect())
}

/// Arguments that every trampoline takes.
const SMALL_TRAMPOLINE: usize = 6;

/// Whether trampolines take more (473e3150e30a, 6.6 on x86-64). That leaves no trace of its own, and is refused at attaching
/// only. But a pin over a range of entries came later (9f101bef408a, 6.12).
fn takes_many_params(evidence: &Evidence<'_>) -> bool {
    evidence.btf.function("swapcache_prepare").is_some_and(|prototype| prototype.params.len() > 1)
}

/// Whether a prototype's pointer parameter points to one of these structs.
fn points_to(prototype: &Prototype, index: usize, names: &[&str]) -> bool {
    use super::btf::ParamKind;
    matches!(prototype.params.get(index).map(|param| &param.kind),
        Some(ParamKind::Pointer(Some(name))) if names.contains(&name.as_str()))
}

#[cfg(test)]
mod tests;
