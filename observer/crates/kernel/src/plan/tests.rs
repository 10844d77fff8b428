//! Plans for the kernels of the fixtures, and for kernels changed for one test.

mod lean;

use std::{collections::BTreeSet, fmt::Write as _};

use super::{choose::DIRECT_CALLS, *};
use crate::{
    btf::{Btf, ParamKind},
    errno::Errno,
    fixtures,
    preemption::Preemption,
};

/// The evidence of a kernel, to be changed by a test.
struct Kernel {
    symbols: Symbols,
    btf: Btf,
    trials: Trials,
    skips_running: bool,
    no_kprobes: Option<NoKprobe>,
    no_return_events: Option<NoReturnEvents>,
    copy: bool,
    backends: Backends,
    set: HookSet,
    machine: Machine<'static>,
}

impl Kernel {
    fn new(kernel: &str) -> Self {
        let symbols = fixtures::symbols(kernel, &symbols_of_interest());
        let btf = fixtures::btf(kernel);
        let trials = functions_to_try(&symbols).into_iter().map(|name| (name.to_owned(), trial(kernel, &btf, name)));
        let trials = trials.collect();
        let machine = fixtures::machine(kernel);
        Self {
            symbols,
            btf,
            trials,
            skips_running: true,
            no_kprobes: None,
            no_return_events: None,
            copy: true,
            backends: Backends::Auto,
            set: HookSet::Full,
            machine,
        }
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        let Self { symbols, btf, trials, skips_running, no_kprobes, no_return_events, copy, backends, set, machine } =
            self;
        plan(&Evidence {
            symbols,
            btf,
            trials,
            skips_running: *skips_running,
            no_kprobes: *no_kprobes,
            no_return_events: *no_return_events,
            no_tracepoints: &[],
            copy: *copy,
            backends: *backends,
            set: *set,
            machine: *machine,
        })
    }

    fn refuse_all(mut self) -> Self {
        for outcome in self.trials.values_mut() {
            *outcome = Err(refused(Errno::PERM));
        }
        self
    }

    /// Replaces a function by a copy, as the compiler does.
    fn only_copy(mut self, name: &str) -> Self {
        let symbol = self.symbols.wanted.get_mut(name).unwrap();
        assert!(symbol.is_function());
        symbol.definitions.clear();
        symbol.copies.push(format!("{name}.isra.0"));
        self.trials.remove(name);
        self
    }

    /// A kernel that frees trampolines under tasks that sleep in them (early 5.10.y, 5.11.y): BTF has no
    /// `bpf_tramp_image`.
    fn without_trampoline_images(mut self, kernel: &str) -> Self {
        let (old, new) = (b"\0bpf_tramp_image\0", b"\0bpf_tramp_imag_\0");
        let mut bytes = fixtures::read(kernel, "btf.bin");
        let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
        bytes[at..at + old.len()].copy_from_slice(new);
        self.btf = Btf::parse(bytes).unwrap();
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.symbols.wanted.remove(name);
        self.trials.remove(name);
        self
    }
}

fn refused(errno: Errno) -> TrialRefusal {
    TrialRefusal::Load { errno, verifier: None }
}

/// Why 5.10 refuses functions that take an entry by value.
fn struct_by_value() -> TrialRefusal {
    let verifier = Some("arg type STRUCT is unsupported".to_owned());
    TrialRefusal::Load { errno: Errno(libc::EINVAL), verifier }
}

