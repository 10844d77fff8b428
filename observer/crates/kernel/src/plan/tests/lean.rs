//! What the lean set attaches, and what it reports as not seen.

use super::*;

#[test]
fn where_readers_pin_the_lean_set_adds_only_the_fault_s_ends_to_a_swap_in() {
    let others = [
        Meaning::CacheRead,
        Meaning::CacheTry,
        Meaning::PinSleep,
        Meaning::LockTry,
        Meaning::LockEnd,
        Meaning::Allocated,
        Meaning::WriteStart,
        Meaning::WriteEnd,
    ];
    for kernel in ["6.12.117", "6.16.12", "6.17.13", "6.18.15", "6.19.14"] {
        let plan = lean(kernel);
        let attached = plan.hooks.iter().filter(|hook| !others.contains(&hook.meaning)).map(|hook| hook.meaning);
        assert_eq!(attached.collect::<Vec<_>>(), [Meaning::FaultStart, Meaning::FaultEnd], "{kernel}");
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
fn where_readers_do_not_pin_the_lean_set_keeps_what_verdicts_need() {
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
fn the_lean_set_keeps_the_hook_on_the_pin_where_the_sleep_cannot_be_hooked() {
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
