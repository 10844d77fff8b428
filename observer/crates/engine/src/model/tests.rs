//! What is walked, and what must come out. `cargo test -p observer model:: -- --nocapture` prints the coverage.

use std::time::Instant;

use super::{
    Config, Kernel, WriteHook,
    explore::{self, Coverage},
};

const KERNELS: [Kernel; 4] = [Kernel::Unfixed, Kernel::PinnedTick, Kernel::PinnedQueue, Kernel::NoBypass];

/// The hooks of today's programs.
const fn exact(kernel: Kernel) -> Config {
    Config::still(kernel)
}

/// The same as far as the lean set goes, which notes least of a reader.
const fn lean(kernel: Kernel) -> Config {
    Config { lean: true, ..exact(kernel) }
}

/// The biggest walk: three threads fault, the page is paged out twice, written and dropped from outside.
const fn biggest(config: Config) -> Config {
    Config { faulters: 3, evictions: 2, writes: 1, zaps: 1, ..config }
}

/// Smaller walks, one for each thing that could fool the observer.
fn variants(config: Config) -> Vec<(&'static str, Config)> {
    let two = Config { faults: 2, evictions: 1, writes: 1, ..config };
    vec![
        ("two faults each, dropped from outside", Config { zaps: 1, ..two }),
        ("two faults each, another's page takes entries", Config { writes: 0, strangers: 1, ..two }),
        ("swap nearly full", Config { swap_full: true, zaps: 1, ..two }),
        ("slot cache", Config { slot_cache: true, zaps: 1, ..two }),
        ("both entries on one slot of the filter", Config { shared_slot: true, strangers: 1, faults: 1, ..two }),
        ("shared with a child", Config { forked: true, ..two }),
        ("forks meanwhile", Config { forks: 1, faults: 1, faulters: 3, ..two }),
        ("a reader that reclaims", Config { reclaims: true, ..two }),
    ]
}

/// Walks, prints the coverage, and gives it back.
fn walk(name: &str, config: Config, how: fn(Config) -> Coverage) -> Coverage {
    let started = Instant::now();
    let coverage = how(config);
    let Coverage { states, steps, interleavings, tally } = &coverage;
    println!(
        "{:?}, {name}: {states} states, {steps} steps, {:.2e} interleavings, {} verdicts checked in {:.1?}; true: \
         {} windows, {} reuses, {} stale installs, {} pages lost; {} overlaps, {} waits ({} on the lock)",
        config.kernel,
        *interleavings as f64,
        tally.faults,
        started.elapsed(),
        tally.windows,
        tally.reuses,
        tally.stale_installs,
        tally.lost,
        tally.overlaps,
        tally.waits,
        tally.lock_waits,
    );
    coverage
}

/// Every verdict, overlap and wait as it really was.
fn assert_exact(name: &str, coverage: &Coverage) {
    let tally = &coverage.tally;
    let examples: Vec<&str> = tally.examples.values().map(String::as_str).collect();
    assert_eq!((tally.too_low, tally.too_high, tally.unlike), (0, 0, 0), "{name}: {}", examples.join("\n"));
    assert_eq!(tally.lost_unflagged, 0);
}

fn assert_era(kernel: Kernel, coverage: &Coverage) {
    let tally = &coverage.tally;
    let seen = [tally.windows, tally.reuses, tally.stale_installs, tally.lost];
    if kernel == Kernel::Unfixed {
        assert!(!seen.contains(&0), "the unfixed model must show it all: {seen:?}");
    } else {
        assert_eq!(seen, [0; 4], "{kernel:?} must be safe");
    }
}

fn check_biggest(config: Config) {
    let kernel = config.kernel;
    let coverage = walk("biggest", biggest(config), explore::all);
    assert_exact("biggest", &coverage);
    assert_era(kernel, &coverage);
    assert!(coverage.tally.overlaps > 0);
    // The page's lock is waited for on every kernel, if only while the page is on its way out.
    assert!(coverage.tally.lock_waits > 0);
    assert_eq!(coverage.tally.waits > coverage.tally.lock_waits, kernel != Kernel::NoBypass);
}

