//! One round: pages out, writes and pages out again while the victim is delayed, then checks the page.

use std::{
    thread::{sleep, yield_now},
    time::{Duration, Instant},
};

use observer_observation::clock::now;

use super::{
    super::messages::{RoundNote, RoundTruth},
    TargetedOptions,
    lead::{Timing, next_lead},
    victim::{PAGE, Victim},
};
use crate::{
    Result, SwapEntry,
    memory::Mapping,
    pagemap::{Pagemap, Place},
    signals,
    swap_device::SwapDevice,
};

/// How long the victim may take to start its access.
const START_LIMIT: Duration = Duration::from_millis(100);
/// How long its read may take to be counted by the device. A victim whose read was not counted is delayed before it: a
/// kernel without the bypass has locked the page, and another task that touches it waits.
const READ_LIMIT: Duration = Duration::from_millis(10);
const PAGE_OUT_LIMIT: Duration = Duration::from_secs(2);
/// Requests to page out without a pause between them.
const EAGER: u32 = 4;
const PAUSE: Duration = Duration::from_micros(500);

#[derive(Debug)]
pub(super) struct Rounds<'a> {
    device: &'a SwapDevice,
    victim: &'a Victim,
    pagemap: &'a Pagemap,
    pid: u32,
    tries: u32,
    victim_limit: Duration,
    lead: Duration,
}

/// The write of the page and its second page-out, while the victim was delayed.
#[derive(Debug)]
struct Change {
    /// `None`: the page could not be paged out.
    entry: Option<SwapEntry>,
    /// The victim's access had not ended by then.
    in_time: bool,
    took_ns: u64,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        options: &TargetedOptions,
        device: &'a SwapDevice,
        victim: &'a Victim,
        pagemap: &'a Pagemap,
        pid: u32,
    ) -> Self {
        let tries = options.tries.max(1);
        Self { device, victim, pagemap, pid, tries, victim_limit: options.victim_limit, lead: options.lead }
    }

    /// Runs one round. If the page cannot be paged out, the round is reported with a note.
    pub(super) fn run(&mut self, round: u32) -> Result<RoundTruth> {
        let mut truth = RoundTruth {
            round,
            pid: self.pid,
            address: self.page().address(PAGE),
            victim_tid: self.victim.tid(),
            started_ns: now(),
            ..RoundTruth::default()
        };
        let values = Values::of(round);
        // Different words, so that the page has to be read from the device.
        self.page().fill(PAGE, values.old);
        truth.entry_before = self.page_out()?;
        if let Some(entry) = truth.entry_before {
            self.run_swapped_out(&mut truth, entry, values)?;
        } else {
            truth.note = Some(RoundNote::NotPagedOut);
        }
        truth.ended_ns = now();
        Ok(truth)
    }

    /// The part of the round after the page was paged out to `entry`.
    fn run_swapped_out(&mut self, truth: &mut RoundTruth, entry: SwapEntry, values: Values) -> Result<()> {
        let reads = self.device.reads()?;
        self.victim.start_round(truth.round);
        let read_seen = self.wait_for_read(truth.round, reads)?;
        let change = self.change(truth.round, entry, values.new);
        // Also after an error: the victim's access must have ended before anything else is done to the page.
        truth.victim_ns = self.victim.wait_finished(truth.round, self.victim_limit)?;
        let change = change?;
        truth.change_ns = change.took_ns;
        truth.entry_after = change.entry;
        truth.same_entry = change.entry == Some(entry);
        let word = self.page().load(PAGE);
        let content = values.classify(word);
        truth.lost = content != Content::New;
        truth.note = match content {
            Content::New => deviation(read_seen, &change, truth.same_entry),
            Content::Old => None,
            Content::Zeroes => Some(RoundNote::ReadZeroes),
            Content::Unexpected => Some(RoundNote::UnexpectedContent),
        };
        truth.unexpected_word = (content == Content::Unexpected).then(|| format!("{word:#x}"));
        self.lead = next_lead(self.lead, Timing::of(truth.same_entry, change.in_time, truth.lost));
        Ok(())
    }

    /// Waits until the device has counted the victim's read, and then for the lead. False: the read was not counted.
    ///
    /// No memory may be allocated or mapped from here to the end of the change: that would wait for the victim.
    fn wait_for_read(&self, round: u32, before: u64) -> Result<bool> {
        if !self.victim.wait_started(round, START_LIMIT) {
            return Ok(false);
        }
        let end = Instant::now() + READ_LIMIT;
        let mut seen = false;
        while !seen && !self.victim.has_finished(round) && Instant::now() < end {
            seen = self.device.reads()? != before;
        }
        sleep(self.lead);
        Ok(seen)
    }

    /// Swaps the page in, writes it, and pages it out until it has `entry` again or the tries are used up.
    fn change(&self, round: u32, entry: SwapEntry, new: u64) -> Result<Change> {
        let started = now();
        self.page().store(PAGE, new);
        let mut current = self.page_out()?;
        for _ in 1..self.tries {
            if current == Some(entry) || self.victim.has_finished(round) || signals::check().is_err() {
                break;
            }
            self.page().load(PAGE);
            current = self.page_out()?;
        }
        let in_time = !self.victim.has_finished(round);
        Ok(Change { entry: current, in_time, took_ns: now().saturating_sub(started) })
    }

    /// Requests that the page be paged out until it is, and returns its entry. `None`: it was not, or a signal has
    /// arrived. The round is then continued to its end, because it may already have lost data.
    fn page_out(&self) -> Result<Option<SwapEntry>> {
        let end = Instant::now() + PAGE_OUT_LIMIT;
        let mut attempt = 0;
        loop {
            self.page().page_out(PAGE, 1)?;
            if let Place::Swapped(entry) = self.pagemap.place(self.page().address(PAGE))? {
                return Ok(Some(entry));
            }
            if Instant::now() >= end || signals::check().is_err() {
                return Ok(None);
            }
            attempt += 1;
            if attempt < EAGER { yield_now() } else { sleep(PAUSE) }
        }
    }

    fn page(&self) -> &'a Mapping {
        self.victim.page()
    }
}

