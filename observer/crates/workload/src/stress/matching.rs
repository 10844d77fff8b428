//! Compares the ground truth of `targeted` with the observer's flags.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::messages::RoundTruth;

/// The observer's report that a stale page was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Thread group ID of the reader.
    pub pid: u32,
    /// Page-aligned.
    pub address: u64,
    /// Time of the install, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
}

/// Rounds by outcome. `flagged = matched + false_flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub rounds: u32,
    /// Rounds with data loss.
    pub lost: u32,
    /// Rounds with at least one flag, plus flags outside any round.
    pub flagged: u32,
    /// Data loss and flagged.
    pub matched: u32,
    /// Data loss and not flagged.
    pub missed: u32,
    /// Flagged without data loss, plus flags outside any round.
    #[serde(rename = "false")]
    pub false_flags: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// For each round, in the order given: whether it was flagged.
    pub flagged: Vec<bool>,
    /// Flags outside any round.
    pub stray: Vec<Flag>,
    pub totals: Totals,
}

/// Assigns each flag to the round of the same process and page during which the page was installed, both ends included;
/// where two rounds touch, to the later one.
pub fn match_flags(rounds: &[RoundTruth], flags: &[Flag]) -> Matching {
    let index = Index::new(rounds);
    let mut flagged = vec![false; rounds.len()];
    let mut stray = Vec::new();
    for flag in flags {
        match index.find(flag).and_then(|round| flagged.get_mut(round)) {
            Some(mark) => *mark = true,
            None => stray.push(*flag),
        }
    }
    let totals = totals(rounds, &flagged, stray.len());
    Matching { flagged, stray, totals }
}

fn totals(rounds: &[RoundTruth], flagged: &[bool], stray: usize) -> Totals {
    let count = |wanted: fn(bool, bool) -> bool| {
        let hits = rounds.iter().zip(flagged).filter(|(round, flag)| wanted(round.lost, **flag)).count();
        u32::try_from(hits).unwrap_or(u32::MAX)
    };
    let stray = u32::try_from(stray).unwrap_or(u32::MAX);
    Totals {
        rounds: count(|_, _| true),
        lost: count(|lost, _| lost),
        flagged: count(|_, flag| flag).saturating_add(stray),
        matched: count(|lost, flag| lost && flag),
        missed: count(|lost, flag| lost && !flag),
        false_flags: count(|lost, flag| !lost && flag).saturating_add(stray),
    }
}

#[derive(Clone, Copy)]
struct Span {
    started_ns: u64,
    ended_ns: u64,
    round: usize,
}

/// The rounds of each process and page, by their start.
struct Index(HashMap<(u32, u64), Vec<Span>>);

impl Index {
    fn new(rounds: &[RoundTruth]) -> Self {
        let mut pages: HashMap<_, Vec<Span>> = HashMap::new();
        for (round, truth) in rounds.iter().enumerate() {
            let span = Span { started_ns: truth.started_ns, ended_ns: truth.ended_ns, round };
            pages.entry((truth.pid, truth.address)).or_default().push(span);
        }
        for spans in pages.values_mut() {
            spans.sort_by_key(|span| span.started_ns);
        }
        Self(pages)
    }

    fn find(&self, flag: &Flag) -> Option<usize> {
        let spans = self.0.get(&(flag.pid, flag.address))?;
        // Rounds of a page do not overlap: only the last one that started by then can contain the flag.
        let started = spans.partition_point(|span| span.started_ns <= flag.at_ns);
        let span = spans.get(started.checked_sub(1)?)?;
        (flag.at_ns <= span.ended_ns).then_some(span.round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 0x7000;

    fn round(started_ns: u64, ended_ns: u64, lost: bool) -> RoundTruth {
        RoundTruth { pid: 1, address: PAGE, started_ns, ended_ns, lost, ..Default::default() }
    }

    fn flag(at_ns: u64) -> Flag {
        Flag { pid: 1, address: PAGE, at_ns }
    }

    #[test]
    fn no_rounds_and_no_flags_give_no_totals() {
        assert_eq!(match_flags(&[], &[]), Matching::default());
    }

    #[test]
    fn a_round_with_data_loss_is_matched_or_missed() {
        let rounds = [round(10, 20, true), round(30, 40, true), round(50, 60, false)];
        let matching = match_flags(&rounds, &[flag(35)]);
        assert_eq!(matching.flagged, [false, true, false]);
        let totals = Totals { rounds: 3, lost: 2, flagged: 1, matched: 1, missed: 1, false_flags: 0 };
        assert_eq!(matching.totals, totals);
    }

    #[test]
    fn a_round_includes_both_its_ends() {
        let rounds = [round(10, 20, true)];
        for at in [10, 20] {
            assert_eq!(match_flags(&rounds, &[flag(at)]).totals.matched, 1, "{at}");
        }
        for at in [9, 21] {
            assert_eq!(match_flags(&rounds, &[flag(at)]).stray, [flag(at)], "{at}");
        }
    }

    #[test]
    fn a_flag_where_two_rounds_touch_belongs_to_the_later_one() {
        let rounds = [round(10, 20, false), round(20, 30, true)];
        assert_eq!(match_flags(&rounds, &[flag(20)]).flagged, [false, true]);
    }

    #[test]
    fn several_flags_in_one_round_count_once() {
        let totals = match_flags(&[round(10, 20, true)], &[flag(11), flag(12), flag(19)]).totals;
        assert_eq!((totals.flagged, totals.matched, totals.false_flags), (1, 1, 0));
    }

    #[test]
    fn a_flag_of_another_process_or_page_is_stray() {
        let rounds = [round(10, 20, true)];
        let others = [Flag { pid: 2, ..flag(15) }, Flag { address: PAGE + 4096, ..flag(15) }];
        let matching = match_flags(&rounds, &others);
        assert_eq!(matching.stray, others);
        let totals = Totals { rounds: 1, lost: 1, flagged: 2, matched: 0, missed: 1, false_flags: 2 };
        assert_eq!(matching.totals, totals);
    }

    #[test]
    fn a_flag_without_data_loss_is_false() {
        let totals = match_flags(&[round(10, 20, false)], &[flag(15), flag(16), flag(25)]).totals;
        assert_eq!((totals.flagged, totals.matched, totals.false_flags), (2, 0, 2));
    }

    #[test]
    fn rounds_may_be_given_in_any_order() {
        let rounds = [round(50, 60, true), round(10, 20, true), round(30, 40, false)];
        assert_eq!(match_flags(&rounds, &[flag(15), flag(55)]).flagged, [true, true, false]);
    }

    #[test]
    fn totals_have_their_documented_json_keys() {
        let json = serde_json::to_string(&Totals::default()).unwrap();
        assert_eq!(json, r#"{"rounds":0,"lost":0,"flagged":0,"matched":0,"missed":0,"false":0}"#);
    }
}
