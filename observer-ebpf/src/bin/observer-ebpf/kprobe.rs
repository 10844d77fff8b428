//! Hooks on kprobes, for functions that the trampoline does not support: those that take structs by value before 6.1,
//! and all of them without BTF. A `swp_entry_t` by value is one register. Return probes on functions that sleep need an
//! instance for each task in them, which only events of tracefs have; the ends of faults that a return probe misses
//! nevertheless are counted.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use crate::{
    addition, count::count, entry, fault_end, fault_start, folio_lock, memory::HelperCopy, pin, pin_path, read,
};

/// Argument `n`, which every supported architecture passes in a register.
#[inline(always)]
fn arg(ctx: &ProbeContext, n: usize) -> u64 {
    ctx.arg(n).unwrap_or_else(|| {
        count!(kernel_read_failed);
        0
    })
}

/// `do_swap_page(vmf)`.
#[kprobe]
pub(crate) fn fault_start_kprobe(ctx: ProbeContext) -> u32 {
    fault_start::start::<HelperCopy>(arg(&ctx, 0) as *const u8);
    0
}

/// `do_swap_page` returns.
#[kretprobe]
pub(crate) fn fault_end_kretprobe(ctx: RetProbeContext) -> u32 {
    fault_end::end::<HelperCopy>(None, ctx.ret::<u64>() as u32);
    0
}

/// `swap_readpage(page, ..)`, `swap_read_folio(folio, ..)`.
#[kprobe]
pub(crate) fn read_start_kprobe(ctx: ProbeContext) -> u32 {
    read::start::<HelperCopy>(arg(&ctx, 0) as *const u8);
    0
}

/// `swap_read_folio(ctx, folio)`.
#[kprobe]
pub(crate) fn read_start_kprobe_ctx_folio(ctx: ProbeContext) -> u32 {
    read::start::<HelperCopy>(arg(&ctx, 1) as *const u8);
    0
}

/// `swap_readpage`, `swap_read_folio` return.
#[kretprobe]
pub(crate) fn read_end_kretprobe(_ctx: RetProbeContext) -> u32 {
    read::end();
    0
}

/// `swapin_readahead(entry, ..)`.
#[kprobe]
pub(crate) fn cache_read_kprobe(_ctx: ProbeContext) -> u32 {
    read::through_cache();
    0
}

/// `__read_swap_cache_async(entry, ..)`.
#[kprobe]
pub(crate) fn cache_try_kprobe(ctx: ProbeContext) -> u32 {
    read::cache_try(arg(&ctx, 0));
    0
}

/// `schedule_timeout_uninterruptible(timeout)`.
#[kprobe]
pub(crate) fn pin_sleep_kprobe(ctx: ProbeContext) -> u32 {
    pin::slept(arg(&ctx, 0).cast_signed());
    0
}

/// `swapcache_prepare(entry)`.
#[kprobe]
pub(crate) fn pin_try_kprobe_entry(ctx: ProbeContext) -> u32 {
    pin::pending(arg(&ctx, 0), 1);
    0
}

/// `swapcache_prepare(entry, nr)`.
#[kprobe]
pub(crate) fn pin_try_kprobe_entry_nr(ctx: ProbeContext) -> u32 {
    pin::pending(arg(&ctx, 0), arg(&ctx, 1) as u32);
    0
}

/// `swapcache_prepare` returns. It does not sleep, so its instances do not run out.
#[kretprobe]
pub(crate) fn pin_try_kretprobe(ctx: RetProbeContext) -> u32 {
    pin::returned(ctx.ret::<u64>() as i32);
    0
}

/// `swapcache_clear(si, entry)`.
#[kprobe]
pub(crate) fn pin_drop_kprobe_si_entry(ctx: ProbeContext) -> u32 {
    pin::dropped(arg(&ctx, 1), 1);
    0
}

/// `swapcache_clear(si, entry, nr)`.
#[kprobe]
pub(crate) fn pin_drop_kprobe_si_entry_nr(ctx: ProbeContext) -> u32 {
    pin::dropped(arg(&ctx, 1), arg(&ctx, 2) as u32);
    0
}

/// `__folio_lock_or_retry(folio, vmf)`.
#[kprobe]
pub(crate) fn lock_try_kprobe_page_fault(ctx: ProbeContext) -> u32 {
    folio_lock::wait_started::<HelperCopy>(arg(&ctx, 0) as *const u8, || {
        fault_start::space::<HelperCopy>(arg(&ctx, 1) as *const u8)
    });
    0
}

/// `__folio_lock_or_retry(folio, mm, flags)`, `__lock_page_or_retry(page, mm, flags)`.
#[kprobe]
pub(crate) fn lock_try_kprobe_page_mm(ctx: ProbeContext) -> u32 {
    folio_lock::wait_started::<HelperCopy>(arg(&ctx, 0) as *const u8, || arg(&ctx, 1));
    0
}

/// `__folio_lock_or_retry`, `__lock_page_or_retry` return.
#[kretprobe]
pub(crate) fn lock_end_kretprobe(_ctx: RetProbeContext) -> u32 {
    folio_lock::wait_ended();
    0
}

/// `shmem_swapin_folio(..)`.
#[kprobe]
pub(crate) fn pin_path_shmem_kprobe(_ctx: ProbeContext) -> u32 {
    pin_path::enter(pin_path::SHMEM);
    0
}

