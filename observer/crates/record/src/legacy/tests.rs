use super::*;
use crate::{
    counters,
    header::{Footer, Header},
    sample::Stored,
};
use observer_kernel::{
    plan::{Backend, Consequence, HookReason, HookSet, Instead, Meaning, MissingReason, NoTrampoline, State},
    swaps::Synchronous,
};
use observer_observation::{Degraded, EndReason, HookUse, Kernel};

/// The kernel of an old header.
fn kernel(kernel: &Value) -> Kernel {
    let mut value = json!({"context": {"kernel": kernel}, "part": {"id": "a", "number": 1}, "before": null});
    header(&mut value);
    serde_json::from_value::<Header>(value).unwrap().context.kernel
}

fn gap(meaning: &str, reason: &str, consequence: &str) -> Degraded {
    let gap = json!({"meaning": meaning, "hook": meaning, "reason": reason, "consequence": consequence});
    let [gap] = kernel(&json!({"degraded": [gap]})).degraded.try_into().unwrap();
    gap
}

fn reason(text: &str) -> HookReason {
    let reasons = json!([{"hook": "fault end", "symbol": "do_swap_page", "reason": text}]);
    let [hook] =
        kernel(&json!({"backend": {"fault end": "fexit do_swap_page"}, "reasons": reasons})).hooks.try_into().unwrap();
    hook.reason
}

#[test]
fn every_state_has_its_code() {
    let states = [
        ("unfixed: ABA possible", State::Vulnerable),
        ("pinned, sleeps one tick", State::PinnedTick),
        ("pinned, wait queue", State::PinnedWaitQueue),
        ("pinned, way of waiting not shown", State::Pinned),
        ("no bypass", State::NoBypass),
        ("", State::Unknown),
    ];
    for (phrase, state) in states {
        assert_eq!(kernel(&json!({"state": phrase})).state, state, "{phrase}");
    }
}

#[test]
fn every_hook_set_has_its_code() {
    assert_eq!(kernel(&json!({"hooks": "full"})).hook_set, HookSet::Full);
    assert_eq!(kernel(&json!({"hooks": "lean"})).hook_set, HookSet::Lean);
    assert_eq!(kernel(&json!({"hooks": ""})).hook_set, HookSet::Full);
    assert_eq!(kernel(&json!({})).hook_set, HookSet::Full, "before there was a choice");
}

#[test]
fn every_meaning_has_its_code() {
    let meanings = [
        ("flight begin", "flight_begin", Meaning::FaultStart),
        ("flight end", "flight_end", Meaning::FaultEnd),
        ("read begin", "read_begin", Meaning::ReadStart),
        ("read end", "read_end", Meaning::ReadEnd),
        ("cache read", "cache_read", Meaning::CacheRead),
        ("pin try", "pin_try", Meaning::PinTry),
        ("pin sleep", "pin_sleep", Meaning::PinSleep),
        ("pin drop", "pin_drop", Meaning::PinDrop),
        ("pin path", "pin_path", Meaning::PinPath),
        ("lock try", "lock_try", Meaning::LockTry),
        ("lock end", "lock_end", Meaning::LockEnd),
        ("count drop", "count_drop", Meaning::CountDrop),
        ("entry freed", "freed", Meaning::Freed),
        ("entry handed out", "handed_out", Meaning::Allocated),
        ("write begin", "write_begin", Meaning::WriteStart),
        ("write end", "write_end", Meaning::WriteEnd),
        ("entry written", "written", Meaning::WriteStart),
    ];
    assert!(Meaning::ALL.iter().all(|meaning| meanings.iter().any(|(_, _, known)| known == meaning)));
    for (words, key, meaning) in meanings {
        let hooks = kernel(&json!({"backend": {words: "kprobe f"}})).hooks;
        assert_eq!(hooks.iter().map(|hook| hook.meaning).collect::<Vec<_>>(), [meaning], "{words}");
        assert_eq!(gap(key, "", "").meaning, meaning, "{key}");
    }
}

