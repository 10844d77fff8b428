//! Refusals of made-up hosts.

use super::*;
use crate::{
    fixtures::{facts, status, tried},
    plan::Backend,
    privileges::{Lockdown, Privileges},
};

#[test]
fn nothing_stands_in_the_way_of_root() {
    assert_eq!(refusal::before_trial(&facts("6.12.117")), None);
}

#[test]
fn every_refusal_before_a_trial_has_its_own_message() {
    let mut user = facts("6.12.117");
    user.privileges = status(1000, 0);
    let message = refusal::before_trial(&user).unwrap().to_string();
    let expected = "cannot observe: this process may not load eBPF programs\n  \
        because: it runs as user 1000, without CAP_SYS_ADMIN, and without CAP_BPF and CAP_PERFMON, which would do as well\n  \
        to do: run it as root: sudo observer ...";
    assert_eq!(message, expected);
    user.privileges = status(0, 1 << 39);
    let message = refusal::before_trial(&user).unwrap().to_string();
    assert!(message.contains("runs as root, without CAP_SYS_ADMIN, and without CAP_PERFMON,"), "{message}");

    let mut contained = facts("6.12.117");
    contained.privileges = Privileges::parse("Uid:\t0\t0\t0\t0\nCapEff:\tffffffffff\n", Some("0 1000 1"));
    assert!(refusal::before_trial(&contained).unwrap().why[0].contains("user namespace"));

    let mut other = facts("6.12.117");
    other.host.arch = "riscv64".into();
    assert_eq!(refusal::before_trial(&other).unwrap().what, "cannot observe on riscv64");

    let mut off = facts("6.12.117");
    off.host.ftrace_enabled = Some(false);
    assert_eq!(refusal::before_trial(&off).unwrap().remedy, "sysctl kernel.ftrace_enabled=1");

    let mut blind = facts("6.12.117");
    blind.btf = None;
    blind.gaps.push(crate::facts::Gap { what: "btf", why: "damaged".into() });
    let refusal = refusal::before_trial(&blind).unwrap();
    assert_eq!(refusal.why, ["/sys/kernel/btf/vmlinux: damaged"]);
    assert!(refusal.remedy.contains("CONFIG_DEBUG_INFO_BTF=y"));
    blind.btf = Some(crate::fixtures::btf("6.12.117"));
    blind.symbols = None;
    assert!(refusal::before_trial(&blind).unwrap().what.contains("symbols"));
}

#[test]
fn a_host_like_the_one_that_refuses_all_trampolines() {
    let mut facts = facts("6.18.15");
    facts.host.kprobe_pmu = None;
    let refusal =
        decide(&facts, &tried(&facts, &Err("EPERM".into()), true), Backends::Auto, HookSet::Full).unwrap_err();
    assert!(refusal.what.contains("no way to hook do_swap_page"), "{refusal}");
    assert_eq!(refusal.why.len(), 3, "{refusal}");
    assert!(refusal.why[0].contains("refused on all 12 functions tried: EPERM"), "{refusal}");
    assert!(refusal.why[2].contains("no kprobes"), "{refusal}");
    assert!(refusal.remedy.contains("CONFIG_KPROBES=y") && refusal.remedy.contains("cargo xtask demo"), "{refusal}");
}

#[test]
fn without_trampolines_each_obstacle_to_kprobes_is_named() {
    let mut facts = facts("6.1.192");
    let refused = tried(&facts, &Err("EINVAL".into()), true);
    assert!(
        decide(&facts, &refused, Backends::Auto, HookSet::Full)
            .unwrap()
            .hooks
            .iter()
            .all(|hook| hook.backend >= Backend::Kprobe)
    );
    let locked = ProbeResults { copy: false, ..refused.clone() };
    facts.host.lockdown = Lockdown::Confidentiality;
    let refusal = decide(&facts, &locked, Backends::Auto, HookSet::Full).unwrap_err();
    assert!(refusal.why[1].contains("locked down (confidentiality)"), "{refusal}");
    assert!(refusal.remedy.starts_with("boot without lockdown=confidentiality"), "{refusal}");
    facts.host.kprobes_armed = Some(false);
    let refusal = decide(&facts, &refused, Backends::Auto, HookSet::Full).unwrap_err();
    assert!(refusal.why[1].contains("switched off"), "{refusal}");
    assert!(refusal.remedy.starts_with("echo 1 > "), "{refusal}");
}

#[test]
fn a_kernel_without_swapping_is_not_blamed_on_trampolines() {
    let mut facts = facts("6.1.192");
    facts.symbols.as_mut().unwrap().wanted.remove("do_swap_page");
    let refusal = decide(&facts, &tried(&facts, &Ok(()), true), Backends::Auto, HookSet::Full).unwrap_err();
    assert_eq!(refusal.why, ["no function do_swap_page"]);
}
