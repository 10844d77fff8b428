//! Fixtures of real kernels, as this crate's types.

use std::io::Cursor;

use crate::{
    btf::Btf,
    facts::Facts,
    host::Host,
    namespaces::Namespaces,
    plan::{self, Backends, HookSet, Machine, TrialRefusal},
    preemption::Preemption,
    privileges::{Lockdown, Privileges},
    survey::{ProbeResults, Survey, decide, refusal},
    symbols::Symbols,
    tree::Tree,
};
pub use observer_kernel_files::{ARM64, KERNELS, NOT_BOOTED, TempTree, path, read, text};

/// The types of a kernel, cut down by `observer-btf-prune`.
///
/// # Panics
/// When the fixture is missing or damaged.
pub fn btf(kernel: &str) -> Btf {
    Btf::parse(read(kernel, "btf.bin")).expect("the fixture's BTF")
}

/// The wanted symbols of a kernel. Its fixture lists only symbols that matter to swap-in.
///
/// # Panics
/// When the fixture is missing or damaged.
pub fn symbols(kernel: &str, wanted: &[&str]) -> Symbols {
    Symbols::parse(Cursor::new(read(kernel, "kallsyms")), wanted).expect("the fixture's symbols")
}

/// The machine that a kernel of the fixtures ran on.
pub fn machine(kernel: &str) -> Machine<'static> {
    match kernel.strip_prefix("arm64/") {
        // Measured on Debian's kernels of these releases.
        Some(release) => Machine {
            arch: "aarch64",
            uffd_wp: Some(release.starts_with("6.12") || release.starts_with('7')),
            version: None,
            preemption: Preemption::Off,
        },
        None => Machine { arch: "x86_64", uffd_wp: None, version: None, preemption: Preemption::Off },
    }
}

/// A host with this kernel that allows everything. Its swap areas are those of the host that runs the test.
pub(crate) fn facts(kernel: &str) -> Facts {
    let wanted = plan::symbols_of_interest();
    let mut facts = Facts::gather(&wanted, Some(std::path::Path::new("/no/such/btf")));
    facts.gaps.clear();
    facts.btf = Some(btf(kernel));
    facts.symbols = Some(symbols(kernel, &wanted));
    facts.privileges = status(0, u64::MAX);
    facts.namespaces = Namespaces::INITIAL;
    facts.host =
        Host { kprobe_pmu: Some(8), kprobes_armed: None, ftrace_enabled: Some(true), ..Host::gather(&Tree::system()) };
    facts.host.arch = "x86_64".into();
    facts.host.lockdown = Lockdown::None;
    facts.host.preemption = Preemption::Off;
    facts
}

/// A host with this kernel that answers `fentry` to every trial load, with kprobes or without.
pub fn survey(kernel: &str, fentry: &Result<(), TrialRefusal>, kprobes: bool) -> Survey {
    let mut facts = facts(kernel);
    facts.host.kprobe_pmu = kprobes.then_some(8);
    let tried = tried(&facts, fentry, true);
    let plan = decide(&facts, &tried, Backends::Auto, HookSet::Full);
    Survey { facts, tried: Some(tried), plan }
}

/// The survey of a host with the files of a tree and the types of a kernel, which accepts every trial load.
pub fn survey_in(tree: &TempTree, kernel: &str) -> Survey {
    let wanted = plan::symbols_of_interest();
    let tree = Tree::at(tree.root());
    let mut facts = Facts::gather_in(&tree, &wanted, Some(&path(kernel, "btf.bin")));
    facts.host.arch = "x86_64".into();
    facts.host.preemption = Preemption::Off;
    if let Some(refusal) = refusal::before_trial(&facts) {
        return Survey { facts, tried: None, plan: Err(refusal) };
    }
    let tried = tried(&facts, &Ok(()), true);
    let plan = decide(&facts, &tried, Backends::Auto, HookSet::Full);
    Survey { facts, tried: Some(tried), plan }
}

pub(crate) fn status(euid: u32, effective: u64) -> Option<Privileges> {
    let text = format!("Uid:\t{euid}\t{euid}\t{euid}\t{euid}\nCapEff:\t{effective:016x}\n");
    Privileges::parse(&text, Some("0 0 4294967295"))
}

pub(crate) fn tried(facts: &Facts, outcome: &Result<(), TrialRefusal>, copy: bool) -> ProbeResults {
    let functions = plan::functions_to_try(facts.symbols.as_ref().expect("the symbols of the fixture"));
    let fentry = functions.into_iter().map(|name| (name.to_owned(), outcome.clone())).collect();
    ProbeResults { fentry, skips_running: false, copy, no_return_events: None, no_tracepoints: Vec::new() }
}
