//! The columns of the tables.

use super::table::{Column, Meaning, TableRow, Value};
use crate::model::{EntryRow, FindingRow, GroupRow};
use observer_engine::{
    areas::AreaEntry,
    event::{Nanos, Task},
    tally::{Contention, TaskGroup},
    verdict::Finding,
};
use observer_report::selection::query::{Field, Row};

const fn text(name: &'static str, width: u16, priority: u8) -> Column {
    Column { name, width, is_number: false, priority }
}

const fn number(name: &'static str, width: u16, priority: u8) -> Column {
    Column { name, width, is_number: true, priority }
}

const ENTRY: Meaning = Meaning::Term("swap entry");
const DEVICE: Meaning = Meaning::Text("The swap device that had the swap type at that time. ?: it is not known.");

/// Of the columns that entries and groups share.
const OF_CONTENTION: [Meaning; 8] = [
    Meaning::Term("overlap"),
    Meaning::Text("The most faults that were in progress at once."),
    Meaning::Text("The longest overlap."),
    Meaning::Text("The duration of all overlaps."),
    Meaning::Text("How often a task waited for a pin or for a folio lock."),
    Meaning::Text("The duration of all waits."),
    Meaning::Term("oversleep, overslept"),
    Meaning::Text("The highest verdict, as explained above."),
];

/// The columns that entries and groups share, by their position among them.
fn contention(contention: &Contention, column: usize) -> Value<'static> {
    match column {
        0 => Value::Count(contention.overlaps),
        1 => Value::Count(contention.deepest.into()),
        2 => Value::Duration(contention.longest_ns),
        3 => Value::Duration(contention.total_ns),
        4 => Value::Count(contention.waits),
        5 => Value::Duration(contention.waited_ns),
        // No wait was overslept, or no release was observed: neither is a measured duration.
        6 if contention.overslept_ns == 0 => Value::Unknown,
        6 => Value::Duration(contention.overslept_ns),
        _ => Value::Verdict(contention.worst),
    }
}

impl TableRow for EntryRow {
    type Key = AreaEntry;
    const COLUMNS: &'static [Column] = &[
        text("entry", 10, 0),
        text("device", 8, 7),
        text("process", 22, 5),
        number("overlaps", 8, 0),
        number("deepest", 7, 4),
        number("longest", 8, 6),
        number("total", 8, 3),
        number("waits", 7, 7),
        number("waited", 8, 8),
        number("overslept", 9, 9),
        text("worst", 13, 0),
    ];

    fn key(&self) -> AreaEntry {
        self.entry
    }

    fn value(&self, column: usize) -> Value<'_> {
        match column {
            0 => Value::Entry(self.entry.entry),
            1 => device(self.device.as_deref()),
            2 => process(&self.contention),
            column => contention(&self.contention, column - 3),
        }
    }

    const MEANINGS: &'static [Meaning] = &{
        let [overlaps, deepest, longest, total, waits, waited, overslept, worst] = OF_CONTENTION;
        let process = Meaning::Text("The last process that took part, and whether tasks of others did.");
        [ENTRY, DEVICE, process, overlaps, deepest, longest, total, waits, waited, overslept, worst]
    };

    const FIELDS: &'static [Field] = &[Field::Verdict, Field::Pid, Field::Comm, Field::Entry, Field::Device];

    fn row(&self) -> Option<Row<'_>> {
        let Contention { worst, last, .. } = &self.contention;
        Some(Row::of_entry(self.entry.entry, self.device.as_deref(), *worst, last))
    }
}

fn device(name: Option<&str>) -> Value<'_> {
    Value::Text(name.unwrap_or("?").into())
}

/// The last process that took part, and whether there were others.
fn process(contention: &Contention) -> Value<'static> {
    let others = if contention.multiple_processes { " and others" } else { "" };
    Value::Text(format!("{} {}{others}", contention.last.comm, contention.last.pid).into())
}

impl TableRow for GroupRow {
    type Key = TaskGroup;
    const COLUMNS: &'static [Column] = &[
        text("name", 26, 0),
        number("overlaps", 8, 0),
        number("deepest", 7, 5),
        number("longest", 8, 6),
        number("total", 8, 3),
        number("waits", 7, 2),
        number("waited", 8, 4),
        number("overslept", 9, 7),
        text("worst", 13, 1),
    ];

    fn key(&self) -> TaskGroup {
        self.group.clone()
    }

    fn value(&self, column: usize) -> Value<'_> {
        match column {
            0 => Value::Text(self.name.as_str().into()),
            column => contention(&self.contention, column - 1),
        }
    }

    const MEANINGS: &'static [Meaning] = &{
        let [overlaps, deepest, longest, total, waits, waited, overslept, worst] = OF_CONTENTION;
        let name = Meaning::Text("A process with its number, a command or a control group: t changes what it is.");
        [name, overlaps, deepest, longest, total, waits, waited, overslept, worst]
    };

    const FIELDS: &'static [Field] = &[Field::Verdict, Field::Pid, Field::Comm, Field::Cgroup];

    fn row(&self) -> Option<Row<'_>> {
        let Contention { worst, last, cgroup, .. } = &self.contention;
        let cgroup = match self.group {
            TaskGroup::Cgroup(id) => (id, Some(self.name.as_str())),
            TaskGroup::Process(_) | TaskGroup::Command(_) => (*cgroup, None),
        };
        Some(Row::of_group(*worst, last, cgroup))
    }
}

