use super::*;
use observer_kernel::{
    errno::Errno,
    facts::{Fact, Gap},
    fixtures::survey,
    plan::TrialRefusal,
    swaps::{AreaKind, Device, DeviceNumber, Driver, SwapArea, SwapLine, Synchronous, SynchronousReason},
};

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
        "reachable         yes: /dev/zram0 is read synchronously, without the swap cache",
        "race              no data loss; tasks may wait for a pin",
        "observable        yes, with 12 hooks",
        "/dev/zram0        32.0 MiB, 128.0 KiB used, priority -2",
        "                  synchronous: zram0 is zram: compressed memory",
        "fault end         fexit do_swap_page",
        "lockdown          off",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    let wide = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
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
