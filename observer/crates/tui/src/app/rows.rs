//! The columns of the tables.

use super::table::{Column, Rank, Row};
use crate::model::{EntryRow, FindingRow, PartyRow};
use observer_engine::{
    event::{Entry, Nanos},
    tally::{Contention, Party},
    verdict::{Finding, Verdict},
};
use observer_report::units::duration;

const fn text(name: &'static str, width: u16, luxury: u8) -> Column {
    Column { name, width, number: false, luxury }
}

const fn number(name: &'static str, width: u16, luxury: u8) -> Column {
    Column { name, width, number: true, luxury }
}

/// Seconds with two digits: `12.34 s`.
pub fn seconds(ns: Nanos) -> String {
    format!("{}.{:02} s", ns / 1_000_000_000, ns / 10_000_000 % 100)
}

/// A verdict as a rank: worst first.
fn rank_of(verdict: Verdict) -> Rank {
    Rank::Number(verdict as u64)
}

/// The columns that entries and parties share, by their place among them.
fn contention_cell(contention: &Contention, column: usize) -> String {
    match column {
        0 => contention.times.to_string(),
        1 => contention.deepest.to_string(),
        2 => duration(contention.longest_ns),
        3 => duration(contention.total_ns),
        4 => contention.waits.to_string(),
        5 => duration(contention.waited_ns),
        // None at all, or holders that were not seen: no figure.
        6 if contention.overslept_ns == 0 => "-".to_owned(),
        6 => duration(contention.overslept_ns),
        _ => contention.worst.name().to_owned(),
    }
}

fn contention_rank(contention: &Contention, column: usize) -> Rank {
    match column {
        0 => Rank::Number(contention.times),
        1 => Rank::Number(contention.deepest.into()),
        2 => Rank::Number(contention.longest_ns),
        3 => Rank::Number(contention.total_ns),
        4 => Rank::Number(contention.waits),
        5 => Rank::Number(contention.waited_ns),
        6 => Rank::Number(contention.overslept_ns),
        _ => rank_of(contention.worst),
    }
}

impl Row for EntryRow {
    type Key = Entry;
    const COLUMNS: &'static [Column] = &[
        text("entry", 10, 0),
        text("device", 8, 7),
        text("process", 22, 5),
        number("times", 7, 0),
        number("deepest", 7, 4),
        number("longest", 8, 6),
        number("total", 8, 3),
        number("waits", 7, 7),
        number("waited", 8, 8),
        number("overslept", 9, 9),
        text("worst", 13, 0),
    ];

    fn key(&self) -> Entry {
        self.entry
    }

    fn cell(&self, column: usize) -> String {
        match column {
            0 => self.entry.to_string(),
            1 => self.device.clone(),
            2 => process(&self.contention),
            column => contention_cell(&self.contention, column - 3),
        }
    }

    fn rank(&self, column: usize) -> Rank {
        match column {
            0 => Rank::Text(format!("{:03}:{:020}", self.entry.kind(), self.entry.offset())),
            1 | 2 => Rank::Text(self.cell(column)),
            column => contention_rank(&self.contention, column - 3),
        }
    }
}

/// Who was at an entry last, and whether it was alone.
fn process(contention: &Contention) -> String {
    let others = if contention.several { " and others" } else { "" };
    format!("{} {}{others}", contention.last.comm, contention.last.pid)
}

impl Row for PartyRow {
    type Key = Party;
    const COLUMNS: &'static [Column] = &[
        text("who", 28, 0),
        number("times", 7, 0),
        number("deepest", 7, 5),
        number("longest", 8, 6),
        number("total", 8, 3),
        number("waits", 7, 2),
        number("waited", 8, 4),
        number("overslept", 9, 7),
        text("worst", 13, 1),
    ];

    fn key(&self) -> Party {
        self.party.clone()
    }

    fn cell(&self, column: usize) -> String {
        match column {
            0 => self.name.clone(),
            column => contention_cell(&self.contention, column - 1),
        }
    }

    fn rank(&self, column: usize) -> Rank {
        match column {
            0 => Rank::Text(self.name.clone()),
            column => contention_rank(&self.contention, column - 1),
        }
    }
}

