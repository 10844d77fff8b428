//! A model of the life of a swap entry, and walks over every order in which its actors can step. The engine is fed what
//! the hooks would report, and its report is compared with what happened. See `docs/model.md`.
//!
//! One step of the model is what the kernel does under one lock, or between two locks. Only orders of steps differ, so
//! every interleaving of a real kernel is an interleaving of the model, as far as the model has the actors.
//!
//! `cargo test -p observer-engine --test model -- --nocapture` prints the coverage.

#![expect(clippy::cast_possible_truncation, reason = "the model has a handful of slots, pages and threads")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is a failed test")]
#![expect(clippy::struct_excessive_bools, reason = "states of a kernel's page and slot are bits")]

mod actors;
mod cached;
mod comparison;
mod config;
mod expected;
mod fault;
mod hooks;
mod log;
mod memory;
mod reclaim;
mod schedule;
mod walk;
mod world;

use std::time::Instant;

use config::{AllocationHook, Config, Hook, Kernel, WriteHook};
use walk::Coverage;

/// The lean set of hooks, which records least of a reader.
const fn lean(kernel: Kernel) -> Config {
    Config { lean: true, ..Config::new(kernel) }
}

/// Three threads fault, the page is evicted twice, written once and removed once.
const fn largest(config: Config) -> Config {
    Config { faulters: 3, evictions: 2, writes: 1, zaps: 1, ..config }
}

/// Smaller walks, one for each actor or setting that could mislead the observer.
fn variants(config: Config) -> Vec<(&'static str, Config)> {
    let two = Config { faults: 2, evictions: 1, writes: 1, ..config };
    vec![
        ("two faults each, page removed", Config { zaps: 1, ..two }),
        ("two faults each, another process's page", Config { writes: 0, other_pages: 1, ..two }),
        ("swap nearly full", Config { swap_full: true, zaps: 1, ..two }),
        ("slot cache", Config { slot_cache: true, zaps: 1, ..two }),
        ("both entries on one filter slot", Config { shared_slot: true, other_pages: 1, faults: 1, ..two }),
        ("shared with a child", Config { forked: true, ..two }),
        ("fork", Config { forks: 1, faults: 1, faulters: 3, ..two }),
        ("direct reclaim", Config { reclaims: true, ..two }),
        ("direct reclaim, page removed", Config { reclaims: true, zaps: 1, ..two }),
    ]
}

/// Walks and prints the coverage.
fn cover(name: &str, config: Config, walk: impl Fn(Config) -> Coverage) -> Coverage {
    let started = Instant::now();
    let coverage = walk(config);
    let Coverage { states, steps, interleavings, comparison } = &coverage;
    println!(
        "{:?}, {name}: {states} states, {steps} steps, {:.2e} interleavings, {} verdicts compared in {:.1?}; true: \
         {} windows, {} reuses, {} stale installs, {} data losses; {} overlaps, {} waits ({} for the lock)",
        config.kernel,
        *interleavings as f64,
        comparison.verdicts,
        started.elapsed(),
        comparison.windows,
        comparison.reuses,
        comparison.stale_installs,
        comparison.data_losses,
        comparison.overlaps,
        comparison.waits,
        comparison.lock_waits,
    );
    coverage
}

fn assert_exact(name: &str, coverage: &Coverage) {
    let comparison = &coverage.comparison;
    let examples: Vec<&str> = comparison.examples.values().map(String::as_str).collect();
    let deviations = (comparison.too_low, comparison.too_high, comparison.mismatches);
    assert_eq!(deviations, (0, 0, 0), "{name}: {}", examples.join("\n"));
    assert_eq!(comparison.unflagged_losses, 0, "{name}");
}

/// A vulnerable kernel has every verdict and data loss; every other kernel has none.
fn assert_verdicts_of(kernel: Kernel, coverage: &Coverage) {
    let comparison = &coverage.comparison;
    let counts = [comparison.windows, comparison.reuses, comparison.stale_installs, comparison.data_losses];
    if kernel == Kernel::Vulnerable {
        assert!(!counts.contains(&0), "{counts:?}");
    } else {
        assert_eq!(counts, [0; 4], "{kernel:?}");
    }
}

