//! Comparing a storm's truth with the observer's flags: page by page, pass by pass, as both come in.
//!
//! A page that came up short must have a flag of that page from within that pass. A flag on a page that lost nothing
//! must be explained: a stale page that nobody had changed in between loses nothing. Memory is bounded: passes are kept
//! until every flag on them must have come.

use std::collections::VecDeque;

use serde::Serialize;

use super::messages::{PassTruth, ShortPage};

/// Passes kept at most while their flags may still come. A storm makes a few hundred a second.
const KEPT: usize = 16_384;
/// Lost pages and flags without a loss listed at most, of each; all are counted.
const LISTED: usize = 1_000;

/// One flag: a stale page was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StormFlag {
    /// The process (thread group) whose page it was.
    pub pid: u32,
    /// Address of the page, page-aligned.
    pub address: u64,
    /// When the read started whose page was installed, in ns of `CLOCK_MONOTONIC`.
    pub read_ns: u64,
    /// When it was installed, at the latest.
    pub at_ns: u64,
}

/// The sums of a comparison, in pages that are counted again in each pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StormTotals {
    /// Passes played.
    pub rounds: u64,
    /// Pages that came up short, or that hold what was never theirs and are flagged: the truth.
    pub lost: u64,
    /// Updates that they are short of.
    pub lost_updates: u64,
    /// Pages with at least one flag, plus flags that belong to no pass.
    pub flagged: u64,
    /// Lost and flagged.
    pub matched: u64,
    /// Lost and not flagged.
    pub missed: u64,
    /// Flagged, nothing lost, and nobody had written in between: a stale page like the new one.
    pub explained: u64,
    /// Flagged, nothing lost, and no explanation; plus flags that belong to no pass.
    #[serde(rename = "false")]
    pub false_flags: u64,
    /// Pages that held more than was ever added, without a flag: nothing explains that. With one, a stale page was installed that
    /// was another's: who reads between the allocation of an entry and the write to it gets what the slot held before.
    pub corrupt: u64,
}

/// A page that came up short in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostPage {
    /// The pass.
    pub pass: u64,
    /// The page and what it is short of.
    #[serde(flatten)]
    pub page: ShortPage,
    /// When its flags say that a stale page was installed; empty: missed.
    pub flags_ns: Vec<u64>,
}

/// A flag without a loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HarmlessFlag {
    /// The pass; none: outside any.
    pub pass: Option<u64>,
    /// The flag.
    #[serde(flatten)]
    pub flag: StormFlag,
    /// Additions to the page that were made wholly between the read and the install. Zero explains it.
    pub writes_between: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    passes: VecDeque<PassTruth>,
    flags: Vec<StormFlag>,
    totals: StormTotals,
    lost: Vec<LostPage>,
    harmless: Vec<HarmlessFlag>,
}

impl Ledger {
    /// Takes in a pass. Passes come in order.
    pub fn pass(&mut self, truth: PassTruth) {
        self.totals.rounds += 1;
        self.totals.lost += truth.short.iter().filter(|page| page.missing > 0).count() as u64;
        self.passes.push_back(truth);
        if self.passes.len() > KEPT {
            let oldest = self.passes.front().map_or(0, |pass| pass.ended_ns);
            self.settle(oldest);
        }
    }

    /// Takes in a flag, in any order.
    pub fn flag(&mut self, flag: StormFlag) {
        self.flags.push(flag);
    }

    /// All passes and flags up to `until` have come in: compares them.
    pub fn settle(&mut self, until: u64) {
        while let Some(pass) = self.passes.pop_front_if(|pass| pass.ended_ns <= until) {
            self.compare(&pass);
        }
        // Between passes nobody but the thread that looks is at the pages; its faults are no part of any pass.
        let started = self.passes.front().map_or(until, |pass| pass.started_ns);
        for flag in self.flags.extract_if(.., |flag| flag.at_ns < started && flag.at_ns <= until).collect::<Vec<_>>() {
            self.totals.flagged += 1;
            self.totals.false_flags += 1;
            list(&mut self.harmless, HarmlessFlag { pass: None, flag, writes_between: 0 });
        }
    }

    /// The sums so far.
    pub const fn totals(&self) -> StormTotals {
        self.totals
    }

    /// The pages that came up short, oldest first.
    pub fn lost(&self) -> &[LostPage] {
        &self.lost
    }

    /// The flags without a loss, oldest first.
    pub fn harmless(&self) -> &[HarmlessFlag] {
        &self.harmless
    }

    fn compare(&mut self, pass: &PassTruth) {
        let within = |flag: &StormFlag| flag.pid == pass.pid && (pass.started_ns..=pass.ended_ns).contains(&flag.at_ns);
        let mut flags: Vec<StormFlag> = self.flags.extract_if(.., |flag| within(flag)).collect();
        for page in &pass.short {
            let on_page: Vec<_> = flags.extract_if(.., |flag| flag.address == page.address).collect();
            self.short(pass.pass, *page, &on_page);
        }
        flags.sort_by_key(|flag| (flag.address, flag.at_ns));
        for on_page in flags.chunk_by(|one, other| one.address == other.address) {
            self.whole(pass, on_page);
        }
    }

