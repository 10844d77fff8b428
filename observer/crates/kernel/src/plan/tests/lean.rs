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
        assert!(plan.assumes_pins(), "{kernel}");
        assert!(plan.knows_reads(), "{kernel}");
        let consequences =
            [(Meaning::PinTry, Consequence::PinErrorsUnseen), (Meaning::PinDrop, Consequence::PinHoldsUnknown)];
        for (meaning, consequence) in consequences {
            let gap = missing(&plan, meaning).unwrap();
            assert!(matches!(gap.reason, MissingReason::Lean { .. }), "{:?}", gap.reason);
            assert_eq!(gap.consequence, consequence);
        }
    }
}

#[test]
fn the_lean_set_keeps_what_verdicts_rest_on_where_nothing_pins() {
    let plan = lean("5.10.223");
    for meaning in [Meaning::ReadStart, Meaning::Freed, Meaning::Allocated, Meaning::WriteStart, Meaning::WriteEnd] {
        assert!(plan.has(meaning), "{}", meaning.code());
    }
    assert!(!plan.has(Meaning::ReadEnd));
    assert!(!plan.assumes_pins());
    let newest = lean("7.3.4");
    assert!(newest.has(Meaning::ReadStart));
    assert!(!newest.has(Meaning::Freed));
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
