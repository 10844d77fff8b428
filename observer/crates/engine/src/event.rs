//! The engine's input: faults, and changes of swap entries, in order of time.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Serialize, Serializer};

pub use crate::comm::Comm;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub type Nanos = u64;

/// A swap entry: the kernel's `swp_entry_t`, type and offset in one word. Printed `type:offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(pub u64);

impl Entry {
    const TYPE_SHIFT: u32 = 58;

    /// `offset` is in pages.
    pub const fn new(swap_type: u8, offset: u64) -> Self {
        Self(((swap_type as u64) << Self::TYPE_SHIFT) | offset)
    }

    /// The index of the swap area in the kernel's `swap_info` array.
    pub const fn swap_type(self) -> u8 {
        (self.0 >> Self::TYPE_SHIFT) as u8
    }

    /// Offset in the swap area, in pages.
    pub const fn offset(self) -> u64 {
        self.0 & ((1 << Self::TYPE_SHIFT) - 1)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.swap_type(), self.offset())
    }
}

impl FromStr for Entry {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (swap_type, offset) = text.split_once(':').unwrap_or(("", text));
        Ok(Self::new(swap_type.parse()?, offset.parse()?))
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A task, with its ids in the initial PID namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Task {
    /// Thread id.
    pub tid: u32,
    /// Process id: the kernel's `tgid`.
    pub pid: u32,
    pub comm: Comm,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, tid {})", self.comm, self.pid, self.tid)
    }
}

/// How a fault got its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Read from the device, the swap cache skipped.
    Direct,
    /// Found in the swap cache, or read into it.
    Cached,
    /// Returned early.
    #[default]
    None,
}

/// Result of a pin try (`swapcache_prepare`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinResult {
    Taken,
    /// `-EEXIST`: another task held the pin.
    Held,
    /// `-ENOENT`: the entry was already freed, the other task had finished.
    Gone,
    /// `-EEXIST` or `-ENOENT`; no hook reported which.
    Failed,
}

/// The last pin try of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// Time at which the try returned.
    #[serde(rename = "tried_ns")]
    pub tried: Nanos,
    pub result: PinResult,
    /// Failed tries of the fault, this one included.
    pub failures: u32,
    /// Time at which the fault dropped the pin.
    #[serde(rename = "dropped_ns")]
    pub dropped: Option<Nanos>,
}

/// A fault's wait for a folio lock held by another task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockWait {
    /// Time of the failed try.
    pub tried: Nanos,
    /// End of the wait; `None` where no hook reports it.
    pub ended: Option<Nanos>,
}

/// Sequence numbers of a filter slot around a fault's read. Changes with a number after `at_read` and up to `at_end`
/// happened under the read. The numbers order the events of a slot exactly, independently of clocks and of the ring
/// buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceSpan {
    /// The number at the start of the read; without a read: at the start of the fault.
    pub at_read: u32,
    /// The number when the fault freed the entry itself, otherwise at its end. Later changes are not under this reader.
    pub at_end: u32,
}

impl SequenceSpan {
    pub(crate) const fn contains(self, seq: u32) -> bool {
        let distance = seq.wrapping_sub(self.at_read);
        distance != 0 && distance <= self.len()
    }

    /// Whether a change happened before the read. Numbers wrap: a distance above a half is a change after it.
    pub(crate) const fn is_before_read(self, seq: u32) -> bool {
        self.at_read.wrapping_sub(seq) <= u32::MAX / 2
    }

    /// Number of changes in the span.
    pub(crate) const fn len(self) -> u32 {
        self.at_end.wrapping_sub(self.at_read)
    }
}

/// Faults started and ended on a filter slot since the programs were loaded. Both numbers wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCount {
    pub starts: u32,
    pub ends: u32,
}

impl SlotCount {
    /// Whether no fault is in progress on the slot.
    pub const fn is_idle(self) -> bool {
        self.starts == self.ends
    }
}

/// `VM_FAULT_RETRY` of `enum vm_fault_reason`, the same in every supported kernel: the fault dropped its locks to wait
/// and is to be repeated.
pub const VM_FAULT_RETRY: u32 = 0x400;

