//! Meanings without a hook: why, and what is therefore not seen.

use serde::{Deserialize, Serialize};

use super::{
    hook::{NoKprobe, NoReturnEvents, NoTrampoline},
    meaning::Meaning,
    redundant::Instead,
};
use crate::codes;

/// A meaning that has no hook on this kernel, or only some of its hooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub meaning: Meaning,
    pub reason: MissingReason,
    pub consequence: Consequence,
    /// Other functions of the same meaning are hooked, so only a part is not seen.
    pub partial: bool,
}

/// Why a meaning has no hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum MissingReason {
    /// No function can be hooked.
    Rejected { functions: Vec<Rejection> },
    /// Its return probe has the kernel's default number of instances, which tasks that sleep in the function use up.
    FewInstances { symbol: String, cause: NoReturnEvents },
    /// The kernel has no such tracepoint.
    NoTracepoint { name: String },
    /// The kernel's types have no such member.
    NoMember { member: String },
    /// `--hooks lean` omits it.
    Lean { symbol: String, instead: Instead },
    /// A recording of an earlier version has prose here.
    Described { text: String },
    /// A recording has a code that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Why a function is not hooked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// It fits, and neither a trampoline nor a kprobe is possible.
    Refused { symbol: String, trampoline: NoTrampoline, kprobe: NoKprobe },
    /// It fits, and has more parameters than this kernel's trampolines support.
    TooManyParameters { symbol: String, limit: usize },
    /// BTF does not describe it.
    NotInBtf { symbol: String },
    /// No program fits its parameters.
    Changed { symbol: String, prototype: String },
    /// Its arguments name entries by a struct whose layout is unknown.
    UnknownLayout { symbol: String, layout: Layout },
    /// Some releases go through another function instead.
    Bypassed { symbol: String, by: String },
    /// The compiler left only copies of it, which BTF does not describe.
    OnlyCopies { symbol: String, copies: Vec<String> },
    /// It is hooked, and the compiler made copies beside it, whose calls are not seen.
    CopiesBeside { symbol: String, copies: Vec<String> },
    /// Several functions have this name, and a hook by name may reach the wrong one.
    Ambiguous { symbol: String, functions: usize },
    /// The kernel has no such function.
    Absent { symbol: String },
    #[serde(other)]
    Unknown,
}

codes! {
    /// What has to be known of the kernel's structs to turn arguments into entries.
    pub enum Layout {
        /// Where a swap area keeps its number.
        AreaNumber = "area_number",
        /// How a swap area keeps its clusters.
        Clusters = "clusters",
    } else {
        Unknown = "unknown"
    }
}

impl Rejection {
    /// The rejections that explain why no function of a meaning is hooked. A function that fits and is refused comes
    /// first: that it does not fit one candidate means nothing where it fits another. Absent functions are listed only
    /// where nothing else explains it.
    pub(super) fn relevant(all: &[Self]) -> Vec<Self> {
        let is_refusal = |one: &Self| matches!(one, Self::Refused { .. } | Self::TooManyParameters { .. });
        let is_copy = |one: &Self| matches!(one, Self::OnlyCopies { .. } | Self::CopiesBeside { .. });
        let is_absent = |one: &Self| matches!(one, Self::Absent { .. });
        let is_unfit = |one: &Self| !(is_refusal(one) || is_copy(one) || is_absent(one));
        let refused = all.iter().any(is_refusal);
        let explained = !all.iter().all(is_absent);
        let mut relevant = Vec::new();
        relevant.extend(all.iter().filter(|one| if refused { is_refusal(one) } else { is_unfit(one) }).cloned());
        relevant.extend(all.iter().filter(|one| is_copy(one) || is_absent(one) && !explained).cloned());
        relevant.dedup();
        relevant
    }
}

