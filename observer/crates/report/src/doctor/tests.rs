use super::*;
use observer_kernel::fixtures::survey;
use observer_kernel::{
    facts::Gap,
    swaps::{AreaKind, SwapArea, SwapLine, Synchronous},
};

fn zram() -> SwapArea {
    let line = SwapLine {
        path: "/dev/zram0".into(),
        kind: AreaKind::Partition,
        size_kib: 32_764,
        used_kib: 128,
        priority: -2,
    };
    let reason = "zram0 is zram: compressed memory".into();
    SwapArea { line, ordinal: 0, device: None, synchronous: Synchronous::Yes, reason }
}

#[test]
fn a_host_that_allows_it() {
    let mut survey = survey("6.12.117", &Ok(()), true);
    survey.facts.swaps = Some(vec![zram()]);
    let doctor = Doctor::new(&survey);
    assert_eq!(doctor.exit(), Exit::Clean);
    let json = serde_json::to_value(&doctor).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["kernel"]["state"], "pinned, wait queue");
    assert_eq!(json["kernel"]["backend"]["fault end"], "fexit do_swap_page");
    assert_eq!((&json["race"]["answer"], &json["race"]["waits"]), (&"no".into(), &"yes".into()));
    assert!(json["trial"]["fentry"].as_object().unwrap()["do_swap_page"].is_null(), "taken");
    assert!(json["refusal"].is_null());
    assert_eq!(
        (&json["redundant"][0]["meaning"], &json["redundant"][0]["symbol"]),
        (&"read_start".into(), &"swap_read_folio".into())
    );
    let page = page(&doctor);
    for line in [
        "state             pinned, wait queue",
        "/dev/zram0        31 MiB, 128 KiB used, priority -2",
        "                  synchronous: zram0 is zram: compressed memory",
        "observing         possible, with 12 hooks",
        "fault end        fexit do_swap_page",
        "lockdown          off",
    ] {
        assert!(page.lines().any(|found| found == line), "{line:?} is not in\n{page}");
    }
    let wide = page.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
}

#[test]
fn a_host_that_refuses_is_told_in_the_page_and_by_the_exit_code() {
    let mut survey = survey("6.18.15", &Err("EPERM".into()), false);
    survey.facts.gaps.push(Gap { what: "vmstat", why: "no such file".into() });
    let doctor = Doctor::new(&survey);
    assert_eq!(doctor.exit(), Exit::Refused);
    let json = serde_json::to_value(&doctor).unwrap();
    assert_eq!(json["kernel"]["state"], "pinned, wait queue", "told by symbols, though nothing can be hooked");
    assert!(json["refusal"]["remedy"].as_str().unwrap().contains("cargo xtask demo"));
    assert_eq!(json["trial"]["fentry"]["do_swap_page"], "EPERM");
    assert_eq!(json["kernel"]["backend"], serde_json::json!({}));
    let page = page(&doctor);
    for part in [
        "observing         NOT POSSIBLE: ",
        "\n  because         ",
        "\n  to do           ",
        "vmstat            no such file",
    ] {
        assert!(page.contains(part), "{part:?} is not in\n{page}");
    }
    assert!(!page.contains("\nhooks\n"), "{page}");
}

#[test]
fn a_self_test_is_told_in_the_page_and_by_the_exit_code() {
    use observer_observation::self_test::{Check, Outcome, SelfTest};
    let survey = survey("6.12.117", &Ok(()), true);
    let with = |seen| {
        let checks = vec![Check { what: "faults ended", wanted: 32, seen }];
        let test = SelfTest { passed: seen == 32, pages: 32, checks };
        Doctor::new(&survey).with_self_test(Some(Outcome::Made(test)))
    };
    let passed = with(32);
    assert_eq!(passed.exit(), Exit::Clean);
    assert!(page(&passed).contains("self-test         passed: 32 own pages"), "{}", page(&passed));
    let failed = with(31);
    assert_eq!(failed.exit(), Exit::Inconclusive);
    assert!(page(&failed).contains("31 of 32 faults ended WRONG"), "{}", page(&failed));
    assert_eq!(serde_json::to_value(&failed).unwrap()["self_test"]["passed"], false);
    let outcome = Outcome::NotMade { not_made: "no zram; build it".into(), refused: true };
    let refused = Doctor::new(&survey).with_self_test(Some(outcome));
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(page(&refused).contains("self-test         NOT MADE: no zram; build it"));
}
