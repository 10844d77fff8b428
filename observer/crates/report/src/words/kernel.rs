//! The kernel: what it does about the race, its hooks, what is not observed.

use observer_kernel::{
    plan::{
        Consequence, HookReason, Instead, Layout, Meaning, MissingReason, NoKprobe, NoReturnEvents, NoTrampoline,
        Rejection, State, TrialRefusal,
    },
    preemption::Preemption,
    swaps::Synchronous,
};
use observer_observation::Degraded;

pub const fn state(state: State) -> &'static str {
    match state {
        State::Vulnerable => "vulnerable (no fix for CVE-2024-26759)",
        State::PinnedTick => "fixed by pin, one-tick sleep",
        State::PinnedWaitQueue => "fixed by pin, wait queue",
        State::Pinned => "fixed by pin, wait method unknown",
        State::NoBypass => "not affected: swap cache never skipped",
        State::NoSwap => "not affected: built without swap",
        State::Unknown => "fix status unknown",
    }
}

pub const fn meaning(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::FaultStart => "fault start",
        Meaning::FaultEnd => "fault end",
        Meaning::ReadStart => "read start",
        Meaning::ReadEnd => "read end",
        Meaning::CacheRead => "cache read",
        Meaning::CacheTry => "cache try",
        Meaning::PinTry => "pin try",
        Meaning::PinSleep => "pin sleep",
        Meaning::PinDrop => "pin drop",
        Meaning::PinPath => "pin path",
        Meaning::LockTry => "lock try",
        Meaning::LockEnd => "lock end",
        Meaning::CountDrop => "count drop",
        Meaning::Freed => "entry freed",
        Meaning::Allocated => "entry allocated",
        Meaning::WriteStart => "write start",
        Meaning::WriteEnd => "write end",
        Meaning::Watch => "watched tasks",
        Meaning::Unknown => "unknown hook",
    }
}

pub(crate) const fn synchronous(synchronous: Synchronous) -> &'static str {
    match synchronous {
        Synchronous::Yes => "synchronous",
        Synchronous::No => "not synchronous",
        Synchronous::Unknown => "synchronous or not: unknown",
    }
}

/// Why a function is hooked by its backend.
pub fn hook_reason(reason: &HookReason) -> String {
    match reason {
        HookReason::TrampolineAccepted { prototype } => format!("{prototype}: accepted by the trampoline"),
        HookReason::NoTrampoline { cause } => no_trampoline(cause),
        HookReason::Described { text } => text.clone(),
        HookReason::Unknown => "recorded by a newer version".to_owned(),
    }
}

fn no_trampoline(cause: &NoTrampoline) -> String {
    match cause {
        NoTrampoline::KprobesRequested => "--backend kprobe".to_owned(),
        NoTrampoline::Preemptible { preemption } => format!(
            "{}, and a trampoline skips a program for all other tasks of a CPU while a task is preempted in it",
            self::preemption(*preemption)
        ),
        NoTrampoline::NoDirectCalls => {
            "this kernel cannot divert functions to a trampoline (no register_ftrace_direct)".to_owned()
        }
        NoTrampoline::FreedUnderSleeper => {
            "this kernel frees a return trampoline while tasks sleep in it, which crashes it (no e21aa341785c)"
                .to_owned()
        }
        NoTrampoline::NoMemoryCopy => "programs may not copy kernel memory here".to_owned(),
        NoTrampoline::Refused { refusal } => format!("the trampoline is refused ({})", trial_refusal(refusal)),
        NoTrampoline::NotTried => "no trial load was made".to_owned(),
        NoTrampoline::Unknown => "recorded by a newer version".to_owned(),
    }
}

/// Why a trial load failed.
pub(super) fn trial_refusal(refusal: &TrialRefusal) -> String {
    match refusal {
        TrialRefusal::Load { errno, verifier: None } => errno.to_string(),
        TrialRefusal::Load { errno, verifier: Some(line) } => format!("{errno}: {line}"),
        TrialRefusal::NoTypes { detail } | TrialRefusal::Loader { detail } => detail.clone(),
        TrialRefusal::Unknown => "recorded by a newer version".to_owned(),
    }
}

pub(super) const fn no_kprobe(reason: NoKprobe) -> &'static str {
    match reason {
        NoKprobe::FentryRequested => "--backend fentry allows no kprobe",
        NoKprobe::EvidenceOnly => "a return probe on every swap-in is too much for the duration of reads",
        NoKprobe::MissesReturns => "a return probe would miss returns without reporting it",
        NoKprobe::NotBuilt => "this kernel has no kprobes",
        NoKprobe::SwitchedOff => "kprobes are switched off (debugfs kprobes/enabled is 0)",
        NoKprobe::NoMemoryCopy => "kprobe programs may not copy kernel memory here",
        NoKprobe::Unknown => "recorded by a newer version",
    }
}

