use super::*;
use observer_kernel::{
    errno::Errno,
    facts::{Fact, Gap},
    fixtures::{self, TempTree, survey, survey_in},
    plan::TrialRefusal,
    swaps::{AreaKind, Device, DeviceNumber, Driver, SwapArea, SwapLine, Synchronous, SynchronousReason},
};

fn text(doctor: &Doctor<'_>) -> String {
    super::text(doctor, Layout::default())
}

fn zram() -> SwapArea {
    let line = SwapLine {
        path: "/dev/zram0".into(),
        kind: AreaKind::Partition,
        size_kib: 32_764,
        used_kib: 128,
        priority: -2,
    };
    let number = DeviceNumber { major: 254, minor: 0 };
    let device = Device { number, name: "zram0".into(), disk: "zram0".into(), zram_backing: None };
    let reason = SynchronousReason::Driver { driver: Driver::Zram };
    SwapArea { line, ordinal: 0, device: Some(device), synchronous: Synchronous::Yes, reason }
}

#[test]
fn a_host_that_can_be_observed() {
    let mut survey = survey("6.12.117", &Ok(()), true);
    survey.facts.swaps = Some(vec![zram()]);
    let doctor = Doctor::new(&survey);
    assert_eq!(doctor.exit(), Exit::Clean);
    let json = serde_json::to_value(&doctor).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["kernel"]["state"], "pinned_wait_queue");
    assert_eq!(json["kernel"]["hook_set"], "full");
    let hooks = json["kernel"]["hooks"].as_array().unwrap();
    assert!(
        hooks.iter().any(|hook| {
            hook["meaning"] == "fault_end" && hook["backend"] == "fexit" && hook["symbol"] == "do_swap_page"
        }),
        "{hooks:?}"
    );
    let race = &json["race"];
    assert_eq!((&race["vulnerable"], &race["reachable"]), (&"no".into(), &"yes".into()));
    assert_eq!((&race["reason"], &race["pin_waits"]), (&"synchronous_device".into(), &"yes".into()));
    assert_eq!((&race["observed"], &race["risk"]), (&"not_observed".into(), &"pin_waits".into()));
    assert_eq!((&race["contradicted"], &race["evidence"]), (&serde_json::json!([]), &serde_json::Value::Null));
    assert!(json["trial"]["fentry"].as_object().unwrap()["do_swap_page"].is_null(), "supported");
    assert!(json["refusal"].is_null());
    assert_eq!(json["observable"], true);
    assert_eq!(
        (&json["redundant"][0]["meaning"], &json["redundant"][0]["symbol"]),
        (&"read_start".into(), &"swap_read_folio".into())
    );
    let text = text(&doctor);
    for line in [
        "state             fixed by pin, wait queue",
        "vulnerable        no: this kernel pins an entry while a task reads it directly",
        "reachable now     yes: /dev/zram0 is read synchronously, without the swap cache",
        "observed          not observed: `observer record` and the dashboard show what",
        "race              no data loss; tasks may wait for a pin",
        "observable        yes, with 12 hooks",
        "/dev/zram0        32.0 MiB, 128.0 KiB used, priority -2",
        "                  synchronous: zram0 is zram: compressed memory",
        "fault end         fexit do_swap_page",
        "lockdown          off",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    assert!(
        text.starts_with("race              no data loss; tasks may wait for a pin\nvulnerable        no: "),
        "{text}"
    );
    for width in [30, 50, 80, 132] {
        let page = super::text(&doctor, Layout { width, ..Layout::default() });
        let wide = page.lines().find(|line| line.chars().count() > width);
        assert_eq!(wide, None, "{width}");
    }
}

#[test]
fn an_unfixed_kernel_without_swap_is_vulnerable_first_of_all() {
    let mut survey = survey("5.10.223", &Ok(()), true);
    survey.facts.swaps = Some(Vec::new());
    let doctor = Doctor::new(&survey);
    let page = text(&doctor);
    let expected = "\
race              VULNERABLE, not reachable now: data loss is possible once a
                  synchronous swap device (zram, brd, pmem) is in use
vulnerable        YES: this kernel lacks the fix for CVE-2024-26759
reachable now     no: no swap area is in use
observed          not observed: `observer record` and the dashboard show what
                  happens
";
    assert!(page.starts_with(expected), "{page}");
    let race = &serde_json::to_value(&doctor).unwrap()["race"];
    let facts = ["vulnerable", "reachable", "observed"].map(|fact| race[fact].as_str().unwrap().to_owned());
    assert_eq!(facts, ["yes", "no", "not_observed"]);
    assert_eq!(race["risk"], "not_reachable_now");
}