/// For how long the reader had a copy that was out of date, nanoseconds.
pub fn exposed(finding: &Finding) -> Nanos {
    let actions = [&finding.freed, &finding.allocated, &finding.written];
    let first = actions.into_iter().flatten().map(|action| action.at_ns.max(finding.read_start_ns)).min();
    finding.end_ns.saturating_sub(first.unwrap_or(finding.end_ns))
}

/// Who did it to the reader: the one that freed the entry, else the one that gave it to other data.
fn doer(finding: &Finding) -> String {
    let actions = [&finding.freed, &finding.allocated, &finding.written];
    actions
        .into_iter()
        .flatten()
        .next()
        .map_or_else(String::new, |action| format!("{} {}", action.by.comm, action.by.tid))
}

impl Row for FindingRow {
    type Key = u64;
    const COLUMNS: &'static [Column] = &[
        number("no", 6, 3),
        number("at", 9, 0),
        text("verdict", 13, 0),
        text("entry", 10, 0),
        text("device", 8, 6),
        text("reader", 18, 2),
        text("overtaken by", 18, 4),
        number("exposed", 8, 5),
        number("changes", 7, 7),
    ];

    fn key(&self) -> u64 {
        self.number
    }

    fn cell(&self, column: usize) -> String {
        let finding = &self.finding;
        match column {
            0 => self.number.to_string(),
            1 => seconds(self.at_ns),
            2 => finding.verdict.name().to_owned(),
            3 => finding.entry.to_string(),
            4 => self.device.clone(),
            5 => format!("{} {}", finding.reader.comm, finding.reader.tid),
            6 => doer(finding),
            7 => duration(exposed(finding)),
            _ => finding.changes.to_string(),
        }
    }

    fn rank(&self, column: usize) -> Rank {
        match column {
            0 => Rank::Number(self.number),
            1 => Rank::Number(self.at_ns),
            2 => rank_of(self.finding.verdict),
            3 => Rank::Text(format!("{:03}:{:020}", self.finding.entry.kind(), self.finding.entry.offset())),
            4..=6 => Rank::Text(self.cell(column)),
            7 => Rank::Number(exposed(&self.finding)),
            _ => Rank::Number(self.finding.changes.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::table::fitting;
    use observer_engine::event::Task;

    fn contention() -> Contention {
        Contention {
            times: 3,
            deepest: 4,
            longest_ns: 5_000,
            total_ns: 6_000_000,
            waits: 7,
            waited_ns: 8_000,
            overslept_ns: 9,
            worst: Verdict::Window,
            last: Task { tid: 9, pid: 8, comm: "java".into() },
            several: true,
            cgroup: 0,
        }
    }

    #[test]
    fn every_column_has_its_cell() {
        let entry = EntryRow { entry: Entry::new(1, 40), device: "zram1".to_owned(), contention: contention() };
        let cells: Vec<String> = (0..EntryRow::COLUMNS.len()).map(|column| entry.cell(column)).collect();
        let expected =
            ["1:40", "zram1", "java 8 and others", "3", "4", "5.00 us", "6.00 ms", "7", "8.00 us", "9 ns", "window"];
        assert_eq!(cells, expected);
        let party = PartyRow { party: Party::Process(8), name: "java 8".to_owned(), contention: contention() };
        assert_eq!((party.cell(0).as_str(), party.cell(8).as_str()), ("java 8", "window"));
    }

    #[test]
    fn entries_sort_by_number_not_by_text() {
        let row = |offset| EntryRow { entry: Entry::new(0, offset), device: String::new(), contention: contention() };
        assert!(row(9).rank(0) < row(10).rank(0));
    }

    #[test]
    fn what_matters_fits_forty_columns() {
        for (columns, wanted) in [
            (EntryRow::COLUMNS, vec!["entry", "times", "worst"]),
            (PartyRow::COLUMNS, vec!["who", "times"]),
            (FindingRow::COLUMNS, vec!["at", "verdict", "entry"]),
        ] {
            let names: Vec<_> = fitting(columns, 40).into_iter().map(|index| columns[index].name).collect();
            assert!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
        }
    }
}