codes! {
    /// What is not seen without a hook.
    pub enum Consequence {
        NothingObserved = "nothing_observed",
        FaultsMissed = "faults_missed",
        /// Ends of faults are missed, and counted, while many tasks are in faults at once.
        FaultEndsMissed = "fault_ends_missed",
        /// Paths and swap-ins are unknown: no window, reuse or stale install can be detected.
        ReadsUnknown = "reads_unknown",
        ReadDurationsUnknown = "read_durations_unknown",
        /// Also, the start of the fault stands for the start of its read.
        ReadTimesUnknown = "read_times_unknown",
        /// Paths can be found only by hooks on reads.
        ReadHooksNeeded = "read_hooks_needed",
        /// A fault that sleeps on its way through the swap cache may do so for its own entry or for a neighbour: counted
        /// as dropped.
        CacheSleepsUnattributed = "cache_sleeps_unattributed",
        PinWaitsUnseen = "pin_waits_unseen",
        /// The error of a failed pin try, failed tries outside faults, and the number of pages that a large folio
        /// brings in directly.
        PinErrorsUnseen = "pin_errors_unseen",
        /// Pin holds and oversleep.
        PinHoldsUnknown = "pin_holds_unknown",
        /// Failed pin tries of shmem and of zswap's write-back are counted with the others.
        PinPathsMerged = "pin_paths_merged",
        /// Pages that shmem reads directly (6.14 to 6.19).
        ShmemReadsUnseen = "shmem_reads_unseen",
        LockWaitsUnseen = "lock_waits_unseen",
        /// A wait on the folio lock counts until its fault ends.
        LockWaitsTooLong = "lock_waits_too_long",
        /// Changes of an entry between a reader's install and the end of its fault, while others hold the entry, count
        /// against that reader.
        LateChangesCounted = "late_changes_counted",
        /// Windows are not seen; reuse and stale installs are.
        WindowsUnseen = "windows_unseen",
        /// Reuse and stale installs are seen by the write alone, and some are missed.
        SomeReuseMissed = "some_reuse_missed",
        /// A read between an allocation and its write counts as fresh.
        UnwrittenReadsFresh = "unwritten_reads_fresh",
        /// A read during a write counts as fresh.
        ReadsDuringWriteFresh = "reads_during_write_fresh",
        /// Tasks that the command makes.
        NewTasksUnwatched = "new_tasks_unwatched",
        /// A program that a thread of the command executes.
        ExecutingThreadsUnwatched = "executing_threads_unwatched",
        /// A task with the number of one that has exited is taken for it.
        TasksWatchedTooLong = "tasks_watched_too_long",
        /// Faults of other tasks in the address space of the command or process.
        OthersFaultsUnwatched = "others_faults_unwatched",
    } else {
        Unknown = "unknown"
    }
}

impl Consequence {
    /// Of a meaning that no function can be hooked for.
    pub const fn of(meaning: Meaning) -> Self {
        match meaning {
            Meaning::FaultStart | Meaning::FaultEnd => Self::NothingObserved,
            Meaning::ReadStart => Self::ReadsUnknown,
            Meaning::ReadEnd => Self::ReadDurationsUnknown,
            Meaning::CacheRead => Self::ReadHooksNeeded,
            Meaning::CacheTry => Self::CacheSleepsUnattributed,
            Meaning::PinTry | Meaning::PinSleep => Self::PinWaitsUnseen,
            Meaning::PinDrop => Self::PinHoldsUnknown,
            Meaning::PinPath => Self::PinPathsMerged,
            Meaning::LockTry => Self::LockWaitsUnseen,
            Meaning::LockEnd => Self::LockWaitsTooLong,
            Meaning::CountDrop => Self::LateChangesCounted,
            Meaning::Freed => Self::WindowsUnseen,
            Meaning::Allocated => Self::SomeReuseMissed,
            Meaning::WriteStart => Self::UnwrittenReadsFresh,
            Meaning::WriteEnd => Self::ReadsDuringWriteFresh,
            Meaning::Watch => Self::NewTasksUnwatched,
            Meaning::Unknown => Self::Unknown,
        }
    }

    /// Of a meaning for which some functions are hooked and others cannot be.
    pub(super) const fn of_part(meaning: Meaning) -> Self {
        match Self::of(meaning) {
            Self::NothingObserved => Self::FaultsMissed,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(symbol: &str) -> Rejection {
        let symbol = symbol.to_owned();
        Rejection::Refused { symbol, trampoline: NoTrampoline::NotTried, kprobe: NoKprobe::NotBuilt }
    }

    fn changed(symbol: &str) -> Rejection {
        Rejection::Changed { symbol: symbol.to_owned(), prototype: "void()".to_owned() }
    }

    fn absent(symbol: &str) -> Rejection {
        Rejection::Absent { symbol: symbol.to_owned() }
    }

    #[test]
    fn the_rejection_nearest_to_a_hook_is_reported() {
        assert_eq!(Rejection::relevant(&[changed("a"), refused("a"), absent("b")]), [refused("a")]);
        assert_eq!(Rejection::relevant(&[changed("a"), changed("a"), absent("b")]), [changed("a")]);
        assert_eq!(Rejection::relevant(&[absent("b"), absent("c"), absent("c")]), [absent("b"), absent("c")]);
        let copies = Rejection::OnlyCopies { symbol: "b".to_owned(), copies: vec!["b.isra.0".to_owned()] };
        assert_eq!(Rejection::relevant(&[copies.clone(), absent("c")]), [copies]);
    }

    #[test]
    fn a_reason_with_an_unknown_code_can_be_read() {
        let reason: MissingReason = serde_json::from_str(r#"{"code":"of_a_later_version","data":1}"#).unwrap();
        assert_eq!(reason, MissingReason::Unknown);
        let known = MissingReason::Rejected { functions: vec![refused("a"), absent("b")] };
        let json = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<MissingReason>(&json).unwrap(), known);
    }
}
