//! The kernel that is modelled, its hooks, and how much each actor may do.

/// How the kernel swaps in from a device with synchronous I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// Up to 6.7 without the fix: the swap cache is skipped, without protection.
    Vulnerable,
    /// The swap cache is skipped under the pin. A task that finds it held comes back at any time, as on 6.1, where it
    /// sleeps one tick.
    PinnedTick,
    /// The same, but the task is woken when the pin is dropped (6.12 and later).
    PinnedWaitQueue,
    /// 7.0 and later: the swap cache is never skipped, and the entry is freed as soon as its page is mapped.
    NoBypass,
}

impl Kernel {
    pub(crate) const ALL: [Self; 4] = [Self::Vulnerable, Self::PinnedTick, Self::PinnedWaitQueue, Self::NoBypass];

    pub(crate) const fn pins(self) -> bool {
        matches!(self, Self::PinnedTick | Self::PinnedWaitQueue)
    }
}

/// Which hooks report a write to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteHook {
    /// The entry into `swap_writepage`, before the content changes: where its return cannot be hooked.
    Entry,
    /// Both ends, if a fault was in progress when the write started.
    Both,
}

/// When the hook on an allocation reports it, if a task can be interrupted between hook and effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocationHook {
    /// Before the page can be found in the swap cache: at the entry of `add_to_swap_cache`.
    Before,
    /// After that: at its return.
    After,
}

/// The hooks, as far as the model has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    FaultStart,
    FaultEnd,
    ReadStart,
    ReadEnd,
    PinTry,
    PinDrop,
    LockTry,
    LockEnd,
    /// On vulnerable kernels also a reference that is dropped.
    Freed,
    Allocated,
    WriteStart,
    WriteEnd,
}

impl Hook {
    pub(crate) const ALL: [Self; 12] = [
        Self::FaultStart,
        Self::FaultEnd,
        Self::ReadStart,
        Self::ReadEnd,
        Self::PinTry,
        Self::PinDrop,
        Self::LockTry,
        Self::LockEnd,
        Self::Freed,
        Self::Allocated,
        Self::WriteStart,
        Self::WriteEnd,
    ];
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) kernel: Kernel,
    pub(crate) write_hook: WriteHook,
    pub(crate) allocation_hook: AllocationHook,
    /// Whether tasks can be interrupted where one step otherwise does several things: between reading the PTE, the start
    /// of `do_swap_page`, the look-up in the swap cache, and the look at the entry's count; between the hook on an
    /// allocation and its effect; between the end of a write and the hook on it.
    pub(crate) interrupted: bool,
    /// Whether `swap_free` is hooked: it reports that a fault drops its reference to the entry, just after mapping its
    /// page.
    pub(crate) reference_hook: bool,
    /// Whether the hook on reads records direct reads only after something has changed on a slot with faults in
    /// progress.
    pub(crate) lean: bool,
    /// Threads that fault on the page.
    pub(crate) faulters: usize,
    /// Faults of each thread.
    pub(crate) faults: u8,
    /// Evictions of the page.
    pub(crate) evictions: u8,
    /// Stores to the page.
    pub(crate) writes: u8,
    /// Removals of the page or its entry (`MADV_DONTNEED`, `munmap`).
    pub(crate) zaps: u8,
    /// Forks: the child's PTE shares the entry or the page.
    pub(crate) forks: u8,
    /// Pages of other processes that are swapped out to any free entry.
    pub(crate) other_pages: u8,
    /// Whether a freed entry stays in a per-CPU slot cache and can be allocated only after that has been drained.
    pub(crate) slot_cache: bool,
    /// Whether a page that is mapped from the swap cache is removed from it at once if possible (swap more than half
    /// full).
    pub(crate) swap_full: bool,
    /// Whether all entries share one slot of the filter.
    pub(crate) shared_slot: bool,
    /// Whether the first faulter swaps in both pages at once where it can: a large folio.
    pub(crate) large: bool,
    /// Whether the page is shared with a forked child from the start.
    pub(crate) forked: bool,
    /// Whether the first faulter itself evicts the page, while it allocates its own (direct reclaim).
    pub(crate) reclaims: bool,
    /// The hook that once, at any time, does not run.
    pub(crate) skipped: Option<Hook>,
}

impl Config {
    /// Two threads that fault once each, the hooks of the current programs, and no other actor.
    pub(crate) const fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            write_hook: WriteHook::Both,
            allocation_hook: AllocationHook::After,
            interrupted: false,
            reference_hook: matches!(kernel, Kernel::Vulnerable),
            lean: false,
            faulters: 2,
            faults: 1,
            evictions: 0,
            writes: 0,
            zaps: 0,
            forks: 0,
            other_pages: 0,
            slot_cache: false,
            swap_full: false,
            shared_slot: false,
            large: false,
            forked: false,
            reclaims: false,
            skipped: None,
        }
    }
}
