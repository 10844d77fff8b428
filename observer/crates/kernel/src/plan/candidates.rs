//! The functions that carry each meaning, kernel by kernel, best first.

use super::{
    backend::Backend::{self, Fentry, Fexit, Kprobe, Kretprobe},
    hook::Scope,
    meaning::Meaning,
    missing::Layout,
};
use crate::btf::{ParamKind, Prototype};

/// The kernels that a candidate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum States {
    All,
    /// Those where a direct reader may lack the pin.
    Vulnerable,
}

/// A function that may carry a meaning, and the programs that fit it.
pub(super) struct Candidate {
    pub(super) meaning: Meaning,
    pub(super) symbol: &'static str,
    /// Shape of its parameters, a letter each: `E` entry by value, `P` pointer, `G` page or folio, `I` integer or enum;
    /// a trailing `*`: any more.
    params: &'static str,
    pub(super) trampoline: (Backend, &'static str),
    /// The trampoline program copies kernel memory, which lockdown `confidentiality` forbids.
    pub(super) trampoline_copies: bool,
    pub(super) kprobes: &'static [(Backend, &'static str)],
    /// It sleeps, so its return probe needs an instance for each task in it: only an event of tracefs has as many.
    pub(super) sleeps: bool,
    pub(super) states: States,
    pub(super) scope: Scope,
    /// What has to be known of the kernel's structs to turn its arguments into entries.
    pub(super) needs: Option<Layout>,
    /// It has more parameters than every trampoline supports (six, before 6.6 on x86-64): refused at attaching, not at
    /// the trial load.
    pub(super) many_params: bool,
    /// The function beside which, not instead of which, it is hooked.
    pub(super) beside: Option<&'static str>,
    /// A function of the kernel through which some entries go instead of this one.
    pub(super) bypassed_by: Option<&'static str>,
}

impl Candidate {
    /// Whether the function still looks as the programs expect.
    pub(super) fn fits(&self, prototype: &Prototype) -> bool {
        let (shape, more) = match self.params.strip_suffix('*') {
            Some(shape) => (shape, true),
            None => (self.params, false),
        };
        let count = prototype.params.len();
        let enough = if more { count >= shape.len() } else { count == shape.len() };
        enough && shape.chars().enumerate().all(|(index, letter)| fits(prototype, index, letter))
    }
}

fn fits(prototype: &Prototype, index: usize, letter: char) -> bool {
    let Some(param) = prototype.params.get(index) else { return false };
    match letter {
        'E' => matches!(&param.kind, ParamKind::StructByValue { name, bytes: 8 }
            if name == "swp_entry_t" || name == "softleaf_t"),
        'P' => matches!(param.kind, ParamKind::Pointer(_)),
        'G' => matches!(&param.kind, ParamKind::Pointer(Some(name)) if name == "page" || name == "folio"),
        'I' => matches!(param.kind, ParamKind::Int { .. } | ParamKind::Enum),
        _ => false,
    }
}

const fn candidate(
    meaning: Meaning,
    symbol: &'static str,
    params: &'static str,
    trampoline: (Backend, &'static str),
    kprobes: &'static [(Backend, &'static str)],
) -> Candidate {
    Candidate {
        meaning,
        symbol,
        params,
        trampoline,
        trampoline_copies: false,
        kprobes,
        sleeps: false,
        states: States::All,
        scope: Scope::Call,
        needs: None,
        many_params: false,
        beside: None,
        bypassed_by: None,
    }
}

const READ_END: &[(Backend, &str)] = &[(Kretprobe, "read_end_kretprobe")];
const LOCK_END: &[(Backend, &str)] = &[(Kretprobe, "lock_end_kretprobe")];
const WRITE_END: &[(Backend, &str)] = &[(Kretprobe, "write_end_kretprobe")];

