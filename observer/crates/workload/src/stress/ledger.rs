//! Compares the ground truth of `storm` with the observer's flags, page by page and pass by pass, while both arrive.
//!
//! A page with a wrong count must have a flag of that page within that pass. A flag on a page with the right count must
//! be explained: no data is lost if the page was not written between the read and the install. Memory is bounded: a
//! pass is kept until all flags on it must have arrived.

use std::collections::VecDeque;

use serde::Serialize;

use super::messages::{PassTruth, WrongPage};

/// Passes kept while their flags may still arrive. A storm has a few hundred passes per second.
const MAX_PENDING: usize = 16_384;
/// Entries of each list; all are counted.
const MAX_LISTED: usize = 1_000;

/// The observer's report that a stale page was installed. Times are nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StormFlag {
    /// Thread group ID of the reader.
    pub pid: u32,
    /// Page-aligned.
    pub address: u64,
    /// Start of the read of the page that was installed.
    pub read_ns: u64,
    /// The page was installed by this time.
    pub at_ns: u64,
}

/// Sums over all passes. A page counts once in each pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StormTotals {
    /// Passes.
    pub rounds: u64,
    /// Pages with data loss: those that lost increments, and those that hold the content of another page and are
    /// flagged.
    pub lost: u64,
    /// Increments that are missing from pages.
    pub lost_updates: u64,
    /// Pages with at least one flag, plus flags outside any pass.
    pub flagged: u64,
    /// Data loss and flagged.
    pub matched: u64,
    /// Data loss and not flagged.
    pub missed: u64,
    /// Flagged without data loss, and the page was not written in between: the stale page was equal to the new one.
    pub explained: u64,
    /// Flagged without data loss and without that explanation, plus flags outside any pass.
    #[serde(rename = "false")]
    pub false_flags: u64,
    /// Pages that hold more than was ever added, without a flag. With a flag, such a page is data loss: a read between
    /// the allocation of an entry and the write to it returns the former content of the slot.
    pub corrupt: u64,
}

/// A page with a wrong count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostPage {
    pub pass: u64,
    #[serde(flatten)]
    pub page: WrongPage,
    /// Install times of its flags; empty: missed.
    pub flags_ns: Vec<u64>,
}

/// A flag on a page with the right count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HarmlessFlag {
    /// `None`: outside any pass.
    pub pass: Option<u64>,
    #[serde(flatten)]
    pub flag: StormFlag,
    /// Increments of the page that happened wholly between the read and the install. 0 explains the flag.
    pub writes_between: u64,
}

#[derive(Debug, Default)]
pub struct Ledger {
    passes: VecDeque<PassTruth>,
    /// The end of the last pass that was added. Which pass a later flag belongs to is not known yet.
    known_ns: u64,
    flags: Vec<StormFlag>,
    totals: StormTotals,
    lost: Vec<LostPage>,
    harmless: Vec<HarmlessFlag>,
}

impl Ledger {
    /// Adds a pass. Passes are added in order.
    pub fn add_pass(&mut self, truth: PassTruth) {
        self.totals.rounds += 1;
        self.known_ns = truth.ended_ns;
        self.totals.lost += truth.wrong.iter().filter(|page| page.missing > 0).count() as u64;
        self.passes.push_back(truth);
        if self.passes.len() > MAX_PENDING {
            let oldest = self.passes.front().map_or(0, |pass| pass.ended_ns);
            self.settle(oldest);
        }
    }

    /// Adds a flag. Flags are added in any order.
    pub fn add_flag(&mut self, flag: StormFlag) {
        self.flags.push(flag);
    }

    /// Compares all passes and flags. None may be added later.
    pub fn finish(&mut self) {
        self.known_ns = u64::MAX;
        self.settle(u64::MAX);
    }

    /// Compares the passes up to `until`, whose flags must have been added, with these flags.
    pub fn settle(&mut self, until: u64) {
        let until = until.min(self.known_ns);
        while let Some(pass) = self.passes.pop_front_if(|pass| pass.ended_ns <= until) {
            self.compare(&pass);
        }
        // Between passes only the main thread reads the pages; its faults belong to no pass.
        let started = self.passes.front().map_or(until, |pass| pass.started_ns);
        for flag in self.flags.extract_if(.., |flag| flag.at_ns < started && flag.at_ns <= until).collect::<Vec<_>>() {
            self.totals.flagged += 1;
            self.totals.false_flags += 1;
            list(&mut self.harmless, HarmlessFlag { pass: None, flag, writes_between: 0 });
        }
    }

