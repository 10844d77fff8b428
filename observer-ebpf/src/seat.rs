//! Seats of the fault table: what the programs keep about a fault while it is in progress. User space reads them when
//! an observation ends.
#![expect(clippy::cast_possible_truncation, reason = "halves of a word")]

/// Largest number of seats, a power of two. Tasks whose thread ids differ by less than this never share a seat.
pub const FAULT_SEATS: u32 = 16_384;

/// Room for one fault in progress.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Seat {
    /// The fault, while there is an owner. First, so that one register points to both.
    pub fault: Fault,
    /// Number of tasks that claim the seat. A task that reads 1 after adding its own claim owns it.
    pub claims: u32,
    /// Owner: its thread id with the top bit set; 0: none.
    pub owner: u32,
}

/// A fault in progress. The start of a fault writes as little as possible: the first part is always valid, a field of
/// the second part only if the flag named there is set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Fault {
    /// When `do_swap_page` was entered, `CLOCK_MONOTONIC` nanoseconds.
    pub start: u64,
    /// The entry of the faulting PTE.
    pub entry: u64,
    /// `struct vm_fault *` of the fault; kprobes only.
    pub vmf: u64,
    /// `F_*` of [`crate::record`].
    pub flags: u32,
    /// The slot's `starts` right after this fault was added.
    pub slot_starts: u32,
    /// The slot's changes that do not make the fault contended: those at its start, and its own.
    pub known: Changes,

    /// `F_STREAMED` or `F_LOCK_CONTENDED`: the `mm_struct` of the fault.
    pub mm: u64,
    /// `F_READ_STARTED`: when the first read started.
    pub read_start: u64,
    /// `F_READ_ENDED`: when that read ended.
    pub read_end: u64,
    /// `F_PIN_TRIED`: when the last try returned.
    pub pin_try: u64,
    /// `F_PIN_DROPPED`: when the pin was dropped; `F_FREE_TIMED`: when the fault freed the entry itself. No kernel has
    /// both hooks: where readers pin, frees are not hooked.
    pub released: u64,
    /// `F_LOCK_CONTENDED`: when the page's lock was found held.
    pub lock_try: u64,
    /// `F_LOCK_WAIT_ENDED`: when that wait ended.
    pub lock_end: u64,
    /// `F_RANGE` or `F_PIN_PENDING`: number of entries of the range before [`Self::entry`].
    pub before: u16,
    /// `F_RANGE` or `F_PIN_PENDING`: length of the range.
    pub nr: u16,
    /// `F_PIN_TRIED`: failed tries, saturating.
    pub pin_failures: u16,
    /// `F_PIN_TRIED`: result of the last try, an error number.
    pub pin_rc: i8,
    /// `F_FREED_OWN`: how many frees of the slot were this fault's.
    pub own_frees: u8,
    /// `F_READ_STARTED`: the slot's changes when the read started.
    pub at_read: Changes,
    /// `F_SPAN_ENDED`: the slot's changes up to which a change is under the fault's read.
    pub at_end: Changes,
}

impl Fault {
    /// Index of its slot. Not stored: it takes four instructions to compute.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        crate::slot::index(self.entry)
    }

    /// Sets the range: its first entry and its length, at most [`crate::swap_entry::MAX_RANGE`]. It includes the
    /// fault's own entry.
    pub const fn set_range(&mut self, base: u64, nr: u32) {
        self.before = self.entry.wrapping_sub(base) as u16;
        self.nr = nr as u16;
    }

    /// The range: its first entry and its length.
    #[must_use]
    pub const fn range(&self) -> (u64, u32) {
        (self.entry.wrapping_sub(self.before as u64), self.nr as u32)
    }

    /// The slot's changes when the fault started.
    #[must_use]
    pub const fn known_at_start(&self) -> Changes {
        let own = if self.flags & crate::record::F_FREED_OWN != 0 { self.own_frees } else { 0 };
        self.known.plus_frees((own as u32).wrapping_neg())
    }
}

/// A slot's `frees` and `changes`, read, kept and compared as one word.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub u64);

impl Changes {
    #[must_use]
    pub const fn frees(self) -> u32 {
        self.0 as u32
    }

    #[must_use]
    pub const fn content(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// With `n` more frees (modulo 2^32); the content changes stay.
    #[must_use]
    pub const fn plus_frees(self, n: u32) -> Self {
        Self(self.0 & !(u32::MAX as u64) | self.frees().wrapping_add(n) as u64)
    }
}

// A power of two: kernels before 6.2 multiply by any other size at each look-up, which takes eight instructions.
const _: () = assert!(size_of::<Seat>() == 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_stored_relative_to_the_entry() {
        // SAFETY: `Fault` consists of integers only, for which zeroes are valid.
        let mut fault: Fault = unsafe { core::mem::zeroed() };
        fault.entry = (3 << 58) + 10_000;
        for (base, nr) in
            [(fault.entry, 1), (fault.entry - 511, 512), (fault.entry - 8_191, 8_192), (fault.entry - 3, 16)]
        {
            fault.set_range(base, nr);
            assert_eq!(fault.range(), (base, nr));
        }
    }

    #[test]
    fn frees_wrap_without_changing_the_content() {
        let changes = Changes(7 << 32 | u64::from(u32::MAX));
        assert_eq!((changes.frees(), changes.content()), (u32::MAX, 7));
        assert_eq!(changes.plus_frees(2), Changes(7 << 32 | 1));
        assert_eq!(changes.plus_frees(2).plus_frees(2u32.wrapping_neg()), changes);
    }
}
