//! What the lean set attaches, and what it says it does not see.

use super::*;

#[test]
fn the_lean_set_has_only_the_pair_on_the_way_of_a_swap_in_that_pins() {
    let elsewhere = [
        Meaning::CacheRead,
        Meaning::PinSleep,
        Meaning::LockTry,
        Meaning::LockEnd,
        Meaning::Allocated,
        Meaning::WriteStart,
        Meaning::WriteEnd,
    ];
    for kernel in ["6.12.117", "6.16.12", "6.17.13", "6.18.15", "6.19.14"] {
        let plan = lean(kernel);
        let on_the_way = plan.hooks.iter().filter(|hook| !elsewhere.contains(&hook.meaning)).map(|hook| hook.meaning);
        assert_eq!(on_the_way.collect::<Vec<_>>(), [Meaning::FaultStart, Meaning::FaultEnd], "{kernel}");
        assert!(plan.pins_untold() && plan.tells_reads(), "{kernel}");
        for (meaning, what) in [(Meaning::PinTry, "which error"), (Meaning::PinDrop, "who held a pin")] {
            let gap = missing(&plan, meaning).unwrap();
            assert!(gap.reason.starts_with("--hooks lean leaves out"), "{}", gap.reason);
            assert!(gap.consequence.starts_with(what), "{}", gap.consequence);
        }
    }
}

#[test]
fn the_lean_set_keeps_what_verdicts_rest_on_where_nothing_pins() {
    let plan = lean("5.10.223");
    for meaning in [Meaning::ReadStart, Meaning::Freed, Meaning::Allocated, Meaning::WriteStart, Meaning::WriteEnd] {
        assert!(plan.of(meaning).next().is_some(), "{}", meaning.name());
    }
    assert!(plan.of(Meaning::ReadEnd).next().is_none());
    assert!(!plan.pins_untold());
    let newest = lean("7.3.4");
    assert!(newest.of(Meaning::ReadStart).next().is_some() && newest.of(Meaning::Freed).next().is_none());
}

#[test]
fn the_lean_set_sees_losers_of_the_pin_or_keeps_the_hook_on_it() {
    let mut inlined = Kernel::new("6.12.117").without("schedule_timeout_uninterruptible");
    inlined.set = HookSet::Lean;
    let plan = inlined.plan().unwrap();
    assert_eq!(backends(&plan, Meaning::PinTry), [(Backend::Fexit, "swapcache_prepare")]);
}

fn lean(kernel: &str) -> Plan {
    let mut kernel = Kernel::new(kernel);
    kernel.set = HookSet::Lean;
    kernel.plan().unwrap()
}