    pub const fn totals(&self) -> StormTotals {
        self.totals
    }

    /// Pages with a wrong count, oldest first.
    pub fn lost(&self) -> &[LostPage] {
        &self.lost
    }

    /// Flags on pages with the right count, oldest first.
    pub fn harmless(&self) -> &[HarmlessFlag] {
        &self.harmless
    }

    fn compare(&mut self, pass: &PassTruth) {
        let within = |flag: &StormFlag| flag.pid == pass.pid && (pass.started_ns..=pass.ended_ns).contains(&flag.at_ns);
        let mut flags: Vec<StormFlag> = self.flags.extract_if(.., |flag| within(flag)).collect();
        for page in &pass.wrong {
            let on_page: Vec<_> = flags.extract_if(.., |flag| flag.address == page.address).collect();
            self.compare_wrong_page(pass.pass, *page, &on_page);
        }
        flags.sort_by_key(|flag| (flag.address, flag.at_ns));
        for on_page in flags.chunk_by(|one, other| one.address == other.address) {
            self.compare_right_page(pass, on_page);
        }
    }

    fn compare_wrong_page(&mut self, pass: u64, page: WrongPage, flags: &[StormFlag]) {
        self.totals.lost_updates += u64::try_from(page.missing).unwrap_or(0);
        let foreign = page.missing < 0;
        match (foreign, flags.is_empty()) {
            (true, true) => self.totals.corrupt += 1,
            (false, true) => self.totals.missed += 1,
            (_, false) => {
                self.totals.lost += u64::from(foreign);
                self.totals.flagged += 1;
                self.totals.matched += 1;
            }
        }
        list(&mut self.lost, LostPage { pass, page, flags_ns: flags.iter().map(|flag| flag.at_ns).collect() });
    }

    /// A page with the right count that has flags.
    fn compare_right_page(&mut self, pass: &PassTruth, flags: &[StormFlag]) {
        self.totals.flagged += 1;
        let mut writes = 0;
        for flag in flags {
            let writes_between = writes_between(pass, flag);
            writes += writes_between;
            list(&mut self.harmless, HarmlessFlag { pass: Some(pass.pass), flag: *flag, writes_between });
        }
        if writes == 0 {
            self.totals.explained += 1;
        } else {
            self.totals.false_flags += 1;
        }
    }
}

/// Increments of the flag's page that happened wholly between its read and its install. One that overlaps the ends of
/// that span may have happened before or after it.
fn writes_between(pass: &PassTruth, flag: &StormFlag) -> u64 {
    let of_page = pass.increments.iter().filter(|increment| increment.address == flag.address);
    of_page.filter(|increment| increment.after_ns >= flag.read_ns && increment.by_ns <= flag.at_ns).count() as u64
}

