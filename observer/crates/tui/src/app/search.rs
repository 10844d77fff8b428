//! Finds rows of the current table, one after the other.

use super::{App, Tab, table::TableRow as _};
use crate::model::{EntryRow, FindingRow, GroupRow};
use observer_report::{
    selection::query::{Field, Query, QueryError},
    words::query_error,
};

/// Where to look from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The selected row, and those below.
    Here,
    Below,
    Above,
}

impl App {
    /// What a query may ask for in the current view.
    pub fn fields(&self) -> &'static [Field] {
        match self.tab {
            Tab::Overview => &[],
            Tab::Entries => EntryRow::FIELDS,
            Tab::Tasks => GroupRow::FIELDS,
            Tab::Findings => FindingRow::FIELDS,
        }
    }

    /// Takes in what to find, and finds the first. An empty text is what was sought last.
    pub(super) fn search(&mut self, text: &str) -> Result<(), QueryError> {
        let text = if text.is_empty() { self.sought.clone() } else { text.to_owned() };
        self.find(&text, From::Here)?;
        self.sought = text;
        Ok(())
    }

    /// Selects the next match, or explains why there is none. Past the last row it continues with the first.
    pub(super) fn find_again(&mut self, from: From) {
        if let Err(error) = self.find(&self.sought.clone(), from) {
            self.notify_error(query_error(&error));
        }
    }

    fn find(&mut self, text: &str, from: From) -> Result<(), QueryError> {
        let model = &self.shown().model;
        let query = Query::parse(text, self.fields(), model.wall_clock.start())?;
        let clock = &model.wall_clock;
        let matches = match self.tab {
            Tab::Overview => Vec::new(),
            Tab::Entries => self.entries.matches(&model.entries, &query, clock),
            Tab::Tasks => self.tasks.matches(&self.groups, &query, clock),
            Tab::Findings => self.findings.matches(&model.findings, &query, clock),
        };
        let filtered = if self.filter().is_empty() { "" } else { " that passes the filter" };
        match next(&matches, self.cursor().unwrap_or(0), from) {
            None => self.notify_error(format!("no row{filtered} matches {text}")),
            Some((number, position, wrapped)) => {
                self.select(position);
                let wrapped = match (wrapped, from) {
                    (false, _) => "",
                    (true, From::Above) => ", from the end again",
                    (true, From::Here | From::Below) => ", from the top again",
                };
                self.notify(format!("match {number} of {}: {text}{wrapped}", matches.len()));
            }
        }
        Ok(())
    }
}

/// The number, from 1, and the position of the match that comes next, and whether it is past the end of the table.
fn next(matches: &[usize], cursor: usize, from: From) -> Option<(usize, usize, bool)> {
    let number = match from {
        From::Here => matches.iter().position(|position| *position >= cursor),
        From::Below => matches.iter().position(|position| *position > cursor),
        From::Above => matches.iter().rposition(|position| *position < cursor),
    };
    let around = if from == From::Above { matches.len().checked_sub(1)? } else { 0 };
    let index = number.unwrap_or(around);
    Some((index + 1, *matches.get(index)?, number.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_follow_each_other_around_the_table() {
        let matches = [2, 5, 9];
        for (cursor, from, expected) in [
            (2, From::Here, (1, 2, false)),
            (2, From::Below, (2, 5, false)),
            (9, From::Below, (1, 2, true)),
            (5, From::Above, (1, 2, false)),
            (0, From::Above, (3, 9, true)),
            (7, From::Here, (3, 9, false)),
        ] {
            assert_eq!(next(&matches, cursor, from), Some(expected), "{cursor} {from:?}");
        }
        assert_eq!([From::Here, From::Below, From::Above].map(|from| next(&[], 0, from)), [None; 3]);
    }
}