/// Stands in for the kernel's answer: before 6.0 trampolines accept no struct by value.
fn trial(kernel: &str, btf: &Btf, name: &str) -> Result<(), TrialRefusal> {
    let kernel = kernel.trim_start_matches("arm64/");
    let by_value = btf.function(name).is_some_and(|prototype| {
        prototype.params.iter().any(|param| matches!(param.kind, ParamKind::StructByValue { .. }))
    });
    if kernel.starts_with("5.") && by_value { Err(struct_by_value()) } else { Ok(()) }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// A plan as a table of codes.
fn table(plan: &Plan) -> String {
    let mut text = format!("state     {}\npte       {}\n\n", plan.state.code(), plan.pte.name);
    let offsets = serde_json::to_value(plan.offsets).unwrap();
    for (name, value) in offsets.as_object().unwrap() {
        writeln!(text, "offset    {name:<14} {value}").unwrap();
    }
    text.push('\n');
    for Hook { meaning, symbol, backend, program, reason, .. } in &plan.hooks {
        let (meaning, backend, program, reason) = (meaning.code(), backend.code(), program.name, json(reason));
        writeln!(text, "hook      {meaning:<16}  {backend:<9}  {symbol:<21}  {program}\n{:10}{reason}", "").unwrap();
    }
    for Redundant { hook, instead } in &plan.redundant {
        let (meaning, backend, instead) = (hook.meaning.code(), hook.backend.code(), instead.code());
        writeln!(text, "redundant {meaning:<16}  {backend:<9}  {:<32}  {instead}", hook.symbol).unwrap();
    }
    for Missing { meaning, reason, consequence, partial } in &plan.missing {
        let (part, consequence) = (if *partial { "in part: " } else { "" }, consequence.code());
        writeln!(text, "missing   {:<16}  {part}{consequence}\n{:10}{}", meaning.code(), "", json(reason)).unwrap();
    }
    text
}

fn backends(plan: &Plan, meaning: Meaning) -> Vec<(Backend, &str)> {
    plan.of(meaning).map(|hook| (hook.backend, hook.symbol.as_str())).collect()
}

/// The functions that a meaning could not be hooked on.
fn rejected(gap: &Missing) -> &[Rejection] {
    let MissingReason::Rejected { functions } = &gap.reason else { panic!("{:?}", gap.reason) };
    functions
}

fn refusal(symbol: &str, trampoline: NoTrampoline, kprobe: NoKprobe) -> Rejection {
    Rejection::Refused { symbol: symbol.to_owned(), trampoline, kprobe }
}

fn only_copies(symbol: &str) -> Rejection {
    Rejection::OnlyCopies { symbol: symbol.to_owned(), copies: vec![format!("{symbol}.isra.0")] }
}

fn is_evidence_only(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::Refused { kprobe: NoKprobe::EvidenceOnly, .. })
}

fn misses_returns(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::Refused { kprobe: NoKprobe::MissesReturns, .. })
}

fn missing(plan: &Plan, meaning: Meaning) -> Option<&Missing> {
    plan.missing.iter().find(|missing| missing.meaning == meaning)
}

/// Review a changed plan with `cargo insta review`, or accept it with `INSTA_UPDATE=always`.
#[test]
fn the_plans_of_real_kernels() {
    for kernel in fixtures::KERNELS.into_iter().chain(fixtures::ARM64).chain(fixtures::NOT_BOOTED) {
        for (set, name) in [(HookSet::Full, "plan"), (HookSet::Lean, "plan-lean")] {
            let plan = Kernel { set, ..Kernel::new(kernel) }.plan().unwrap();
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(fixtures::path(kernel, ""));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!(name, table(&plan), kernel));
        }
    }
}

#[test]
fn where_a_preempted_program_is_skipped_kprobes_are_used() {
    let kernel = |preemption| {
        let mut kernel = Kernel::new("7.3.4");
        kernel.machine.preemption = preemption;
        kernel
    };
    let on_kprobes = |kernel: &Kernel| {
        let plan = kernel.plan().unwrap();
        let trampolines = plan.hooks.iter().filter(|hook| hook.backend.is_trampoline()).count();
        assert!(trampolines == 0 || trampolines == plan.hooks.len(), "{}", table(&plan));
        trampolines == 0
    };
    assert!(!on_kprobes(&kernel(Preemption::Off)));
    for preemption in [Preemption::Full, Preemption::Lazy, Preemption::RealTime, Preemption::Unknown] {
        let kernel = kernel(preemption);
        assert!(on_kprobes(&kernel), "{}", preemption.code());
        let reason = HookReason::NoTrampoline { cause: NoTrampoline::Preemptible { preemption } };
        assert!(kernel.plan().unwrap().hooks.iter().all(|hook| hook.reason == reason));
    }
    // Where kprobes are not exact either, or the user wants trampolines, or nothing is skipped.
    let lazy = || kernel(Preemption::Lazy);
    assert!(!on_kprobes(&Kernel { no_return_events: Some(NoReturnEvents::NoTracefs), ..lazy() }));
    assert!(!on_kprobes(&Kernel { no_kprobes: Some(NoKprobe::NotBuilt), ..lazy() }));
    assert!(!on_kprobes(&Kernel { copy: false, ..lazy() }));
    for backends in [Backends::Fentry, Backends::Cheapest] {
        assert!(!on_kprobes(&Kernel { backends, ..lazy() }), "{}", backends.code());
    }
    assert!(!on_kprobes(&Kernel { skips_running: false, ..lazy() }));
}

#[test]
fn where_readers_do_not_pin_an_allocation_is_reported_after_its_effect() {
    let allocated = |kernel: &Kernel| {
        let plan = kernel.plan().unwrap();
        let hooks = plan.of(Meaning::Allocated).map(|hook| (hook.backend, hook.program.name));
        hooks.collect::<Vec<_>>()
    };
    let at_return = [(Backend::Kretprobe, "adding_kretprobe"), (Backend::Kprobe, "adding_kprobe_entry_gfp")];
    assert_eq!(allocated(&Kernel::new("5.10.223")), at_return);
    assert_eq!(allocated(&Kernel::new("arm64/5.10.223")), at_return);
    let few = Kernel { no_return_events: Some(NoReturnEvents::NoTracefs), ..Kernel::new("5.10.223") };
    assert_eq!(allocated(&few), [(Backend::Kprobe, "allocated_kprobe_entry_gfp")]);
    let pinned = Kernel::new("6.1.192");
    assert_eq!(allocated(&pinned), [(Backend::Fentry, "allocated_fentry_entry_gfp")]);
    assert_eq!(allocated(&pinned.without("swapcache_clear")), [(Backend::Fexit, "added_fexit_entry_gfp")]);
}

