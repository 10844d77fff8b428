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

/// The list in which columns are chosen: those of the table in their order, and the hidden ones below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPicker {
    /// Columns, and whether they are shown.
    pub items: Vec<(usize, bool)>,
    /// Index of the selected item.
    pub cursor: usize,
}

impl ColumnPicker {
    /// `shown` of `count` columns.
    pub(super) fn new(shown: &[usize], count: usize) -> Self {
        let hidden = (0..count).filter(|column| !shown.contains(column)).map(|column| (column, false));
        Self { items: shown.iter().map(|column| (*column, true)).chain(hidden).collect(), cursor: 0 }
    }

    pub(super) fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.items.len().saturating_sub(1));
    }

    /// Shows or hides the selected column. Returns whether it did: the last one stays.
    pub(super) fn toggle(&mut self) -> bool {
        let others = self.items.iter().enumerate().any(|(index, (_, shown))| *shown && index != self.cursor);
        let Some((_, shown)) = self.items.get_mut(self.cursor) else { return false };
        *shown = !*shown || !others;
        others || !*shown
    }

    /// Moves the selected column by one.
    pub(super) fn shift(&mut self, to_the_right: bool) {
        let target = if to_the_right { Some(self.cursor + 1) } else { self.cursor.checked_sub(1) };
        if let Some(target) = target.filter(|target| *target < self.items.len()) {
            self.items.swap(self.cursor, target);
            self.cursor = target;
        }
    }

    pub(super) fn shown(&self) -> Vec<usize> {
        self.items.iter().filter(|(_, shown)| *shown).map(|(column, _)| *column).collect()
    }
}

/// The lines of the configuration file that make columns of a table the default.
pub fn as_configuration(tab: Tab, shown: &[usize]) -> String {
    let names = shown.iter().filter_map(|column| tab.columns().get(*column));
    let names: Vec<String> = names.map(|column| format!("\"{}\"", column.code())).collect();
    format!("[columns]\n{} = [{}]\n", tab.code(), names.join(", "))
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
    fn columns_are_hidden_moved_and_one_remains() {
        let mut picker = ColumnPicker::new(&[2, 0], 4);
        assert_eq!((picker.items.len(), picker.shown()), (4, vec![2, 0]), "hidden ones are below");
        assert!(picker.toggle());
        assert_eq!(picker.shown(), [0]);
        picker.step(1);
        assert!(!picker.toggle(), "the last one");
        assert_eq!(picker.shown(), [0]);
        picker.step(9);
        assert!(picker.toggle());
        assert_eq!(picker.shown(), [0, 3]);
        picker.shift(true);
        assert_eq!((picker.shown(), picker.cursor), (vec![0, 3], 3), "at the end already");
        for _ in 0..9 {
            picker.shift(false);
        }
        assert_eq!((picker.shown(), picker.cursor), (vec![3, 0], 0));
    }

    #[test]
    fn the_lines_for_the_file_have_the_codes_in_their_order() {
        let text = as_configuration(Tab::Findings, &[6, 0]);
        assert_eq!(text, "[columns]\nfindings = [\"overtaken_by\", \"no\"]\n");
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