#[test]
fn a_host_that_refuses_is_reported_with_reason_and_remedy() {
    let refused = Err(TrialRefusal::Load { errno: Errno::PERM, verifier: None });
    let mut survey = survey("6.18.15", &refused, false);
    survey.facts.gaps.push(Gap { what: Fact::Vmstat, why: "no such file".into() });
    let doctor = Doctor::new(&survey);
    assert_eq!(doctor.exit(), Exit::Refused);
    let json = serde_json::to_value(&doctor).unwrap();
    assert_eq!(json["kernel"]["state"], "pinned_wait_queue", "symbols show it although nothing can be hooked");
    assert_eq!(json["observable"], false);
    assert_eq!(json["refusal"]["obstacle"], "no_fault_hook");
    assert!(json["refusal"]["remedies"].as_array().unwrap().contains(&"use_test_host".into()), "{json}");
    assert_eq!(json["kernel"]["hooks"], serde_json::json!([]));
    let text = text(&doctor);
    for part in [
        "observable        NO: do_swap_page, where every fault starts and ends, cannot be\n",
        "\n  because         ",
        "\n  to do           ",
        "vmstat            no such file",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("\nhooks\n"), "{text}");
}

#[test]
fn a_self_test_is_reported_and_decides_the_exit_code() {
    use observer_observation::self_test::{Check, CheckKind, Outcome, SelfTest};
    let survey = survey("6.12.117", &Ok(()), true);
    let with = |seen| {
        let checks = vec![Check { check: CheckKind::FaultsEnded, expected: 32, seen }];
        let test = SelfTest { passed: seen == 32, pages: 32, checks };
        Doctor::new(&survey).with_self_test(Some(Outcome::Run(test)))
    };
    let passed = with(32);
    assert_eq!(passed.exit(), Exit::Clean);
    assert!(text(&passed).contains("self-test         PASS: 32 pages"), "{}", text(&passed));
    let failed = with(31);
    assert_eq!(failed.exit(), Exit::Inconclusive);
    assert!(text(&failed).contains("31 of 32 faults ended FAIL"), "{}", text(&failed));
    let json = serde_json::to_value(&failed).unwrap();
    assert_eq!(json["self_test"]["passed"], false);
    assert_eq!(json["self_test"]["checks"][0]["check"], "faults_ended");
    let outcome = Outcome::NotRun { reason: "there is no zram".into(), remedy: Some("load it".into()), refused: true };
    let refused = Doctor::new(&survey).with_self_test(Some(outcome));
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(text(&refused).contains("self-test         NOT RUN: there is no zram"));
}