#[test]
fn ends_of_functions_that_sleep_need_return_probes_with_many_instances() {
    for kernel in fixtures::KERNELS {
        let plan = Kernel::new(kernel).refuse_all().plan().unwrap();
        for meaning in [Meaning::LockEnd, Meaning::WriteEnd] {
            assert!(backends(&plan, meaning).iter().all(|(backend, _)| *backend == Backend::Kretprobe), "{kernel}");
            assert!(plan.has(meaning), "{kernel}");
        }
        let few = Kernel { no_return_events: Some(NoReturnEvents::NoTracefs), ..Kernel::new(kernel).refuse_all() };
        let plan = few.plan().unwrap();
        for meaning in [Meaning::LockEnd, Meaning::WriteEnd] {
            assert!(rejected(missing(&plan, meaning).unwrap()).iter().all(misses_returns), "{kernel}");
        }
        assert!(!plan.has(Meaning::PinPath), "{kernel}");
    }
}

#[test]
fn without_trampolines_only_the_end_of_direct_reads_has_no_kprobe() {
    for kernel in fixtures::KERNELS {
        let plan = Kernel::new(kernel).refuse_all().plan().unwrap();
        assert_eq!(backends(&plan, Meaning::FaultStart), [(Backend::Kprobe, "do_swap_page")], "{kernel}");
        assert_eq!(backends(&plan, Meaning::FaultEnd), [(Backend::Kretprobe, "do_swap_page")], "{kernel}");
        assert!(plan.hooks.iter().all(|hook| !hook.backend.is_trampoline()), "{kernel}");
        match missing(&plan, Meaning::ReadEnd) {
            Some(gap) => assert!(rejected(gap).iter().all(is_evidence_only), "{kernel}: {gap:?}"),
            None => assert!(plan.state == State::NoBypass || !plan.hooks_reads(), "{kernel}"),
        }
    }
    assert!(Kernel::new("5.10.223").refuse_all().plan().unwrap().hooks_reads(), "a kernel where reads are hooked");
}

#[test]
fn a_return_trampoline_is_used_only_where_a_sleeping_task_keeps_it() {
    for kernel in fixtures::KERNELS {
        assert!(
            Kernel::new(kernel).plan().unwrap().hooks.iter().any(|hook| hook.backend == Backend::Fexit),
            "{kernel}"
        );
        let mut fragile = Kernel::new(kernel).without_trampoline_images(kernel);
        let plan = fragile.plan().unwrap();
        assert!(plan.hooks.iter().all(|hook| hook.backend != Backend::Fexit), "{kernel}");
        assert_eq!(backends(&plan, Meaning::FaultStart), [(Backend::Kprobe, "do_swap_page")], "{kernel}");
        let end = plan.of(Meaning::FaultEnd).next().unwrap();
        let reason = HookReason::NoTrampoline { cause: NoTrampoline::FreedUnderSleeper };
        assert_eq!((end.backend, &end.reason), (Backend::Kretprobe, &reason), "{kernel}");
        assert!(
            backends(&plan, Meaning::WriteEnd).iter().all(|(backend, _)| *backend == Backend::Kretprobe),
            "{kernel}"
        );
        fragile.backends = Backends::Fentry;
        let Err(PlanError::NoHook(gap)) = fragile.plan() else {
            panic!("{kernel}: the end of faults has no safe hook")
        };
        let expected = refusal("do_swap_page", NoTrampoline::FreedUnderSleeper, NoKprobe::FentryRequested);
        assert_eq!(rejected(&gap), [expected], "{kernel}");
    }
}

#[test]
fn arm64_has_trampolines_only_where_functions_can_be_diverted() {
    for (kernel, diverts) in fixtures::ARM64.into_iter().zip([false, false, true, true]) {
        let kernel = Kernel::new(kernel);
        assert_eq!(kernel.trials.is_empty(), !diverts, "no trial without trampolines");
        let plan = kernel.plan().unwrap();
        assert!(plan.hooks.iter().all(|hook| hook.backend.is_trampoline() == diverts));
    }
}

