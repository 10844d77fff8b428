//! The programs' globals. User space sets them before load, so the verifier sees constants: a branch that is switched
//! off costs nothing, and a helper in it that this kernel forbids is not checked.
//!
//! [`for_each_global!`](crate::for_each_global) is the only declaration. The programs expand it to `Global` statics,
//! the library to [`Globals`], whose fields have the same names and types.

/// `u32` that the programs change: the number of pending disturbances (docs/decisions/disturbances.md). If user space
/// sets it to a value other than 0 before load, it never returns to 0, and the programs record everything about every
/// fault.
pub const DISTURBED: &str = "DISTURBED";

/// Expands `$callback!` with every global: documentation, name, type, default.
#[macro_export]
macro_rules! for_each_global {
    ($callback:ident) => {
        $callback! {
            /// Byte offset of `orig_pte` in `struct vm_fault` (BTF).
            vmf_orig_pte: u32 = 0;
            /// Byte offset of `address` in `struct vm_fault` (BTF).
            vmf_address: u32 = 0;
            /// Byte offset of `vma` in `struct vm_fault` (BTF).
            vmf_vma: u32 = 0;
            /// Byte offset of `vm_mm` in `struct vm_area_struct` (BTF). The address space of a fault is
            /// `vmf->vma->vm_mm`, not that of the current task: khugepaged calls `do_swap_page` for other processes.
            vma_mm: u32 = 0;
            /// Byte offset of `flags` in `struct page` or `struct folio` (BTF).
            page_flags: u32 = 0;
            /// Byte offset of `private`, which holds the swap entry, in `struct page` or `struct folio` (BTF).
            page_private: u32 = 0;
            /// Byte offset, from the head page, of the byte that holds the order of a compound page; 0: unknown, so
            /// every page counts as one.
            page_order: u32 = 0;
            /// Bit of `PG_swapcache` in the page flags (BTF, `enum pageflags`). A mask, because a shift by a variable
            /// takes kernels before 6.2 several instructions.
            pg_swapcache: u64 = 0;
            /// Bit of `PG_head` in the page flags.
            pg_head: u64 = 0;
            /// Bit of `PG_uptodate` in the page flags.
            pg_uptodate: u64 = 0;
            /// Byte offset of `type` in `struct swap_info_struct` (BTF). Used where the hook on frees gets an area and
            /// an offset.
            si_type: u32 = 0;
            /// Byte offset of `cluster_info` in `struct swap_info_struct` (BTF). Used where the hook on frees gets a
            /// cluster.
            si_clusters: u32 = 0;
            /// Size of `struct swap_cluster_info` (BTF). A divisor, so never 0.
            cluster_bytes: u32 = 1;
            /// Entries in a cluster (`SWAPFILE_CLUSTER`; from BTF, by the size of `struct swap_table`).
            cluster_entries: u32 = 0;
            /// Lowest bit of the swap type in a swap PTE. This and the next five depend on architecture and kernel, and
            /// are not used on x86-64.
            pte_type_shift: u32 = 0;
            /// Mask of the swap type, after the shift.
            pte_type_mask: u64 = 0;
            /// Lowest bit of the offset in a swap PTE.
            pte_offset_shift: u32 = 0;
            /// Mask of the offset, after the shift.
            pte_offset_mask: u64 = 0;
            /// Bits to invert before the offset is extracted: all of them where it is stored inverted, else none.
            pte_offset_flip: u64 = 0;
            /// Bits of which at least one is set in a PTE that maps a page, and none in a swap PTE.
            pte_present: u64 = 0;
            /// Byte offset of `pid`, the thread id, in `struct task_struct` (BTF).
            task_pid: u32 = 0;
            /// Byte offset of `tgid`, the process id, in it (BTF).
            task_tgid: u32 = 0;
            /// Byte offset of `owner` in `struct mm_struct` (BTF); 0: it has none (`CONFIG_MEMCG` is off), so a fault is
            /// attributed to the running task alone.
            mm_owner: u32 = 0;
            /// 1: `bpf_probe_read_kernel` is allowed, which it is not under lockdown `confidentiality`.
            can_copy: u32 = 0;
            /// 1: the end of a write to the device is hooked.
            write_end_hooked: u32 = 0;
            /// 1: reads from swap devices are hooked; 0: they are derived from pins and from additions to the swap
            /// cache.
            reads_hooked: u32 = 1;
            /// 1: the start of a direct read is timed; 0: the start of its fault is used instead.
            reads_timed: u32 = 1;
            /// One fault in `timed_mask + 1`, chosen at random, is entered into the histograms of durations; all are
            /// counted. One less than a power of two.
            timed_mask: u64 = 0;
            /// 1: whether a fault was direct is decided at its end, from its return value and the hook on the way
            /// through the swap cache; a hook on reads counts only those into the cache.
            direct_at_end: u32 = 0;
            /// 1: one hook sees every reference dropped, and leaves the usual case, a fault that frees its own entry,
            /// to the end of the fault.
            frees_at_end: u32 = 0;
            /// 1: each try to add a page to the swap cache is hooked, so that a sleep in it has an entry.
            cache_tries_hooked: u32 = 0;
            /// 1: each reference that a fault drops is reported, before the entry is freed.
            references_hooked: u32 = 0;
            /// 1: pins are not hooked, and this kernel takes one for every direct read.
            pins_implied: u32 = 0;
            /// 1: at least one of the filters that follow excludes something.
            filtered: u32 = 0;
            /// 1: only faults of tasks in the map [`MAP_WATCHED`]($crate::MAP_WATCHED) are observed.
            watch: u32 = 0;
            /// 1: only faults on entries of the swap types in the map [`MAP_FILTER_TYPES`]($crate::MAP_FILTER_TYPES) are
            /// observed; 0: those on entries of every type, ambiguous ones included.
            filter_types: u32 = 0;
            /// Process (thread group) whose faults are observed; 0: all.
            filter_pid: u32 = 0;
            /// First 8 bytes, little-endian, of the command whose tasks' faults are observed; both halves 0: any
            /// command.
            filter_comm_low: u64 = 0;
            /// The other 8 bytes. (A global of 16 bytes would be copied by a call to `memcpy`, which 5.10 refuses to
            /// load.)
            filter_comm_high: u64 = 0;
            /// 1: only faults of tasks in or below the control group in [`MAP_CGROUPS`]($crate::MAP_CGROUPS) are
            /// observed.
            filter_cgroup: u32 = 0;
            /// Entries whose [`place`]($crate::sample::place) is below this are observed; [`ALL`]($crate::sample::ALL):
            /// every entry.
            sample_below: u64 = $crate::sample::ALL;
            /// Size, as a power of two, of the blocks of entries that are observed as a whole or not at all.
            sample_shift: u32 = 0;
            /// Seats in the fault table less one; see [`FAULT_SEATS`]($crate::seat::FAULT_SEATS).
            fault_seat_mask: u32 = $crate::seat::FAULT_SEATS - 1;
            /// Once this many bytes wait in the ring buffer, every record wakes user space; below, none does.
            wakeup_bytes: u64 = 0;
            /// Nanoseconds by which delay injection delays a watched task after its read; 0: never.
            delay_ns: u64 = 0;
            /// One read in `delay_one_in` is delayed, chosen at random; 0 and 1: every one.
            delay_one_in: u32 = 0;
            /// First 8 bytes, little-endian, of the command whose tasks are delayed; both halves 0: any watched task.
            delay_comm_low: u64 = 0;
            /// The other 8 bytes.
            delay_comm_high: u64 = 0;
        }
    };
}