/// Files of a host that has everything, by path.
fn full() -> Vec<(&'static str, String)> {
    [
        ("/proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"),
        ("/proc/self/uid_map", "0 0 4294967295\n"),
        ("/proc/self/cgroup", "0::/\n"),
        ("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t50\t1\n"),
        ("/proc/mounts", "tracefs /sys/kernel/tracing tracefs rw 0 0\n"),
        ("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"),
        ("/proc/vmstat", "pswpin 7\npswpout 8\n"),
        ("/proc/sys/kernel/ftrace_enabled", "1\n"),
        ("/proc/sys/kernel/kptr_restrict", "0\n"),
        ("/proc/sys/kernel/perf_event_paranoid", "2\n"),
        ("/proc/sys/net/core/bpf_jit_enable", "1\n"),
        ("/proc/sys/vm/page-cluster", "3\n"),
        ("/sys/bus/event_source/devices/kprobe/type", "8\n"),
        ("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"),
        ("/sys/class/zram-control/hot_add", ""),
        ("/sys/kernel/debug/kprobes/enabled", "1\n"),
        ("/sys/kernel/mm/ksm/run", "0\n"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n"),
        ("/sys/module/zswap/parameters/enabled", "N\n"),
    ]
    .map(|(path, text)| (path, text.to_owned()))
    .into_iter()
    .chain([("/proc/kallsyms", fixtures::text("6.12.117", "kallsyms"))])
    .collect()
}

/// The page of a host with everything except these files, and with others.
fn page(without: &[&str], with: &[(&'static str, &str)]) -> (Exit, String) {
    let mut files = full();
    assert!(without.iter().all(|path| files.iter().any(|(file, _)| file == path)), "{without:?}");
    files.retain(|(path, _)| !without.contains(path));
    files.extend(with.iter().map(|(path, text)| (*path, (*text).to_owned())));
    let tree = files.iter().fold(TempTree::new(), |tree, (path, text)| tree.file(path, text));
    let survey = survey_in(&tree, "6.12.117");
    let doctor = Doctor::new(&survey);
    // Lines that are wrapped are one.
    let text = text(&doctor).replace("\n                  ", " ");
    assert!(serde_json::to_value(&doctor).is_ok());
    (doctor.exit(), text)
}

/// What the host lacks, the files that are missing then, those that differ, the exit code, and the line of the page.
type Lack = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)], Exit, &'static str);

const LACKS: [Lack; 21] = [
    ("nothing", &[], &[], Exit::Clean, "observable        yes, with 12 hooks"),
    (
        "THP",
        &["/sys/kernel/mm/transparent_hugepage/enabled"],
        &[],
        Exit::Clean,
        "huge pages        not built into this kernel",
    ),
    ("KSM", &["/sys/kernel/mm/ksm/run"], &[], Exit::Clean, "KSM               not built into this kernel"),
    (
        "zswap",
        &["/sys/module/zswap/parameters/enabled"],
        &[],
        Exit::Clean,
        "zswap             not built into this kernel",
    ),
    (
        "zram",
        &["/sys/class/zram-control/hot_add"],
        &[],
        Exit::Clean,
        "zram              not loaded: the self-test, stress and bench load it",
    ),
    ("swap", &["/proc/swaps"], &[], Exit::Clean, "swap areas        cannot read /proc/swaps: No such file"),
    ("swap areas in use", &[], &[], Exit::Clean, "swap areas none in use"),
    (
        "memory controller",
        &["/proc/cgroups"],
        &[("/sys/fs/cgroup/cgroup.controllers", "cpu pids\n")],
        Exit::Clean,
        "control groups    cgroup v2, without the memory controller",
    ),
    ("control groups", &["/proc/self/cgroup"], &[], Exit::Clean, "control groups    none in use"),
    (
        "cgroup v2",
        &[],
        &[("/proc/self/cgroup", "4:memory:/a\n1:name=systemd:/a\n")],
        Exit::Clean,
        "control groups    cgroup v1: programs see only groups of cgroup v2, so every task is in one group",
    ),
    (
        "cgroup v2 alone",
        &[],
        &[("/proc/self/cgroup", "4:memory:/a\n1:name=systemd:/a\n0::/a\n")],
        Exit::Clean,
        "control groups    cgroup v1 and v2: programs see only groups of v2, and tasks of several groups of v1",
    ),
    (
        "debugfs",
        &["/sys/kernel/debug/kprobes/enabled"],
        &[],
        Exit::Clean,
        "kprobes           available, unless they are switched off, which only debugfs shows",
    ),
    (
        "tracefs",
        &["/proc/mounts"],
        &[("/proc/mounts", "")],
        Exit::Clean,
        "tracefs           not mounted: mounted for observer alone where it is needed and allowed",
    ),
    (
        "securityfs",
        &["/sys/kernel/security/lockdown"],
        &[],
        Exit::Clean,
        "lockdown          not confidentiality, because programs may copy kernel memory",
    ),
    (
        "kallsyms addresses",
        &[],
        &[
            ("/proc/kallsyms", "0000000000000000 T do_swap_page\n0000000000000000 T swapcache_prepare\n"),
            ("/proc/sys/kernel/kptr_restrict", "2\n"),
        ],
        Exit::Clean,
        "kptr_restrict     2: addresses are hidden, only names are needed",
    ),
    ("kallsyms", &["/proc/kallsyms"], &[], Exit::Refused, "symbols           cannot read /proc/kallsyms: No such file"),
    (
        "perf events",
        &["/proc/sys/kernel/perf_event_paranoid", "/sys/bus/event_source/devices/kprobe/type"],
        &[],
        Exit::Clean,
        "perf events       not built into this kernel: no kprobes",
    ),
    (
        "kprobes",
        &["/sys/bus/event_source/devices/kprobe/type"],
        &[],
        Exit::Clean,
        "kprobes           none (CONFIG_KPROBES or CONFIG_KPROBE_EVENTS is off)",
    ),
    (
        "event counters",
        &[],
        &[("/proc/vmstat", "nr_free_pages 1\n")],
        Exit::Clean,
        "vmstat            /proc/vmstat has no counter pswpin",
    ),
    ("JIT", &["/proc/sys/net/core/bpf_jit_enable"], &[], Exit::Clean, "BPF JIT           unknown"),
    ("/proc", &["/proc/self/status"], &[], Exit::Clean, "privileges        /proc/self/status cannot be read or parsed"),
];

#[test]
fn everything_that_a_host_may_lack_is_a_line() {
    for (lack, without, with, exit, line) in LACKS {
        let (found, text) = page(without, with);
        assert!(text.contains(line), "without {lack}: {line:?} is not in\n{text}");
        assert_eq!(found, exit, "without {lack}:\n{text}");
    }
}

#[test]
fn no_line_of_a_host_that_lacks_something_is_on_the_page_of_one_that_has_it() {
    let (_, whole) = page(&[], &[]);
    for (lack, .., line) in LACKS.iter().filter(|(lack, ..)| !matches!(*lack, "nothing" | "swap areas in use")) {
        assert!(!whole.contains(line), "{lack}: {line}");
    }
}