#[test]
fn the_pte_layout_of_arm64_follows_from_what_the_kernel_shows() {
    let layout = |kernel: &str, uffd_wp, version| {
        let mut kernel = Kernel::new(kernel);
        kernel.machine = Machine { arch: "aarch64", uffd_wp, version, preemption: Preemption::Off };
        kernel.plan().map(|plan| (plan.pte.type_shift, plan.pte.offset_shift))
    };
    // Without the exclusive bit there is only one layout, so userfaultfd does not matter.
    assert_eq!(layout("arm64/5.10.223", Some(true), None), Ok((2, 8)));
    assert_eq!(layout("arm64/6.1.192", Some(false), Some((6, 12))), Ok((3, 8)), "userfaultfd outweighs the version");
    assert_eq!(layout("arm64/6.12.117", Some(true), Some((6, 1))), Ok((6, 12)));
    assert_eq!(
        layout("arm64/6.12.117", None, Some((6, 12))),
        Ok((6, 12)),
        "the version decides where userfaultfd does not"
    );
    assert_eq!(layout("arm64/6.1.192", None, Some((6, 1))), Ok((3, 8)));
    assert_eq!(layout("arm64/6.1.192", None, None), Err(PlanError::NoLayout(NoPteLayout::Ambiguous)));
    let mut other = Kernel::new("6.12.117");
    other.machine.arch = "riscv64";
    let unknown = NoPteLayout::Architecture("riscv64".to_owned());
    assert_eq!(other.plan().unwrap_err(), PlanError::NoLayout(unknown));
}

#[test]
fn a_forced_backend_is_the_only_one() {
    for kernel in fixtures::KERNELS {
        let mut forced = Kernel::new(kernel);
        forced.backends = Backends::Kprobe;
        let plan = forced.plan().unwrap();
        assert!(plan.hooks.iter().all(|hook| !hook.backend.is_trampoline()), "{kernel}");
        let gaps: Vec<_> = plan.missing.iter().map(|missing| missing.meaning).collect();
        // The end of reads has no return probe. Where reads follow from other hooks, it is not missing.
        let reads_hooked = plan.read_hook().is_some_and(|read| plan.hooks.contains(read));
        let expected: &[Meaning] =
            if reads_hooked && plan.state != State::NoBypass { &[Meaning::ReadEnd] } else { &[] };
        assert_eq!(gaps, expected, "{kernel}");
        forced.backends = Backends::Fentry;
        let plan = forced.plan().unwrap();
        assert!(plan.hooks.iter().all(|hook| hook.backend.is_trampoline()), "{kernel}");
        // Trampolines of 5.10 support no entries by value, those of 6.1 fewer parameters than shmem_swapin_folio has.
        let whole = !kernel.starts_with("5.") && !kernel.starts_with("6.1.");
        assert_eq!(plan.missing.is_empty(), whole, "{kernel}: {:?}", plan.missing);
    }
}

#[test]
fn the_lock_is_hooked_in_its_slow_path() {
    for kernel in fixtures::KERNELS {
        let plan = Kernel::new(kernel).plan().unwrap();
        let symbol = if kernel.starts_with("5.") { "__lock_page_or_retry" } else { "__folio_lock_or_retry" };
        assert_eq!(backends(&plan, Meaning::LockTry), [(Backend::Fentry, symbol)], "{kernel}");
        assert_eq!(backends(&plan, Meaning::LockEnd), [(Backend::Fexit, symbol)], "{kernel}");
    }
    let inlined = Kernel::new("7.3.4").without("__folio_lock_or_retry").plan().unwrap();
    let gap = missing(&inlined, Meaning::LockTry).unwrap();
    assert_eq!(gap.consequence, Consequence::LockWaitsUnseen);
}

#[test]
fn paths_that_pin_are_hooked_where_trampolines_support_their_parameters() {
    let plan = Kernel::new("6.1.192").plan().unwrap();
    let gap = missing(&plan, Meaning::PinPath).unwrap();
    let expected = Rejection::TooManyParameters { symbol: "shmem_swapin_folio".to_owned(), limit: 6 };
    assert_eq!(rejected(gap), [expected]);
    let plan = Kernel::new("6.18.15").plan().unwrap();
    let both = [(Backend::Fentry, "shmem_swapin_folio"), (Backend::Fexit, "shmem_swapin_folio")];
    assert_eq!(backends(&plan, Meaning::PinPath), both);
    assert!(missing(&plan, Meaning::PinPath).is_none(), "this kernel has no zswap");
    let shmem = plan.of(Meaning::PinPath).next().unwrap();
    let zswap = Hook { symbol: "shrink_memcg_cb".to_owned(), ..shmem.clone() };
    assert!(!plan.rests_on(shmem));
    assert!(plan.rests_on(&zswap), "pages that zswap adds would count as reads");
    let newest = Kernel::new("7.3.4").plan().unwrap();
    assert!(backends(&newest, Meaning::PinPath).is_empty(), "this kernel does not pin");
}

