//! Records of the ring buffer. The first word of each is its kind.

use bytemuck::{Pod, Zeroable};

/// A fault on a contended entry has been noticed while it is open ([`FaultRecord`]).
pub const FAULT_STARTED: u32 = 1;
/// A fault on a contended entry has ended ([`FaultRecord`], complete).
pub const FAULT_ENDED: u32 = 2;
/// Entries were released while a fault was open on them ([`EntryRecord`]).
pub const ENTRY_FREED: u32 = 3;
/// Entries were allocated (to a page on its way out) while a fault was open on them ([`EntryRecord`]).
pub const ENTRY_ALLOCATED: u32 = 4;
/// Entries have been written to their device while a fault was open on them ([`EntryRecord`]); where no hook tells the
/// end of a write: are about to be.
pub const ENTRY_WRITTEN: u32 = 5;
/// Entries are about to be written to their device while a fault is open on them; [`ENTRY_WRITTEN`] will follow.
pub const ENTRY_WRITE_STARTED: u32 = 6;

/// Flag of a fault: a page was read past the swap cache.
pub const F_DIRECT: u32 = 1;
/// Flag of a fault: a page was read into the swap cache.
pub const F_CACHED: u32 = 1 << 1;
/// Flag of a fault: it installed its page.
pub const F_INSTALLED: u32 = 1 << 2;
/// Flag of a fault: it has tried to pin; `pin_rc` is the last result.
pub const F_PIN_TRIED: u32 = 1 << 3;
/// Flag of a fault: it has freed the entry itself; the `*_end` sequence numbers are those of that moment.
pub const F_FREED_OWN: u32 = 1 << 4;
/// Flag of a fault: it has given up its reference to the entry, which it does once its page is installed; the `*_end`
/// sequence numbers are those of that moment.
pub const F_COUNT_DROPPED: u32 = 1 << 6;
/// Flag of a fault: it is being streamed.
pub const F_STREAMED: u32 = 1 << 5;
/// Flag of a fault: it has gone through the swap cache.
pub const F_THROUGH_CACHE: u32 = 1 << 7;
/// Flag of a fault: its last pin try failed, and with which error was not seen.
pub const F_PIN_CONTENDED: u32 = 1 << 8;
/// Flag of a fault: it holds, or held, the pin.
pub const F_PINNED: u32 = 1 << 9;
/// Flag of an fault in progress: see [`crate::seat::Fault`]. The same of those below.
pub const F_READ: u32 = 1 << 16;
/// See [`F_READ`].
pub const F_READ_ENDED: u32 = 1 << 17;
/// See [`F_READ`].
pub const F_PIN_DROPPED: u32 = 1 << 18;
/// See [`F_READ`].
pub const F_FREED_SEEN: u32 = 1 << 19;
/// See [`F_READ`].
pub const F_LOCKED_OUT: u32 = 1 << 20;
/// See [`F_READ`].
pub const F_LOCK_ENDED: u32 = 1 << 21;
/// See [`F_READ`].
pub const F_RANGE: u32 = 1 << 22;
/// See [`F_READ`].
pub const F_SPAN_ENDED: u32 = 1 << 23;
/// See [`F_READ`].
pub const F_PIN_PENDING: u32 = 1 << 24;

/// One call of `do_swap_page`. All times are `CLOCK_MONOTONIC` nanoseconds; 0: has not happened.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FaultRecord {
    /// [`FAULT_STARTED`] or [`FAULT_ENDED`].
    pub kind: u32,
    /// `F_*`.
    pub flags: u32,
    /// When this record was made; of a closed fault: when `do_swap_page` returned.
    pub ts: u64,
    /// The entry of the faulting PTE.
    pub entry: u64,
    /// First entry of the range that is read or pinned; equals `entry` but for large folios.
    pub base: u64,
    /// Fault address.
    pub address: u64,
    /// The `mm_struct` of the fault, as an opaque identity.
    pub mm: u64,
    /// When `do_swap_page` was entered.
    pub start: u64,
    /// When the first read was started.
    pub read_start: u64,
    /// When that read came back (0 too where no hook tells).
    pub read_end: u64,
    /// When the last pin was tried.
    pub pin_try: u64,
    /// When the pin was dropped.
    pub pin_drop: u64,
    /// When the fault freed the entry itself; taken only while others are in progress.
    pub freed_own: u64,
    /// When the page's lock was found taken by somebody else, so that the task had to wait.
    pub lock_try: u64,
    /// When that wait was over; whether the lock was had then, `fault_ret` tells (0 too where no hook tells).
    pub lock_end: u64,
    /// Control group of the task (v2 id).
    pub cgroup: u64,
    /// Thread id, in the first PID namespace.
    pub tid: u32,
    /// Process id, likewise.
    pub tgid: u32,
    /// Length of the range in entries, at least 1.
    pub nr: u32,
    /// What `do_swap_page` returned (`VM_FAULT_*`).
    pub fault_ret: u32,
    /// Result of the last pin try: 0, `-EEXIST`, `-ENOENT`.
    pub pin_rc: i32,
    /// Failed pin tries of this fault.
    pub pin_fails: u32,
    /// Slot counters ([`crate::slot::Slot`]) right after this record's event.
    pub opens: u32,
    /// Likewise.
    pub closes: u32,
    /// The slot's sequence number of frees when the read started; of a fault without a read: when the fault started.
    pub frees_read: u32,
    /// The same when the fault freed the entry itself, else at its end.
    pub frees_end: u32,
    /// The slot's sequence number of content changes, likewise.
    pub changes_read: u32,
    /// The same when the fault freed the entry itself, else at its end.
    pub changes_end: u32,
    /// The task's command, zero-padded.
    pub comm: [u8; 16],
}

/// Something that happened to one entry while a fault was open on its slot. What happens to a range in one call comes
/// as one record for each entry concerned.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EntryRecord {
    /// `ENTRY_*`.
    pub kind: u32,
    /// The slot's sequence number after this event: of frees for [`ENTRY_FREED`], else of content changes.
    pub seq: u32,
    /// When it happened, `CLOCK_MONOTONIC` nanoseconds.
    pub ts: u64,
    /// The entry.
    pub entry: u64,
    /// Thread that did it.
    pub tid: u32,
    /// Its process.
    pub tgid: u32,
    /// Slot counters right after this event.
    pub opens: u32,
    /// Likewise.
    pub closes: u32,
    /// The task's command, zero-padded.
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<FaultRecord>() == 184);
const _: () = assert!(core::mem::offset_of!(FaultRecord, tid) == 120);
const _: () = assert!(core::mem::offset_of!(FaultRecord, comm) == 168);
const _: () = assert!(size_of::<EntryRecord>() == 56);
const _: () = assert!(core::mem::offset_of!(EntryRecord, comm) == 40);
