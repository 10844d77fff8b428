//! What a task is doing when it pins an entry outside any fault: noted while it is inside shmem's swap-in or zswap's
//! write-back, so that a pin try that fails there can be charged to it. Looked at only when one has failed. And, on kprobes,
//! what it tries to pin, until the return probe tells with which result.

use aya_ebpf::{macros::map, maps::Array};
use observer_ebpf::config::LONGEST_RANGE;

use crate::{
    count::{count, read_u32, write_u32},
    task,
};

/// Words, by the low bits of the thread id: a power of two.
const WORDS: u32 = 16_384;

/// Two tasks that share one overwrite each other: then a failure is charged to no path, never to a wrong one, and a pin whose
/// return found the word of somebody else is counted as lost.
#[map]
static PATHS: Array<Words> = Array::with_max_entries(WORDS, 0);

/// What is known of a task.
#[repr(C)]
#[derive(Clone, Copy)]
struct Words {
    /// Which task is on which path, see [`mark`].
    path: u32,
    /// Which task is trying to pin what, see [`ProbeResults::mark`].
    tried: u32,
}

/// Inside `shmem_swapin_folio`.
pub(crate) const SHMEM: u32 = 1;
/// Inside `shrink_memcg_cb`, which looks at one page of zswap and may write it back.
pub(crate) const ZSWAP: u32 = 2;

/// The running task enters a path.
#[inline(always)]
pub(crate) fn enter(path: u32) {
    let (tid, _) = task::ids();
    if let Some(words) = words_of(tid) {
        write_u32(words, PATH_AT, mark(tid, path));
    }
}

/// The running task leaves it.
#[inline(always)]
pub(crate) fn leave(path: u32) {
    let (tid, _) = task::ids();
    if let Some(words) = words_of(tid)
        && read_u32(words, PATH_AT) == mark(tid, path)
    {
        write_u32(words, PATH_AT, 0);
    }
}

/// The path that the running task is on; 0: none that is known.
#[inline(always)]
pub(crate) fn current() -> u32 {
    let (tid, _) = task::ids();
    let word = words_of(tid).map_or(0, |words| read_u32(words, PATH_AT));
    if word == mark(tid, word >> PATH_SHIFT) { word >> PATH_SHIFT } else { 0 }
}

/// Above every thread id (`PID_MAX_LIMIT` is 2^22).
const PATH_SHIFT: u32 = 30;

#[inline(always)]
const fn mark(tid: u32, path: u32) -> u32 {
    path << PATH_SHIFT | tid & ((1 << PATH_SHIFT) - 1)
}

/// A pin try whose return is still to come.
pub(crate) struct ProbeResults {
    /// Entries of it, at most [`LONGEST_RANGE`].
    pub(crate) nr: u32,
    /// Whether they are to be counted if the pin is taken.
    pub(crate) counts: bool,
}

/// Bits of a thread id, and above them those of a length less one.
const TID_BITS: u32 = 22;

impl ProbeResults {
    #[inline(always)]
    fn mark(self, tid: u32) -> u32 {
        u32::from(self.counts) << 31 | (self.nr.wrapping_sub(1) & (LONGEST_RANGE - 1)) << TID_BITS | tid
    }

    #[inline(always)]
    fn of(mark: u32) -> Self {
        Self { nr: (mark >> TID_BITS & (LONGEST_RANGE - 1)) + 1, counts: mark >> 31 != 0 }
    }
}

/// The running task tries to pin something that is not its fault's own entry.
#[inline(always)]
pub(crate) fn pin_tried(tid: u32, tried: ProbeResults) {
    if let Some(words) = words_of(tid) {
        write_u32(words, TRIED_AT, tried.mark(tid));
    }
}

/// That try returns. `None`: it started before the hook on it was attached, or it is one that is not looked at.
#[inline(always)]
pub(crate) fn pin_returned(tid: u32) -> Option<ProbeResults> {
    let words = words_of(tid)?;
    let mark = read_u32(words, TRIED_AT);
    if mark & ((1 << TID_BITS) - 1) == tid {
        write_u32(words, TRIED_AT, 0);
        return Some(ProbeResults::of(mark));
    }
    if mark != 0 {
        count!(dropped_pin_return);
    }
    None
}

const PATH_AT: usize = core::mem::offset_of!(Words, path);
const TRIED_AT: usize = core::mem::offset_of!(Words, tried);

#[inline(always)]
fn words_of(tid: u32) -> Option<*mut u8> {
    PATHS.get_ptr_mut(tid & (WORDS - 1)).map(<*mut Words>::cast)
}
