//! Seats for faults in progress: what the programs keep of a fault while it is open, and user space looks at in the end.
#![expect(clippy::cast_possible_truncation, reason = "halves of a word are meant")]

/// A place for one fault in progress.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Seat {
    /// The fault, while there is an owner. First, so that one register holds where both are.
    pub fault: Fault,
    /// How many lay claim to it: whoever finds 1 after adding their own has it.
    pub claims: u32,
    /// Whose fault it is: the thread id with the top bit set; 0: nobody's.
    pub owner: u32,
}

/// An fault in progress. A start writes no more than it must: the first part always holds, each field of the second only where
/// the flag named there is set, and means nothing else.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Fault {
    /// When `do_swap_page` was entered, `CLOCK_MONOTONIC` nanoseconds.
    pub start: u64,
    /// The entry of the faulting PTE.
    pub entry: u64,
    /// `struct vm_fault *` of the fault; kprobe backend only.
    pub vmf: u64,
    /// `F_*` of [`crate::record`].
    pub flags: u32,
    /// The slot's `opens` right after this fault was counted in.
    pub opens_start: u32,
    /// The slot's changes that the fault knows of: those at its start, and its own.
    pub known: Changes,

    /// With `F_STREAMED` or `F_LOCKED_OUT`: the `mm_struct` of the fault.
    pub mm: u64,
    /// With `F_READ`: when the first read was started.
    pub read_start: u64,
    /// With `F_READ_ENDED`: when it came back.
    pub read_end: u64,
    /// With `F_PIN_TRIED`: when the last try returned.
    pub pin_try: u64,
    /// With `F_PIN_DROPPED`: when the pin was dropped; with `F_FREED_SEEN`: when the fault freed the entry itself. Both are
    /// not hooked on one kernel: where readers pin, nothing follows from a release.
    pub let_go: u64,
    /// With `F_LOCKED_OUT`: when the page's lock was found taken.
    pub lock_try: u64,
    /// With `F_LOCK_ENDED`: when that wait was over.
    pub lock_end: u64,
    /// With `F_RANGE`, and with `F_PIN_PENDING`: how many entries of the range that is read or pinned come before this one.
    pub before: u16,
    /// Likewise: its length.
    pub nr: u16,
    /// With `F_PIN_TRIED`: failed tries; no more than it can hold.
    pub pin_fails: u16,
    /// With `F_PIN_TRIED`: result of the last try, an error number.
    pub pin_rc: i8,
    /// With `F_FREED_OWN`: own frees of the slot.
    pub frees_own: u8,
    /// With `F_READ`: the slot's changes when the read started.
    pub at_read: Changes,
    /// With `F_SPAN_ENDED`: those up to which changes are under the read.
    pub at_end: Changes,
}

impl Fault {
    /// Index of its slot. Not kept: it is four instructions from the entry.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        crate::slot::index(self.entry)
    }

    /// Notes a range that holds the fault's entry: its first entry and its length, at most [`crate::config::LONGEST_RANGE`].
    pub const fn set_range(&mut self, base: u64, nr: u32) {
        self.before = self.entry.wrapping_sub(base) as u16;
        self.nr = nr as u16;
    }

    /// The range that was noted last: its first entry and its length.
    #[must_use]
    pub const fn range(&self) -> (u64, u32) {
        (self.entry.wrapping_sub(self.before as u64), self.nr as u32)
    }

    /// The slot's changes when it started.
    #[must_use]
    pub const fn known_at_start(&self) -> Changes {
        let own = if self.flags & crate::record::F_FREED_OWN != 0 { self.frees_own } else { 0 };
        self.known.with_frees((own as u32).wrapping_neg())
    }
}

/// Two numbers of a slot that are read, kept and compared together, as one word.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub u64);

impl Changes {
    /// Entries ever freed.
    #[must_use]
    pub const fn frees(self) -> u32 {
        self.0 as u32
    }

    /// Content changes ever.
    #[must_use]
    pub const fn content(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// With so many frees more, or fewer; the content changes stay.
    #[must_use]
    pub const fn with_frees(self, more: u32) -> Self {
        Self(self.0 & !(u32::MAX as u64) | self.frees().wrapping_add(more) as u64)
    }
}

// A power of two: on kernels before 6.2 a look-up multiplies by any other size, which costs eight instructions.
const _: () = assert!(size_of::<Seat>() == 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_kept_by_what_lies_before_its_entry() {
        // SAFETY: integers only, for which zeroes are valid.
        let mut fault: Fault = unsafe { core::mem::zeroed() };
        fault.entry = (3 << 58) + 1_000;
        for (base, nr) in [(fault.entry, 1), (fault.entry - 511, 512), (fault.entry - 3, 16)] {
            fault.set_range(base, nr);
            assert_eq!(fault.range(), (base, nr));
        }
    }

    #[test]
    fn frees_wrap_and_leave_the_content_alone() {
        let changes = Changes(7 << 32 | u64::from(u32::MAX));
        assert_eq!((changes.frees(), changes.content()), (u32::MAX, 7));
        assert_eq!(changes.with_frees(2), Changes(7 << 32 | 1));
        assert_eq!(changes.with_frees(2).with_frees(2u32.wrapping_neg()), changes);
    }
}
