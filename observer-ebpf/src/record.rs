//! Records of the ring buffer. The first word of each is its kind.

use bytemuck::{Pod, Zeroable};

/// A fault has started while another one is in progress on its slot ([`FaultRecord`], as far as it is known).
pub const FAULT_STARTED: u32 = 1;
/// A streamed fault has ended ([`FaultRecord`], complete).
pub const FAULT_ENDED: u32 = 2;
/// An entry was freed while a fault was in progress on it ([`EntryRecord`]).
pub const ENTRY_FREED: u32 = 3;
/// An entry was allocated while a fault was in progress on it ([`EntryRecord`]).
pub const ENTRY_ALLOCATED: u32 = 4;
/// An entry was written to its device while a fault was in progress on it ([`EntryRecord`]). Where the end of a write
/// is not hooked: the write has started.
pub const ENTRY_WRITTEN: u32 = 5;
/// A write of an entry to its device has started while a fault is in progress on it; [`ENTRY_WRITTEN`] follows.
pub const ENTRY_WRITE_STARTED: u32 = 6;

/// The fault read a page directly.
pub const F_DIRECT: u32 = 1;
/// The fault read a page into the swap cache.
pub const F_CACHED: u32 = 1 << 1;
/// The fault installed its page.
pub const F_INSTALLED: u32 = 1 << 2;
/// The fault tried to pin; `pin_rc` is the result of its last try.
pub const F_PIN_TRIED: u32 = 1 << 3;
/// The fault freed its entry itself; the `*_at_end` sequence numbers are those of that moment.
pub const F_FREED_OWN: u32 = 1 << 4;
/// The fault is streamed.
pub const F_STREAMED: u32 = 1 << 5;
/// The fault dropped its reference to the entry, which it does once its page is installed; the `*_at_end` sequence
/// numbers are those of that moment.
pub const F_REFERENCE_DROPPED: u32 = 1 << 6;
/// The fault entered the path through the swap cache (`swapin_readahead`).
pub const F_CACHE_PATH: u32 = 1 << 7;
/// The fault's last pin try failed, with an error that was not seen.
pub const F_PIN_CONTENDED: u32 = 1 << 8;
/// The fault holds the pin, or held it.
pub const F_PINNED: u32 = 1 << 9;

// The flags from here on are internal: each says that fields of `crate::seat::Fault` hold a value.

/// A read has started: `read_start`, `at_read`.
pub const F_READ_STARTED: u32 = 1 << 16;
/// The first read has ended: `read_end`.
pub const F_READ_ENDED: u32 = 1 << 17;
/// The pin was dropped while another fault may have been waiting for it: `released`.
pub const F_PIN_DROPPED: u32 = 1 << 18;
/// The fault freed its entry while another one was in progress on it: `released`.
pub const F_FREE_TIMED: u32 = 1 << 19;
/// The page's lock was held by another task: `lock_try`, `mm`.
pub const F_LOCK_CONTENDED: u32 = 1 << 20;
/// The wait for the page's lock has ended: `lock_end`.
pub const F_LOCK_WAIT_ENDED: u32 = 1 << 21;
/// The fault reads or pins a range: `before`, `nr`.
pub const F_RANGE: u32 = 1 << 22;
/// Changes from here on are not under the fault's read: `at_end`.
pub const F_SPAN_ENDED: u32 = 1 << 23;
/// A pin try has not returned yet (kprobes): `before`, `nr`.
pub const F_PIN_PENDING: u32 = 1 << 24;
/// The fault last tried to add the page of the faulting entry to the swap cache, not one that it reads ahead.
pub const F_OWN_CACHE_TRY: u32 = 1 << 25;
/// The fault slept in a try to add its own page to the swap cache.
pub const F_OWN_CACHE_SLEEP: u32 = 1 << 26;

/// One call of `do_swap_page`. All times are `CLOCK_MONOTONIC` nanoseconds; 0: has not happened, or is not hooked.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FaultRecord {
    /// [`FAULT_STARTED`] or [`FAULT_ENDED`].
    pub kind: u32,
    /// `F_*`.
    pub flags: u32,
    /// When the fault started, or when `do_swap_page` returned, by [`Self::kind`].
    pub ts: u64,
    /// The entry of the faulting PTE.
    pub entry: u64,
    /// First entry of the range that is read or pinned; differs from `entry` only for large folios.
    pub base: u64,
    /// Fault address.
    pub address: u64,
    /// The `mm_struct` of the fault: an opaque identity.
    pub mm: u64,
    /// When `do_swap_page` was entered.
    pub start: u64,
    /// When the first read started.
    pub read_start: u64,
    /// When that read ended.
    pub read_end: u64,
    /// When the last pin try returned.
    pub pin_try: u64,
    /// When the pin was dropped.
    pub pin_drop: u64,
    /// When the fault freed the entry itself, if other faults were in progress then.
    pub freed_own: u64,
    /// When the task found the page's lock held by another task, so that it had to wait.
    pub lock_try: u64,
    /// When that wait ended; `fault_ret` shows whether the task had got the lock.
    pub lock_end: u64,
    /// Control group of the task (v2 id).
    pub cgroup: u64,
    /// Thread id, in the initial PID namespace.
    pub tid: u32,
    /// Process id, in the initial PID namespace.
    pub tgid: u32,
    /// Length of the range in entries, at least 1.
    pub nr: u32,
    /// What `do_swap_page` returned (`VM_FAULT_*`).
    pub fault_ret: u32,
    /// Result of the last pin try: 0, `-EEXIST`, `-ENOENT`.
    pub pin_rc: i32,
    /// Failed pin tries of this fault.
    pub pin_failures: u32,
    /// The slot's [`starts`](crate::slot::Slot::starts) right after the event.
    pub slot_starts: u32,
    /// The slot's [`ends`](crate::slot::Slot::ends) right after the event.
    pub slot_ends: u32,
    /// The slot's `frees` when the read started; if there was no read: when the fault started.
    pub frees_at_read: u32,
    /// The slot's `frees` at the end of the fault's span: when it freed the entry or dropped its reference, else when
    /// it ended.
    pub frees_at_end: u32,
    /// The slot's `changes` at the moment of [`Self::frees_at_read`].
    pub changes_at_read: u32,
    /// The slot's `changes` at the moment of [`Self::frees_at_end`].
    pub changes_at_end: u32,
    /// The task's command, zero-padded.
    pub comm: [u8; 16],
}

/// What happened to one entry while a fault was in progress on its slot. One call that concerns a range emits one
/// record for each such entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EntryRecord {
    /// `ENTRY_*`.
    pub kind: u32,
    /// The slot's `frees` after an [`ENTRY_FREED`], else its `changes` after the event.
    pub seq: u32,
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub ts: u64,
    pub entry: u64,
    /// Thread that caused it.
    pub tid: u32,
    /// Process of that thread.
    pub tgid: u32,
    /// The slot's [`starts`](crate::slot::Slot::starts) right after the event.
    pub slot_starts: u32,
    /// The slot's [`ends`](crate::slot::Slot::ends) right after the event.
    pub slot_ends: u32,
    /// The task's command, zero-padded.
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<FaultRecord>() == 184);
const _: () = assert!(core::mem::offset_of!(FaultRecord, tid) == 120);
const _: () = assert!(core::mem::offset_of!(FaultRecord, comm) == 168);
const _: () = assert!(size_of::<EntryRecord>() == 56);
const _: () = assert!(core::mem::offset_of!(EntryRecord, comm) == 40);