fn check_largest(config: Config) {
    let kernel = config.kernel;
    let coverage = cover("largest", largest(config), walk::merged);
    assert_exact("largest", &coverage);
    assert_verdicts_of(kernel, &coverage);
    assert!(coverage.comparison.overlaps > 0);
    // Tasks wait for the folio lock on every kernel, at least while the page is being swapped out.
    assert!(coverage.comparison.lock_waits > 0);
    assert_eq!(coverage.comparison.waits > coverage.comparison.lock_waits, kernel != Kernel::NoBypass);
}

/// `cargo xtask test rest` runs it.
#[test]
#[ignore = "takes two minutes"]
fn the_largest_walk_of_a_vulnerable_kernel_is_exact() {
    check_largest(lean(Kernel::Vulnerable));
}

#[test]
fn the_largest_walks_of_pinned_kernels_are_exact() {
    check_largest(Config::new(Kernel::PinnedTick));
    check_largest(Config::new(Kernel::PinnedWaitQueue));
}

#[test]
fn the_largest_walk_of_a_kernel_without_bypass_is_exact() {
    check_largest(Config::new(Kernel::NoBypass));
}

#[test]
fn every_variant_is_exact() {
    for config in Kernel::ALL.map(Config::new).into_iter().chain([lean(Kernel::Vulnerable)]) {
        let kernel = config.kernel;
        for (name, config) in variants(config) {
            let coverage = cover(name, config, walk::merged);
            assert_exact(name, &coverage);
            if kernel != Kernel::Vulnerable {
                assert_verdicts_of(kernel, &coverage);
            }
        }
    }
}

/// A large folio's fault uses one filter slot, so overlaps with faults on its other entries are not all reported.
#[test]
fn verdicts_on_a_large_folio_are_exact() {
    for kernel in [Kernel::PinnedTick, Kernel::PinnedWaitQueue] {
        let config = Config { large: true, faults: 2, evictions: 1, writes: 1, ..Config::new(kernel) };
        let coverage = cover("large folio", config, walk::merged);
        let comparison = &coverage.comparison;
        assert_eq!((comparison.too_low, comparison.too_high), (0, 0), "{:?}", comparison.examples);
        assert_verdicts_of(kernel, &coverage);
    }
}

/// A reader is then charged with changes between its install and its return, if other references keep the entry
/// allocated.
#[test]
fn without_the_hook_on_swap_free_only_changes_after_the_install_raise_verdicts() {
    let config = Config {
        reference_hook: false,
        faulters: 3,
        evictions: 1,
        writes: 1,
        zaps: 1,
        ..Config::new(Kernel::Vulnerable)
    };
    let coverage = cover("no hook on swap_free", config, walk::merged);
    let comparison = &coverage.comparison;
    let others = (comparison.too_low, comparison.unflagged_losses, comparison.mismatches);
    assert_eq!(others, (0, 0, 0), "{:?}", comparison.examples);
    assert_eq!(comparison.too_high, comparison.changed_after, "{:?}", comparison.examples);
    assert!(comparison.too_high > 0);
    assert_verdicts_of(Kernel::Vulnerable, &coverage);
}

/// Where the return of a write cannot be hooked.
#[test]
fn without_the_end_of_writes_only_reads_during_a_write_are_missed() {
    let config =
        Config { write_hook: WriteHook::Entry, faults: 2, evictions: 1, writes: 1, ..Config::new(Kernel::Vulnerable) };
    let comparison = cover("no end of writes", config, walk::merged).comparison;
    let deviations = (comparison.too_low, comparison.too_high, comparison.mismatches);
    assert_eq!(deviations, (comparison.in_write, 0, 0), "{:?}", comparison.examples);
    assert!(comparison.in_write > 0);
}

/// A world in which tasks are interrupted between hooks and effects.
fn interrupted(config: Config) -> Config {
    Config { interrupted: true, faults: 1, evictions: 1, writes: 1, ..config }
}

