//! What a plan is made from.

use std::collections::BTreeMap;

use super::{
    backend::{Backends, HookSet},
    hook::{NoKprobe, NoReturnEvents, TrialRefusal},
    watch::Tracepoint,
};
use crate::{btf::Btf, preemption::Preemption, symbols::Symbols};

/// By function: the outcome of loading a fentry program on it that does nothing.
pub type Trials = BTreeMap<String, Result<(), TrialRefusal>>;

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Which of [`symbols_of_interest`](super::symbols_of_interest) the kernel has.
    pub symbols: &'a Symbols,
    pub btf: &'a Btf,
    pub trials: &'a Trials,
    /// Whether a trampoline skips a program that is already running on the CPU (5.12 on).
    pub skips_running: bool,
    /// Why there are no kprobes; `None`: there are.
    pub no_kprobes: Option<NoKprobe>,
    /// Why return probes cannot be events of tracefs; `None`: they can.
    pub no_return_events: Option<NoReturnEvents>,
    /// Tracepoints that the kernel lacks.
    pub no_tracepoints: &'a [Tracepoint],
    /// Whether programs may copy kernel memory (not under lockdown `confidentiality`): kprobe programs must.
    pub copy: bool,
    pub backends: Backends,
    pub set: HookSet,
    pub machine: Machine<'a>,
}

/// The machine and how its kernel runs.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// As `uname -m` prints it. With the next two it decides how a swap PTE is laid out.
    pub arch: &'a str,
    /// Whether userfaultfd can write-protect pages here; `None`: unknown.
    pub uffd_wp: Option<bool>,
    /// The kernel's branch, for what leaves no other trace.
    pub version: Option<(u32, u32)>,
    pub preemption: Preemption,
}