    /// A page that came up short, with its flags.
    fn short(&mut self, pass: u64, page: ShortPage, flags: &[StormFlag]) {
        self.totals.lost_updates += u64::try_from(page.missing).unwrap_or(0);
        let anothers = page.missing < 0;
        match (anothers, flags.is_empty()) {
            (true, true) => self.totals.corrupt += 1,
            (false, true) => self.totals.missed += 1,
            (_, false) => {
                self.totals.lost += u64::from(anothers);
                self.totals.flagged += 1;
                self.totals.matched += 1;
            }
        }
        list(&mut self.lost, LostPage { pass, page, flags_ns: flags.iter().map(|flag| flag.at_ns).collect() });
    }

    /// A page that lost nothing, with its flags.
    fn whole(&mut self, pass: &PassTruth, flags: &[StormFlag]) {
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

/// Additions to the flag's page that were made wholly between its read and its install. One that only touches that span
/// may have come before or after.
fn writes_between(pass: &PassTruth, flag: &StormFlag) -> u64 {
    let of_page = pass.adds.iter().filter(|add| add.address == flag.address);
    of_page.filter(|add| add.after_ns >= flag.read_ns && add.by_ns <= flag.at_ns).count() as u64
}

fn list<T>(items: &mut Vec<T>, item: T) {
    if items.len() < LISTED {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::Add;
    use super::*;

    const PAGE: u64 = 0x7000;

    fn pass(number: u64, missing: &[(u64, i64)]) -> PassTruth {
        let short = missing.iter().map(|&(address, missing)| ShortPage { address, missing }).collect();
        PassTruth {
            pass: number,
            pid: 1,
            started_ns: number * 100,
            ended_ns: number * 100 + 90,
            short,
            adds: Vec::new(),
        }
    }

    fn flag(read_ns: u64, at_ns: u64) -> StormFlag {
        StormFlag { pid: 1, address: PAGE, read_ns, at_ns }
    }

    fn ledger(passes: Vec<PassTruth>, flags: &[StormFlag]) -> Ledger {
        let mut ledger = Ledger::default();
        for flag in flags {
            ledger.flag(*flag);
        }
        for pass in passes {
            ledger.pass(pass);
        }
        ledger.settle(u64::MAX);
        ledger
    }

    #[test]
    fn a_short_page_is_matched_by_a_flag_of_its_page_and_pass() {
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
    fn a_flag_without_a_loss_is_explained_when_nobody_wrote_in_between() {
        let add = |after_ns, by_ns| Add { address: PAGE, after_ns, by_ns };
        // One before, one that only touches the span, one on another page.
        let quiet = vec![add(100, 109), add(105, 130), Add { address: PAGE + 4096, after_ns: 115, by_ns: 120 }];
        let explained = ledger(vec![PassTruth { adds: quiet, ..pass(1, &[]) }], &[flag(110, 150)]);
        assert_eq!((explained.totals().explained, explained.totals().false_flags), (1, 0));
        assert_eq!(explained.harmless()[0].writes_between, 0);
        let written = vec![add(115, 140)];
        let unexplained = ledger(vec![PassTruth { adds: written, ..pass(1, &[]) }], &[flag(110, 150)]);
        assert_eq!((unexplained.totals().explained, unexplained.totals().false_flags), (0, 1));
    }

    #[test]
    fn a_flag_of_no_pass_or_no_process_of_ours_is_false() {
        let other = StormFlag { pid: 2, ..flag(110, 150) };
        let totals = ledger(vec![pass(1, &[]), pass(2, &[])], &[flag(91, 195), other]).totals();
        assert_eq!((totals.flagged, totals.false_flags, totals.explained), (2, 2, 0));
    }

    #[test]
    fn what_may_still_come_is_waited_for() {
        let mut ledger = Ledger::default();
        ledger.pass(pass(1, &[(PAGE, 1)]));
        ledger.pass(pass(2, &[]));
        ledger.settle(150);
        assert_eq!((ledger.totals().lost, ledger.totals().missed), (1, 0), "the first pass is not over");
        ledger.flag(flag(110, 150));
        ledger.settle(195);
        assert_eq!((ledger.totals().matched, ledger.totals().missed), (1, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut ledger = Ledger::default();
        for number in 0..KEPT as u64 + 2_000 {
            ledger.pass(pass(number, &[(PAGE, 1)]));
        }
        assert!(ledger.passes.len() <= KEPT);
        assert!(ledger.totals().missed >= 2_000);
        ledger.settle(u64::MAX);
        assert_eq!((ledger.lost().len(), ledger.totals().missed), (LISTED, KEPT as u64 + 2_000));
    }

    #[test]
    fn more_than_was_added_is_no_loss_but_corrupt() {
        let totals = ledger(vec![pass(1, &[(PAGE, -1)])], &[]).totals();
        assert_eq!((totals.lost, totals.corrupt, totals.missed), (0, 1, 0));
    }

    #[test]
    fn another_page_s_content_is_a_loss_if_a_stale_install_is_flagged() {
        let totals = ledger(vec![pass(1, &[(PAGE, -40_068)])], &[flag(110, 150)]).totals();
        assert_eq!((totals.lost, totals.matched, totals.flagged), (1, 1, 1));
        assert_eq!((totals.corrupt, totals.missed, totals.lost_updates), (0, 0, 0));
    }
}