#[test]
fn every_consequence_has_its_code() {
    let consequences = [
        ("nothing can be observed", Consequence::NothingObserved),
        ("flights are missed", Consequence::FaultsMissed),
        ("paths and swap-ins are unknown: no window, reuse or stale-install can be told", Consequence::ReadsUnknown),
        ("how long a read took is unknown", Consequence::ReadDurationsUnknown),
        (
            "how long a read took is not seen with lean hooks, and the begin of its flight stands for its own",
            Consequence::ReadTimesUnknown,
        ),
        ("reads must be hooked to tell by which path they go", Consequence::ReadHooksNeeded),
        ("pin waits are not seen", Consequence::PinWaitsUnseen),
        (
            "which error a loser of the pin got, failed pin tries outside flights, and how many pages a large folio \
             brings in past the swap cache (it counts as one), are not seen with lean hooks",
            Consequence::PinErrorsUnseen,
        ),
        ("holds and oversleep are unknown", Consequence::PinHoldsUnknown),
        (
            "who held a pin, for how long, and how long losers overslept, is not seen with lean hooks",
            Consequence::PinHoldsUnknown,
        ),
        (
            "failed pin tries of shmem and of zswap's write-back are counted with the others",
            Consequence::PinPathsMerged,
        ),
        (
            "pages that shmem reads past the swap cache (6.14 to 6.19) are not seen with lean hooks",
            Consequence::ShmemReadsUnseen,
        ),
        ("waits on the folio lock are not seen", Consequence::LockWaitsUnseen),
        ("a wait on the folio lock is taken to last until its flight returns", Consequence::LockWaitsTooLong),
        (
            "what happens between a reader's install and its return, while others hold the entry, is charged to it",
            Consequence::LateChangesCounted,
        ),
        ("windows are not seen; reuse and stale-install are", Consequence::WindowsUnseen),
        ("reuse and stale-install are seen by the write alone", Consequence::SomeReuseMissed),
        ("reuse and stale-install are seen by the write alone, and some are missed", Consequence::SomeReuseMissed),
        ("a read that falls between a hand-out and its write is taken for fresh", Consequence::UnwrittenReadsFresh),
        ("a read that falls into a write is taken for fresh", Consequence::ReadsDuringWriteFresh),
    ];
    assert_eq!(consequences.len(), CONSEQUENCES.len());
    assert!(Consequence::ALL.iter().all(|code| consequences.iter().any(|(_, known)| known == code)));
    for (phrase, consequence) in consequences {
        let whole = gap("read_end", "", phrase);
        assert_eq!((whole.consequence, whole.partial), (consequence, false), "{phrase}");
        let part = gap("read_end", "", &format!("in part: {phrase}"));
        assert_eq!((part.consequence, part.partial), (consequence, true), "{phrase}");
    }
    assert_eq!(gap("read_end", "", "of another program").consequence, Consequence::Unknown);
}

#[test]
fn every_reason_of_a_hook_has_its_code() {
    let no_trampoline = [
        ("--backend kprobe asks for kprobes", NoTrampoline::KprobesRequested),
        ("no trial load was made", NoTrampoline::NotTried),
        ("programs may not copy kernel memory here", NoTrampoline::NoMemoryCopy),
        ("programs may not copy kernel memory under this lockdown", NoTrampoline::NoMemoryCopy),
        (
            "this kernel cannot divert functions to a trampoline (no register_ftrace_direct)",
            NoTrampoline::NoDirectCalls,
        ),
    ];
    assert_eq!(no_trampoline.len(), NO_TRAMPOLINE.len());
    for (phrase, cause) in no_trampoline {
        assert_eq!(reason(phrase), HookReason::NoTrampoline { cause }, "{phrase}");
    }
    let prototype = "vm_fault_t(struct vm_fault *vmf)";
    let accepted = HookReason::TrampolineAccepted { prototype: prototype.to_owned() };
    assert_eq!(reason(&format!("{prototype}: the trampoline takes it")), accepted);
}

#[test]
fn every_reason_for_lean_hooks_has_its_code() {
    let reasons = [
        ("when a read began and came back is evidence of a finding, and decides none", Instead::ReadTimesAreEvidence),
        ("who loses the pin sleeps, and that is hooked; who reads past the swap cache has it", Instead::PinSleepHooked),
        ("nobody can be overtaken while the pin is held, whoever holds it", Instead::PinProtects),
        ("it tells who takes pins outside flights, and nothing tells of those pins", Instead::PinsOutsideUnseen),
        ("nobody can free an entry under a reader that has pinned it", Instead::PinnedEntriesStay),
        ("nobody reads past the swap cache here, so nothing follows from a release", Instead::NothingReadDirectly),
    ];
    assert_eq!(reasons.len(), INSTEAD.len());
    for (phrase, instead) in reasons {
        let lean = MissingReason::Lean { symbol: "swap_read_folio".to_owned(), instead };
        assert_eq!(gap("read_end", &format!("--hooks lean leaves out swap_read_folio: {phrase}"), "").reason, lean);
    }
}

#[test]
fn text_without_a_code_is_kept() {
    let text = "the trampoline refuses it (EINVAL)";
    assert_eq!(reason(text), HookReason::Described { text: text.to_owned() });
    let text =
        "swap_read_folio: --backend kprobe asks for kprobes, and a return probe would miss returns without a word";
    assert_eq!(gap("read_end", text, "").reason, MissingReason::Described { text: text.to_owned() });
    let text = "--hooks lean leaves out swap_read_folio: of another program";
    assert_eq!(gap("read_end", text, "").reason, MissingReason::Described { text: text.to_owned() });
}