fn list<T>(items: &mut Vec<T>, item: T) {
    if items.len() < MAX_LISTED {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::messages::Increment, *};

    const PAGE: u64 = 0x7000;

    fn pass(number: u64, missing: &[(u64, i64)]) -> PassTruth {
        let wrong = missing.iter().map(|&(address, missing)| WrongPage { address, missing }).collect();
        PassTruth {
            pass: number,
            pid: 1,
            started_ns: number * 100,
            ended_ns: number * 100 + 90,
            wrong,
            increments: Vec::new(),
        }
    }

    fn flag(read_ns: u64, at_ns: u64) -> StormFlag {
        StormFlag { pid: 1, address: PAGE, read_ns, at_ns }
    }

    fn ledger(passes: Vec<PassTruth>, flags: &[StormFlag]) -> Ledger {
        let mut ledger = Ledger::default();
        for flag in flags {
            ledger.add_flag(*flag);
        }
        for pass in passes {
            ledger.add_pass(pass);
        }
        ledger.finish();
        ledger
    }

    #[test]
    fn a_page_with_lost_increments_is_matched_by_a_flag_of_its_page_and_pass() {
        let ledger = ledger(vec![pass(1, &[(PAGE, 2)]), pass(2, &[(PAGE, 1)])], &[flag(110, 150)]);
        let expected = StormTotals {
            rounds: 2,
            lost: 2,
            lost_updates: 3,
            flagged: 1,
            matched: 1,
            missed: 1,
            ..Default::default()
        };
        assert_eq!(ledger.totals(), expected);
        assert_eq!(ledger.lost()[0].flags_ns, [150]);
        assert!(ledger.lost()[1].flags_ns.is_empty());
    }

    #[test]
    fn several_flags_on_one_page_count_once() {
        let totals = ledger(vec![pass(1, &[(PAGE, 1)])], &[flag(110, 150), flag(120, 160)]).totals();
        assert_eq!((totals.flagged, totals.matched, totals.false_flags), (1, 1, 0));
    }

    #[test]
    fn a_flag_without_data_loss_is_explained_if_the_page_was_not_written_in_between() {
        let increment = |after_ns, by_ns| Increment { address: PAGE, after_ns, by_ns };
        // One before the span, one that overlaps its start, one of another page.
        let quiet = vec![
            increment(100, 109),
            increment(105, 130),
            Increment { address: PAGE + 4096, after_ns: 115, by_ns: 120 },
        ];
        let explained = ledger(vec![PassTruth { increments: quiet, ..pass(1, &[]) }], &[flag(110, 150)]);
        assert_eq!((explained.totals().explained, explained.totals().false_flags), (1, 0));
        assert_eq!(explained.harmless()[0].writes_between, 0);
        let written = vec![increment(115, 140)];
        let unexplained = ledger(vec![PassTruth { increments: written, ..pass(1, &[]) }], &[flag(110, 150)]);
        assert_eq!((unexplained.totals().explained, unexplained.totals().false_flags), (0, 1));
    }

    #[test]
    fn a_flag_outside_any_pass_or_of_another_process_is_false() {
        let other = StormFlag { pid: 2, ..flag(110, 150) };
        let totals = ledger(vec![pass(1, &[]), pass(2, &[])], &[flag(91, 195), other]).totals();
        assert_eq!((totals.flagged, totals.false_flags, totals.explained), (2, 2, 0));
    }

    #[test]
    fn a_pass_is_compared_only_when_its_flags_have_arrived() {
        let mut ledger = Ledger::default();
        ledger.add_pass(pass(1, &[(PAGE, 1)]));
        ledger.add_pass(pass(2, &[]));
        ledger.settle(150);
        assert_eq!((ledger.totals().lost, ledger.totals().missed), (1, 0), "the first pass has not ended");
        ledger.add_flag(flag(110, 150));
        ledger.settle(195);
        assert_eq!((ledger.totals().matched, ledger.totals().missed), (1, 0));
    }

    #[test]
    fn a_flag_waits_for_its_pass() {
        let mut ledger = Ledger::default();
        ledger.add_pass(pass(1, &[]));
        ledger.add_flag(flag(210, 250));
        ledger.settle(10_000);
        assert_eq!((ledger.totals().flagged, ledger.totals().false_flags), (0, 0));
        ledger.add_pass(pass(2, &[(PAGE, 1)]));
        ledger.settle(10_000);
        assert_eq!((ledger.totals().matched, ledger.totals().missed, ledger.totals().false_flags), (1, 0, 0));
        ledger.add_flag(flag(310, 350));
        ledger.finish();
        assert_eq!(ledger.totals().false_flags, 1, "no pass follows");
    }

    #[test]
    fn memory_is_bounded() {
        let mut ledger = Ledger::default();
        for number in 0..MAX_PENDING as u64 + 2_000 {
            ledger.add_pass(pass(number, &[(PAGE, 1)]));
        }
        assert!(ledger.passes.len() <= MAX_PENDING);
        assert!(ledger.totals().missed >= 2_000);
        ledger.finish();
        assert_eq!((ledger.lost().len(), ledger.totals().missed), (MAX_LISTED, MAX_PENDING as u64 + 2_000));
    }

    #[test]
    fn a_page_with_too_many_increments_is_corrupt() {
        let totals = ledger(vec![pass(1, &[(PAGE, -1)])], &[]).totals();
        assert_eq!((totals.lost, totals.corrupt, totals.missed), (0, 1, 0));
    }

    #[test]
    fn the_content_of_another_page_is_data_loss_if_a_stale_install_is_flagged() {
        let totals = ledger(vec![pass(1, &[(PAGE, -40_068)])], &[flag(110, 150)]).totals();
        assert_eq!((totals.lost, totals.matched, totals.flagged), (1, 1, 1));
        assert_eq!((totals.corrupt, totals.missed, totals.lost_updates), (0, 0, 0));
    }
}