/// A change that happens to the slot of a write that has ended, before that is reported, lowers verdicts, and is counted.
#[test]
fn interruptions_between_hooks_and_effects_raise_nothing_and_hide_nothing() {
    for config in [Config::new(Kernel::Vulnerable), lean(Kernel::Vulnerable)] {
        for (name, config) in [
            ("interrupted, page removed", Config { zaps: 1, ..interrupted(config) }),
            (
                "interrupted, another page",
                Config { other_pages: 1, writes: 0, faulters: 3, swap_full: true, ..interrupted(config) },
            ),
            ("interrupted, two evictions", Config { evictions: 2, faulters: 3, ..interrupted(config) }),
        ] {
            let coverage = cover(name, config, walk::merged);
            println!("lowered, and counted: {}", coverage.comparison.lowered);
            assert_exact(name, &coverage);
        }
    }
}

/// A fault may then start after the hook and before the page is in the swap cache.
#[test]
fn with_the_hook_on_allocations_before_their_effect_losses_are_missed() {
    let config = Config { allocation_hook: AllocationHook::Before, ..interrupted(Config::new(Kernel::Vulnerable)) };
    let comparison =
        cover("hook before the effect", Config { evictions: 2, faulters: 3, ..config }, walk::merged).comparison;
    assert!(comparison.unflagged_losses > 0);
    assert_eq!(comparison.too_high, 0, "{:?}", comparison.examples);
}

/// Each hook alone, once, at any time. See `docs/model.md`.
#[test]
fn of_hooks_that_do_not_run_few_raise_a_verdict_or_lower_one_silently() {
    for config in Kernel::ALL.map(Config::new).into_iter().chain([lean(Kernel::Vulnerable)]) {
        for hook in Hook::ALL {
            let config = Config { skipped: Some(hook), evictions: 1, writes: 1, zaps: 1, ..config };
            let name = format!("{hook:?} once skipped, lean: {}", config.lean);
            let comparison = cover(&name, config, walk::merged).comparison;
            let (raised, silent) = (comparison.too_high, comparison.lowered_silently);
            println!("lowered, and counted: {}; not counted: {silent}; raised: {raised}", comparison.lowered);
            let is_vulnerable = config.kernel == Kernel::Vulnerable;
            // What was read is then taken for what the entry held before, and nothing that is recorded contradicts it.
            let may_raise = match hook {
                Hook::WriteStart | Hook::WriteEnd => is_vulnerable,
                Hook::ReadStart => config.lean,
                _ => false,
            };
            assert_eq!(raised > 0, may_raise, "{name}: {:?}", comparison.examples);
            // Only the kernel knows, which counts the programs that it skips.
            let may_be_silent = match hook {
                Hook::Freed | Hook::Allocated => is_vulnerable,
                Hook::ReadStart => is_vulnerable && !config.lean,
                _ => false,
            };
            assert_eq!(silent > 0, may_be_silent, "{name}: {:?}", comparison.examples);
        }
    }
}

#[test]
fn merging_states_loses_no_interleaving() {
    for kernel in [Kernel::Vulnerable, Kernel::NoBypass] {
        let config = Config { evictions: 1, ..Config::new(kernel) };
        let merged = walk::merged(config).interleavings;
        let coverage = cover("small, not merged", config, walk::unmerged);
        assert_exact("small", &coverage);
        assert_eq!(coverage.interleavings, merged);
    }
}

/// This world is too large for a complete walk.
#[test]
fn random_interleavings_of_a_large_world_are_exact() {
    for kernel in Kernel::ALL {
        let config = Config {
            faulters: 3,
            faults: 4,
            evictions: 4,
            writes: 3,
            zaps: 1,
            other_pages: 2,
            swap_full: true,
            ..Config::new(kernel)
        };
        let coverage = cover("large, random", config, |config| walk::random(config, 10_000, 0x5eed));
        assert_exact("large", &coverage);
        assert_verdicts_of(kernel, &coverage);
    }
}
