//! Which columns the tables show, and in which order. Pure.

use super::{
    Tab,
    table::{Column, TableRow as _},
};
use crate::model::{EntryRow, FindingRow, GroupRow};

impl Column {
    /// The name in the configuration file: the head, with `_` for a space.
    pub fn code(&self) -> String {
        self.name.replace(' ', "_")
    }
}

impl Tab {
    /// All columns of its table; of the overview none.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Overview => &[],
            Self::Entries => EntryRow::COLUMNS,
            Self::Tasks => GroupRow::COLUMNS,
            Self::Findings => FindingRow::COLUMNS,
        }
    }
}

/// The columns of each table that are shown, as indexes of [`Tab::columns`]. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    entries: Vec<usize>,
    tasks: Vec<usize>,
    findings: Vec<usize>,
}

impl Default for Columns {
    fn default() -> Self {
        let all = |tab: Tab| (0..tab.columns().len()).collect();
        Self { entries: all(Tab::Entries), tasks: all(Tab::Tasks), findings: all(Tab::Findings) }
    }
}

impl Columns {
    /// Those of one table, in their order.
    pub fn of(&self, tab: Tab) -> &[usize] {
        match tab {
            Tab::Overview => &[],
            Tab::Entries => &self.entries,
            Tab::Tasks => &self.tasks,
            Tab::Findings => &self.findings,
        }
    }

    /// Shows these columns. Without any the table keeps those that it has.
    pub fn set(&mut self, tab: Tab, shown: Vec<usize>) {
        if shown.is_empty() {
            return;
        }
        match tab {
            Tab::Overview => {}
            Tab::Entries => self.entries = shown,
            Tab::Tasks => self.tasks = shown,
            Tab::Findings => self.findings = shown,
        }
    }

    /// The column to sort by after `sort`: the next one that is shown.
    pub(super) fn after(&self, tab: Tab, sort: usize) -> usize {
        let shown = self.of(tab);
        let next = shown.iter().position(|column| *column == sort).map_or(0, |position| position + 1);
        shown.get(next).or_else(|| shown.first()).copied().unwrap_or(sort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_column_has_a_code_of_its_own() {
        for tab in Tab::ALL {
            let codes: BTreeSet<String> = tab.columns().iter().map(Column::code).collect();
            assert_eq!(codes.len(), tab.columns().len(), "{tab:?}");
            assert!(codes.iter().all(|code| code.chars().all(|ch| ch.is_ascii_lowercase() || ch == '_')), "{codes:?}");
        }
    }

    #[test]
    fn sorting_goes_through_the_columns_that_are_shown() {
        let mut columns = Columns::default();
        columns.set(Tab::Tasks, vec![4, 0, 8]);
        assert_eq!([4, 0, 8, 3].map(|sort| columns.after(Tab::Tasks, sort)), [0, 8, 4, 4]);
        columns.set(Tab::Tasks, vec![]);
        assert_eq!(columns.of(Tab::Tasks), [4, 0, 8], "a table has at least one column");
    }
}
