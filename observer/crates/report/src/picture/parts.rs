//! What a picture is made of: lanes, and on them spans and moments, with times counted from the start of the read.

/// Time from the start of the reader's read, nanoseconds; negative before it.
pub type Since = i64;

/// Something that happened at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A read started.
    ReadStart,
    /// It came back.
    ReadEnd,
    /// A pin was taken.
    PinTaken,
    /// A pin was wanted, and somebody held it or the entry was gone.
    PinLost,
    /// A pin was dropped.
    PinDropped,
    /// The entry was freed.
    Freed,
    /// The entry was reallocated.
    Allocated,
    /// A page was written to it.
    Written,
    /// The PTE check passed and the page was installed.
    Installed,
    /// The reader installed a page that was no longer the newest.
    StaleInstalled,
    /// The reader installed a page that it had read while it was being written.
    MixedInstalled,
    /// Returned without installing.
    GaveUp,
}

impl Mark {
    /// All, in the order of the legend.
    pub const ALL: [Self; 12] = [
        Self::ReadStart,
        Self::ReadEnd,
        Self::PinTaken,
        Self::PinLost,
        Self::PinDropped,
        Self::Freed,
        Self::Allocated,
        Self::Written,
        Self::Installed,
        Self::StaleInstalled,
        Self::MixedInstalled,
        Self::GaveUp,
    ];

    /// The letter that stands for it where there is no room for words.
    pub const fn letter(self) -> char {
        match self {
            Self::ReadStart => 'R',
            Self::ReadEnd => 'r',
            Self::PinTaken => 'P',
            Self::PinLost => 'L',
            Self::PinDropped => 'p',
            Self::Freed => 'F',
            Self::Allocated => 'H',
            Self::Written => 'W',
            Self::Installed => 'I',
            Self::StaleInstalled => 'S',
            Self::MixedInstalled => 'M',
            Self::GaveUp => 'G',
        }
    }

    /// What the task does.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReadStart => "starts to read",
            Self::ReadEnd => "has read",
            Self::PinTaken => "takes the pin",
            Self::PinLost => "does not get the pin",
            Self::PinDropped => "drops the pin",
            Self::Freed => "frees the entry",
            Self::Allocated => "hands it out again",
            Self::Written => "writes newer data",
            Self::Installed => "installs its page",
            Self::StaleInstalled => "PTE unchanged: installs old data",
            Self::MixedInstalled => "PTE unchanged: installs its read",
            Self::GaveUp => "returns without installing",
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
    /// Holding the pin.
    Pin,
    /// Holding a copy that is no longer what the entry stands for.
    Danger,
    /// The entry holds what the reader reads.
    Old,
    /// The entry belongs to nobody.
    Free,
    /// The entry belongs to a page that has not been written to it yet.
    Allocated,
    /// The entry holds newer data.
    New,
}

impl Fill {
    /// What it means, for the legend.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fault => "in do_swap_page",
            Self::Read => "reading",
            Self::Pin => "holds the pin",
            Self::Danger => "holds a copy that is out of date",
            Self::Old => "old data",
            Self::Free => "free",
            Self::Allocated => "allocated",
            Self::New => "newer data",
        }
    }
}

/// A stretch of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Start.
    pub from: Since,
    /// End.
    pub to: Since,
    /// What.
    pub fill: Fill,
}

/// A moment on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Since,
    /// What.
    pub mark: Mark,
}

/// Whose lane it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The task whose read was overtaken.
    Reader,
    /// Another task.
    Other,
    /// The swap entry.
    Entry,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Whose.
    pub role: Role,
    /// Command, or `entry`.
    pub name: String,
    /// `tid 106`, or the entry.
    pub detail: String,
    /// In order of time.
    pub spans: Vec<Span>,
    /// In order of time.
    pub moments: Vec<Moment>,
}