/// `shmem_swapin_folio(..)` returns.
#[kretprobe]
pub(crate) fn pin_path_shmem_kretprobe(_ctx: RetProbeContext) -> u32 {
    pin_path::leave(pin_path::SHMEM);
    0
}

/// `shrink_memcg_cb(..)`.
#[kprobe]
pub(crate) fn pin_path_zswap_kprobe(_ctx: ProbeContext) -> u32 {
    pin_path::enter(pin_path::ZSWAP);
    0
}

/// `shrink_memcg_cb(..)` returns.
#[kretprobe]
pub(crate) fn pin_path_zswap_kretprobe(_ctx: RetProbeContext) -> u32 {
    pin_path::leave(pin_path::ZSWAP);
    0
}

/// `swap_free(entry)`.
#[kprobe]
pub(crate) fn count_drop_kprobe_entry(ctx: ProbeContext) -> u32 {
    entry::reference_dropped(arg(&ctx, 0), 1);
    0
}

/// `swap_free_nr(entry, nr)`.
#[kprobe]
pub(crate) fn count_drop_kprobe_entry_nr(ctx: ProbeContext) -> u32 {
    entry::reference_dropped(arg(&ctx, 0), arg(&ctx, 1) as u32);
    0
}

/// `free_swap_slot(entry)`.
#[kprobe]
pub(crate) fn freed_kprobe_entry(ctx: ProbeContext) -> u32 {
    entry::freed(arg(&ctx, 0), 1);
    0
}

/// `swap_entry_range_free(si, entry, nr)`.
#[kprobe]
pub(crate) fn freed_kprobe_si_entry_nr(ctx: ProbeContext) -> u32 {
    entry::freed(arg(&ctx, 1), arg(&ctx, 2) as u32);
    0
}

/// `swap_entries_free(si, ci, entry, nr)`.
#[kprobe]
pub(crate) fn freed_kprobe_si_ci_entry_nr(ctx: ProbeContext) -> u32 {
    entry::freed(arg(&ctx, 2), arg(&ctx, 3) as u32);
    0
}

/// `swap_entries_free(si, ci, offset, nr)`.
#[kprobe]
pub(crate) fn freed_kprobe_si_ci_offset_nr(ctx: ProbeContext) -> u32 {
    entry::freed_in_area::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 2), arg(&ctx, 3) as u32);
    0
}

/// `__swap_cluster_free_entries(si, ci, ci_start, nr)`.
#[kprobe]
pub(crate) fn freed_kprobe_si_ci_start_nr(ctx: ProbeContext) -> u32 {
    let (si, cluster) = (arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    entry::freed_in_cluster::<HelperCopy>(si, cluster, arg(&ctx, 2) as u32, arg(&ctx, 3) as u32);
    0
}

/// `__swap_cache_add_folio(ci, folio, entry)`.
#[kprobe]
pub(crate) fn allocated_kprobe_ci_folio_entry(ctx: ProbeContext) -> u32 {
    entry::added_to_cache_if_up_to_date::<HelperCopy>(arg(&ctx, 1) as *const u8, arg(&ctx, 2));
    0
}

/// `add_to_swap_cache(page, entry, gfp, shadowp)`. Swap-out passes null as `shadowp`, swap-in does not.
#[kprobe]
pub(crate) fn allocated_kprobe_entry_gfp(ctx: ProbeContext) -> u32 {
    if arg(&ctx, 3) == 0 {
        entry::added_to_cache::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    } else {
        read::into_cache::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    }
    0
}

/// `add_to_swap_cache(page, entry, gfp, shadowp)`, whose return is hooked too.
#[kprobe]
pub(crate) fn adding_kprobe_entry_gfp(ctx: ProbeContext) -> u32 {
    if arg(&ctx, 3) == 0 {
        addition::started::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    } else {
        read::into_cache::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    }
    0
}

/// `add_to_swap_cache` returns.
#[kretprobe]
pub(crate) fn adding_kretprobe(ctx: RetProbeContext) -> u32 {
    addition::ended(ctx.ret::<u64>() as i32);
    0
}

/// `swap_cache_add_folio(folio, entry, shadowp)`.
#[kprobe]
pub(crate) fn allocated_kprobe_entry(ctx: ProbeContext) -> u32 {
    if arg(&ctx, 2) == 0 {
        entry::added_to_cache::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    } else {
        read::into_cache::<HelperCopy>(arg(&ctx, 0) as *const u8, arg(&ctx, 1));
    }
    0
}

/// `swap_writepage(page, ..)`, `swap_writeout(folio, ..)`.
#[kprobe]
pub(crate) fn write_start_kprobe(ctx: ProbeContext) -> u32 {
    entry::write_started::<HelperCopy, HelperCopy>(arg(&ctx, 0) as *const u8);
    0
}

/// `swap_writeout(ctx, folio)`.
#[kprobe]
pub(crate) fn write_start_kprobe_ctx_folio(ctx: ProbeContext) -> u32 {
    entry::write_started::<HelperCopy, HelperCopy>(arg(&ctx, 1) as *const u8);
    0
}

/// `swap_writepage`, `swap_writeout` return.
#[kretprobe]
pub(crate) fn write_end_kretprobe(_ctx: RetProbeContext) -> u32 {
    entry::write_ended();
    0
}
