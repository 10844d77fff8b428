//! Globals that user space sets before load. The verifier sees constants, so a switched-off branch costs nothing and a
//! helper that this kernel forbids is never looked at.

/// `u32`: byte offset of `orig_pte` in `struct vm_fault` (BTF).
pub const VMF_ORIG_PTE: &str = "VMF_ORIG_PTE";
/// `u32`: byte offset of `address` in `struct vm_fault` (BTF).
pub const VMF_ADDRESS: &str = "VMF_ADDRESS";
/// `u32`: byte offset of `vma` in `struct vm_fault` (BTF).
pub const VMF_VMA: &str = "VMF_VMA";
/// `u32`: byte offset of `vm_mm` in `struct vm_area_struct` (BTF). The owner of the fault is `vmf->vma->vm_mm`:
/// khugepaged calls `do_swap_page` for other processes, so current's mm would be wrong.
pub const VMA_MM: &str = "VMA_MM";
/// `u32`: byte offset of `flags` in `struct page` or `struct folio` (BTF).
pub const PAGE_FLAGS: &str = "PAGE_FLAGS";
/// `u32`: byte offset of `private` (which holds the entry) in `struct page` or `struct folio` (BTF).
pub const PAGE_PRIVATE: &str = "PAGE_PRIVATE";
/// `u32`: byte offset, from the head page, of the byte that holds the order of a compound page; 0: unknown, every page
/// counts as one.
pub const PAGE_ORDER: &str = "PAGE_ORDER";
/// `u64`: the bit of `PG_swapcache` in the page flags (BTF, `enum pageflags`). A mask, since shifting by a variable takes kernels
/// before 6.2 several instructions.
pub const PG_SWAPCACHE: &str = "PG_SWAPCACHE";
/// `u64`: the bit of `PG_head`, likewise.
pub const PG_HEAD: &str = "PG_HEAD";
/// `u64`: the bit of `PG_uptodate`, likewise.
pub const PG_UPTODATE: &str = "PG_UPTODATE";
/// `u32`: byte offset of `type` in `struct swap_info_struct` (BTF). Used where frees are told by area and offset.
pub const SI_TYPE: &str = "SI_TYPE";
/// `u32`: byte offset of `cluster_info` in `struct swap_info_struct` (BTF). Used where frees are told by cluster.
pub const SI_CLUSTERS: &str = "SI_CLUSTERS";
/// `u32`: size of `struct swap_cluster_info` (BTF), likewise.
pub const CLUSTER_BYTES: &str = "CLUSTER_BYTES";
/// `u32`: entries in a cluster (`SWAPFILE_CLUSTER`; BTF, the size of `struct swap_table`), likewise.
pub const CLUSTER_ENTRIES: &str = "CLUSTER_ENTRIES";
/// `u32`: lowest bit of the swap type in a swap PTE. This and the next five differ by architecture and kernel.
pub const PTE_TYPE_SHIFT: &str = "PTE_TYPE_SHIFT";
/// `u64`: mask of the type, after the shift.
pub const PTE_TYPE_MASK: &str = "PTE_TYPE_MASK";
/// `u32`: lowest bit of the offset in a swap PTE.
pub const PTE_OFFSET_SHIFT: &str = "PTE_OFFSET_SHIFT";
/// `u64`: mask of the offset, after the shift.
pub const PTE_OFFSET_MASK: &str = "PTE_OFFSET_MASK";
/// `u64`: bits to flip before the offset is taken out: all, where it is stored inverted.
pub const PTE_OFFSET_FLIP: &str = "PTE_OFFSET_FLIP";
/// `u64`: any of these bits is set in a PTE that maps a page, none in a swap PTE.
pub const PTE_PRESENT: &str = "PTE_PRESENT";
/// `u32`: byte offset of `pid` (the thread id) in `struct task_struct` (BTF).
pub const TASK_PID: &str = "TASK_PID";
/// `u32`: 1: `bpf_probe_read_kernel` may be used (not under lockdown `confidentiality`).
pub const CAN_COPY: &str = "CAN_COPY";
/// `u32`: 1: a hook tells when a write to the device has come back.
pub const WRITE_ENDS: &str = "WRITE_ENDS";
/// `u32`: 1: a hook tells of reads from swap devices; 0: the pin and what is added to the swap cache tell of them.
pub const READS_HOOKED: &str = "READS_HOOKED";
/// `u32`: 1: the start of a read past the swap cache is timed; 0: the start of its fault stands for it.
pub const READS_TIMED: &str = "READS_TIMED";
/// `u64`: of the faults one in so many is entered into the histograms of durations, chosen at random, less one; all are counted.
pub const TIMED_MASK: &str = "TIMED_MASK";
/// `u32`: 1: who has read past the swap cache shows at the end of its fault, by what it returns and by the hook on the way
/// through the cache; a hook on reads counts those into the cache only.
pub const DIRECT_BY_END: &str = "DIRECT_BY_END";
/// `u32`: 1: one hook tells of every reference that goes, and leaves it to a fault's end where nobody else was concerned.
pub const RELEASES_SPARED: &str = "RELEASES_SPARED";
/// `u32`: 1: no hook tells of pins, and this kernel takes one for every read past the swap cache.
pub const PINS_UNTOLD: &str = "PINS_UNTOLD";
/// `u32`: 1: at least one of those that follow leaves something out.
pub const FILTERED: &str = "FILTERED";
/// `u32`: 1: only faults of tasks in the map [`MAP_WATCHED`](crate::MAP_WATCHED) are observed.
pub const WATCH: &str = "WATCH";
/// `u32`: one bit for each swap type whose faults are observed; all ones: every type, doubtful ones included.
pub const ONLY_TYPES: &str = "ONLY_TYPES";
/// `u32`: only faults of tasks of this process (thread group) are observed; 0: of all.
pub const ONLY_PID: &str = "ONLY_PID";
/// `u64`: first 8 bytes, little-endian, of the command whose tasks' faults are observed; both halves 0: of any command.
pub const ONLY_COMM_LOW: &str = "ONLY_COMM_LOW";
/// `u64`: the other 8 bytes.
pub const ONLY_COMM_HIGH: &str = "ONLY_COMM_HIGH";
/// `u32`: 1: only faults of tasks in, or below, the control group in the map [`MAP_CGROUPS`](crate::MAP_CGROUPS) are
/// observed.
pub const ONLY_CGROUP: &str = "ONLY_CGROUP";
/// `u64`: entries whose [`crate::sample::place`] lies below it are observed; [`crate::sample::ALL`]: every one.
pub const SAMPLE_BELOW: &str = "SAMPLE_BELOW";
/// `u32`: entries in a block that is observed as a whole or not at all, as a power of two.
pub const SAMPLE_SHIFT: &str = "SAMPLE_SHIFT";
/// `u32`: seats for faults in progress less one, see [`FAULT_SEATS`].
pub const FAULT_SEAT_MASK: &str = "FAULT_SEAT_MASK";
/// `u64`: bytes waiting in the ring buffer from which on every record wakes user space; below, none does.
pub const WAKEUP_BYTES: &str = "WAKEUP_BYTES";
/// `u64`: nanoseconds by which delay injection delays a watched task after its read; 0: never.
pub const WIDEN_NS: &str = "WIDEN_NS";
/// `u32`: of delay injection's opportunities one in so many is taken, at random; 0 and 1: every one.
pub const WIDEN_ONE_IN: &str = "WIDEN_ONE_IN";
/// `u64`: first 8 bytes, little-endian, of the command whose tasks delay injection delays; both halves 0: any watched task.
/// (One global of 16 bytes would be copied by a call to `memcpy`, which 5.10 does not load.)
pub const WIDEN_COMM_LOW: &str = "WIDEN_COMM_LOW";
/// `u64`: the other 8 bytes.
pub const WIDEN_COMM_HIGH: &str = "WIDEN_COMM_HIGH";

/// `u32`, which the programs add to and take from: not 0 from the start, and they note everything of every fault, as if
/// something were always happening (docs/decisions/disturbed.md).
pub const DISTURBED: &str = "DISTURBED";

/// With lean hooks one fault in so many is timed, a power of two: the clock and the bucket are a tenth of what they cost.
pub const LEAN_TIMED_ONE_IN: u32 = 8;

/// Seats for faults in progress at most, a power of two: tasks whose numbers are closer than that never share one.
pub const FAULT_SEATS: u32 = 16_384;

/// Entries in one range at most: a PMD's worth of 4 KiB pages (`SWAPFILE_CLUSTER`).
pub const LONGEST_RANGE: u32 = 512;

/// Swap types from here on may be migration, device-private, hwpoison or marker entries: `MAX_SWAPFILES` is 24 where all
/// of those are configured, up to 30 where none is. Real areas beyond 24 are learnt from the entries allocated.
pub const FIRST_DOUBTFUL_TYPE: u32 = 24;
/// Number of values that the type field of an entry can take.
pub const TYPES: u32 = 32;
/// Bits of an entry's value that hold its offset; the type sits above them (`swp_entry()`, every version).
pub const ENTRY_TYPE_SHIFT: u32 = 58;
