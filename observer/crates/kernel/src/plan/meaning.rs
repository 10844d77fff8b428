//! What hooks are for.

use serde::Serialize;

/// What a hook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A fault starts.
    FaultStart,
    /// A fault ends.
    FaultEnd,
    /// A read from a swap device is started.
    ReadStart,
    /// It has come back.
    ReadEnd,
    /// A fault goes through the swap cache.
    CacheRead,
    /// A pin was tried.
    PinTry,
    /// A fault sleeps because it lost the pin.
    PinSleep,
    /// A pin is dropped.
    PinDrop,
    /// What a task does that pins outside a fault: shmem's swap-in, zswap's write-back.
    PinPath,
    /// A page's lock was found taken.
    LockTry,
    /// The wait for it is over.
    LockEnd,
    /// Entries lose a reference.
    CountDrop,
    /// Entries are released.
    Freed,
    /// Entries are given to a page on its way out.
    Allocated,
    /// A page is about to be written to its entries.
    WriteStart,
    /// It has been written.
    WriteEnd,
}

impl Meaning {
    /// All, in the order of a fault.
    pub const ALL: [Self; 16] = [
        Self::FaultStart,
        Self::FaultEnd,
        Self::ReadStart,
        Self::ReadEnd,
        Self::CacheRead,
        Self::PinTry,
        Self::PinSleep,
        Self::PinDrop,
        Self::PinPath,
        Self::LockTry,
        Self::LockEnd,
        Self::CountDrop,
        Self::Freed,
        Self::Allocated,
        Self::WriteStart,
        Self::WriteEnd,
    ];

    /// The name used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FaultStart => "fault start",
            Self::FaultEnd => "fault end",
            Self::ReadStart => "read start",
            Self::ReadEnd => "read end",
            Self::CacheRead => "cache read",
            Self::PinTry => "pin try",
            Self::PinSleep => "pin sleep",
            Self::PinDrop => "pin drop",
            Self::PinPath => "pin path",
            Self::LockTry => "lock try",
            Self::LockEnd => "lock end",
            Self::CountDrop => "count drop",
            Self::Freed => "entry freed",
            Self::Allocated => "entry allocated",
            Self::WriteStart => "write start",
            Self::WriteEnd => "write end",
        }
    }

    /// What cannot be told without it; `None`: nothing can be observed at all.
    pub const fn without(self) -> Option<&'static str> {
        match self {
            Self::FaultStart | Self::FaultEnd => None,
            Self::ReadStart => Some("paths and swap-ins are unknown: no window, reuse or stale-install can be told"),
            Self::ReadEnd => Some("how long a read took is unknown"),
            Self::CacheRead => Some("reads must be hooked to tell by which path they go"),
            Self::PinTry | Self::PinSleep => Some("pin waits are not seen"),
            Self::PinDrop => Some("holds and oversleep are unknown"),
            Self::PinPath => Some("failed pin tries of shmem and of zswap's write-back are counted with the others"),
            Self::LockTry => Some("waits on the folio lock are not seen"),
            Self::LockEnd => Some("a wait on the folio lock is taken to last until its fault returns"),
            Self::CountDrop => Some(
                "what happens between a reader's install and its return, while others hold the entry, is charged to it",
            ),
            Self::Freed => Some("windows are not seen; reuse and stale-install are"),
            Self::Allocated => Some("reuse and stale-install are seen by the write alone, and some are missed"),
            Self::WriteStart => Some("a read that falls between an allocation and its write is taken for fresh"),
            Self::WriteEnd => Some("a read that falls into a write is taken for fresh"),
        }
    }
}
