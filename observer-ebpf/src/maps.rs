//! The maps. No LRU map (it evicts long before it is full); every table is preallocated, so no hook allocates.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use observer_ebpf::{config, counter::Counters, histogram, record::FlightRecord, slot};

/// Open flights by thread id: a task is in `do_swap_page` at most once.
#[map]
pub(crate) static FLIGHTS: HashMap<u32, Flight> = HashMap::with_max_entries(16_384, 0);

/// The filter, see [`slot`].
#[map]
pub(crate) static SLOTS: Array<slot::Slot> = Array::with_max_entries(slot::SLOTS, 0);

/// Swap types seen in entries handed out: what [`config::FIRST_DOUBTFUL_TYPE`] leaves open.
#[map]
pub(crate) static REAL_TYPES: Array<u32> = Array::with_max_entries(config::TYPES, 0);

/// Records for user space; the size is an option there.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// One [`Counters`] per CPU.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Durations of all flights by path, see [`histogram`].
#[map]
pub(crate) static FLIGHT_TIMES: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(histogram::PATHS * histogram::BUCKETS, 0);

/// Tasks of the watched command, by thread id.
#[map]
pub(crate) static WATCHED: HashMap<u32, u32> = HashMap::with_max_entries(65_536, 0);

/// Writes to a device under way while flights are open on their entries, by the thread that writes.
#[map]
pub(crate) static WRITES: HashMap<u32, Write> = HashMap::with_max_entries(4_096, 0);

/// A write under way.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Write {
    pub(crate) entry: u64,
    pub(crate) nr: u64,
}

/// An open flight: its record as far as it is known, and what it saw of its slot when it began.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) record: FlightRecord,
    /// `struct vm_fault *`: a return probe gets no arguments.
    pub(crate) vmf: u64,
    pub(crate) slot: u32,
    pub(crate) opens_begin: u32,
    pub(crate) frees_begin: u32,
    pub(crate) changes_begin: u32,
    /// Own frees of this slot, which say nothing about others.
    pub(crate) frees_own: u32,
    /// Kprobe backend: a pin try whose return is still to come.
    pub(crate) pin_pending: u32,
}

const _: () = assert!(size_of::<Flight>() == observer_ebpf::FLIGHT_BYTES);

/// The open flight of a task.
#[inline(always)]
pub(crate) fn flight_of(tid: u32) -> Option<&'static mut Flight> {
    // SAFETY: a live map value, and only the task itself touches its own flight: no two references at once.
    FLIGHTS.get_ptr_mut(tid).map(|flight| unsafe { &mut *flight })
}
