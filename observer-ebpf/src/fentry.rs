//! Hooks on the BPF trampoline. Each takes its arguments and calls the logic; where a kernel's function has its arguments
//! in other places there is one program for each shape, named after it, and the plan picks one.
//!
//! Contexts are read at constant places only: the verifier refuses a context pointer that has been moved.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{entry, flight, memory::Direct, pin};

/// Does nothing: loaded, never attached, to learn whether this kernel takes such a program on a function.
#[fentry]
pub(crate) fn trial_fentry(_ctx: FEntryContext) -> i32 {
    0
}

/// `do_swap_page(vmf)`.
#[fentry]
pub(crate) fn flight_begin_fentry(ctx: FEntryContext) -> i32 {
    flight::begin::<Direct>(ctx.arg(0));
    0
}

/// `do_swap_page(vmf)` returns.
#[fexit]
pub(crate) fn flight_end_fexit(ctx: FExitContext) -> i32 {
    flight::end::<Direct>(Some(ctx.arg(0)), ctx.arg(1));
    0
}

/// `swap_readpage(page, ..)`, `swap_read_folio(folio, ..)`.
#[fentry]
pub(crate) fn read_begin_fentry(ctx: FEntryContext) -> i32 {
    flight::read_begin::<Direct>(ctx.arg(0));
    0
}

/// The same return.
#[fexit]
pub(crate) fn read_end_fexit(_ctx: FExitContext) -> i32 {
    flight::read_end();
    0
}

/// `swapcache_prepare(entry)` returns.
#[fexit]
pub(crate) fn pin_try_fexit_entry(ctx: FExitContext) -> i32 {
    pin::tried(ctx.arg(0), 1, ctx.arg(1));
    0
}

/// `swapcache_prepare(entry, nr)` returns.
#[fexit]
pub(crate) fn pin_try_fexit_entry_nr(ctx: FExitContext) -> i32 {
    pin::tried(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

/// `swapcache_clear(si, entry, ..)`.
#[fentry]
pub(crate) fn pin_drop_fentry(ctx: FEntryContext) -> i32 {
    pin::dropped(ctx.arg(1));
    0
}

/// `free_swap_slot(entry)`.
#[fentry]
pub(crate) fn freed_fentry_entry(ctx: FEntryContext) -> i32 {
    entry::freed(ctx.arg(0), 1);
    0
}

/// `swap_entry_range_free(si, entry, nr)`.
#[fentry]
pub(crate) fn freed_fentry_si_entry_nr(ctx: FEntryContext) -> i32 {
    entry::freed(ctx.arg(1), ctx.arg(2));
    0
}

/// `swap_entries_free(si, ci, entry, nr)`.
#[fentry]
pub(crate) fn freed_fentry_si_ci_entry_nr(ctx: FEntryContext) -> i32 {
    entry::freed(ctx.arg(2), ctx.arg(3));
    0
}

/// `add_to_swap_cache(folio, entry, gfp, shadowp)`: swap-out passes no `shadowp`, read-ahead does.
#[fentry]
pub(crate) fn handed_out_fentry_cache_add(ctx: FEntryContext) -> i32 {
    if ctx.arg::<u64>(3) == 0 {
        entry::added_to_cache::<Direct>(ctx.arg(0), ctx.arg(1));
    }
    0
}

/// `folio_alloc_swap(folio)` returns 0: the entry is in the folio.
#[fexit]
pub(crate) fn handed_out_fexit_folio(ctx: FExitContext) -> i32 {
    if ctx.arg::<i32>(1) == 0 {
        entry::allocated::<Direct>(ctx.arg(0));
    }
    0
}

/// `folio_alloc_swap(folio, gfp)` returns 0.
#[fexit]
pub(crate) fn handed_out_fexit_folio_gfp(ctx: FExitContext) -> i32 {
    if ctx.arg::<i32>(2) == 0 {
        entry::allocated::<Direct>(ctx.arg(0));
    }
    0
}

/// `swap_writepage(page, ..)`, `swap_writeout(folio, ..)`.
#[fentry]
pub(crate) fn written_fentry(ctx: FEntryContext) -> i32 {
    entry::written::<Direct>(ctx.arg(0));
    0
}
