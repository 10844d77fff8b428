//! Hooks on the BPF trampoline. Each takes its arguments and calls the logic. Where kernels differ in the order of a
//! function's arguments there is one program for each order, named after it, and the plan selects one.
//!
//! Contexts are read at constant offsets only: the verifier refuses a context pointer with a variable offset.

use aya_ebpf::{
    EbpfContext,
    helpers::generated::bpf_get_func_arg,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{
    entry, fault_end, fault_start, folio_lock,
    memory::{HelperCopy, TypedLoad},
    pin, pin_path, read,
};

/// Does nothing and is never attached. User space loads it to find out whether the kernel allows fentry on a function.
#[fentry]
pub(crate) fn trial_fentry(_ctx: FEntryContext) -> i32 {
    0
}

/// `do_swap_page(vmf)`.
#[fentry]
pub(crate) fn fault_start_fentry(ctx: FEntryContext) -> i32 {
    fault_start::start::<TypedLoad>(ctx.arg(0));
    0
}

/// `do_swap_page(vmf)` returns.
#[fexit]
pub(crate) fn fault_end_fexit(ctx: FExitContext) -> i32 {
    fault_end::end::<TypedLoad>(Some(ctx.arg(0)), ctx.arg(1));
    0
}

/// `swap_readpage(page, ..)`, `swap_read_folio(folio, ..)`.
#[fentry]
pub(crate) fn read_start_fentry(ctx: FEntryContext) -> i32 {
    read::start::<TypedLoad>(ctx.arg(0));
    0
}

/// `swap_read_folio(ctx, folio)`.
#[fentry]
pub(crate) fn read_start_fentry_ctx_folio(ctx: FEntryContext) -> i32 {
    read::start::<TypedLoad>(ctx.arg(1));
    0
}

/// `swap_readpage`, `swap_read_folio` return.
#[fexit]
pub(crate) fn read_end_fexit(_ctx: FExitContext) -> i32 {
    read::end();
    0
}

/// `swapin_readahead(entry, ..)`.
#[fentry]
pub(crate) fn cache_read_fentry(_ctx: FEntryContext) -> i32 {
    read::through_cache();
    0
}

/// `__read_swap_cache_async(entry, ..)`.
#[fentry]
pub(crate) fn cache_try_fentry(ctx: FEntryContext) -> i32 {
    read::cache_try(ctx.arg(0));
    0
}

/// `schedule_timeout_uninterruptible(timeout)`.
#[fentry]
pub(crate) fn pin_sleep_fentry(ctx: FEntryContext) -> i32 {
    pin::slept(ctx.arg(0));
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

/// `swapcache_clear(si, entry)`.
#[fentry]
pub(crate) fn pin_drop_fentry_si_entry(ctx: FEntryContext) -> i32 {
    pin::dropped(ctx.arg(1), 1);
    0
}

/// `swapcache_clear(si, entry, nr)`.
#[fentry]
pub(crate) fn pin_drop_fentry_si_entry_nr(ctx: FEntryContext) -> i32 {
    pin::dropped(ctx.arg(1), ctx.arg(2));
    0
}

/// `shmem_swapin_folio(..)`.
#[fentry]
pub(crate) fn pin_path_shmem_fentry(_ctx: FEntryContext) -> i32 {
    pin_path::enter(pin_path::SHMEM);
    0
}

/// `shmem_swapin_folio(..)` returns.
#[fexit]
pub(crate) fn pin_path_shmem_fexit(_ctx: FExitContext) -> i32 {
    pin_path::leave(pin_path::SHMEM);
    0
}

/// `shrink_memcg_cb(..)`.
#[fentry]
pub(crate) fn pin_path_zswap_fentry(_ctx: FEntryContext) -> i32 {
    pin_path::enter(pin_path::ZSWAP);
    0
}

/// `shrink_memcg_cb(..)` returns.
#[fexit]
pub(crate) fn pin_path_zswap_fexit(_ctx: FExitContext) -> i32 {
    pin_path::leave(pin_path::ZSWAP);
    0
}

/// `__folio_lock_or_retry(folio, vmf)`.
#[fentry]
pub(crate) fn lock_try_fentry_page_fault(ctx: FEntryContext) -> i32 {
    folio_lock::wait_started::<TypedLoad>(ctx.arg(0), || fault_start::space::<TypedLoad>(ctx.arg(1)));
    0
}

/// `__folio_lock_or_retry(folio, mm, flags)`, `__lock_page_or_retry(page, mm, flags)`.
#[fentry]
pub(crate) fn lock_try_fentry_page_mm(ctx: FEntryContext) -> i32 {
    folio_lock::wait_started::<TypedLoad>(ctx.arg(0), || ctx.arg(1));
    0
}

/// `__folio_lock_or_retry`, `__lock_page_or_retry` return.
#[fexit]
pub(crate) fn lock_end_fexit(_ctx: FExitContext) -> i32 {
    folio_lock::wait_ended();
    0
}

/// `swap_free(entry)`.
#[fentry]
pub(crate) fn count_drop_fentry_entry(ctx: FEntryContext) -> i32 {
    entry::reference_dropped(ctx.arg(0), 1);
    0
}

/// `swap_free_nr(entry, nr)`.
#[fentry]
pub(crate) fn count_drop_fentry_entry_nr(ctx: FEntryContext) -> i32 {
    entry::reference_dropped(ctx.arg(0), ctx.arg(1));
    0
}

/// `__swap_entry_free_locked(si, offset, usage)` returns the entry's remaining count.
#[fexit]
pub(crate) fn freed_fexit_si_offset_usage(ctx: FExitContext) -> i32 {
    // Both are `unsigned char`; a context is read in whole registers, whose upper bits are undefined.
    let (usage, left): (u64, u64) = (ctx.arg(2), ctx.arg(3));
    entry::reference_dropped_in_area::<TypedLoad>(ctx.arg(0), ctx.arg(1), usage as u8, left as u8);
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

/// `swap_entries_free(si, ci, offset, nr)`.
#[fentry]
pub(crate) fn freed_fentry_si_ci_offset_nr(ctx: FEntryContext) -> i32 {
    entry::freed_in_area::<TypedLoad>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

/// `__swap_cluster_free_entries(si, ci, ci_start, nr)`.
#[fentry]
pub(crate) fn freed_fentry_si_ci_start_nr(ctx: FEntryContext) -> i32 {
    entry::freed_in_cluster::<TypedLoad>(ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3));
    0
}

/// `__swap_cache_add_folio(ci, folio, entry)`.
#[fentry]
pub(crate) fn allocated_fentry_ci_folio_entry(ctx: FEntryContext) -> i32 {
    entry::added_to_cache_if_up_to_date::<TypedLoad>(ctx.arg(1), ctx.arg(2));
    0
}

/// `add_to_swap_cache(folio, entry, gfp, shadowp)`.
#[fentry]
pub(crate) fn allocated_fentry_entry_gfp(ctx: FEntryContext) -> i32 {
    if shadowp_is_null(&ctx, 3) {
        entry::added_to_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    } else {
        read::into_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    }
    0
}

/// `add_to_swap_cache(folio, entry, gfp, shadowp)` returns.
#[fexit]
pub(crate) fn added_fexit_entry_gfp(ctx: FExitContext) -> i32 {
    if !shadowp_is_null(&ctx, 3) {
        read::into_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    } else if ctx.arg::<i32>(4) == 0 {
        entry::added_to_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    }
    0
}

/// `swap_cache_add_folio(folio, entry, shadowp)`.
#[fentry]
pub(crate) fn allocated_fentry_entry(ctx: FEntryContext) -> i32 {
    if shadowp_is_null(&ctx, 2) {
        entry::added_to_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    } else {
        read::into_cache::<TypedLoad>(ctx.arg(0), ctx.arg(1));
    }
    0
}

/// Whether argument `n`, `shadowp`, is null: swap-out passes null, swap-in does not. The verifier does not allow a
/// pointer to a pointer to be read from the context. The helper exists since 5.17, before the trampoline took entries
/// by value.
#[inline(always)]
fn shadowp_is_null(ctx: &impl EbpfContext, n: u32) -> bool {
    let mut shadowp = 0u64;
    // SAFETY: `ctx` is the context of a tracing program, and `shadowp` has room for one register.
    let error = unsafe { bpf_get_func_arg(ctx.as_ptr(), n, &raw mut shadowp) };
    error == 0 && shadowp == 0
}

/// `swap_writepage(page, ..)`.
#[fentry]
pub(crate) fn write_start_fentry_page(ctx: FEntryContext) -> i32 {
    entry::write_started::<TypedLoad, TypedLoad>(ctx.arg(0));
    0
}

/// `swap_writeout(folio, ..)`. `private` of a folio is a pointer to the verifier, which does not let it be used as a
/// number, so it is copied.
#[fentry]
pub(crate) fn write_start_fentry_folio(ctx: FEntryContext) -> i32 {
    entry::write_started::<TypedLoad, HelperCopy>(ctx.arg(0));
    0
}

/// `swap_writeout(ctx, folio)`.
#[fentry]
pub(crate) fn write_start_fentry_ctx_folio(ctx: FEntryContext) -> i32 {
    entry::write_started::<TypedLoad, HelperCopy>(ctx.arg(1));
    0
}

/// `swap_writepage`, `swap_writeout` return.
#[fexit]
pub(crate) fn write_end_fexit(_ctx: FExitContext) -> i32 {
    entry::write_ended();
    0
}