#[test]
fn a_forced_backend_that_the_kernel_lacks_is_refused() {
    let mut kernel = Kernel::new("6.12.117");
    (kernel.backends, kernel.no_kprobes) = (Backends::Kprobe, Some(NoKprobe::NotBuilt));
    let Err(PlanError::NoHook(gap)) = kernel.plan() else { panic!("no plan is possible") };
    assert_eq!(rejected(&gap), [refusal("do_swap_page", NoTrampoline::KprobesRequested, NoKprobe::NotBuilt)]);
    let mut kernel = Kernel::new("6.12.117").without(DIRECT_CALLS);
    assert!(kernel.plan().unwrap().hooks.iter().all(|hook| !hook.backend.is_trampoline()));
    kernel.backends = Backends::Fentry;
    let Err(PlanError::NoHook(gap)) = kernel.plan() else { panic!("no plan is possible") };
    assert_eq!(rejected(&gap), [refusal("do_swap_page", NoTrampoline::NoDirectCalls, NoKprobe::FentryRequested)]);
}

#[test]
fn a_return_probe_that_needs_arguments_brings_a_probe_at_entry() {
    let plan = Kernel::new("6.12.117").refuse_all().plan().unwrap();
    let expected = [(Backend::Kretprobe, "swapcache_prepare"), (Backend::Kprobe, "swapcache_prepare")];
    assert_eq!(backends(&plan, Meaning::PinTry), expected);
    assert_eq!(plan.of(Meaning::PinTry).last().unwrap().program.name, "pin_try_kprobe_entry_nr");
    let plan = Kernel::new("6.1.192").refuse_all().plan().unwrap();
    assert_eq!(plan.of(Meaning::PinTry).last().unwrap().program.name, "pin_try_kprobe_entry");
}

#[test]
fn without_both_backends_no_plan_is_possible() {
    let mut kernel = Kernel::new("6.18.15").refuse_all();
    kernel.no_kprobes = Some(NoKprobe::NotBuilt);
    let Err(PlanError::NoHook(gap)) = kernel.plan() else { panic!("no plan is possible") };
    assert_eq!(gap.meaning, Meaning::FaultStart);
    let refused = NoTrampoline::Refused { refusal: refused(Errno::PERM) };
    assert_eq!(rejected(&gap), [refusal("do_swap_page", refused, NoKprobe::NotBuilt)]);
}

#[test]
fn programs_that_copy_are_not_planned_where_copying_is_forbidden() {
    let mut kernel = Kernel::new("6.18.15");
    kernel.copy = false;
    let plan = kernel.plan().unwrap();
    assert_eq!(plan.missing.len(), 1, "{:?}", plan.missing);
    let gap = missing(&plan, Meaning::WriteStart).unwrap();
    let expected = refusal("swap_writeout", NoTrampoline::NoMemoryCopy, NoKprobe::NoMemoryCopy);
    assert_eq!(rejected(gap), [expected]);
    assert_eq!((plan.offsets.copy, plan.offsets.page_order), (false, 0));

    let mut kernel = Kernel::new("5.10.223");
    kernel.copy = false;
    let plan = kernel.plan().unwrap();
    let gaps: Vec<_> = plan.missing.iter().map(|missing| missing.meaning).collect();
    assert_eq!(gaps, [Meaning::PinTry, Meaning::Allocated]);
    let refused = NoTrampoline::Refused { refusal: struct_by_value() };
    let expected = refusal("add_to_swap_cache", refused, NoKprobe::NoMemoryCopy);
    assert_eq!(rejected(missing(&plan, Meaning::Allocated).unwrap()), [expected]);
    assert!(plan.hooks.iter().all(|hook| hook.backend.is_trampoline()));
}

#[test]
fn a_function_of_which_only_a_copy_is_left_is_missing() {
    let plan = Kernel::new("6.18.15").only_copy("swapcache_clear").plan().unwrap();
    let gap = missing(&plan, Meaning::PinDrop).unwrap();
    assert_eq!(rejected(gap), [only_copies("swapcache_clear")]);
    assert_eq!((gap.consequence, gap.partial), (Consequence::PinHoldsUnknown, false));
    assert_eq!(backends(&plan, Meaning::Freed), [(Backend::Fentry, "swap_entries_free")], "no longer redundant");
}