/// For how long the reader was in progress with a copy that could be out of date, nanoseconds: from the first free,
/// allocation or write under its read.
pub fn time_at_risk(finding: &Finding) -> Nanos {
    let actions = [&finding.freed, &finding.allocated, &finding.written];
    let first = actions.into_iter().flatten().map(|action| action.at_ns.max(finding.read_start_ns)).min();
    finding.end_ns.saturating_sub(first.unwrap_or(finding.end_ns))
}

/// The task that freed the entry, else the one that allocated or wrote it.
fn overtaken_by(finding: &Finding) -> Value<'static> {
    let mut actions = [&finding.freed, &finding.allocated, &finding.written].into_iter().flatten();
    actions.next().map_or(Value::Unknown, |action| thread(&action.by))
}

fn thread(task: &Task) -> Value<'static> {
    Value::Text(format!("{} {}", task.comm, task.tid).into())
}

impl TableRow for FindingRow {
    type Key = u64;
    const COLUMNS: &'static [Column] = &[
        number("no", 6, 3),
        number("at", 9, 0),
        text("verdict", 13, 0),
        text("entry", 9, 0),
        text("device", 8, 6),
        text("reader", 18, 2),
        text("overtaken by", 18, 4),
        number("at risk", 8, 5),
        number("changes", 7, 7),
    ];

    fn key(&self) -> u64 {
        self.number
    }

    fn value(&self, column: usize) -> Value<'_> {
        let finding = &self.finding;
        match column {
            0 => Value::Count(self.number),
            1 => Value::Time(self.at_ns),
            2 => Value::Verdict(finding.verdict),
            3 => Value::Entry(finding.entry),
            4 => device(self.device.as_deref()),
            5 => thread(&finding.reader),
            6 => overtaken_by(finding),
            7 => Value::Duration(time_at_risk(finding)),
            _ => Value::Count(finding.changes.into()),
        }
    }

    const MEANINGS: &'static [Meaning] = &[
        Meaning::Text("The number of the finding in this observation."),
        Meaning::Text("When the reader's fault ended, from the start of the observation."),
        Meaning::Text("What the evidence supports, as explained above."),
        ENTRY,
        DEVICE,
        Meaning::Term("reader"),
        Meaning::Text("The task that freed the entry, else the one that allocated or wrote it. -: none was observed."),
        Meaning::Text("From the first free, allocation or write under the read to the end of the reader's fault."),
        Meaning::Text("How often the entry was freed, allocated or written in that time."),
    ];

    const FIELDS: &'static [Field] =
        &[Field::Verdict, Field::Pid, Field::Comm, Field::Entry, Field::Device, Field::Since, Field::Until];

    fn row(&self) -> Option<Row<'_>> {
        Some(Row::of_finding(&self.finding, self.device.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::event::Entry;
    use observer_engine::verdict::Verdict;
    use observer_report::glossary;

    fn contention() -> Contention {
        Contention {
            overlaps: 3,
            deepest: 4,
            longest_ns: 5_000,
            total_ns: 6_000_000,
            waits: 7,
            waited_ns: 8_000,
            overslept_ns: 9,
            worst: Verdict::Window,
            last: Task { tid: 9, pid: 8, comm: "java".into() },
            multiple_processes: true,
            cgroup: 0,
        }
    }

    #[test]
    fn every_column_has_a_meaning() {
        fn check<R: TableRow>() {
            assert_eq!(R::MEANINGS.len(), R::COLUMNS.len());
            for meaning in R::MEANINGS {
                assert!(!matches!(meaning, Meaning::Term(term) if glossary::meaning(term).is_none()), "{meaning:?}");
            }
        }
        check::<EntryRow>();
        check::<GroupRow>();
        check::<FindingRow>();
    }

    #[test]
    fn every_column_shows_its_own_value() {
        let entry = EntryRow {
            entry: AreaEntry { entry: Entry::new(1, 40), since_ns: 0 },
            device: Some("zram1".to_owned()),
            contention: contention(),
        };
        let cells: Vec<String> = (0..EntryRow::COLUMNS.len()).map(|column| entry.value(column).to_string()).collect();
        let expected =
            ["1:40", "zram1", "java 8 and others", "3", "4", "5.00 us", "6.00 ms", "7", "8.00 us", "9 ns", "window"];
        assert_eq!(cells, expected);
        let group = GroupRow { group: TaskGroup::Process(8), name: "java 8".to_owned(), contention: contention() };
        assert_eq!([0, 8].map(|column| group.value(column).to_string()), ["java 8", "window"]);
    }
}
