//! What the engine is fed with: faults and what happens to entries, in order of time.

use std::fmt;

use serde::{Serialize, Serializer};

pub use super::comm::Comm;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub type Nanos = u64;

/// A swap entry: the kernel's `swp_entry_t`, type and offset in one word. Printed `type:offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(pub u64);

impl Entry {
    const TYPE_SHIFT: u32 = 58;

    /// Entry of a swap type and an offset in pages.
    pub const fn new(kind: u8, offset: u64) -> Self {
        Self(((kind as u64) << Self::TYPE_SHIFT) | offset)
    }

    /// Number of the swap area, in the order in which the kernel set them up.
    pub const fn kind(self) -> u8 {
        (self.0 >> Self::TYPE_SHIFT) as u8
    }

    /// Offset in the area, in pages.
    pub const fn offset(self) -> u64 {
        self.0 & ((1 << Self::TYPE_SHIFT) - 1)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.offset())
    }
}

impl std::str::FromStr for Entry {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, offset) = text.split_once(':').unwrap_or(("", text));
        Ok(Self::new(kind.parse()?, offset.parse()?))
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A task, as the kernel names it in the first PID namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Task {
    /// Thread id.
    pub tid: u32,
    /// Process id.
    pub pid: u32,
    /// Command, at most 15 bytes.
    pub comm: Comm,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, tid {})", self.comm, self.pid, self.tid)
    }
}

/// How a fault got its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Read past the swap cache.
    Direct,
    /// Found in, or read through, the swap cache.
    Cached,
    /// Returned early.
    #[default]
    None,
}

/// Outcome of a fault's last pin try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PinResult {
    /// The fault held the pin.
    Taken,
    /// `-EEXIST`: somebody else held it.
    Held,
    /// `-ENOENT`: the entry was already gone, the other task had finished.
    Gone,
    /// One of the two; no hook reported which.
    Contended,
}

/// A pin try of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// When the try returned.
    pub tried: Nanos,
    /// What it returned.
    pub result: PinResult,
    /// Failed tries of this fault, this one included.
    pub fails: u32,
    /// When the fault dropped the pin.
    pub dropped: Option<Nanos>,
}

/// A page found locked by somebody else in a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LockWait {
    /// When.
    pub tried: Nanos,
    /// When the fault need not wait any longer; `None` where no hook tells.
    pub ended: Option<Nanos>,
}

/// Sequence numbers of a filter slot that a fault saw: what changed between the two happened under its read. They order
/// events on one slot exactly, whatever the clocks and the ring buffer do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When the read started; of a fault without a read: when the fault started.
    pub at_read: u32,
    /// When the fault freed the entry itself, else when it ended. Later changes are not under this reader.
    pub at_end: u32,
}

impl Seen {
    /// Whether the change with this number happened in between.
    pub const fn contains(self, seq: u32) -> bool {
        let distance = seq.wrapping_sub(self.at_read);
        distance != 0 && distance <= self.len()
    }

    /// How many changes happened in between.
    pub const fn len(self) -> u32 {
        self.at_end.wrapping_sub(self.at_read)
    }

    /// Whether nothing happened in between.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Faults ever opened and closed on a filter slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCount {
    /// Ever opened.
    pub opens: u32,
    /// Ever closed.
    pub closes: u32,
}

impl SlotCount {
    /// Whether no fault is open on the slot.
    pub const fn is_drained(self) -> bool {
        self.opens == self.closes
    }
}

/// Of `enum vm_fault_reason`, every version: locks were dropped for a wait, the fault is to be repeated.
pub const VM_FAULT_RETRY: u32 = 0x400;

/// One call of `do_swap_page` by one task on a real swap entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// The faulting PTE's entry.
    pub entry: Entry,
    /// First entry of the range read or pinned.
    pub base: Entry,
    /// Length of the range, at least 1.
    pub nr: u32,
    /// Fault address.
    pub address: u64,
    /// Identity of the address space.
    pub mm: u64,
    /// Who.
    pub task: Task,
    /// Control group id (v2).
    pub cgroup: u64,
    /// Entry into `do_swap_page`.
    pub start: Nanos,
    /// Return from it; of a fault still open: when this was known.
    pub end: Nanos,
    /// Start of the first read.
    pub read_start: Option<Nanos>,
    /// End of that read.
    pub read_end: Option<Nanos>,
    /// When the fault freed the entry itself, if others were in progress then.
    pub freed: Option<Nanos>,
    /// How it got its page.
    pub path: Path,
    /// Whether it installed its page.
    pub installed: bool,
    /// What `do_swap_page` returned (`VM_FAULT_*`).
    pub fault_ret: u32,
    /// Its last pin try.
    pub pin: Option<Pin>,
    /// Its wait for the page's lock.
    pub lock: Option<LockWait>,
    /// Frees of the slot under the read.
    pub frees: Seen,
    /// Content changes of the slot under the read.
    pub changes: Seen,
    /// The slot right after this event.
    pub slot: SlotCount,
}

impl Fault {
    /// Whether the fault held the pin: then nobody else could start a direct read of the range.
    pub fn pinned(&self) -> bool {
        matches!(self.pin, Some(Pin { result: PinResult::Taken, .. }))
    }

    /// Whether something may have happened to the entry under the fault's read: only a direct read without the pin can be
    /// overtaken. In the swap cache a reader finds the page itself, and the pin keeps the entry from being freed until
    /// after the install.
    pub fn may_be_overtaken(&self) -> bool {
        self.path == Path::Direct && self.read_start.is_some() && !self.pinned()
    }

    /// Whether the fault gave up the page's lock to wait without it (`VM_FAULT_RETRY`) and its task faults again. Of a
    /// fault that found the lock taken only.
    pub fn faults_again(&self) -> bool {
        self.fault_ret & VM_FAULT_RETRY != 0
    }

    /// Whether two faults' ranges intersect.
    pub fn conflicts(&self, other: &Self) -> bool {
        self.base.0 < other.base.0 + u64::from(other.nr) && other.base.0 < self.base.0 + u64::from(self.nr)
    }
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Its last reference went.
    Freed,
    /// It was given to a page on its way out.
    Allocated,
    /// A page is about to be written to it; `Written` will follow.
    WriteStarted,
    /// A page was written to it; where the end of a write is not told: is about to be.
    Written,
}

/// Something that happened to one entry while faults were open on its slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What.
    pub kind: ChangeKind,
    /// Which.
    pub entry: Entry,
    /// When.
    pub at: Nanos,
    /// The slot's sequence number after it: of frees, or of content changes.
    pub seq: u32,
    /// Who did it.
    pub by: Task,
    /// The slot right after it.
    pub slot: SlotCount,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A contended fault was noticed while open; more will follow.
    Started(Fault),
    /// A contended fault ended.
    Ended(Fault),
    /// An entry changed under a fault.
    Changed(Change),
}

impl Event {
    /// When it happened.
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
    fn entries_print_and_parse() {
        let entry = Entry::new(3, 79);
        assert_eq!(entry.to_string(), "3:79");
        assert_eq!("3:79".parse(), Ok(entry));
        assert_eq!((entry.kind(), entry.offset()), (3, 79));
        assert!("79".parse::<Entry>().is_err());
    }

    #[test]
    fn sequence_numbers_wrap() {
        let seen = Seen { at_read: u32::MAX - 1, at_end: 1 };
        assert_eq!(seen.len(), 3);
        assert!(seen.contains(u32::MAX) && seen.contains(0) && seen.contains(1));
        assert!(!seen.contains(u32::MAX - 1) && !seen.contains(2));
        assert!(!Seen::default().contains(0));
    }
}