#[test]
fn copies_beside_a_function_are_a_partial_gap() {
    for kernel in fixtures::KERNELS {
        let mut kernel = Kernel::new(kernel);
        kernel.symbols.wanted.get_mut("do_swap_page").unwrap().copies.push("do_swap_page.part.0".to_owned());
        let plan = kernel.plan().unwrap();
        assert!(plan.has(Meaning::FaultStart) && plan.has(Meaning::FaultEnd));
        for meaning in [Meaning::FaultStart, Meaning::FaultEnd] {
            let gap = missing(&plan, meaning).unwrap();
            let copies = vec!["do_swap_page.part.0".to_owned()];
            assert_eq!(rejected(gap), [Rejection::CopiesBeside { symbol: "do_swap_page".to_owned(), copies }]);
            assert_eq!((gap.consequence, gap.partial), (Consequence::FaultsMissed, true));
        }
    }
}

/// The functions that the plan of a kernel hooks.
fn hooked(plan: &Plan) -> BTreeSet<String> {
    plan.hooks.iter().map(|hook| hook.symbol.clone()).collect()
}

#[test]
fn no_copy_of_a_hooked_function_goes_unnoticed() {
    for kernel in fixtures::KERNELS {
        for symbol in hooked(&Kernel::new(kernel).plan().unwrap()) {
            for suffix in [".isra.0", ".constprop.0", ".part.0", ".constprop.0.isra.0", ".part.0.llvm.7"] {
                let mut changed = Kernel::new(kernel);
                let copy = format!("{symbol}{suffix}");
                changed.symbols.wanted.get_mut(&symbol).unwrap().copies.push(copy.clone());
                let plan = changed.plan().unwrap();
                let is_named = |rejection: &Rejection| matches!(rejection, Rejection::CopiesBeside { symbol: of, copies } if *of == symbol && copies.contains(&copy));
                let noticed = plan.missing.iter().any(|gap| {
                    matches!(&gap.reason, MissingReason::Rejected { functions } if functions.iter().any(is_named))
                });
                assert!(noticed || !hooked(&plan).contains(&symbol), "{kernel}: {copy}");
            }
        }
    }
}

#[test]
fn no_function_whose_name_is_that_of_another_is_hooked() {
    for kernel in fixtures::KERNELS {
        for symbol in hooked(&Kernel::new(kernel).plan().unwrap()) {
            let mut changed = Kernel::new(kernel);
            changed.symbols.wanted.get_mut(&symbol).unwrap().definitions.push('t');
            match changed.plan() {
                Ok(plan) => assert!(!hooked(&plan).contains(&symbol), "{kernel}: {symbol}"),
                Err(error) => assert!(matches!(error, PlanError::NoHook(_)), "{kernel}: {symbol}: {error:?}"),
            }
        }
    }
}

#[test]
fn hooks_that_see_a_part_stand_in_for_no_other() {
    let mut kernel = Kernel::new("6.12.117");
    assert!(!kernel.plan().unwrap().hooks_reads());
    kernel.symbols.wanted.get_mut("swapin_readahead").unwrap().copies.push("swapin_readahead.isra.0".to_owned());
    assert!(kernel.plan().unwrap().hooks_reads(), "reads no longer follow from the swap cache");
    let mut kernel = Kernel::new("6.12.117");
    kernel.symbols.wanted.get_mut("swapcache_prepare").unwrap().copies.push("swapcache_prepare.part.0".to_owned());
    let plan = kernel.plan().unwrap();
    assert!(plan.has(Meaning::PinSleep) && plan.has(Meaning::PinTry), "the sleep shows what the copies hide");
}

#[test]
fn a_name_of_several_functions_is_not_hooked() {
    let mut kernel = Kernel::new("5.10.223");
    kernel.symbols.wanted.get_mut("swap_writepage").unwrap().definitions.push('t');
    let plan = kernel.plan().unwrap();
    let gap = missing(&plan, Meaning::WriteStart).unwrap();
    let ambiguous = Rejection::Ambiguous { symbol: "swap_writepage".to_owned(), functions: 2 };
    assert!(rejected(gap).contains(&ambiguous), "{gap:?}");
    assert!(missing(&plan, Meaning::WriteEnd).is_some());
}

#[test]
fn a_renamed_function_is_hooked_by_the_name_that_the_backend_finds() {
    let renamed = |kernel: Kernel| {
        let mut kernel = kernel;
        let symbol = kernel.symbols.wanted.get_mut("swap_read_folio").unwrap();
        symbol.renamed = Some("swap_read_folio.llvm.7".to_owned());
        let plan = kernel.without("swapin_readahead").plan().unwrap();
        let hook = plan.of(Meaning::ReadStart).next().unwrap().clone();
        (hook.attach_to(hook.backend).to_owned(), hook.symbol)
    };
    let plain = "swap_read_folio".to_owned();
    assert_eq!(renamed(Kernel::new("6.12.117")), (plain.clone(), plain.clone()));
    assert_eq!(renamed(Kernel::new("6.12.117").refuse_all()), ("swap_read_folio.llvm.7".to_owned(), plain));
}

