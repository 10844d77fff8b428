//! What can go wrong in a workload.

use std::io;
use std::time::Duration;

/// Result of everything in this module.
pub type Result<T, E = StressError> = std::result::Result<T, E>;

/// Why a workload could not start, go on or tidy up. Each message says what, why, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StressError {
    /// The process may not set up swap.
    #[error("setting up a swap device needs root (effective uid is {uid}); run it with sudo")]
    NotRoot {
        /// Effective user id.
        uid: u32,
    },
    /// Other swap is on, which would take pages that the workload wants on its own device.
    #[error(
        "other swap is in use ({areas}): the workload fills its own small device to the last slot, so pages could go \
         there instead; switch it off (swapoff) for the run, or give --allow-other-swap"
    )]
    OtherSwap {
        /// The paths of the areas, comma-separated.
        areas: String,
    },
    /// There is no zram to make a device of.
    #[error("no zram on kernel {release}: {detail}; install the kernel's module package, or load the module `zram`")]
    NoZram {
        /// The running kernel's release.
        release: String,
        /// What was tried, and how it failed.
        detail: String,
    },
    /// The host is too short of memory to play with it.
    #[error(
        "too little memory: {have_kib} KiB are available, {need_kib} KiB are wanted; use fewer slots, or free memory"
    )]
    TooLittleMemory {
        /// What the workload wants, in KiB.
        need_kib: u64,
        /// `MemAvailable`, in KiB.
        have_kib: u64,
    },
    /// An option is outside its range.
    #[error("{option} = {value} is out of range: {range}")]
    OutOfRange {
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: u64,
        /// The range that is allowed.
        range: &'static str,
    },
    /// A system call or a file operation failed.
    #[error("{what}: {error}")]
    Io {
        /// What was being done, and to what.
        what: String,
        /// The operating system's answer. Part of the message, so not a source of its own.
        error: io::Error,
    },
    /// Something the kernel said could not be understood.
    #[error("{what}: unexpected content {content:?}")]
    Format {
        /// Where it was read.
        what: String,
        /// What was read (its start).
        content: String,
    },
    /// The swap device could not be filled to exactly one free slot.
    #[error(
        "the swap device holds {used} of {slots} slots after paging out {tried} ballast pages, wanted {wanted}: pages \
         are not going there one by one (memory.swap.max of this cgroup, or other swap in use?)"
    )]
    Ballast {
        /// Slots in use.
        used: u32,
        /// Usable slots of the device.
        slots: u32,
        /// Slots that should be in use.
        wanted: u32,
        /// Ballast pages that were offered.
        tried: usize,
    },
    /// Pages stayed in memory.
    #[error(
        "{left} of {pages} pages are still in memory after {limit:?} of asking for them to be paged out: is the swap \
         device full, or does a limit of this control group (memory.swap.max) forbid it?"
    )]
    NotOut {
        /// Pages still in memory.
        left: usize,
        /// Pages that should be out.
        pages: usize,
        /// How long it was tried.
        limit: Duration,
    },
    /// A wait ran into its limit.
    #[error("gave up waiting for {what} after {limit:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The kernel's own count is not what it must be.
    #[error(
        "{what}: the kernel counted {found} instead of {wanted}: something else swaps on this host, or the device is full"
    )]
    Unexpected {
        /// What was counted.
        what: &'static str,
        /// The count.
        found: u64,
        /// What it should be.
        wanted: u64,
    },
    /// A signal asked the workload to stop.
    #[error("stopped by signal {signal}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// A device that should be a leftover does not carry the mark of the run that left it.
    #[error("{device} is left alone: its swap header is not that of the run that should have left it ({detail})")]
    NotOurs {
        /// Path of the device.
        device: String,
        /// How it differs.
        detail: String,
    },
    /// Some of the tidying up failed.
    #[error(
        "{device} could not be removed completely: {problems}; by hand: swapoff {device}; echo {id} > /sys/class/zram-control/hot_remove"
    )]
    TearDown {
        /// Path of the device.
        device: String,
        /// The id within zram.
        id: u32,
        /// The steps that failed, `; `-separated.
        problems: String,
    },
}

impl StressError {
    /// Whether the host does not allow the workload, as it stands: nothing has been changed then.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotRoot { .. } | Self::OtherSwap { .. } | Self::NoZram { .. } | Self::TooLittleMemory { .. }
        )
    }

    /// Wraps the error of a system call or file operation with what was being done.
    pub(crate) fn io(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), error: error.into() }
    }

    /// For content that could not be understood; keeps only its start.
    pub(crate) fn format(what: impl Into<String>, content: &str) -> Self {
        Self::Format { what: what.into(), content: content.chars().take(80).collect() }
    }
}
