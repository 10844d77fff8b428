//! Refusals of made-up hosts.

use super::{
    refusal::{Cause, Obstacle, Remedy},
    *,
};
use crate::{
    errno::Errno,
    facts::{Fact, Gap},
    fixtures::{facts, status, tried},
    plan::{Backend, MissingReason, NoKprobe, Rejection, TrialRefusal},
    privileges::{Capability, Lockdown, Privileges},
};

fn refused(errno: Errno) -> Result<(), TrialRefusal> {
    Err(TrialRefusal::Load { errno, verifier: None })
}

#[test]
fn root_is_not_refused_before_a_trial() {
    assert_eq!(refusal::before_trial(&facts("6.12.117")), None);
}

#[test]
fn missing_privileges_are_listed() {
    let mut user = facts("6.12.117");
    user.privileges = status(1000, 0);
    let refusal = refusal::before_trial(&user).unwrap();
    assert_eq!(refusal.obstacle, Obstacle::MissingPrivileges);
    let missing = vec![Capability::CapBpf, Capability::CapPerfmon];
    assert_eq!(refusal.causes, [Cause::MissingCapabilities { euid: 1000, missing }]);
    assert_eq!(refusal.remedies, [Remedy::RunAsRoot]);
    user.privileges = status(0, 1 << 39);
    let refusal = refusal::before_trial(&user).unwrap();
    assert_eq!(refusal.causes, [Cause::MissingCapabilities { euid: 0, missing: vec![Capability::CapPerfmon] }]);
    assert_eq!(refusal.remedies, [Remedy::GrantCapabilities]);
    user.privileges = Privileges::parse("Uid:\t0\t0\t0\t0\nCapEff:\tffffffffff\n", Some("0 1000 1"));
    assert_eq!(refusal::before_trial(&user).unwrap().causes, [Cause::UserNamespace]);
}

#[test]
fn a_host_that_cannot_be_observed_is_refused_before_a_trial() {
    let mut other = facts("6.12.117");
    other.host.arch = "riscv64".into();
    assert_eq!(refusal::before_trial(&other).unwrap().obstacle, Obstacle::UnsupportedArchitecture);

    let mut off = facts("6.12.117");
    off.host.ftrace_enabled = Some(false);
    assert_eq!(refusal::before_trial(&off).unwrap().remedies, [Remedy::EnableFtrace]);
}

#[test]
fn unreadable_types_and_symbols_are_refused_with_the_error() {
    let mut blind = facts("6.12.117");
    blind.btf = None;
    blind.gaps.push(Gap { what: Fact::Btf, why: "/sys/kernel/btf/vmlinux: damaged".into() });
    let refusal = refusal::before_trial(&blind).unwrap();
    assert_eq!(refusal.obstacle, Obstacle::TypesUnreadable);
    let detail = "/sys/kernel/btf/vmlinux: damaged".to_owned();
    assert_eq!(refusal.causes, [Cause::Unreadable { fact: Fact::Btf, detail }]);
    assert!(refusal.remedies.contains(&Remedy::BootWithBtf));
    blind.btf = Some(crate::fixtures::btf("6.12.117"));
    blind.symbols = None;
    assert_eq!(refusal::before_trial(&blind).unwrap().obstacle, Obstacle::SymbolsUnreadable);
}

#[test]
fn a_host_that_refuses_all_trampolines_and_has_no_kprobes_is_refused() {
    let mut facts = facts("6.18.15");
    facts.host.kprobe_pmu = None;
    let tried = tried(&facts, &refused(Errno::PERM), true);
    let refusal = decide(&facts, &tried, Backends::Auto, HookSet::Full).unwrap_err();
    assert_eq!(refusal.obstacle, Obstacle::NoFaultHook);
    let answer = TrialRefusal::Load { errno: Errno::PERM, verifier: None };
    let expected = [
        Cause::TrampolinesRefused { functions: 13, refusal: answer },
        Cause::SecurityPolicy,
        Cause::NoKprobes { reason: NoKprobe::NotBuilt },
    ];
    assert_eq!(refusal.causes, expected);
    assert_eq!(refusal.remedies, [Remedy::LiftPolicy, Remedy::BootWithKprobes, Remedy::UseTestHost]);
}

#[test]
fn without_trampolines_kprobes_are_used_or_what_prevents_them_is_listed() {
    let mut facts = facts("6.1.192");
    let refused = tried(&facts, &refused(Errno(libc::EINVAL)), true);
    let plan = decide(&facts, &refused, Backends::Auto, HookSet::Full).unwrap();
    assert!(plan.hooks.iter().all(|hook| hook.backend >= Backend::Kprobe));
    let locked = ProbeResults { copy: false, ..refused.clone() };
    facts.host.lockdown = Lockdown::Confidentiality;
    let refusal = decide(&facts, &locked, Backends::Auto, HookSet::Full).unwrap_err();
    assert_eq!(refusal.causes[1], Cause::NoMemoryCopy { lockdown: Lockdown::Confidentiality });
    assert_eq!(refusal.remedies, [Remedy::BootUnlocked, Remedy::UseTestHost]);
    facts.host.kprobes_armed = Some(false);
    let refusal = decide(&facts, &refused, Backends::Auto, HookSet::Full).unwrap_err();
    assert_eq!(refusal.causes[1], Cause::NoKprobes { reason: NoKprobe::SwitchedOff });
    assert_eq!(refusal.remedies, [Remedy::EnableKprobes, Remedy::UseTestHost]);
}

#[test]
fn a_kernel_without_swapping_is_refused_for_its_missing_function() {
    let mut facts = facts("6.1.192");
    facts.symbols.as_mut().unwrap().wanted.remove("do_swap_page");
    let refusal = decide(&facts, &tried(&facts, &Ok(()), true), Backends::Auto, HookSet::Full).unwrap_err();
    let functions = vec![Rejection::Absent { symbol: "do_swap_page".to_owned() }];
    assert_eq!(refusal.causes, [Cause::NoHook { reason: MissingReason::Rejected { functions } }]);
}
