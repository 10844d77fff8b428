//! Chooses the function and the backend for each meaning.

use super::{
    backend::{Backend, Backends},
    candidates::{CANDIDATES, Candidate, States},
    evidence::Evidence,
    hook::{Hook, HookReason, NoKprobe, NoTrampoline, Program},
    meaning::Meaning,
    missing::{Consequence, Missing, MissingReason, Rejection},
    offsets::Offsets,
    state::State,
};
use crate::symbols::Symbol;

/// Lets a BPF trampoline divert a function (`CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`). arm64 had none before 6.4:
/// fentry programs load there all the same, and cannot be attached.
pub(super) const DIRECT_CALLS: &str = "register_ftrace_direct";

/// Parameters that every trampoline supports.
const SMALL_TRAMPOLINE: usize = 6;

/// The hooks for one meaning: those of the first group of candidates that this kernel has, and the gap that candidates
/// of that group leave which cannot be hooked.
pub(super) fn hooks_for(
    meaning: Meaning,
    state: State,
    evidence: &Evidence<'_>,
    offsets: &Offsets,
) -> Result<(Vec<Hook>, Option<Missing>), MissingReason> {
    let mut rejections = Vec::new();
    let of_meaning = || {
        CANDIDATES.iter().filter(move |candidate| {
            candidate.meaning == meaning && (state.may_be_vulnerable() || candidate.states == States::All)
        })
    };
    for first in of_meaning().filter(|candidate| candidate.beside.is_none()) {
        match hook(first, state, evidence, offsets) {
            Ok(mut hooks) => {
                let mut in_part: Vec<_> = copies_beside(first, evidence).into_iter().collect();
                for also in of_meaning().filter(|candidate| candidate.beside == Some(first.symbol)) {
                    match hook(also, state, evidence, offsets) {
                        Ok(more) => {
                            hooks.extend(more);
                            in_part.extend(copies_beside(also, evidence));
                        }
                        Err(Rejection::Absent { .. }) => {}
                        Err(rejection) => in_part.push(rejection),
                    }
                }
                let missing = (!in_part.is_empty()).then(|| Missing {
                    meaning,
                    reason: MissingReason::Rejected { functions: Rejection::relevant(&in_part) },
                    consequence: Consequence::of_part(meaning),
                    partial: true,
                });
                return Ok((hooks, missing));
            }
            Err(rejection) => rejections.push(rejection),
        }
    }
    Err(MissingReason::Rejected { functions: Rejection::relevant(&rejections) })
}

/// Copies of a hooked function that the compiler made for some callers: their calls are not seen.
fn copies_beside(candidate: &Candidate, evidence: &Evidence<'_>) -> Option<Rejection> {
    let copies = evidence.symbols.copies(candidate.symbol);
    (!copies.is_empty())
        .then(|| Rejection::CopiesBeside { symbol: candidate.symbol.to_owned(), copies: copies.to_vec() })
}

/// The hook on one candidate, or why there is none. A kretprobe that needs its function's arguments brings a kprobe.
fn hook(
    candidate: &Candidate,
    state: State,
    evidence: &Evidence<'_>,
    offsets: &Offsets,
) -> Result<Vec<Hook>, Rejection> {
    let symbol = candidate.symbol.to_owned();
    if !evidence.symbols.has(&symbol) {
        return Err(match evidence.symbols.copies(&symbol) {
            [] => Rejection::Absent { symbol },
            copies => Rejection::OnlyCopies { symbol, copies: copies.to_vec() },
        });
    }
    let functions = evidence.symbols.get(&symbol).map_or(0, Symbol::functions);
    if functions > 1 {
        return Err(Rejection::Ambiguous { symbol, functions });
    }
    let Some(prototype) = evidence.btf.function(&symbol) else { return Err(Rejection::NotInBtf { symbol }) };
    if !candidate.fits(&prototype) {
        return Err(Rejection::Changed { symbol, prototype: prototype.to_string() });
    }
    if let Some(layout) = candidate.needs.filter(|layout| !offsets.know(*layout)) {
        return Err(Rejection::UnknownLayout { symbol, layout });
    }
    let exists = |name: &&str| evidence.symbols.has(name) || !evidence.symbols.copies(name).is_empty();
    if let Some(by) = candidate.bypassed_by.filter(exists) {
        return Err(Rejection::Bypassed { symbol, by: by.to_owned() });
    }
    let make = |backend: Backend, name: &'static str, reason: HookReason| Hook {
        meaning: candidate.meaning,
        symbol: symbol.clone(),
        renamed: evidence.symbols.get(&symbol).and_then(|found| found.renamed.clone()),
        backend,
        program: Program { name, scope: candidate.scope },
        reason,
    };
    let Some(cause) = no_trampoline(candidate, evidence) else {
        if candidate.many_params && prototype.params.len() > SMALL_TRAMPOLINE && !takes_many_params(evidence) {
            return Err(Rejection::TooManyParameters { symbol, limit: SMALL_TRAMPOLINE });
        }
        let (backend, name) = candidate.trampoline;
        let reason = HookReason::TrampolineAccepted { prototype: prototype.to_string() };
        return Ok(vec![make(backend, name, reason)]);
    };
    if let Some(kprobe) = no_kprobe(candidate, state, evidence) {
        return Err(Rejection::Refused { symbol, trampoline: cause, kprobe });
    }
    let reason = HookReason::NoTrampoline { cause };
    Ok(candidate.kprobes.iter().map(|(backend, name)| make(*backend, name, reason.clone())).collect())
}