pub(super) const fn preemption(preemption: Preemption) -> &'static str {
    match preemption {
        Preemption::Off => "this kernel does not preempt tasks in programs",
        Preemption::Full => "this kernel is preemptible (full)",
        Preemption::Lazy => "this kernel is preemptible (lazy)",
        Preemption::RealTime => "this kernel is preemptible (PREEMPT_RT)",
        Preemption::Unknown => "this kernel may be preemptible (PREEMPT_DYNAMIC, and debugfs does not show the mode)",
    }
}

/// Why return probes have few instances.
pub(super) const fn no_return_events(cause: NoReturnEvents) -> &'static str {
    match cause {
        NoReturnEvents::NoTracefs => {
            "few instances, because tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
        }
        NoReturnEvents::ReadOnly => "few instances, because tracefs is mounted read-only",
        NoReturnEvents::Denied => "few instances, because tracefs does not let this process add kprobe events",
        NoReturnEvents::NoKprobeEvents => "few instances, because this kernel has no kprobe events",
        NoReturnEvents::Unknown => "recorded by a newer version",
    }
}

/// Why a meaning has no hook.
pub(crate) fn missing_reason(reason: &MissingReason) -> String {
    match reason {
        MissingReason::Rejected { functions } => rejections(functions),
        MissingReason::FewInstances { symbol, cause } => {
            format!("the return probe on {symbol} has {}", no_return_events(*cause))
        }
        MissingReason::NoTracepoint { name } => format!("this kernel has no tracepoint {name}"),
        MissingReason::NoMember { member } => format!("this kernel has no {member}"),
        MissingReason::Lean { symbol, instead: why } => format!("--hooks lean omits {symbol}: {}", instead(*why)),
        MissingReason::Described { text } => text.clone(),
        MissingReason::Unknown => "recorded by a newer version".to_owned(),
    }
}

fn rejections(functions: &[Rejection]) -> String {
    let absent = functions.iter().filter_map(|one| match one {
        Rejection::Absent { symbol } => Some(symbol.as_str()),
        _ => None,
    });
    let absent: Vec<_> = absent.collect();
    let mut reasons: Vec<String> = functions.iter().filter_map(rejection).collect();
    if !absent.is_empty() {
        reasons.push(format!("this kernel has no function {}", absent.join(" or ")));
    }
    reasons.join("; ")
}

/// `None` for absent functions, which are listed together.
fn rejection(rejection: &Rejection) -> Option<String> {
    Some(match rejection {
        Rejection::Refused { symbol, trampoline, kprobe } => {
            format!("{symbol}: {}, and {}", no_trampoline(trampoline), no_kprobe(*kprobe))
        }
        Rejection::TooManyParameters { symbol, limit } => {
            format!("{symbol}: trampolines of this kernel support at most {limit} parameters")
        }
        Rejection::NotInBtf { symbol } => format!("{symbol} is not in BTF"),
        Rejection::Changed { symbol, prototype } => format!("{symbol} is `{prototype}`, which no program fits"),
        Rejection::UnknownLayout { symbol, layout } => format!("{symbol}: {}", unknown_layout(*layout)),
        Rejection::Bypassed { symbol, by } => format!("{symbol}: some releases go through {by} instead"),
        Rejection::OnlyCopies { symbol, copies } => {
            format!("the compiler left only copies of {symbol} ({}), which BTF does not describe", copies.join(", "))
        }
        Rejection::CopiesBeside { symbol, copies } => {
            format!("the compiler made copies of {symbol} ({}), whose calls are not seen", copies.join(", "))
        }
        Rejection::Ambiguous { symbol, functions } => {
            format!("{functions} functions are named {symbol}, and a hook by name may reach the wrong one")
        }
        Rejection::Absent { .. } => return None,
        Rejection::Unknown => "recorded by a newer version".to_owned(),
    })
}

const fn unknown_layout(layout: Layout) -> &'static str {
    match layout {
        Layout::AreaNumber => "where a swap area keeps its number is unknown",
        Layout::Clusters => "how a swap area keeps its clusters is unknown",
        Layout::Unknown => "a layout that it needs is unknown",
    }
}

