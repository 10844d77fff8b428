//! Which rows of a table a text asks for: words, and fields with the names and values of the options of a selection.

use observer_engine::{
    event::{Entry, Task},
    verdict::{Finding, Verdict},
};
use observer_observation::{Clocks, WallClock};
use observer_text::{Name, unescaped};

use super::{
    Facts, Range, Selection, Selector, is_below,
    parse::{self, Wrong},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Verdict,
    Pid,
    Comm,
    Entry,
    Device,
    Cgroup,
    Since,
    Until,
}

impl Field {
    pub const ALL: [Self; 8] =
        [Self::Verdict, Self::Pid, Self::Comm, Self::Entry, Self::Device, Self::Cgroup, Self::Since, Self::Until];

    /// The option without its dashes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Pid => "pid",
            Self::Comm => "comm",
            Self::Entry => "entry",
            Self::Device => "device",
            Self::Cgroup => "cgroup",
            Self::Since => "since",
            Self::Until => "until",
        }
    }
}

/// Why a text asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    Empty,
    UnknownField {
        given: String,
        /// What the rows have.
        fields: &'static [Field],
    },
    /// The rows do not have it.
    NotHere {
        field: Field,
        fields: &'static [Field],
    },
    Wrong {
        field: Field,
        wrong: Wrong,
    },
}

/// Different fields must all match, and of the values of one field any, as with the options. Each word must be in some
/// cell.
#[derive(Clone, Debug)]
pub struct Query {
    selector: Selector,
    words: Vec<String>,
}

/// A row of a table, as far as a query looks at it.
pub struct Row<'a> {
    facts: Facts<'a>,
    /// The short name.
    device: Option<&'a str>,
    /// The path.
    cgroup: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub fn of_finding(finding: &'a Finding, device: Option<&'a str>) -> Self {
        Self { facts: Facts::of_finding(finding), device, cgroup: None }
    }

    /// Of an entry with contention.
    pub fn of_entry(entry: Entry, device: Option<&'a str>, worst: Verdict, last: &'a Task) -> Self {
        let facts = Facts { ranges: vec![Range { first: entry, nr: 1 }], ..facts(worst, last, 0) };
        Self { facts, device, cgroup: None }
    }

    /// Of a process, a command or a control group. `cgroup`: its id and path, where they are known.
    pub fn of_group(worst: Verdict, last: &'a Task, (id, path): (u64, Option<&'a str>)) -> Self {
        Self { facts: facts(worst, last, id), device: None, cgroup: path }
    }
}

fn facts(worst: Verdict, last: &Task, cgroup: u64) -> Facts<'_> {
    let (ended, place) = (0, (Entry::new(0, 0), 0));
    Facts { verdict: Some(worst), ended, place, ranges: Vec::new(), tasks: vec![last], cgroups: vec![cgroup] }
}

impl Query {
    /// `fields`: what the rows have. `start`: the clocks at the start of the observation.
    ///
    /// # Errors
    /// When the text is empty or has a field that cannot be used.
    pub fn parse(text: &str, fields: &'static [Field], start: Clocks) -> Result<Self, QueryError> {
        let mut selection = Selection::default();
        let mut words = Vec::new();
        for word in split(text) {
            match word.split_once(':') {
                // `0:40` is an entry, `a:` a word.
                Some((name, value)) if !value.is_empty() && is_name(name) => {
                    let field = Field::ALL.into_iter().find(|field| field.name() == name);
                    let field = field.ok_or_else(|| QueryError::UnknownField { given: name.to_owned(), fields })?;
                    if !fields.contains(&field) {
                        return Err(QueryError::NotHere { field, fields });
                    }
                    add(&mut selection, field, value).map_err(|wrong| QueryError::Wrong { field, wrong })?;
                }
                _ => words.push(word.to_lowercase()),
            }
        }
        if words.is_empty() && selection.is_empty() {
            return Err(QueryError::Empty);
        }
        Ok(Self { selector: Selector::new(&selection, start), words })
    }

    /// `cells`: the texts of the row.
    pub fn matches(&self, row: &Row<'_>, wall_clock: &WallClock, cells: impl FnOnce() -> Vec<String>) -> bool {
        let Self { selector, words } = self;
        let facts = &row.facts;
        selector.has_verdict(facts)
            && selector.has_task(facts)
            && selector.has_entry(facts)
            && selector.is_in_time(facts.ended, wall_clock)
            && self.has_device(row)
            && self.has_cgroup(row)
            && (words.is_empty() || has_words(words, cells()))
    }

    fn has_device(&self, row: &Row<'_>) -> bool {
        let devices = &self.selector.selection.devices;
        let device = row.device.map(|device| Name::from(unescaped(device)));
        let is_it = |given: &Name| device.as_ref().is_some_and(|device| *device == given.without_prefix("/dev/"));
        devices.is_empty() || devices.iter().any(is_it)
    }

