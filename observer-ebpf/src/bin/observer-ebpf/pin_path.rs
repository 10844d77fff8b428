//! What a task does when it pins an entry outside any fault. While a task is inside shmem's swap-in or zswap's
//! write-back, this is stored, so that a pin try that fails there can be attributed to it. For kprobes also the pin try
//! itself is stored, because the return probe gets no arguments.

use aya_ebpf::{macros::map, maps::Array};
use observer_ebpf::swap_entry::MAX_RANGE;

use crate::{
    atomic::{read_u32, write_u32},
    count::count,
    task,
};

/// Size of the array, which is indexed by the low bits of the thread id: a power of two.
const TASKS: u32 = 16_384;

/// Two tasks that share an element overwrite each other. Then a failed try is attributed to no path, never to a wrong
/// one, and a return that finds the try of another task is counted as missed.
#[map]
static PIN_PATHS: Array<TaskState> = Array::with_max_entries(TASKS, 0);

/// State of a task. Each field also holds the task's id, so that the task that shares the element is not mistaken for
/// it.
#[repr(C)]
#[derive(Clone, Copy)]
struct TaskState {
    /// The path, encoded by [`encode_path`]; 0: none.
    path: u32,
    /// The pin try in progress, encoded by [`PinTry::encode`]; 0: none.
    pin_try: u32,
}

const PATH_AT: usize = core::mem::offset_of!(TaskState, path);
const PIN_TRY_AT: usize = core::mem::offset_of!(TaskState, pin_try);

/// Inside `shmem_swapin_folio`.
pub(crate) const SHMEM: u32 = 1;
/// Inside `shrink_memcg_cb`, which examines one page of zswap and may write it back.
pub(crate) const ZSWAP: u32 = 2;

/// The running task enters a path.
#[inline(always)]
pub(crate) fn enter(path: u32) {
    let (tid, _) = task::ids();
    if let Some(state) = state_of(tid) {
        write_u32(state, PATH_AT, encode_path(tid, path));
    }
}

/// The running task leaves a path.
#[inline(always)]
pub(crate) fn leave(path: u32) {
    let (tid, _) = task::ids();
    if let Some(state) = state_of(tid)
        && read_u32(state, PATH_AT) == encode_path(tid, path)
    {
        write_u32(state, PATH_AT, 0);
    }
}

/// The path of the running task; 0: none, or unknown.
#[inline(always)]
pub(crate) fn current() -> u32 {
    let (tid, _) = task::ids();
    let word = state_of(tid).map_or(0, |state| read_u32(state, PATH_AT));
    if word == encode_path(tid, word >> PATH_SHIFT) { word >> PATH_SHIFT } else { 0 }
}

/// Above every thread id (`PID_MAX_LIMIT` is 2^22).
const PATH_SHIFT: u32 = 30;

#[inline(always)]
const fn encode_path(tid: u32, path: u32) -> u32 {
    path << PATH_SHIFT | tid & ((1 << PATH_SHIFT) - 1)
}

/// A pin try that has not returned yet.
pub(crate) struct PinTry {
    /// Number of entries, at most [`MAX_RANGE`].
    pub(crate) nr: u32,
    /// Whether the entries are counted if the pin is taken.
    pub(crate) counts: bool,
}

/// Bits of the part of a thread id that does not follow from the element's index (`PID_MAX_LIMIT` is 2^22). Above them
/// in an encoded [`PinTry`] is the length less one, above that whether it counts, and the highest bit is always set.
const TID_BITS: u32 = 8;
const TID_SHIFT: u32 = TASKS.trailing_zeros();
const COUNTS: u32 = 1 << 30;
const PRESENT: u32 = 1 << 31;

const _: () = assert!(TID_BITS + TID_SHIFT == 22);
const _: () = assert!(MAX_RANGE.is_power_of_two() && (MAX_RANGE - 1) << TID_BITS < COUNTS);

impl PinTry {
    #[inline(always)]
    fn encode(self, tid: u32) -> u32 {
        let counts = if self.counts { COUNTS } else { 0 };
        PRESENT | counts | (self.nr.wrapping_sub(1) & (MAX_RANGE - 1)) << TID_BITS | tid >> TID_SHIFT
    }

    #[inline(always)]
    fn decode(word: u32) -> Self {
        Self { nr: (word >> TID_BITS & (MAX_RANGE - 1)) + 1, counts: word & COUNTS != 0 }
    }
}

/// The running task tries to pin something other than its fault's own entry.
#[inline(always)]
pub(crate) fn try_started(tid: u32, pin_try: PinTry) {
    if let Some(state) = state_of(tid) {
        write_u32(state, PIN_TRY_AT, pin_try.encode(tid));
    }
}

/// The pin try of the running task returns. `None`: it started before its hook was attached, or is not observed.
#[inline(always)]
pub(crate) fn try_returned(tid: u32) -> Option<PinTry> {
    let state = state_of(tid)?;
    let word = read_u32(state, PIN_TRY_AT);
    if word != 0 && word & ((1 << TID_BITS) - 1) == tid >> TID_SHIFT {
        write_u32(state, PIN_TRY_AT, 0);
        return Some(PinTry::decode(word));
    }
    if word != 0 {
        count!(pin_return_missed);
    }
    None
}

#[inline(always)]
fn state_of(tid: u32) -> Option<*mut u8> {
    PIN_PATHS.get_ptr_mut(tid & (TASKS - 1)).map(<*mut TaskState>::cast)
}