/// Best first within a meaning. Checked against the BTF of each kernel in the fixtures.
pub(super) static CANDIDATES: &[Candidate] = &[
    candidate(
        Meaning::FaultStart,
        "do_swap_page",
        "P",
        (Fentry, "fault_start_fentry"),
        &[(Kprobe, "fault_start_kprobe")],
    ),
    // do_swap_page sleeps, so a return probe on it needs an instance for each task in a fault; returns that it misses are
    // counted.
    candidate(
        Meaning::FaultEnd,
        "do_swap_page",
        "P",
        (Fexit, "fault_end_fexit"),
        &[(Kretprobe, "fault_end_kretprobe")],
    ),
    candidate(
        Meaning::ReadStart,
        "swap_read_folio",
        "G*",
        (Fentry, "read_start_fentry"),
        &[(Kprobe, "read_start_kprobe")],
    ),
    // 7.3 moved the context to the front.
    candidate(
        Meaning::ReadStart,
        "swap_read_folio",
        "PG",
        (Fentry, "read_start_fentry_ctx_folio"),
        &[(Kprobe, "read_start_kprobe_ctx_folio")],
    ),
    candidate(
        Meaning::ReadStart,
        "swap_readpage",
        "G*",
        (Fentry, "read_start_fentry"),
        &[(Kprobe, "read_start_kprobe")],
    ),
    Candidate {
        sleeps: true,
        ..candidate(Meaning::ReadEnd, "swap_read_folio", "G*", (Fexit, "read_end_fexit"), READ_END)
    },
    Candidate {
        sleeps: true,
        ..candidate(Meaning::ReadEnd, "swap_read_folio", "PG", (Fexit, "read_end_fexit"), READ_END)
    },
    Candidate {
        sleeps: true,
        ..candidate(Meaning::ReadEnd, "swap_readpage", "G*", (Fexit, "read_end_fexit"), READ_END)
    },
    // A fault calls it only if it does not skip the swap cache.
    candidate(
        Meaning::CacheRead,
        "swapin_readahead",
        "E*",
        (Fentry, "cache_read_fentry"),
        &[(Kprobe, "cache_read_kprobe")],
    ),
    candidate(
        Meaning::CacheTry,
        "__read_swap_cache_async",
        "E*",
        (Fentry, "cache_try_fentry"),
        &[(Kprobe, "cache_try_kprobe")],
    ),
    candidate(
        Meaning::PinTry,
        "swapcache_prepare",
        "EI",
        (Fexit, "pin_try_fexit_entry_nr"),
        &[(Kretprobe, "pin_try_kretprobe"), (Kprobe, "pin_try_kprobe_entry_nr")],
    ),
    Candidate {
        scope: Scope::OneEntry,
        ..candidate(
            Meaning::PinTry,
            "swapcache_prepare",
            "E",
            (Fexit, "pin_try_fexit_entry"),
            &[(Kretprobe, "pin_try_kretprobe"), (Kprobe, "pin_try_kprobe_entry")],
        )
    },
    // A fault that finds the entry pinned sleeps here, on every kernel that pins. Others sleep here as well: what the
    // fault tried before, and its end, decide why (docs/decisions/lean.md).
    candidate(
        Meaning::PinSleep,
        "schedule_timeout_uninterruptible",
        "I",
        (Fentry, "pin_sleep_fentry"),
        &[(Kprobe, "pin_sleep_kprobe")],
    ),
    candidate(
        Meaning::PinDrop,
        "swapcache_clear",
        "PEI",
        (Fentry, "pin_drop_fentry_si_entry_nr"),
        &[(Kprobe, "pin_drop_kprobe_si_entry_nr")],
    ),
    candidate(
        Meaning::PinDrop,
        "swapcache_clear",
        "PE",
        (Fentry, "pin_drop_fentry_si_entry"),
        &[(Kprobe, "pin_drop_kprobe_si_entry")],
    ),
    // The path that pins outside a fault. If its end were missed, the task would count as inside it for ever.
    Candidate {
        many_params: true,
        sleeps: true,
        ..candidate(
            Meaning::PinPath,
            "shmem_swapin_folio",
            "*",
            (Fentry, "pin_path_shmem_fentry"),
            &[(Kprobe, "pin_path_shmem_kprobe")],
        )
    },
    Candidate {
        many_params: true,
        sleeps: true,
        beside: Some("shmem_swapin_folio"),
        ..candidate(
            Meaning::PinPath,
            "shmem_swapin_folio",
            "*",
            (Fexit, "pin_path_shmem_fexit"),
            &[(Kretprobe, "pin_path_shmem_kretprobe")],
        )
    },
    // Not zswap_writeback_entry, which has one caller and is inlined into it: this one is called through a pointer
    // (from 6.8 on).
    Candidate {
        sleeps: true,
        beside: Some("shmem_swapin_folio"),
        ..candidate(
            Meaning::PinPath,
            "shrink_memcg_cb",
            "*",
            (Fentry, "pin_path_zswap_fentry"),
            &[(Kprobe, "pin_path_zswap_kprobe")],
        )
    },
    Candidate {
        sleeps: true,
        beside: Some("shmem_swapin_folio"),
        ..candidate(
            Meaning::PinPath,
            "shrink_memcg_cb",
            "*",
            (Fexit, "pin_path_zswap_fexit"),
            &[(Kretprobe, "pin_path_zswap_kretprobe")],
        )
    },
    // The slow path of taking a folio's lock, called only when the first try has failed. Its fault is found by the address space, and from 6.4 on by the argument.
    candidate(
        Meaning::LockTry,
        "__folio_lock_or_retry",
        "GP",
        (Fentry, "lock_try_fentry_page_fault"),
        &[(Kprobe, "lock_try_kprobe_page_fault")],
    ),
    candidate(
        Meaning::LockTry,
        "__folio_lock_or_retry",
        "GPI",
        (Fentry, "lock_try_fentry_page_mm"),
        &[(Kprobe, "lock_try_kprobe_page_mm")],
    ),
    candidate(
        Meaning::LockTry,
        "__lock_page_or_retry",
        "GPI",
        (Fentry, "lock_try_fentry_page_mm"),
        &[(Kprobe, "lock_try_kprobe_page_mm")],
    ),
    Candidate {
        sleeps: true,
        ..candidate(Meaning::LockEnd, "__folio_lock_or_retry", "G*", (Fexit, "lock_end_fexit"), LOCK_END)
    },
    Candidate {
        sleeps: true,
        ..candidate(Meaning::LockEnd, "__lock_page_or_retry", "G*", (Fexit, "lock_end_fexit"), LOCK_END)
    },
    candidate(
        Meaning::CountDrop,
        "swap_free",
        "E",
        (Fentry, "count_drop_fentry_entry"),
        &[(Kprobe, "count_drop_kprobe_entry")],
    ),
    candidate(
        Meaning::CountDrop,
        "swap_free_nr",
        "EI",
        (Fentry, "count_drop_fentry_entry_nr"),
        &[(Kprobe, "count_drop_kprobe_entry_nr")],
    ),
    // Drops every reference, and that of the swap cache, one entry at a time, and returns the number left: one
    // trampoline instead of two kprobes, on kernels where functions that take an entry cannot have a trampoline.
    Candidate {
        needs: Some(Layout::AreaNumber),
        scope: Scope::EveryReference,
        bypassed_by: Some("swap_entry_range_free"),
        ..candidate(Meaning::Freed, "__swap_entry_free_locked", "PII", (Fexit, "freed_fexit_si_offset_usage"), &[])
    },
    // Every entry passes here when its last reference is dropped. Not swap_free: where readers pin, swapcache_clear
    // frees the entry, and unmap, exit and swapoff do not call swap_free at all.
    candidate(
        Meaning::Freed,
        "swap_entries_free",
        "PPEI",
        (Fentry, "freed_fentry_si_ci_entry_nr"),
        &[(Kprobe, "freed_kprobe_si_ci_entry_nr")],
    ),
    // 7.0 passes the offset in the area; from 7.1 on, the cluster and the offset in it.
    Candidate {
        needs: Some(Layout::AreaNumber),
        ..candidate(
            Meaning::Freed,
            "swap_entries_free",
            "PPII",
            (Fentry, "freed_fentry_si_ci_offset_nr"),
            &[(Kprobe, "freed_kprobe_si_ci_offset_nr")],
        )
    },
    Candidate {
        needs: Some(Layout::Clusters),
        ..candidate(
            Meaning::Freed,
            "__swap_cluster_free_entries",
            "PPII",
            (Fentry, "freed_fentry_si_ci_start_nr"),
            &[(Kprobe, "freed_kprobe_si_ci_start_nr")],
        )
    },
    candidate(Meaning::Freed, "free_swap_slot", "E", (Fentry, "freed_fentry_entry"), &[(Kprobe, "freed_kprobe_entry")]),
    // 6.12 frees ranges without the slot cache. (Draining the slot cache passes here too, before the slot can be
    // allocated again: such a free is reported twice, never too late.)
    Candidate {
        beside: Some("free_swap_slot"),
        ..candidate(
            Meaning::Freed,
            "swap_entry_range_free",
            "PEI",
            (Fentry, "freed_fentry_si_entry_nr"),
            &[(Kprobe, "freed_kprobe_si_entry_nr")],
        )
    },
    // The function that allocates returns a struct up to 6.12, which no trampoline supports, and may sleep, which rules
    // out a return probe. What it allocates is added to the swap cache next, without room for a shadow: that is hooked.
    candidate(
        Meaning::Allocated,
        "swap_cache_add_folio",
        "GEP",
        (Fentry, "allocated_fentry_entry"),
        &[(Kprobe, "allocated_kprobe_entry")],
    ),
    // From 7.0 on no shadow separates swap-out from swap-in, and up to 7.1 both pass here. A page that is swapped out
    // is up to date, one that is swapped in is not yet.
    candidate(
        Meaning::Allocated,
        "__swap_cache_add_folio",
        "PGE",
        (Fentry, "allocated_fentry_ci_folio_entry"),
        &[(Kprobe, "allocated_kprobe_ci_folio_entry")],
    ),
    // Where readers do not pin, the allocation is reported once the page can be found in the swap cache: a fault that
    // starts before may miss it there, and read what the entry held before.
    Candidate {
        sleeps: true,
        states: States::Vulnerable,
        ..candidate(
            Meaning::Allocated,
            "add_to_swap_cache",
            "GEIP",
            (Fexit, "added_fexit_entry_gfp"),
            &[(Kretprobe, "adding_kretprobe"), (Kprobe, "adding_kprobe_entry_gfp")],
        )
    },
    candidate(
        Meaning::Allocated,
        "add_to_swap_cache",
        "GEIP",
        (Fentry, "allocated_fentry_entry_gfp"),
        &[(Kprobe, "allocated_kprobe_entry_gfp")],
    ),
    Candidate {
        trampoline_copies: true,
        ..candidate(
            Meaning::WriteStart,
            "swap_writeout",
            "G*",
            (Fentry, "write_start_fentry_folio"),
            &[(Kprobe, "write_start_kprobe")],
        )
    },
    Candidate {
        trampoline_copies: true,
        ..candidate(
            Meaning::WriteStart,
            "swap_writeout",
            "PG",
            (Fentry, "write_start_fentry_ctx_folio"),
            &[(Kprobe, "write_start_kprobe_ctx_folio")],
        )
    },
    candidate(
        Meaning::WriteStart,
        "swap_writepage",
        "G*",
        (Fentry, "write_start_fentry_page"),
        &[(Kprobe, "write_start_kprobe")],
    ),
    Candidate {
        sleeps: true,
        ..candidate(Meaning::WriteEnd, "swap_writeout", "G*", (Fexit, "write_end_fexit"), WRITE_END)
    },
    Candidate {
        sleeps: true,
        ..candidate(Meaning::WriteEnd, "swap_writeout", "PG", (Fexit, "write_end_fexit"), WRITE_END)
    },
    Candidate {
        sleeps: true,
        ..candidate(Meaning::WriteEnd, "swap_writepage", "G*", (Fexit, "write_end_fexit"), WRITE_END)
    },
];