#[test]
fn a_missing_half_of_a_pair_of_functions_is_a_partial_gap() {
    let plan = Kernel::new("6.12.117").only_copy("swap_entry_range_free").only_copy("swapcache_clear").plan().unwrap();
    assert_eq!(backends(&plan, Meaning::Freed), [(Backend::Fentry, "free_swap_slot")]);
    let gap = missing(&plan, Meaning::Freed).unwrap();
    assert_eq!(rejected(gap), [only_copies("swap_entry_range_free")]);
    assert!(gap.partial);
    assert!(missing(&Kernel::new("6.1.192").plan().unwrap(), Meaning::Freed).is_none(), "it has no other half");
}

#[test]
fn a_function_that_is_absent_or_not_in_the_btf_is_missing() {
    let plan = Kernel::new("5.10.223").without("swap_readpage").plan().unwrap();
    let gap = missing(&plan, Meaning::ReadStart).unwrap();
    let absent = |symbol: &str| Rejection::Absent { symbol: symbol.to_owned() };
    assert_eq!(rejected(gap), [absent("swap_read_folio"), absent("swap_readpage")]);
    let mut kernel = Kernel::new("6.12.117").without("swapin_readahead");
    kernel.btf = fixtures::btf("5.10.223");
    let plan = kernel.plan().unwrap();
    let expected = Rejection::NotInBtf { symbol: "swap_read_folio".to_owned() };
    assert_eq!(rejected(missing(&plan, Meaning::ReadStart).unwrap()), [expected]);
    assert!(missing(&plan, Meaning::PinTry).is_none(), "int(swp_entry_t) fits as well as int(swp_entry_t, int)");
}

#[test]
fn kprobes_that_are_switched_off_are_not_planned() {
    let mut kernel = Kernel::new("5.10.223");
    kernel.no_kprobes = Some(NoKprobe::SwitchedOff);
    let plan = kernel.plan().unwrap();
    let refused = NoTrampoline::Refused { refusal: struct_by_value() };
    let expected = refusal("add_to_swap_cache", refused, NoKprobe::SwitchedOff);
    assert_eq!(rejected(missing(&plan, Meaning::Allocated).unwrap()), [expected]);
}

#[test]
fn a_backported_fix_shows_in_the_symbols() {
    let state = |kernel: &Kernel| state(&kernel.symbols, None);
    let mut kernel = Kernel::new("5.10.223");
    assert_eq!(state(&kernel), State::Vulnerable);
    kernel.symbols.wanted.get_mut("swapcache_clear").unwrap().definitions.push('T');
    assert_eq!(state(&kernel), State::PinnedTick);
    kernel.symbols.wanted.get_mut("swapcache_wq").unwrap().definitions.push('t');
    assert_eq!(state(&kernel), State::PinnedWaitQueue);
    assert_eq!(kernel.plan().unwrap().state, State::PinnedWaitQueue);
    assert_eq!(state(&Kernel::new("6.1.192").only_copy("swapcache_clear")), State::PinnedTick, "a copy counts");
    let reverted = Kernel::new("6.1.192").without("swapcache_clear");
    assert_eq!(state(&reverted), State::Vulnerable, "a 6.1 without the fix");
    assert_eq!(reverted.plan().unwrap().state, State::Vulnerable);
    let unlisted = Kernel::new("6.12.117").without("swapcache_wq").without("swap_info");
    assert_eq!(state(&unlisted), State::Pinned, "it lists no variables, so how it waits is unknown");
    assert_eq!(state(&kernel.without("do_swap_page")), State::Unknown, "it does not list its functions");
}

#[test]
fn a_fix_that_was_inlined_shows_in_the_wait_queue_or_the_types() {
    let inlined = |kernel: &str| Kernel::new(kernel).without("swapcache_clear");
    let queue = inlined("6.12.117");
    assert_eq!(state(&queue.symbols, None), State::PinnedWaitQueue, "its variable is listed");
    let types = inlined("6.12.117").without("swapcache_wq").without("swap_info");
    assert_eq!(state(&types.symbols, Some(&types.btf)), State::Pinned, "swapcache_prepare takes a range");
    assert_eq!(types.plan().unwrap().state, State::Pinned);
}

#[test]
fn without_evidence_a_kernel_optimized_at_link_time_is_unknown() {
    let mut kernel = Kernel::new("6.1.192").without("swapcache_clear");
    assert_eq!(kernel.plan().unwrap().state, State::Vulnerable, "files are compiled apart");
    kernel.symbols.link_time_optimized = true;
    let plan = kernel.plan().unwrap();
    assert_eq!(plan.state, State::Unknown);
    // What verdicts need if it is vulnerable is hooked, and nothing is taken for granted.
    for meaning in [Meaning::ReadStart, Meaning::Freed, Meaning::Allocated, Meaning::WriteStart, Meaning::PinTry] {
        assert!(plan.has(meaning), "{}", meaning.code());
    }
    assert!(plan.has(Meaning::CountDrop) || plan.reports_every_reference());
    assert!(!plan.assumes_pins());
    kernel.set = HookSet::Lean;
    let plan = kernel.plan().unwrap();
    for meaning in [Meaning::ReadStart, Meaning::Freed, Meaning::Allocated, Meaning::PinTry] {
        assert!(plan.has(meaning), "lean: {}", meaning.code());
    }
}