/// Why the candidate has no trampoline; `None`: it has.
fn no_trampoline(candidate: &Candidate, evidence: &Evidence<'_>) -> Option<NoTrampoline> {
    if evidence.backends == Backends::Kprobe {
        return Some(NoTrampoline::KprobesRequested);
    }
    if !evidence.symbols.has(DIRECT_CALLS) {
        return Some(NoTrampoline::NoDirectCalls);
    }
    if evidence.backends == Backends::Auto && skips_programs(evidence) && has_exact_kprobes(evidence) {
        return Some(NoTrampoline::Preemptible { preemption: evidence.machine.preemption });
    }
    // Start and end of a fault share their backend: a return probe gets the arguments from the probe at entry.
    let returns = candidate.trampoline.0 == Backend::Fexit || candidate.meaning == Meaning::FaultStart;
    if returns && !keeps_trampolines(evidence) {
        return Some(NoTrampoline::FreedUnderSleeper);
    }
    match evidence.trials.get(candidate.symbol) {
        Some(Ok(())) => (candidate.trampoline_copies && !evidence.copy).then_some(NoTrampoline::NoMemoryCopy),
        Some(Err(refusal)) => Some(NoTrampoline::Refused { refusal: refusal.clone() }),
        None => Some(NoTrampoline::NotTried),
    }
}

/// Whether a trampoline stays in memory until the last task has left it. The structure that counts them came with the
/// fix. A trampoline at entry is left before its function runs, so only those at return are concerned. On a real-time
/// kernel spinlocks sleep too, so no function is taken for one that does not.
fn keeps_trampolines(evidence: &Evidence<'_>) -> bool {
    evidence.btf.struct_size("bpf_tramp_image").is_some()
}

/// Whether a trampoline skips a program while a task is preempted in it. Before the check for a program that is already
/// running (<https://git.kernel.org/torvalds/c/ca06f55b9002>, 5.12) it ran all the same.
const fn skips_programs(evidence: &Evidence<'_>) -> bool {
    evidence.machine.preemption.is_possible() && evidence.skips_running
}

/// Whether kprobes see every call and every return.
const fn has_exact_kprobes(evidence: &Evidence<'_>) -> bool {
    evidence.no_kprobes.is_none() && evidence.copy && evidence.no_return_events.is_none()
}

/// Why the candidate has no kprobe; `None`: it has.
fn no_kprobe(candidate: &Candidate, state: State, evidence: &Evidence<'_>) -> Option<NoKprobe> {
    if evidence.backends == Backends::Fentry {
        Some(NoKprobe::FentryRequested)
    } else if candidate.meaning == Meaning::ReadEnd && state != State::NoBypass {
        Some(NoKprobe::EvidenceOnly)
    } else if candidate.kprobes.is_empty() || candidate.sleeps && evidence.no_return_events.is_some() {
        Some(NoKprobe::MissesReturns)
    } else {
        evidence.no_kprobes.or_else(|| (!evidence.copy).then_some(NoKprobe::NoMemoryCopy))
    }
}

/// The gap that a return probe with few instances leaves at the end of faults. All other functions with a return probe do
/// not sleep.
pub(super) fn few_instances(hooks: &[Hook], evidence: &Evidence<'_>) -> Option<Missing> {
    let cause = evidence.no_return_events?;
    let probe = |hook: &&Hook| hook.meaning == Meaning::FaultEnd && hook.backend == Backend::Kretprobe;
    let symbol = hooks.iter().find(probe)?.symbol.clone();
    Some(Missing {
        meaning: Meaning::FaultEnd,
        reason: MissingReason::FewInstances { symbol, cause },
        consequence: Consequence::FaultEndsMissed,
        partial: true,
    })
}

/// Whether trampolines support more than [`SMALL_TRAMPOLINE`] parameters
/// (<https://git.kernel.org/torvalds/c/473e3150e30a>, 6.6 on x86-64). Nothing else shows it, and the refusal comes only
/// at attaching. But a pin over a range of entries came later (<https://git.kernel.org/torvalds/c/9f101bef408a>, 6.12).
fn takes_many_params(evidence: &Evidence<'_>) -> bool {
    evidence.btf.function("swapcache_prepare").is_some_and(|prototype| prototype.params.len() > 1)
}
