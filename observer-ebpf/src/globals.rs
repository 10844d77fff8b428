//! Globals set by user space before load; names and meanings in [`observer_ebpf::config`].

use aya_ebpf::Global;

macro_rules! globals {
    ($($name:ident: $type:ty = $default:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) static $name: Global<$type> = Global::new($default);
        )*
    };
}

globals! {
    VMF_ORIG_PTE: u32 = 0;
    VMF_ADDRESS: u32 = 0;
    VMF_VMA: u32 = 0;
    VMA_MM: u32 = 0;
    PAGE_FLAGS: u32 = 0;
    PAGE_PRIVATE: u32 = 0;
    PAGE_ORDER: u32 = 0;
    PG_SWAPCACHE: u64 = 0;
    PG_HEAD: u64 = 0;
    PG_UPTODATE: u64 = 0;
    SI_TYPE: u32 = 0;
    SI_CLUSTERS: u32 = 0;
    CLUSTER_BYTES: u32 = 1;
    CLUSTER_ENTRIES: u32 = 0;
    PTE_TYPE_SHIFT: u32 = 0;
    PTE_TYPE_MASK: u64 = 0;
    PTE_OFFSET_SHIFT: u32 = 0;
    PTE_OFFSET_MASK: u64 = 0;
    PTE_OFFSET_FLIP: u64 = 0;
    PTE_PRESENT: u64 = 0;
    TASK_PID: u32 = 0;
    CAN_COPY: u32 = 0;
    WRITE_ENDS: u32 = 0;
    READS_HOOKED: u32 = 1;
    READS_TIMED: u32 = 1;
    TIMED_MASK: u64 = 0;
    DIRECT_BY_END: u32 = 0;
    RELEASES_SPARED: u32 = 0;
    PINS_UNTOLD: u32 = 0;
    FILTERED: u32 = 0;
    WATCH: u32 = 0;
    ONLY_TYPES: u32 = u32::MAX;
    ONLY_PID: u32 = 0;
    ONLY_COMM_LOW: u64 = 0;
    ONLY_COMM_HIGH: u64 = 0;
    ONLY_CGROUP: u32 = 0;
    SAMPLE_BELOW: u64 = observer_ebpf::sample::ALL;
    SAMPLE_SHIFT: u32 = 0;
    FAULT_SEAT_MASK: u32 = observer_ebpf::config::FAULT_SEATS - 1;
    WAKEUP_BYTES: u64 = 0;
    WIDEN_NS: u64 = 0;
    WIDEN_ONE_IN: u32 = 0;
    WIDEN_COMM_LOW: u64 = 0;
    WIDEN_COMM_HIGH: u64 = 0;
}