#[test]
fn a_kernel_without_swap_is_not_vulnerable_and_lacks_no_hook() {
    let mut kernel = Kernel::new("6.1.192");
    kernel.symbols.wanted.retain(|name, _| [DIRECT_CALLS, "do_swap_page"].contains(&name.as_str()));
    assert_eq!(state(&kernel.symbols, Some(&kernel.btf)), State::NoSwap);
    let plan = kernel.plan().unwrap();
    assert_eq!((plan.state, plan.hooks.len()), (State::NoSwap, 2));
    assert!(plan.missing.is_empty(), "{:?}", plan.missing);
    kernel.symbols.link_time_optimized = true;
    assert_eq!(state(&kernel.symbols, None), State::Unknown, "they may all be inlined");
}

#[test]
fn redundant_hooks_are_not_attached() {
    let redundant =
        |kernel: &Kernel| kernel.plan().unwrap().redundant.iter().map(|redundant| redundant.hook.meaning).collect();
    let all: Vec<Meaning> = redundant(&Kernel::new("6.12.117"));
    let sleeps = [Meaning::CacheTry, Meaning::PinSleep];
    let releases = [Meaning::Freed, Meaning::Freed];
    assert_eq!(all, [&[Meaning::ReadStart, Meaning::ReadEnd][..], &sleeps, &releases].concat());
    assert!(Kernel::new("6.12.117").plan().unwrap().knows_reads());
    // The same on kprobes, where reads have no return probe anyway.
    let kprobes: Vec<Meaning> = redundant(&Kernel::new("6.12.117").refuse_all());
    assert_eq!(kprobes, [&[Meaning::ReadStart][..], &sleeps, &releases].concat());
    // zswap adds pages to the swap cache that are not read.
    let mut zswap = Kernel::new("6.12.117");
    zswap.symbols.wanted.get_mut("zswap_load").unwrap().definitions.push('T');
    assert_eq!(backends(&zswap.plan().unwrap(), Meaning::ReadStart), [(Backend::Fentry, "swap_read_folio")]);
    // Reads do not follow without the hook on the swap cache.
    let inlined = Kernel::new("6.12.117").without("swapin_readahead").plan().unwrap();
    assert_eq!(backends(&inlined, Meaning::ReadStart), [(Backend::Fentry, "swap_read_folio")]);
    // Without a pin every release matters; one trampoline reports references too.
    let plan = Kernel::new("5.10.223").plan().unwrap();
    assert_eq!(backends(&plan, Meaning::Freed), [(Backend::Fexit, "__swap_entry_free_locked")]);
    let redundant = plan.redundant.iter().map(|redundant| redundant.hook.meaning);
    assert_eq!(redundant.collect::<Vec<_>>(), [Meaning::CacheRead, Meaning::CountDrop]);
    let refused = Kernel::new("5.10.223").refuse_all().plan().unwrap();
    assert_eq!(backends(&refused, Meaning::Freed), [(Backend::Kprobe, "free_swap_slot")]);
    assert_eq!(backends(&refused, Meaning::CountDrop), [(Backend::Kprobe, "swap_free")]);
}

#[test]
fn a_return_probe_with_few_instances_at_the_end_of_faults_is_a_gap() {
    let cause = NoReturnEvents::NoTracefs;
    let gap = |kernel: &str, backends| {
        let kernel = Kernel { no_return_events: Some(cause), backends, ..Kernel::new(kernel) };
        kernel.plan().unwrap().missing.into_iter().find(|gap| gap.meaning == Meaning::FaultEnd)
    };
    let reason = MissingReason::FewInstances { symbol: "do_swap_page".to_owned(), cause };
    let expected =
        Missing { meaning: Meaning::FaultEnd, reason, consequence: Consequence::FaultEndsMissed, partial: true };
    assert_eq!(gap("6.12.117", Backends::Kprobe), Some(expected.clone()));
    assert_eq!(gap("arm64/5.10.223", Backends::Auto), Some(expected));
    assert_eq!(gap("6.12.117", Backends::Auto), None, "no return probe there");
    let possible = Kernel { backends: Backends::Kprobe, ..Kernel::new("6.12.117") }.plan().unwrap();
    assert!(possible.missing.iter().all(|gap| gap.meaning != Meaning::FaultEnd));
}