/// What gives the same information as a hook, or why no verdict needs it.
pub(crate) const fn instead(instead: Instead) -> &'static str {
    match instead {
        Instead::ReadsFollow => {
            "a fault that skips the swap cache reads directly, and every other read is added to the swap cache first"
        }
        Instead::ReadsHooked => "the reads themselves are hooked",
        Instead::PinTryHooked => "the hook on the pin reports each failed try with its error",
        Instead::PinnedEntriesStay => "an entry cannot be freed under a reader that has pinned it",
        Instead::ReleaseHooked => "the hook on freed entries reports every reference that is dropped",
        Instead::ReadTimesAreEvidence => "the times of a read are evidence and do not decide a verdict",
        Instead::PinSleepHooked => {
            "a task that fails to take the pin sleeps, which is hooked; a direct reader has the pin"
        }
        Instead::PinProtects => "an entry does not change while it is pinned, whichever task holds the pin",
        Instead::PinsOutsideUnseen => "pins outside faults are not observed, so their path does not matter",
        Instead::NothingReadDirectly => "nothing is read directly on this kernel, so no verdict needs a release",
        Instead::Unknown => "recorded by a newer version",
    }
}

/// What is not observed without a hook.
const fn consequence(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::NothingObserved => "nothing can be observed",
        Consequence::FaultsMissed => "faults are missed",
        Consequence::FaultEndsMissed => {
            "ends of faults are missed, and counted, while many tasks are in faults at once"
        }
        Consequence::ReadsUnknown => {
            "paths and swap-ins are unknown: no window, reuse or stale install can be detected"
        }
        Consequence::ReadDurationsUnknown => "durations of reads are unknown",
        Consequence::ReadTimesUnknown => {
            "durations of reads are unknown, and the start of a fault stands for the start of its read"
        }
        Consequence::ReadHooksNeeded => "paths can be found only by hooks on reads",
        Consequence::CacheSleepsUnattributed => {
            "a fault that sleeps on its way through the swap cache is counted as dropped: it may have slept for its entry"
        }
        Consequence::PinWaitsUnseen => "pin waits are not observed",
        Consequence::PinErrorsUnseen => {
            "the error of a failed pin try, failed tries outside faults, and the number of pages that a large folio \
             swaps in directly (it counts as one) are not observed"
        }
        Consequence::PinHoldsUnknown => "pin holds and oversleep are unknown",
        Consequence::PinPathsMerged => "failed pin tries of shmem and of zswap's write-back count with the others",
        Consequence::ShmemReadsUnseen => "pages that shmem reads directly (6.14 to 6.19) are not observed",
        Consequence::LockWaitsUnseen => "waits on the folio lock are not observed",
        Consequence::LockWaitsTooLong => "a wait on the folio lock counts until its fault ends",
        Consequence::LateChangesCounted => {
            "changes of an entry between a reader's install and the end of its fault, while others hold the entry, \
             count against that reader"
        }
        Consequence::WindowsUnseen => "windows are not observed; reuse and stale installs are",
        Consequence::SomeReuseMissed => "reuse and stale installs are detected by the write alone, and some are missed",
        Consequence::UnwrittenReadsFresh => "a read between an allocation and its write counts as fresh",
        Consequence::ReadsDuringWriteFresh => "a read during a write counts as fresh",
        Consequence::NewTasksUnwatched => "tasks that the command makes are not observed",
        Consequence::ExecutingThreadsUnwatched => "a program that a thread of the command executes is not observed",
        Consequence::TasksWatchedTooLong => "a task that gets the number of one that has exited is observed too",
        Consequence::OthersFaultsUnwatched => {
            "faults that other tasks (khugepaged, ptrace) make in the address space of the command, or of the process of \
             --pid, are not observed"
        }
        Consequence::Unknown => "recorded by a newer version",
    }
}

/// What is not observed, or is observed only in part.
pub fn gap_consequence(gap: &Degraded) -> String {
    let consequence = consequence(gap.consequence);
    if gap.partial { format!("in part: {consequence}") } else { consequence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_functions_are_listed_together() {
        let absent = |symbol: &str| Rejection::Absent { symbol: symbol.to_owned() };
        let reason = MissingReason::Rejected { functions: vec![absent("b"), absent("c")] };
        assert_eq!(missing_reason(&reason), "this kernel has no function b or c");
        let copies = Rejection::OnlyCopies { symbol: "b".to_owned(), copies: vec!["b.isra.0".to_owned()] };
        assert_eq!(
            missing_reason(&MissingReason::Rejected { functions: vec![copies] }),
            "the compiler left only copies of b (b.isra.0), which BTF does not describe"
        );
    }

    #[test]
    fn a_refused_function_gives_both_reasons() {
        let refused = Rejection::Refused {
            symbol: "do_swap_page".to_owned(),
            trampoline: NoTrampoline::NoDirectCalls,
            kprobe: NoKprobe::NotBuilt,
        };
        assert_eq!(
            missing_reason(&MissingReason::Rejected { functions: vec![refused] }),
            "do_swap_page: this kernel cannot divert functions to a trampoline (no register_ftrace_direct), and this \
             kernel has no kprobes"
        );
    }
}
