use super::*;
use crate::{
    counters,
    header::{Footer, Header},
    sample::Stored,
};
use observer_kernel::{errno::Errno, plan::Backend, swaps::Synchronous};
use observer_observation::{Degraded, HookUse, Kernel, ProgramStats};

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

/// Whether the phrases stand for every variant that old files can have.
fn covers<T: Copy + PartialEq>(aliases: Aliases<T>, all: &[T]) -> bool {
    all.iter().all(|variant| aliases.iter().any(|(_, today)| today == variant))
}

#[test]
fn every_state_has_its_code() {
    // Kernels without swap were called vulnerable then.
    let states: Vec<_> = State::ALL.into_iter().filter(|state| *state != State::NoSwap).collect();
    assert!(covers(STATES, &states));
    for (phrase, state) in STATES {
        assert_eq!(kernel(&json!({"state": phrase})).state, *state, "{phrase}");
    }
    assert_eq!(kernel(&json!({"state": ""})).state, State::Unknown);
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
    // Tracepoints on tasks, and tries to add to the swap cache, were not listed then.
    let later = [Meaning::Watch, Meaning::CacheTry];
    let meanings: Vec<_> = Meaning::ALL.into_iter().filter(|meaning| !later.contains(meaning)).collect();
    assert!(covers(MEANINGS, &meanings));
    for (name, meaning) in MEANINGS {
        let hooks = kernel(&json!({"backend": {*name: "kprobe f"}})).hooks;
        assert_eq!(hooks.iter().map(|hook| hook.meaning).collect::<Vec<_>>(), [*meaning], "{name}");
        assert_eq!(gap(name, "", "").meaning, *meaning, "{name}");
    }
    let unchanged = "read_end cache_read pin_try pin_sleep pin_drop pin_path lock_try lock_end count_drop write_end";
    for code in unchanged.split(' ') {
        assert_eq!(gap(code, "", "").meaning.code(), code);
    }
}

#[test]
fn every_consequence_has_its_code() {
    // Of tracepoints on tasks, of return probes with few instances, and of tries to add to the swap cache, nothing was
    // listed then.
    let later = [
        Consequence::CacheSleepsUnattributed,
        Consequence::FaultEndsMissed,
        Consequence::NewTasksUnwatched,
        Consequence::ExecutingThreadsUnwatched,
        Consequence::TasksWatchedTooLong,
        Consequence::OthersFaultsUnwatched,
    ];
    let consequences: Vec<_> = Consequence::ALL.into_iter().filter(|one| !later.contains(one)).collect();
    assert!(covers(CONSEQUENCES, &consequences));
    for (phrase, consequence) in CONSEQUENCES {
        let whole = gap("read_end", "", phrase);
        assert_eq!((whole.consequence, whole.partial), (*consequence, false), "{phrase}");
        let part = gap("read_end", "", &format!("in part: {phrase}"));
        assert_eq!((part.consequence, part.partial), (*consequence, true), "{phrase}");
    }
    assert_eq!(gap("read_end", "", "of another program").consequence, Consequence::Unknown);
}

#[test]
fn every_reason_of_a_hook_has_its_code() {
    for (phrase, cause) in NO_TRAMPOLINE {
        assert_eq!(reason(phrase), HookReason::NoTrampoline { cause: cause.clone() }, "{phrase}");
    }
    let prototype = "vm_fault_t(struct vm_fault *vmf)";
    let accepted = HookReason::TrampolineAccepted { prototype: prototype.to_owned() };
    assert_eq!(reason(&format!("{prototype}: the trampoline takes it")), accepted);
}

#[test]
fn the_kernels_answer_to_a_trial_load_is_kept() {
    let refused = |verifier: Option<&str>| HookReason::NoTrampoline {
        cause: NoTrampoline::Refused {
            refusal: TrialRefusal::Load { errno: Errno(22), verifier: verifier.map(str::to_owned) },
        },
    };
    let line = "The function free_swap_slot arg0 type STRUCT is unsupported.";
    assert_eq!(reason(&format!("the trampoline refuses it (EINVAL, {line})")), refused(Some(line)));
    assert_eq!(reason("the trampoline refuses it (EINVAL)"), refused(None));
}

#[test]
fn every_reason_for_lean_hooks_has_its_code() {
    for (phrase, instead) in INSTEAD {
        let lean = MissingReason::Lean { symbol: "swap_read_folio".to_owned(), instead: *instead };
        assert_eq!(gap("read_end", &format!("--hooks lean leaves out swap_read_folio: {phrase}"), "").reason, lean);
    }
}

#[test]
fn text_without_a_code_is_kept() {
    let text = "the trampoline refuses it (cannot load the program)";
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
        lost_ring_entry lost_pin_return lost_write_end lost_watch_full lost_copy outside_pinned outside_cached \
        pin_lost widened widened_short";
    for old in NAMES.split_whitespace() {
        let mut value = json!({"at_ns": 1, "counters": {old: 7}});
        sample(&mut value);
        let stored: Stored = serde_json::from_value(value).unwrap();
        let counters = counters::named(&stored.sample(false).snapshot.counters);
        let counted: Vec<(&str, u64)> =
            counters.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counted, [(find(COUNTERS, old).unwrap_or(old), 7)]);
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
    let reason = |old: &str| {
        let mut value = json!({"events": 3, "ending": {"vmstat": null, "cost": {}, "command": null, "ended": old}});
        footer(&mut value);
        serde_json::from_value::<Footer>(value).unwrap().ending.unwrap().ended
    };
    for (old, today) in END_REASONS {
        assert_eq!(reason(old), *today);
    }
    for code in ["duration", "command", "signal"] {
        assert_eq!(reason(code).code(), code);
    }
}

#[test]
fn the_overhead_in_an_old_footer_is_read() {
    let cost = json!({"programs": 11, "program_stats": {"refused": "EPERM; it takes CAP_SYS_ADMIN"}});
    let mut value = json!({"events": 3, "ending": {"vmstat": null, "cost": cost, "command": 1, "ended": "signal"}});
    footer(&mut value);
    let overhead = serde_json::from_value::<Footer>(value).unwrap().ending.unwrap().overhead;
    assert_eq!(overhead.programs, 11);
    let refusal = StatsRefusal::Described { text: "EPERM; it takes CAP_SYS_ADMIN".to_owned() };
    assert_eq!(overhead.program_stats, Some(ProgramStats::Refused(refusal)));
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
