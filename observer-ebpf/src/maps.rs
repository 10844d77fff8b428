//! The maps that several modules use. No LRU map (it evicts long before it is full); every table is preallocated, so no hook allocates.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use observer_ebpf::{config, slot, totals::Totals};

/// The filter, see [`slot`].
#[map]
pub(crate) static SLOTS: Array<slot::Slot> = Array::with_max_entries(slot::SLOTS, 0);

/// Swap types seen in entries allocated: what [`config::FIRST_DOUBTFUL_TYPE`] leaves open.
#[map]
pub(crate) static REAL_TYPES: Array<u32> = Array::with_max_entries(config::TYPES, 0);

/// Records for user space; the size is an option there.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// One [`Totals`] per CPU. (An array by the CPU's number takes as long: before 6.10 the look-up here is a call, of 10 instructions
/// on 5.10, but there the number is one.)
#[map]
pub(crate) static TOTALS: PerCpuArray<Totals> = PerCpuArray::with_max_entries(1, 0);

/// Tasks of the watched command, by thread id.
#[map]
pub(crate) static WATCHED: HashMap<u32, u32> = HashMap::with_max_entries(65_536, 0);

/// Writes to a device in progress while faults are open on their entries, by the thread that writes.
#[map]
pub(crate) static WRITES: HashMap<u32, Write> = HashMap::with_max_entries(4_096, 0);

/// A write in progress.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Write {
    pub(crate) entry: u64,
    pub(crate) nr: u64,
}
