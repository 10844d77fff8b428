//! A model of a swap entry's life, and a walk over every order in which its threads can step: the engine is fed with what
//! the hooks would tell, and its verdicts are compared with what really happened. See `docs/model.md`.
//!
//! One step of the model is what the kernel does under one lock, or between two: only orders of steps differ, so every
//! interleaving of a real kernel is one of the model's, as far as the model's actors go.

#![expect(clippy::cast_possible_truncation, reason = "the model has a handful of slots, pages and threads")]
#![expect(clippy::struct_excessive_bools, reason = "states of a kernel's page and slot are bits")]

mod cached;
mod check;
mod evict;
mod explore;
mod fault;
mod hooks;
mod log;
mod tests;
mod world;

/// How the kernel at hand swaps in from a device that reads synchronously.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    /// Up to 6.7 without the fix: past the swap cache, unprotected.
    Unfixed,
    /// Past the swap cache under the pin; who loses it comes back at any time (6.1: after a tick, whatever the pin does).
    PinnedTick,
    /// The same, but who loses it is woken when the pin is dropped (6.12 on).
    PinnedQueue,
    /// From 7.0 on: through the swap cache always, the entry released as soon as the page is mapped.
    NoBypass,
}

impl Kernel {
    const fn pins(self) -> bool {
        matches!(self, Self::PinnedTick | Self::PinnedQueue)
    }
}

/// Which hooks tell of a write to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteHook {
    /// One as `swap_writepage` is entered, before the content changes: where its return cannot be hooked.
    Entry,
    /// Both, where a fault was open as the write started.
    Both,
}

/// Who takes part, and how much each may do.
#[derive(Clone, Copy, Debug)]
struct Config {
    kernel: Kernel,
    write_hook: WriteHook,
    /// Whether a hook tells when a fault gives up its own reference, just after mapping its page.
    count_hook: bool,
    /// Whether the hook on reads notes those past the swap cache only where something has changed meanwhile.
    lean: bool,
    /// Threads that fault on the page.
    faulters: usize,
    /// Faults of each of them at most.
    faults: u8,
    /// Times the page may be paged out.
    evictions: u8,
    /// Times its content may change.
    writes: u8,
    /// Times it may be dropped from outside (`MADV_DONTNEED`, `munmap`).
    zaps: u8,
    /// Forks: the child's PTE shares the entry or the page.
    forks: u8,
    /// Pages of others that may be paged out, to any free entry.
    strangers: u8,
    /// Whether a freed entry is parked (per-CPU slot cache) and can be allocated only once that has been drained.
    slot_cache: bool,
    /// Whether a page mapped from the swap cache is taken out of it at once, where it can be (swap more than half full).
    swap_full: bool,
    /// Whether all entries share one slot of the filter.
    shared_slot: bool,
    /// The first faulter swaps in both pages at once where it can: a large folio.
    large: bool,
    /// The page is shared with a forked child from the start.
    forked: bool,
    /// Paging out is done by the first faulter itself, while it allocates its page (direct reclaim).
    reclaims: bool,
}

impl Config {
    /// Nobody does anything.
    const fn still(kernel: Kernel) -> Self {
        Self {
            kernel,
            write_hook: WriteHook::Both,
            count_hook: matches!(kernel, Kernel::Unfixed),
            lean: false,
            faulters: 2,
            faults: 1,
            evictions: 0,
            writes: 0,
            zaps: 0,
            forks: 0,
            strangers: 0,
            slot_cache: false,
            swap_full: false,
            shared_slot: false,
            large: false,
            forked: false,
            reclaims: false,
        }
    }
}