#[test]
fn hooks_keep_the_order_of_their_reasons() {
    let backend = json!({
        "pin try": "kretprobe swapcache_prepare, kprobe swapcache_prepare",
        "flight begin": "fentry do_swap_page",
        "read end": "fexit swap_read_folio",
    });
    let reason = |hook, symbol| json!({"hook": hook, "symbol": symbol, "reason": "no trial load was made"});
    let reasons = json!([
        reason("flight begin", "do_swap_page"),
        reason("pin try", "swapcache_prepare"),
        reason("pin try", "swapcache_prepare"),
    ]);
    let hook = |meaning, backend, symbol: &str, reason| HookUse { meaning, backend, symbol: symbol.to_owned(), reason };
    let not_tried = || HookReason::NoTrampoline { cause: NoTrampoline::NotTried };
    let hooks = [
        hook(Meaning::FaultStart, Backend::Fentry, "do_swap_page", not_tried()),
        hook(Meaning::PinTry, Backend::Kretprobe, "swapcache_prepare", not_tried()),
        hook(Meaning::PinTry, Backend::Kprobe, "swapcache_prepare", not_tried()),
        hook(Meaning::ReadEnd, Backend::Fexit, "swap_read_folio", HookReason::Unknown),
    ];
    assert_eq!(kernel(&json!({"backend": backend, "reasons": reasons})).hooks, hooks);
}

#[test]
fn swap_areas_keep_their_codes() {
    let codes = [("yes", Synchronous::Yes), ("no", Synchronous::No), ("unknown", Synchronous::Unknown)];
    for (code, synchronous) in codes {
        let mut value = json!({"context": {"swaps": [{"path": "/dev/zram0", "synchronous": code}]}});
        header(&mut value);
        let header: Header = serde_json::from_value(value).unwrap();
        assert_eq!(header.context.swaps[0].synchronous, synchronous, "{code}");
    }
}

#[test]
fn every_counter_of_old_samples_is_read() {
    const NAMES: &str = "begun ended installed direct cached none uninstalled spans_noted streamed special read_direct \
        read_cached read_outside pins pin_eexist pin_enoent pin_outside pin_readahead pin_shmem pin_zswap lock_failed \
        lock_own_read freed handed_out written lost_table_full lost_flight_end unknown_end lost_ring_flight \
        lost_ring_entry lost_pin_return lost_write_end lost_watch_full lost_copy outside_pinned outside_cached pin_lost \
        widened widened_short";
    for old in NAMES.split_whitespace() {
        let mut value = json!({"at_ns": 1, "counters": {old: 7}});
        sample(&mut value);
        let stored: Stored = serde_json::from_value(value).unwrap();
        let counters = counters::named(&stored.sample(false).snapshot.counters);
        let counted: Vec<(&str, u64)> =
            counters.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counted, [(code(COUNTERS, old), 7)]);
    }
    assert!(COUNTERS.iter().all(|(old, _)| NAMES.split_whitespace().any(|name| name == *old)));
}

#[test]
fn durations_of_old_samples_are_read() {
    let mut value = json!({"at_ns": 1, "flight_times": {"direct": [1_000, 3], "cached": [], "none": []}});
    sample(&mut value);
    let stored: Stored = serde_json::from_value(value).unwrap();
    let times = stored.sample(true).fault_times.unwrap();
    assert_eq!(times.by_path.map(|histogram| histogram.len()), [3, 0, 0]);
}

#[test]
fn the_counters_in_an_old_header_are_read() {
    let mut value = json!({"part": {"id": "a", "number": 2}, "before": {"at_ns": 1, "counters": {"begun": 7}}});
    header(&mut value);
    let header: Header = serde_json::from_value(value).unwrap();
    assert_eq!(header.before.map(|before| before.sample(false).snapshot.counters.started), Some(7));
}

#[test]
fn every_end_reason_has_its_code() {
    let reasons = [
        ("duration", EndReason::Duration),
        ("command", EndReason::Command),
        ("signal", EndReason::Signal),
        ("onlooker", EndReason::Observer),
    ];
    for (old, reason) in reasons {
        let mut value = json!({"events": 3, "ending": {"vmstat": null, "cost": {}, "command": null, "ended": old}});
        footer(&mut value);
        let footer: Footer = serde_json::from_value(value).unwrap();
        assert_eq!(footer.ending.map(|ending| ending.ended), Some(reason), "{old}");
    }
}

#[test]
fn frames_that_are_no_objects_are_left_alone() {
    for rewrite in [header, sample, footer] {
        for value in [json!(null), json!([1]), json!("begun"), json!({"counters": 1, "context": {"kernel": []}})] {
            let mut rewritten = value.clone();
            rewrite(&mut rewritten);
            assert_eq!(rewritten, value);
        }
    }
}

#[test]
fn a_number_stands_for_one_address() {
    let mut spaces = AddressSpaces::default();
    assert_eq!(spaces.number(0), 0);
    assert_eq!(spaces.number(0xffff_8881_0000_0000), 1);
    assert_eq!(spaces.number(0xffff_8881_0000_0340), 2);
    assert_eq!(spaces.number(0xffff_8881_0000_0000), 1);
    for address in 0..AddressSpaces::MAX as u64 {
        spaces.number(address + 1);
    }
    assert!(spaces.numbers.len() <= AddressSpaces::MAX);
    assert!(spaces.number(0xffff_8881_0000_0000) > 2, "a forgotten address gets a new number");
}