/// One call of `do_swap_page` by one task on a real swap entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// The faulting PTE's entry.
    pub entry: Entry,
    /// First entry of the range that is read or pinned.
    pub base: Entry,
    /// Length of the range, at least 1.
    pub nr: u32,
    pub address: u64,
    /// Opaque id of the address space.
    pub mm: u64,
    pub task: Task,
    /// Control group id (v2); 0 if not known.
    pub cgroup: u64,
    /// Entry into `do_swap_page`.
    pub start: Nanos,
    /// Return from `do_swap_page`; while the fault is in progress: time of the event.
    pub end: Nanos,
    /// Start of the first read.
    pub read_start: Option<Nanos>,
    /// End of that read.
    pub read_end: Option<Nanos>,
    /// Time at which the fault freed the entry itself, if other faults were in progress on it.
    pub freed: Option<Nanos>,
    pub path: Path,
    pub installed: bool,
    /// Return value of `do_swap_page` (`VM_FAULT_*`).
    pub fault_ret: u32,
    pub pin: Option<Pin>,
    pub lock: Option<LockWait>,
    /// Frees on the slot under the read.
    pub frees: SequenceSpan,
    /// Content changes on the slot under the read.
    pub changes: SequenceSpan,
    /// The slot right after this event.
    pub slot: SlotCount,
}

impl Fault {
    /// Whether the fault held the pin. While it does, no other task starts a direct read of the range.
    pub fn pinned(&self) -> bool {
        matches!(self.pin, Some(Pin { result: PinResult::Taken, .. }))
    }

    /// Whether the entry can change under the fault's read. A reader in the swap cache finds the page itself, and the
    /// pin keeps the entry from being freed until after the install; only a direct read without the pin is unprotected.
    pub(crate) fn is_unprotected(&self) -> bool {
        self.path == Path::Direct && self.read_start.is_some() && !self.pinned()
    }

    /// Whether the fault waited without taking the folio lock and is repeated (`VM_FAULT_RETRY`). Meaningful only for a
    /// fault that found the lock held.
    pub fn will_retry(&self) -> bool {
        self.fault_ret & VM_FAULT_RETRY != 0
    }

    /// Whether the ranges of two faults intersect.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        self.base.0 < other.base.0 + u64::from(other.nr) && other.base.0 < self.base.0 + u64::from(self.nr)
    }
}

/// A change of a swap entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The last reference was dropped.
    Freed,
    /// The entry was given to a page that is being swapped out.
    Allocated,
    /// A write to the entry starts; `Written` follows.
    WriteStarted,
    /// A write to the entry completed. Where no hook reports the end of a write: a write starts.
    Written,
}

/// A change of one entry while faults were in progress on its slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub kind: ChangeKind,
    pub entry: Entry,
    pub at: Nanos,
    /// The slot's sequence number after the change: of frees for `Freed`, otherwise of content changes.
    pub seq: u32,
    pub by: Task,
    /// The slot right after the change.
    pub slot: SlotCount,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A contended fault is in progress; `Ended` follows.
    Started(Fault),
    /// A contended fault ended.
    Ended(Fault),
    /// An entry changed while a fault on it was in progress.
    Changed(Change),
}

impl Event {
    pub fn at(&self) -> Nanos {
        match self {
            Self::Started(fault) | Self::Ended(fault) => fault.end,
            Self::Changed(change) => change.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_printed_and_parsed_as_type_and_offset() {
        let entry = Entry::new(3, 79);
        assert_eq!(entry.to_string(), "3:79");
        assert_eq!("3:79".parse(), Ok(entry));
        assert_eq!((entry.swap_type(), entry.offset()), (3, 79));
        assert!("79".parse::<Entry>().is_err());
    }

    #[test]
    fn sequence_numbers_wrap() {
        let span = SequenceSpan { at_read: u32::MAX - 1, at_end: 1 };
        assert_eq!(span.len(), 3);
        let contained: Vec<u32> =
            [u32::MAX - 1, u32::MAX, 0, 1, 2].into_iter().filter(|seq| span.contains(*seq)).collect();
        assert_eq!(contained, [u32::MAX, 0, 1]);
        assert!(!SequenceSpan::default().contains(0));
    }
}