    fn has_cgroup(&self, row: &Row<'_>) -> bool {
        let cgroups = &self.selector.selection.cgroups;
        let path = row.cgroup.map(|path| Name::from(unescaped(path)));
        let is_it = |given: &Name| {
            let is_id = |id: &u64| *id != 0 && given.to_string().parse() == Ok(*id);
            row.facts.cgroups.iter().any(is_id) || path.as_ref().is_some_and(|path| is_below(path, given))
        };
        cgroups.is_empty() || cgroups.iter().any(is_it)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn has_words(words: &[String], cells: Vec<String>) -> bool {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.to_lowercase()).collect();
    words.iter().all(|word| cells.iter().any(|cell| cell.contains(word)))
}

fn add(selection: &mut Selection, field: Field, value: &str) -> Result<(), Wrong> {
    let name = || Name::from(unescaped(value));
    match field {
        Field::Verdict => selection.verdicts.push(parse::verdict(value)?),
        Field::Pid => selection.pids.push(parse::pid(value)?),
        Field::Comm => selection.comms.push(parse::comm(&name())?),
        Field::Entry => selection.entries.push(parse::entry(value)?),
        Field::Device => selection.devices.push(name()),
        Field::Cgroup => selection.cgroups.push(name()),
        Field::Since => selection.since = Some(parse::moment(value)?),
        Field::Until => selection.until = Some(parse::moment(value)?),
    }
    Ok(())
}

/// Words separated by spaces, except between double quotes.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for ch in text.chars() {
        match (ch, words.last_mut()) {
            ('"', _) => is_quoted = !is_quoted,
            (ch, Some(word)) if is_quoted || !ch.is_whitespace() => word.push(ch),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const START: u64 = 1_000_000_000;

    fn start() -> Clocks {
        Clocks { monotonic_ns: START, realtime_ns: 1_767_225_600_000_000_000, boottime_ns: None }
    }

    fn parsed(text: &str) -> Result<Query, QueryError> {
        Query::parse(text, &Field::ALL, start())
    }

    #[test]
    fn fields_have_the_meaning_of_the_options() {
        let finding = Finding { end_ns: START + 7_000_000_000, ..fixtures::stale() };
        let (reader, entry) = (&finding.reader, finding.entry);
        let freer = &finding.freed.as_ref().unwrap().by;
        assert_ne!(reader.comm, freer.comm);
        let found = |text: &str| {
            let row = Row::of_finding(&finding, Some("zram0"));
            let cells = || vec![reader.comm.to_string(), "stale-install".to_owned()];
            parsed(text).unwrap().matches(&row, &WallClock::new(start()), cells)
        };
        let yes = [
            "verdict:stale-install".to_owned(),
            "verdict:window verdict:stale-install".to_owned(),
            format!("comm:{}", reader.comm),
            format!("comm:{}", freer.comm),
            format!("pid:{} comm:{}", freer.pid, freer.comm),
            format!("entry:{entry} device:zram0 device:other"),
            "device:/dev/zram0 since:7s until:8s".to_owned(),
            "since:00:00:07 STALE".to_owned(),
            format!("\"{}\"", reader.comm),
        ];
        for text in yes {
            assert!(found(&text), "{text}");
        }
        let no = [
            "verdict:window".to_owned(),
            "comm:other".to_owned(),
            format!("verdict:window comm:{}", reader.comm),
            format!("pid:{} comm:other", freer.pid),
            "pid:1".to_owned(),
            format!("entry:0:{}", entry.offset() + 1),
            "device:zram1".to_owned(),
            "since:7001ms".to_owned(),
            "until:7s".to_owned(),
            "stale nothing".to_owned(),
            "cgroup:/a".to_owned(),
        ];
        for text in no {
            assert!(!found(&text), "{text}");
        }
    }

    #[test]
    fn control_groups_are_found_by_path_and_by_id() {
        let last = fixtures::stale().reader;
        let found = |text: &str| {
            let row = Row::of_group(Verdict::Overlap, &last, (7, Some("/a b/c")));
            parsed(text).unwrap().matches(&row, &WallClock::new(start()), Vec::new)
        };
        assert!(["\"cgroup:/a b\"", "cgroup:7", "cgroup:\"/a b/c\""].into_iter().all(found));
        assert!(!["cgroup:/a", "cgroup:8", "cgroup:/a/b"].into_iter().any(found));
    }

    #[test]
    fn what_cannot_be_asked_for_has_a_reason() {
        let error = |text| parsed(text).unwrap_err();
        assert_eq!(error("  \"\" "), QueryError::Empty);
        assert_eq!(error("x foo:1"), QueryError::UnknownField { given: "foo".to_owned(), fields: &Field::ALL });
        for (text, field, wrong) in [
            ("verdict:stale", Field::Verdict, Wrong::Verdict),
            ("pid:x", Field::Pid, Wrong::Pid),
            ("entry:5", Field::Entry, Wrong::Entry),
            ("since:yesterday", Field::Since, Wrong::Moment),
            ("comm:a\\x00", Field::Comm, Wrong::CommWithZero),
        ] {
            assert_eq!(error(text), QueryError::Wrong { field, wrong }, "{text}");
        }
        let here: &[Field] = &[Field::Pid];
        assert_eq!(
            Query::parse("entry:0:1", here, start()).unwrap_err(),
            QueryError::NotHere { field: Field::Entry, fields: here }
        );
        assert!(["0:40", "a:", ":b"].into_iter().all(|word| parsed(word).is_ok()), "words");
    }
}
