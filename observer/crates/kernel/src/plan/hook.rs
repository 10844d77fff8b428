//! A hook: one program on one function, and the reason for its backend.

use serde::{Deserialize, Serialize, Serializer};

use super::{backend::Backend, meaning::Meaning};
use crate::{codes, errno::Errno, preemption::Preemption};

/// What one run of a program accounts for, where other decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Whatever the function is called for.
    Call,
    /// Exactly one swap entry.
    OneEntry,
    /// Every reference to an entry that is dropped, with the release if it was the last one.
    EveryReference,
}

/// A program of the eBPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name in the object.
    pub name: &'static str,
    pub scope: Scope,
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// One program on one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    pub meaning: Meaning,
    /// The kernel's function.
    pub symbol: String,
    /// The name by which the kernel lists it, if `ThinLTO` renamed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
    pub backend: Backend,
    pub program: Program,
    /// Why this backend.
    pub reason: HookReason,
}

impl Hook {
    /// The name to attach to on a backend: trampolines find the function by its name in BTF, probes by its symbol.
    pub fn attach_to(&self, backend: Backend) -> &str {
        let renamed = self.renamed.as_deref().filter(|_| !backend.is_trampoline());
        renamed.unwrap_or(&self.symbol)
    }
}

/// Why a function is hooked by its backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum HookReason {
    /// A trampoline accepts the function.
    TrampolineAccepted { prototype: String },
    /// A kprobe is used because there is no trampoline.
    NoTrampoline { cause: NoTrampoline },
    /// A recording of an earlier version has prose here.
    Described { text: String },
    /// A recording has a code that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Why a function has no trampoline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum NoTrampoline {
    /// `--backend kprobe`.
    KprobesRequested,
    /// The kernel can preempt a task in the middle of a program, and a trampoline then skips that program for the other
    /// tasks of the CPU.
    Preemptible { preemption: Preemption },
    /// The kernel cannot divert functions to a trampoline: it has no `register_ftrace_direct`.
    NoDirectCalls,
    /// The program copies kernel memory, which is not allowed here.
    NoMemoryCopy,
    /// A return trampoline on a function that sleeps crashes this kernel, sooner or later: it frees the trampoline
    /// while a task sleeps in it. It lacks <https://git.kernel.org/torvalds/c/e21aa341785c> (5.12, backported to 5.10
    /// and 5.11).
    FreedUnderSleeper,
    /// The trial load failed.
    Refused { refusal: TrialRefusal },
    /// There was no trial load.
    NotTried,
    #[serde(other)]
    Unknown,
}

/// Why a trial load failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum TrialRefusal {
    /// The kernel refuses the program.
    Load {
        errno: Errno,
        /// The line of the verifier's log that names what is not supported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verifier: Option<String>,
    },
    /// The kernel's own types cannot be read.
    NoTypes { detail: String },
    /// The loader fails before it asks the kernel.
    Loader { detail: String },
    #[serde(other)]
    Unknown,
}

impl TrialRefusal {
    /// Whether the kernel's answer was this error number.
    pub fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Load { errno: answer, .. } if *answer == errno)
    }
}

codes! {
    /// Why return probes cannot be events of tracefs, so that each gets only the kernel's default number of instances.
    pub enum NoReturnEvents {
        /// It is not mounted, and this process may not mount it.
        NoTracefs = "no_tracefs",
        /// It is mounted read-only.
        ReadOnly = "read_only",
        /// The kernel does not let this process change its list of kprobe events.
        Denied = "denied",
        /// It has no kprobe events (`CONFIG_KPROBE_EVENTS` is off).
        NoKprobeEvents = "no_kprobe_events",
    } else {
        Unknown = "unknown"
    }
}

codes! {
    /// Why a function has no kprobe either.
    pub enum NoKprobe {
        /// `--backend fentry`.
        FentryRequested = "fentry_requested",
        /// The function sleeps, so a return probe runs out of instances and misses returns without a trace.
        MissesReturns = "misses_returns",
        /// Every swap-in would pass a return probe that is only evidence here. Without the bypass, the end of a read is the
        /// end of a hold.
        EvidenceOnly = "evidence_only",
        /// The kernel has no kprobes.
        NotBuilt = "not_built",
        /// Kprobes are off (debugfs `kprobes/enabled` is 0): they attach and never fire.
        SwitchedOff = "switched_off",
        /// Kprobe programs must copy kernel memory, which is not allowed here.
        NoMemoryCopy = "no_memory_copy",
    } else {
        Unknown = "unknown"
    }
}
