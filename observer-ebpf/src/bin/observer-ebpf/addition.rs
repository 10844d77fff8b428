//! Pages that are being added to the swap cache in order to be swapped out, on kernels where a return probe reports the
//! allocation, which gets no arguments.
//!
//! The allocation is reported once the page has been added: until then a task may start a fault on the entry, miss the
//! page in the swap cache, and read what the entry held before.

use aya_ebpf::{macros::map, maps::Array};

use crate::{
    atomic::{add_u32, read_u32},
    entry, globals,
    memory::KernelMemory,
    page::pages,
    task,
};

/// Size of the array, which is indexed by the low bits of the thread id: a power of two.
const TASKS: u32 = 4_096;

#[map]
static ADDITIONS: Array<Addition> = Array::with_max_entries(TASKS, 0);

#[repr(C)]
#[derive(Clone, Copy)]
struct Addition {
    entry: u64,
    /// Length of the range.
    nr: u32,
    /// Number of tasks that claim the element. A task that reads 1 after adding its own claim owns it.
    claims: u32,
    /// The owner's thread id; 0: none.
    tid: u32,
    pad: u32,
}

const CLAIMS: usize = core::mem::offset_of!(Addition, claims);
const TID: usize = core::mem::offset_of!(Addition, tid);

/// A page is about to be added under the entry that was just allocated to it. A task that finds the element claimed by
/// another one reports the allocation at once.
#[inline(always)]
pub(crate) fn started<M: KernelMemory>(page: *const u8, entry: u64) {
    // SAFETY: the hook's argument is a `struct page` or `struct folio`.
    let nr = pages(page, unsafe { M::read(page, globals::page_flags.load()) });
    let (tid, _) = task::ids();
    let Some(element) = element_of(tid) else { return entry::allocated(entry, nr) };
    // Its own element still, if the last return was missed: the entry of then must not be reported now.
    if read_u32(element.cast(), TID) != tid {
        add_u32(element.cast(), CLAIMS, 1);
        if read_u32(element.cast(), CLAIMS) != 1 {
            add_u32(element.cast(), CLAIMS, 1u32.wrapping_neg());
            return entry::allocated(entry, nr);
        }
    }
    // SAFETY: a live map value, which only the task that owns it writes.
    let addition = unsafe { &mut *element };
    (addition.entry, addition.nr, addition.tid) = (entry, nr, tid);
}

/// `rc` is 0 if the page has been added.
#[inline(always)]
pub(crate) fn ended(rc: i32) {
    let (tid, _) = task::ids();
    let Some(element) = element_of(tid) else { return };
    // SAFETY: a live map value; if this task's id is in it, only this task writes it.
    let addition = unsafe { &mut *element };
    if addition.tid != tid {
        return;
    }
    let (entry, nr) = (addition.entry, addition.nr);
    addition.tid = 0;
    add_u32(element.cast(), CLAIMS, 1u32.wrapping_neg());
    if rc == 0 {
        entry::allocated(entry, nr);
    }
}

#[inline(always)]
fn element_of(tid: u32) -> Option<*mut Addition> {
    ADDITIONS.get_ptr_mut(tid & (TASKS - 1))
}