macro_rules! declare_struct {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        /// Values of the programs' globals; the default is what the object holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Globals {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Globals {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Globals {
            /// Calls `set` with the symbol and the bytes of each global.
            pub fn for_each<'a>(&'a self, mut set: impl FnMut(&'static str, &'a [u8])) {
                $(set(stringify!($name), bytemuck::bytes_of(&self.$name));)*
            }
        }
    };
}

for_each_global!(declare_struct);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_global_is_passed_with_its_symbol_and_bytes() {
        let globals = Globals { filter_pid: 0x0102_0304, delay_ns: 7, ..Globals::default() };
        let (mut words, mut long_words) = (0, 0);
        globals.for_each(|name, bytes| match (name, bytes.len()) {
            ("filter_pid", _) => assert_eq!(bytes, 0x0102_0304u32.to_ne_bytes()),
            ("delay_ns", _) => assert_eq!(bytes, 7u64.to_ne_bytes()),
            (_, 4) => words += 1,
            (_, 8) => long_words += 1,
            (name, len) => panic!("{name} has {len} bytes"),
        });
        assert_eq!((words + 1) * 4 + (long_words + 1) * 8, PACKED_BYTES);
    }

    macro_rules! packed_bytes {
        ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
            const PACKED_BYTES: usize = 0 $(+ size_of::<$type>())*;
        };
    }
    for_each_global!(packed_bytes);
}