/// Two minutes, so `cargo xtask test rest` runs it.
#[test]
#[ignore = "two minutes"]
fn biggest_unfixed() {
    check_biggest(lean(Kernel::Unfixed));
}

#[test]
fn biggest_pinned() {
    check_biggest(exact(Kernel::PinnedTick));
    check_biggest(exact(Kernel::PinnedQueue));
}

#[test]
fn biggest_no_bypass() {
    check_biggest(exact(Kernel::NoBypass));
}

#[test]
fn every_variant_is_exact() {
    for config in KERNELS.map(exact).into_iter().chain([lean(Kernel::Unfixed)]) {
        let kernel = config.kernel;
        for (name, config) in variants(config) {
            let coverage = walk(name, config, explore::all);
            assert_exact(name, &coverage);
            if kernel != Kernel::Unfixed {
                assert_era(kernel, &coverage);
            }
        }
    }
}

/// A large folio's range opens one slot of the filter only, so overlaps with its other entries are not all told: see
/// `docs/model.md`. Verdicts must be right all the same.
#[test]
fn a_large_folio() {
    for kernel in [Kernel::PinnedTick, Kernel::PinnedQueue] {
        let config = Config { large: true, faults: 2, evictions: 1, writes: 1, ..exact(kernel) };
        let coverage = walk("large folio", config, explore::all);
        assert_eq!((coverage.tally.too_low, coverage.tally.too_high), (0, 0), "{:?}", coverage.tally.examples);
        assert_era(kernel, &coverage);
    }
}

/// What the hook on `swap_free` is for: without it, what happens between a reader's install and its return, while others
/// still hold the entry, is charged to the reader.
#[test]
fn without_the_hook_on_the_count_one_gap_is_left() {
    let config = Config { count_hook: false, faulters: 3, evictions: 1, writes: 1, zaps: 1, ..exact(Kernel::Unfixed) };
    let coverage = walk("no hook on the count", config, explore::all);
    let tally = &coverage.tally;
    assert_eq!((tally.too_low, tally.lost_unflagged, tally.unlike), (0, 0, 0), "{:?}", tally.examples);
    assert_eq!(tally.too_high, tally.changed_after, "{:?}", tally.examples);
    assert!(tally.too_high > 0);
    assert_era(Kernel::Unfixed, &coverage);
}

/// Where the return of a write cannot be hooked, a read that falls into the write call is not seen to be stale: the one
/// thing that is missed then.
#[test]
fn without_the_end_of_a_write() {
    let config = Config { write_hook: WriteHook::Entry, faults: 2, evictions: 1, writes: 1, ..exact(Kernel::Unfixed) };
    let tally = walk("ends of writes not told", config, explore::all).tally;
    assert_eq!((tally.too_low, tally.too_high, tally.unlike), (tally.in_write, 0, 0), "{:?}", tally.examples);
    assert!(tally.in_write > 0);
}

/// Nothing merged: each interleaving to its end, the engine fed with all of it.
#[test]
fn every_single_interleaving_of_a_small_world() {
    for kernel in [Kernel::Unfixed, Kernel::NoBypass] {
        let config = Config { evictions: 1, ..exact(kernel) };
        let merged = explore::all(config).interleavings;
        let coverage = walk("small, nothing merged", config, explore::all_unmerged);
        assert_exact("small", &coverage);
        assert_eq!(coverage.interleavings, merged, "merging must not lose interleavings");
    }
}

/// Longer than can be walked: interleavings picked at random, each to its end.
#[test]
fn some_interleavings_of_a_large_world() {
    for kernel in KERNELS {
        let config = Config {
            faulters: 3,
            faults: 4,
            evictions: 4,
            writes: 3,
            zaps: 1,
            strangers: 2,
            swap_full: true,
            ..exact(kernel)
        };
        let coverage = walk("large, at random", config, |config| explore::some(config, 10_000, 0x5eed));
        assert_exact("large", &coverage);
        assert_era(kernel, &coverage);
    }
}
