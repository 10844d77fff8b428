//! Maps that several modules use. None is an LRU map, which evicts long before it is full. Every map is preallocated,
//! so no hook allocates.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use observer_ebpf::{slot, swap_entry, totals::Totals};

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

/// One [`Totals`] per CPU. (An array indexed by CPU number is no faster: before 6.10 the look-up in this map is a call,
/// of 10 instructions on 5.10, but so is the CPU number there.)
#[map]
pub(crate) static TOTALS: PerCpuArray<Totals> = PerCpuArray::with_max_entries(1, 0);

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
    pub(crate) nr: u64,
}
