//! Maps that several modules use. None is an LRU map, which evicts long before it is full. Every map is preallocated,
//! so no hook allocates.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, RingBuf},
};
use observer_ebpf::{slot, swap_entry, totals::CpuTotals};

/// The slot table, see [`slot`].
#[map]
pub(crate) static SLOTS: Array<slot::Slot> = Array::with_max_entries(slot::SLOTS, 0);

/// Allocations seen by swap type: they identify swap areas among the types from
/// [`FIRST_AMBIGUOUS_TYPE`](swap_entry::FIRST_AMBIGUOUS_TYPE) on.
#[map]
pub(crate) static REAL_TYPES: Array<u32> = Array::with_max_entries(swap_entry::TYPES, 0);

/// Records for user space, which sets the size at load.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// One element for each CPU; user space sets their number at load.
#[map]
pub(crate) static TOTALS: Array<CpuTotals> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Tasks of the watched command, by thread id.
#[map]
pub(crate) static WATCHED: HashMap<u32, u32> = HashMap::with_max_entries(65_536, 0);

/// Writes in progress whose entries faults are in progress on, by the thread that writes.
#[map]
pub(crate) static WRITES: HashMap<u32, Write> = HashMap::with_max_entries(4_096, 0);

/// The range of a write.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Write {
    pub(crate) entry: u64,
    pub(crate) nr: u32,
    /// The number of its start among the content changes of the slot.
    pub(crate) seq: u32,
}