/// The old and the new first word of a round's page: never 0, and different in all rounds.
#[derive(Clone, Copy, Debug)]
struct Values {
    old: u64,
    new: u64,
}

impl Values {
    const fn of(round: u32) -> Self {
        // The page is filled with ascending words from the old value: values of two rounds differ by more than the
        // number of words in a page.
        let old = ((round as u64) << 32) | 1;
        Self { old, new: old | 1 << 31 }
    }

    const fn classify(self, word: u64) -> Content {
        match word {
            0 => Content::Zeroes,
            _ if word == self.new => Content::New,
            _ if word == self.old => Content::Old,
            _ => Content::Unexpected,
        }
    }
}

/// The content of the page at the end of a round. All but `New` are data loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    New,
    /// The page was read before the write, and installed after it.
    Old,
    /// A free entry reads as zeroes, because zram drops the data when the entry is freed. Seen on 5.10, where the entry
    /// was freed between the start of the read and zram's lookup.
    Zeroes,
    Unexpected,
}

/// What differed from the intended course in a round without data loss.
const fn deviation(read_seen: bool, change: &Change, same_entry: bool) -> Option<RoundNote> {
    match (change.entry, same_entry, change.in_time, read_seen) {
        (None, ..) => Some(RoundNote::NotPagedOutAgain),
        (_, false, ..) => Some(RoundNote::OtherEntry),
        (_, _, false, _) => Some(RoundNote::VictimTooEarly),
        (_, _, _, false) => Some(RoundNote::ReadNotSeen),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_within_and_between_rounds_and_are_never_zero() {
        let mut all: Vec<u64> = (1..=50).map(Values::of).flat_map(|values| [values.old, values.new]).collect();
        assert!(!all.contains(&0));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn the_write_is_lost_unless_the_page_holds_it() {
        let values = Values::of(3);
        let contents = [values.new, values.old, 0, values.old + 1].map(|word| values.classify(word));
        assert_eq!(contents, [Content::New, Content::Old, Content::Zeroes, Content::Unexpected]);
    }

    #[test]
    fn the_note_is_the_first_deviation() {
        let entry = Some(SwapEntry { swap_type: 0, offset: 1 });
        let change = |entry, in_time| Change { entry, in_time, took_ns: 0 };
        assert_eq!(deviation(true, &change(entry, true), true), None);
        assert_eq!(deviation(true, &change(None, true), false), Some(RoundNote::NotPagedOutAgain));
        assert_eq!(deviation(true, &change(entry, true), false), Some(RoundNote::OtherEntry));
        assert_eq!(deviation(true, &change(entry, false), true), Some(RoundNote::VictimTooEarly));
        assert_eq!(deviation(false, &change(entry, true), true), Some(RoundNote::ReadNotSeen));
    }
}
