//! The host's switches, each in words: what it is, and what that means for observing.

use observer_kernel::{
    facts::Facts,
    host::Host,
    memory::{Memory, Zswap},
    privileges::{Lockdown, Privileges},
    survey::ProbeResults,
};

/// Label and words, in the order of the page.
pub(super) fn rows(facts: &Facts, tried: Option<&ProbeResults>) -> Vec<(&'static str, String)> {
    let (host, memory) = (&facts.host, &facts.memory);
    let mut rows = vec![
        ("user", facts.privileges.as_ref().map_or_else(|| "not shown".into(), user)),
        ("lockdown", lockdown(host.lockdown, tried.map(|tried| tried.copy))),
        (
            "BTF",
            if facts.btf.is_some() { "shown" } else { "not readable: no program can be fitted to this kernel" }.into(),
        ),
        ("fentry", tried.map_or_else(|| "not tried".into(), fentry)),
        ("kprobes", kprobes(host).into()),
        ("ftrace", switch(host.ftrace_enabled, "off: no hook would fire (kernel.ftrace_enabled)").into()),
        ("BPF JIT", jit(host.bpf_jit).into()),
        ("tick", host.tick_ns.map_or_else(|| "not known".into(), tick)),
        ("page-cluster", memory.page_cluster.map_or_else(|| "not shown".into(), page_cluster)),
        ("huge pages", huge_pages(memory)),
        ("zswap", zswap(memory.zswap).into()),
        ("kptr_restrict", kptr_restrict(facts)),
    ];
    if let Some(vmstat) = &facts.vmstat {
        let text = format!("{} pages in, {} out since boot", vmstat.pswpin, vmstat.pswpout);
        rows.push(("swapped", text));
    }
    rows
}

fn user(privileges: &Privileges) -> String {
    let who = match privileges.euid {
        0 => "root".to_owned(),
        euid => format!("user {euid}"),
    };
    let missing: Vec<_> = privileges.missing.iter().map(|capability| capability.name()).collect();
    let capabilities = match (missing.len(), privileges.held.len()) {
        (0, _) => "with every capability that matters here".to_owned(),
        (_, 0) => "with no capability that matters here".to_owned(),
        _ => format!("without {}", missing.join(", ")),
    };
    let namespace = match privileges.initial_user_namespace {
        Some(false) => ", inside a user namespace: they do not count there",
        _ => "",
    };
    format!("{who}, {capabilities}{namespace}")
}

fn lockdown(lockdown: Lockdown, copy: Option<bool>) -> String {
    match (lockdown, copy) {
        (Lockdown::None, _) => "off".into(),
        (Lockdown::Integrity, _) => "integrity: fentry, kprobes and copying of kernel memory still work".into(),
        (Lockdown::Confidentiality, _) => {
            "confidentiality: no kprobes, no copying of kernel memory; fentry works".into()
        }
        (Lockdown::NotBuilt, _) => "not built into this kernel".into(),
        (Lockdown::Unknown, Some(true)) => {
            "not confidentiality, for programs may copy kernel memory; more is not shown (securityfs is not mounted)"
                .into()
        }
        (Lockdown::Unknown, Some(false)) => {
            "confidentiality, it seems: programs may not copy kernel memory (securityfs, which would tell, is not mounted)"
                .into()
        }
        (Lockdown::Unknown, None) => "not shown: securityfs is not mounted on /sys/kernel/security".into(),
    }
}

fn fentry(tried: &ProbeResults) -> String {
    let all = tried.fentry.len();
    let refused: Vec<_> =
        tried.fentry.iter().filter_map(|(name, outcome)| Some((name.as_str(), outcome.as_ref().err()?))).collect();
    match refused.first() {
        None if all == 0 => "not possible: this kernel cannot divert functions to a trampoline".into(),
        None => format!("taken on all {all} functions tried"),
        Some((_, why)) if refused.len() == all => format!("refused on all {all} functions tried: {why}"),
        Some(_) => {
            let names: Vec<_> = refused.iter().map(|(name, _)| *name).collect();
            format!("taken on {} of {all} functions tried; refused on {}", all - refused.len(), names.join(", "))
        }
    }
}

