//! What a task is doing when it pins an entry outside any flight: noted while it is inside shmem's swap-in or zswap's
//! write-back, so that a pin try that fails there can be charged to it. Looked at only when one has failed.

use aya_ebpf::{macros::map, maps::Array};

use crate::{
    count::{read_u32, write_u32},
    task,
};

/// Words, by the low bits of the thread id: a power of two.
const WORDS: u32 = 16_384;

/// Which task is on which path, see [`mark`]. Two tasks that share a word overwrite each other: then a failure is charged
/// to no path, never to a wrong one.
#[map]
static PATHS: Array<u32> = Array::with_max_entries(WORDS, 0);

/// Inside `shmem_swapin_folio`.
pub(crate) const SHMEM: u32 = 1;
/// Inside `shrink_memcg_cb`, which looks at one page of zswap and may write it back.
pub(crate) const ZSWAP: u32 = 2;

/// The running task enters a path.
#[inline(always)]
pub(crate) fn enter(path: u32) {
    let (tid, _) = task::ids();
    if let Some(word) = PATHS.get_ptr_mut(tid & (WORDS - 1)) {
        write_u32(word.cast(), 0, mark(tid, path));
    }
}

/// The running task leaves it.
#[inline(always)]
pub(crate) fn leave(path: u32) {
    let (tid, _) = task::ids();
    if let Some(word) = PATHS.get_ptr_mut(tid & (WORDS - 1))
        && read_u32(word.cast(), 0) == mark(tid, path)
    {
        write_u32(word.cast(), 0, 0);
    }
}

/// The path that the running task is on; 0: none that is known.
#[inline(always)]
pub(crate) fn current() -> u32 {
    let (tid, _) = task::ids();
    let word = PATHS.get_ptr(tid & (WORDS - 1)).map_or(0, |word| read_u32(word.cast(), 0));
    if word == mark(tid, word >> PATH_SHIFT) { word >> PATH_SHIFT } else { 0 }
}

/// Above every thread id (`PID_MAX_LIMIT` is 2^22).
const PATH_SHIFT: u32 = 30;

#[inline(always)]
const fn mark(tid: u32, path: u32) -> u32 {
    path << PATH_SHIFT | tid & ((1 << PATH_SHIFT) - 1)
}
