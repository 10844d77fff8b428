//! The parts of a picture: lanes, and on them spans and moments, with times counted from the start of the read.

/// Nanoseconds from the start of the reader's read; negative before it.
pub type Since = i64;

/// What a task does at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    ReadStart,
    ReadEnd,
    PinTaken,
    /// The pin was held, or the entry was gone.
    PinFailed,
    PinReleased,
    Freed,
    Allocated,
    Written,
    Installed,
    /// The reader installed a page that was no longer the newest.
    StaleInstalled,
    /// The reader installed a page that it read while the entry was being written.
    UncertainInstalled,
    /// The fault returned without installing its page.
    Discarded,
}

impl Mark {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::ReadStart,
        Self::ReadEnd,
        Self::PinTaken,
        Self::PinFailed,
        Self::PinReleased,
        Self::Freed,
        Self::Allocated,
        Self::Written,
        Self::Installed,
        Self::StaleInstalled,
        Self::UncertainInstalled,
        Self::Discarded,
    ];

    /// Stands for the mark where there is no room for words.
    pub const fn letter(self) -> char {
        match self {
            Self::ReadStart => 'R',
            Self::ReadEnd => 'r',
            Self::PinTaken => 'P',
            Self::PinFailed => 'x',
            Self::PinReleased => 'p',
            Self::Freed => 'F',
            Self::Allocated => 'A',
            Self::Written => 'W',
            Self::Installed => 'I',
            Self::StaleInstalled => 'S',
            Self::UncertainInstalled => 'U',
            Self::Discarded => 'D',
        }
    }

    /// A verb phrase; its subject is the task of the lane.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReadStart => "starts to read",
            Self::ReadEnd => "completes the read",
            Self::PinTaken => "takes the pin",
            Self::PinFailed => "fails to take the pin",
            Self::PinReleased => "releases the pin",
            Self::Freed => "frees the entry",
            Self::Allocated => "reallocates the entry",
            Self::Written => "writes newer data",
            Self::Installed => "installs its page",
            Self::StaleInstalled => "PTE unchanged: installs old data",
            Self::UncertainInstalled => "PTE unchanged: installs the page",
            Self::Discarded => "discards its page",
        }
    }
}

/// What fills a span of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// In `do_swap_page`.
    Fault,
    /// Reading the page from the device.
    Read,
    Pin,
    /// Holding a copy that is no longer the content of the entry.
    Danger,
    /// The entry holds what the reader reads.
    Old,
    /// The entry is not allocated.
    Free,
    /// The entry is allocated to a page that has not been written to it yet.
    Allocated,
    /// The entry holds newer data.
    New,
}

impl Fill {
    /// For the legend.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fault => "in do_swap_page",
            Self::Read => "reading",
            Self::Pin => "holds the pin",
            Self::Danger => "holds a stale copy",
            Self::Old => "old data",
            Self::Free => "free",
            Self::Allocated => "allocated",
            Self::New => "newer data",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Since,
    pub to: Since,
    pub fill: Fill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Since,
    pub mark: Mark,
}

/// Whose lane it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The task under whose read the entry changed.
    Reader,
    /// Another task.
    Other,
    /// The swap entry.
    Entry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub role: Role,
    /// The command, or `entry`.
    pub name: String,
    /// `tid 106`, or the entry.
    pub detail: String,
    /// Ordered by time.
    pub spans: Vec<Span>,
    /// Ordered by time.
    pub moments: Vec<Moment>,
}