const fn kprobes(host: &Host) -> &'static str {
    match (host.kprobe_pmu, host.kprobes_armed) {
        (None, _) => "none (CONFIG_KPROBES or CONFIG_KPROBE_EVENTS is off)",
        (_, Some(false)) => "there, but switched off: echo 1 > /sys/kernel/debug/kprobes/enabled",
        (_, Some(true)) => "there, armed",
        (_, None) => "there (debugfs does not show whether they are armed)",
    }
}

const fn switch(value: Option<bool>, off: &'static str) -> &'static str {
    match value {
        Some(true) => "on",
        Some(false) => off,
        None => "not shown",
    }
}

const fn jit(value: Option<u32>) -> &'static str {
    match value {
        Some(0) => "off: programs are interpreted, which costs more (net.core.bpf_jit_enable)",
        Some(_) => "on",
        None => "not shown",
    }
}

fn tick(ns: u64) -> String {
    format!(
        "{} ms ({} Hz): what a task sleeps at least where a lost pin means one tick",
        ns / 1_000_000,
        1_000_000_000 / ns.max(1)
    )
}

fn page_cluster(cluster: u32) -> String {
    match 1_u64.checked_shl(cluster) {
        Some(1) => "0: nothing is read ahead".into(),
        pages => {
            format!("{cluster}: read-ahead brings up to {} pages at once; the direct path none", pages.unwrap_or(0))
        }
    }
}

fn huge_pages(memory: &Memory) -> String {
    let Some(word) = &memory.huge_pages else { return "not built in".into() };
    let on: Vec<_> = memory
        .huge_page_sizes
        .iter()
        .filter(|size| size.enabled != "never")
        .map(|size| format!("{} kB {}", size.kib, size.enabled))
        .collect();
    match (memory.huge_page_sizes.is_empty(), memory.large_folios_possible()) {
        (true, _) => format!("{word}; this kernel has no sizes to choose, and swaps single pages in"),
        (false, true) => format!("{word} ({}): a fault may bring a whole range (6.12 and later)", on.join(", ")),
        (false, false) => format!("{word}: no large folio is made, so none is swapped in"),
    }
}

const fn zswap(zswap: Zswap) -> &'static str {
    match zswap {
        Zswap::On => {
            "on, in front: a page that it holds is not read from the device; which path a fault takes is still the device's to say"
        }
        Zswap::Off => "off",
        Zswap::NotBuilt => "not built in",
        Zswap::Unknown => "not readable: it may be in front",
    }
}

fn kptr_restrict(facts: &Facts) -> String {
    let value = facts.host.kptr_restrict.map_or_else(|| "not shown".into(), |value| value.to_string());
    match &facts.symbols {
        Some(symbols) if symbols.addresses_hidden => format!("{value}: addresses are hidden; names are enough here"),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lockdown_is_told_apart_by_what_programs_may_do() {
        assert_eq!(lockdown(Lockdown::None, Some(true)), "off");
        assert!(lockdown(Lockdown::Unknown, Some(true)).starts_with("not confidentiality"));
        assert!(lockdown(Lockdown::Unknown, Some(false)).starts_with("confidentiality, it seems"));
        assert!(lockdown(Lockdown::Unknown, None).starts_with("not shown"));
    }

    #[test]
    fn trial_loads_in_words() {
        let tried = |outcomes: [(&str, Result<(), String>); 2]| ProbeResults {
            fentry: outcomes.into_iter().map(|(name, outcome)| (name.to_owned(), outcome)).collect(),
            copy: true,
        };
        assert_eq!(fentry(&tried([("a", Ok(())), ("b", Ok(()))])), "taken on all 2 functions tried");
        let eperm = || Err("EPERM".to_owned());
        assert_eq!(fentry(&tried([("a", eperm()), ("b", eperm())])), "refused on all 2 functions tried: EPERM");
        assert_eq!(fentry(&tried([("a", Ok(())), ("b", eperm())])), "taken on 1 of 2 functions tried; refused on b");
    }

    #[test]
    fn numbers_in_words() {
        assert!(tick(4_000_000).starts_with("4 ms (250 Hz)"));
        assert_eq!(page_cluster(0), "0: nothing is read ahead");
        assert!(page_cluster(3).contains("up to 8 pages"));
        assert!(page_cluster(99).starts_with("99"));
    }
}
