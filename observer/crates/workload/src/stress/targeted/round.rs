//! One round: what is done to the page, and what came of it.

use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use super::super::clock::now_ns;
use super::super::device::SwapDevice;
use super::super::memory::Mapping;
use super::super::messages::RoundTruth;
use super::super::pagemap::{Pagemap, Place, SwapEntry};
use super::super::tuning::{judge, next_lead};
use super::super::victim::{PAGE, Victim};
use super::super::{Result, signals};
use super::TargetedOptions;

/// How long the victim gets to start its access.
const SHOW_LIMIT: Duration = Duration::from_millis(100);
/// How long its read gets to show at the device. One that has not by then is held up before it: a kernel without the
/// bypass has locked the page, and whoever touches it now waits.
const READ_LIMIT: Duration = Duration::from_millis(10);
/// How long one attempt to get the page out may take before it counts as failed.
const PAGE_OUT_LIMIT: Duration = Duration::from_secs(2);
/// So many attempts follow each other at once; then there is a pause in between.
const EAGER: u32 = 4;
const PAUSE: Duration = Duration::from_micros(500);

/// Everything a round needs.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    device: &'a SwapDevice,
    victim: &'a Victim,
    pagemap: &'a Pagemap,
    pid: u32,
    tries: u32,
    victim_limit: Duration,
    lead: Duration,
}

/// What came of changing the page while the victim was held up.
#[derive(Debug)]
struct Change {
    /// Where the page went, if it went.
    entry: Option<SwapEntry>,
    /// The victim was still in its access then.
    in_time: bool,
    took_ns: u64,
}

impl<'a> Stage<'a> {
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

    /// Plays one round and tells what happened. A round that cannot be played is told, too, with a note.
    pub(super) fn play(&mut self, round: u32) -> Result<RoundTruth> {
        let mut truth = RoundTruth {
            round,
            pid: self.pid,
            address: self.page().address(PAGE),
            victim_tid: self.victim.tid(),
            started_ns: now_ns(),
            ..RoundTruth::default()
        };
        let (old, new) = values(round);
        // A whole page of words, so that it has to be read back from the device.
        self.page().fill(PAGE, old);
        truth.entry_before = self.page_out()?;
        if let Some(entry) = truth.entry_before {
            self.play_on(&mut truth, entry, (old, new))?;
        } else {
            truth.note = Some("the page could not be paged out".to_owned());
        }
        truth.ended_ns = now_ns();
        Ok(truth)
    }

    /// The round from the moment that the page is out, at `entry`.
    fn play_on(&mut self, truth: &mut RoundTruth, entry: SwapEntry, (old, new): (u64, u64)) -> Result<()> {
        let reads = self.device.reads()?;
        self.victim.play(truth.round);
        let seen = self.wait_for_read(truth.round, reads)?;
        let change = self.change(truth.round, entry, new);
        // Whatever became of the change: nothing goes on while the victim is at the page.
        truth.victim_ns = self.victim.wait_finished(truth.round, self.victim_limit)?;
        let change = change?;
        truth.change_ns = change.took_ns;
        truth.entry_after = change.entry;
        truth.same_entry = change.entry == Some(entry);
        let held = self.page().load(PAGE);
        let fate = fate(held, (old, new));
        truth.lost = fate != Fate::Kept;
        truth.note = match fate {
            Fate::Kept => note(seen, &change, truth.same_entry).map(str::to_owned),
            Fate::Old => None,
            Fate::Zeroes => Some("the page came back as zeroes: it was read while its entry was free".to_owned()),
            Fate::Strange => Some(format!("the page holds {held:#x}, which nobody wrote")),
        };
        self.lead = next_lead(self.lead, judge(truth.same_entry, change.in_time, truth.lost));
        Ok(())
    }

    /// Waits until the victim's read has reached the device, and the lead on top. False if the read never showed.
    ///
    /// No memory may be allocated or mapped between here and the end of the change: that would wait for the victim.
    fn wait_for_read(&self, round: u32, before: u64) -> Result<bool> {
        if !self.victim.wait_entered(round, SHOW_LIMIT) {
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

    /// Swaps the page in, changes it, and sends it out until it is at `entry` again, or the tries are used up.
    fn change(&self, round: u32, entry: SwapEntry, new: u64) -> Result<Change> {
        let started = now_ns();
        self.page().store(PAGE, new);
        let mut at = self.page_out()?;
        for _ in 1..self.tries {
            if at == Some(entry) || self.victim.has_finished(round) || signals::check().is_err() {
                break;
            }
            self.page().load(PAGE);
            at = self.page_out()?;
        }
        let in_time = !self.victim.has_finished(round);
        Ok(Change { entry: at, in_time, took_ns: now_ns().saturating_sub(started) })
    }

    /// Asks for the page to be paged out until it is; where it went. None if it does not go, or a signal asks to stop:
    /// the round is then brought to its end, because what it has lost already must be told.
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

/// The old and the new value of a round's page: never zero, and not the same in any two rounds.
const fn values(round: u32) -> (u64, u64) {
    // The page is filled with ascending words from the old value: rounds are further apart than a page has words.
    let old = ((round as u64) << 32) | 1;
    (old, old | 1 << 31)
}

/// What the page holds at the end of a round. All but the new value means that the change is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The new value.
    Kept,
    /// The old value: it was read before the change, and installed after it.
    Old,
    /// Nothing: a free entry reads as zeroes (zram drops its data as it is freed), and neither value is left. Seen on 5.10,
    /// where the entry was freed between the start of the read and the moment that zram looked.
    Zeroes,
    /// Something that is neither.
    Strange,
}

const fn fate(held: u64, (old, new): (u64, u64)) -> Fate {
    match held {
        0 => Fate::Zeroes,
        _ if held == new => Fate::Kept,
        _ if held == old => Fate::Old,
        _ => Fate::Strange,
    }
}

/// What was in the way of the intended course where nothing was lost, if something was.
const fn note(read_seen: bool, change: &Change, same_entry: bool) -> Option<&'static str> {
    match (change.entry, same_entry, change.in_time, read_seen) {
        (None, ..) => Some("the changed page could not be paged out"),
        (_, false, ..) => Some("the changed page went to another entry"),
        (_, _, false, _) => Some("the victim was through before the entry was back"),
        (_, _, _, false) => Some("the victim's read did not show at the device"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_within_and_between_rounds_and_are_never_zero() {
        let mut all: Vec<u64> = (1..=50).flat_map(|round| [values(round).0, values(round).1]).collect();
        assert!(!all.contains(&0));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn the_change_is_lost_unless_the_page_holds_it() {
        let (old, new) = values(3);
        let fates = [new, old, 0, old + 1].map(|held| fate(held, (old, new)));
        assert_eq!(fates, [Fate::Kept, Fate::Old, Fate::Zeroes, Fate::Strange]);
    }

    #[test]
    fn the_note_names_the_first_thing_in_the_way() {
        let entry = Some(SwapEntry { kind: 0, offset: 1 });
        let change = |entry, in_time| Change { entry, in_time, took_ns: 0 };
        assert_eq!(note(true, &change(entry, true), true), None);
        assert!(note(true, &change(None, true), false).unwrap().contains("could not be paged out"));
        assert!(note(true, &change(entry, true), false).unwrap().contains("another entry"));
        assert!(note(true, &change(entry, false), true).unwrap().contains("through"));
        assert!(note(false, &change(entry, true), true).unwrap().contains("show"));
    }
}
