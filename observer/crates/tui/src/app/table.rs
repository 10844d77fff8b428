//! The state of a table: sorted by any column, filtered, with a selection that stays on its row while data changes.
//! Pure.

use std::{borrow::Cow, cmp::Ordering, fmt};

use crate::numbers;
use observer_engine::{
    event::{Entry, Nanos},
    verdict::Verdict,
};
use observer_observation::WallClock;
use observer_report::{
    selection::query::{Field, Query, Row},
    units::duration,
};

/// The value of one cell. Tables sort by it, and the view formats and colours it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Sorts alphabetically.
    Text(Cow<'a, str>),
    /// Sorts by swap type and offset.
    Entry(Entry),
    /// Sorts downwards, as all below.
    Count(u64),
    Duration(Nanos),
    /// Nanoseconds since the start of the observation.
    Time(Nanos),
    /// Sorts from the worst.
    Verdict(Verdict),
    /// Not measured. Sorts as 0.
    Unknown,
}

impl Value<'_> {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Text(_) | Self::Entry(_) => None,
            Self::Count(number) | Self::Duration(number) | Self::Time(number) => Some(*number),
            Self::Verdict(verdict) => Some(*verdict as u64),
            Self::Unknown => Some(0),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Entry(a), Self::Entry(b)) => a.cmp(b),
            _ => other.number().cmp(&self.number()),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Entry(entry) => entry.fmt(f),
            Self::Count(count) => f.write_str(&numbers::count(*count)),
            Self::Duration(ns) => f.write_str(&duration(*ns)),
            Self::Time(ns) => f.write_str(&numbers::seconds(*ns)),
            Self::Verdict(verdict) => verdict.fmt(f),
            Self::Unknown => f.write_str("-"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    /// Characters.
    pub width: u16,
    /// Aligned to the right. Room to spare goes to the other columns.
    pub is_number: bool,
    /// 0 is always shown. Where there is not room for all, the highest number is left out first.
    pub priority: u8,
}

impl Column {
    /// Columns of its head with a space and an arrow.
    pub fn with_arrow(&self) -> u16 {
        u16::try_from(self.name.len() + 2).unwrap_or(u16::MAX)
    }
}

/// What a column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// That of a term of the glossary.
    Term(&'static str),
    Text(&'static str),
}

/// A row that a table can show.
pub trait TableRow {
    /// Unique, and decides between rows whose values are equal.
    type Key: Clone + Ord;

    const COLUMNS: &'static [Column];

    fn key(&self) -> Self::Key;

    fn value(&self, column: usize) -> Value<'_>;

    /// What each column means.
    const MEANINGS: &'static [Meaning] = &[];

    /// The fields that a query may have.
    const FIELDS: &'static [Field] = &[];

    /// What a query looks at beside the cells.
    fn row(&self) -> Option<Row<'_>> {
        None
    }

    fn cells(&self) -> Vec<String> {
        (0..Self::COLUMNS.len()).map(|column| self.value(column).to_string()).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<K> {
    /// Index of the column that the rows are sorted by.
    pub sort: usize,
    /// Sorted against the column's own direction.
    pub reversed: bool,
    /// Only rows that contain each of these words.
    pub filter: String,
    /// The selected row.
    pub selected: Option<K>,
    /// Whether the user selected the row. Until then the selection stays at the top, whichever row that is.
    pub user_selected: bool,
    /// Indexes into the rows, in the order on the screen.
    pub order: Vec<usize>,
    /// Index of the selected row in `order`.
    pub cursor: usize,
    /// Index of the first visible row in `order`.
    pub offset: usize,
}

impl<K: Clone + Ord> Table<K> {
    pub fn new(sort: usize) -> Self {
        Self {
            sort,
            reversed: false,
            filter: String::new(),
            selected: None,
            user_selected: false,
            order: Vec::new(),
            cursor: 0,
            offset: 0,
        }
    }

    /// Sorts and filters the rows again. The selection stays on its row; where that is gone, at its position. `page`
    /// rows fit on the screen.
    pub fn arrange<R: TableRow<Key = K>>(&mut self, rows: &[R], page: usize) {
        self.order = order(rows, self.sort, self.reversed, &self.filter);
        if !self.user_selected {
            self.move_to(0, rows, page);
            return;
        }
        let found = self.selected.as_ref().and_then(|selected| {
            self.order.iter().position(|index| rows.get(*index).is_some_and(|row| row.key() == *selected))
        });
        self.move_to(found.unwrap_or(self.cursor), rows, page);
    }

    /// Selects the row at a position, or the last row. At position 0 the selection stays at the top from then on.
    pub fn select<R: TableRow<Key = K>>(&mut self, position: usize, rows: &[R], page: usize) {
        self.user_selected = position > 0;
        self.move_to(position, rows, page);
    }

    /// Moves the cursor and scrolls it into view.
    fn move_to<R: TableRow<Key = K>>(&mut self, position: usize, rows: &[R], page: usize) {
        self.cursor = position.min(self.order.len().saturating_sub(1));
        let row = self.order.get(self.cursor).and_then(|index| rows.get(*index));
        self.selected = row.map(TableRow::key);
        let page = page.max(1);
        self.offset = self.offset.min(self.cursor).max((self.cursor + 1).saturating_sub(page));
        // No empty lines below while there are rows above.
        self.offset = self.offset.min(self.order.len().saturating_sub(page));
    }

    /// The positions that a query matches.
    pub fn matches<R: TableRow<Key = K>>(&self, rows: &[R], query: &Query, wall_clock: &WallClock) -> Vec<usize> {
        let is_match = |index: &usize| {
            rows.get(*index)
                .is_some_and(|row| row.row().is_some_and(|facts| query.matches(&facts, wall_clock, || row.cells())))
        };
        (0..).zip(&self.order).filter(|(_, index)| is_match(index)).map(|(position, _)| position).collect()
    }

    /// Sorts by a column, in its own direction.
    pub fn sort_in_its_direction(&mut self, column: usize) {
        self.sort = column;
        self.reversed = false;
    }

    /// Sorts by a column; by the same one again: in reverse.
    pub fn sort_by(&mut self, column: usize) {
        self.reversed = column == self.sort && !self.reversed;
        self.sort = column;
    }
}

/// Indexes of the rows that pass the filter, sorted by column and then by key.
fn order<R: TableRow>(rows: &[R], sort: usize, reversed: bool, filter: &str) -> Vec<usize> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let mut sorted: Vec<(Value<'_>, R::Key, usize)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| words.is_empty() || contains_all(*row, &words))
        .map(|(index, row)| (row.value(sort), row.key(), index))
        .collect();
    sorted.sort_unstable_by(|(a, key_a, _), (b, key_b, _)| {
        let order = a.order(b);
        (if reversed { order.reverse() } else { order }).then_with(|| key_a.cmp(key_b))
    });
    sorted.into_iter().map(|(.., index)| index).collect()
}

/// Whether each word is in some column.
fn contains_all<R: TableRow>(row: &R, words: &[String]) -> bool {
    let cells: Vec<String> = row.cells().iter().map(|cell| cell.to_lowercase()).collect();
    words.iter().all(|word| cells.iter().any(|cell| cell.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, u64);

    impl TableRow for Pair {
        type Key = &'static str;
        const COLUMNS: &'static [Column] = &[
            Column { name: "name", width: 6, is_number: false, priority: 0 },
            Column { name: "n", width: 4, is_number: true, priority: 1 },
        ];

        fn key(&self) -> &'static str {
            self.0
        }

        fn value(&self, column: usize) -> Value<'_> {
            if column == 0 { Value::Text(self.0.into()) } else { Value::Count(self.1) }
        }
    }

    fn names(table: &Table<&'static str>, rows: &[Pair]) -> String {
        table.order.iter().map(|index| rows[*index].0).collect()
    }

    #[test]
    fn rows_are_sorted_by_column_and_then_by_key() {
        let rows = [Pair("c", 5), Pair("a", 9), Pair("b", 5)];
        let mut table = Table::new(1);
        table.arrange(&rows, 9);
        assert_eq!(names(&table, &rows), "abc");
        table.sort_by(1);
        table.arrange(&rows, 9);
        assert_eq!(names(&table, &rows), "bca", "rows with equal values keep the order of their keys");
        table.sort_in_its_direction(0);
        table.arrange(&rows, 9);
        assert_eq!((table.sort, names(&table, &rows).as_str()), (0, "abc"));
    }

    #[test]
    fn entries_sort_by_offset_and_verdicts_from_the_worst() {
        let entry = |offset| Value::Entry(Entry::new(0, offset));
        assert_eq!(entry(9).order(&entry(10)), Ordering::Less);
        let verdict = Value::Verdict;
        assert_eq!(verdict(Verdict::StaleInstall).order(&verdict(Verdict::Overlap)), Ordering::Less);
        assert_eq!(Value::Unknown.order(&Value::Duration(1)), Ordering::Greater);
    }

    #[test]
    fn the_selection_stays_on_its_row_while_data_changes() {
        let mut table = Table::new(1);
        let rows = [Pair("a", 9), Pair("b", 5), Pair("c", 1)];
        table.arrange(&rows, 9);
        table.select(1, &rows, 9);
        let rows = [Pair("a", 9), Pair("b", 5), Pair("c", 100), Pair("d", 50)];
        table.arrange(&rows, 9);
        assert_eq!((table.selected, table.cursor), (Some("b"), 3));
        let rows = [Pair("a", 9), Pair("c", 100)];
        table.arrange(&rows, 9);
        assert_eq!((table.selected, table.cursor), (Some("a"), 1), "the row is gone: the nearest position");
    }

    #[test]
    fn the_selection_stays_at_the_top_until_the_user_selects_a_row() {
        let mut table = Table::new(1);
        table.arrange(&[Pair("a", 9), Pair("b", 5)], 9);
        table.arrange(&[Pair("a", 9), Pair("b", 50)], 9);
        assert_eq!(table.selected, Some("b"));
        table.select(1, &[Pair("a", 9), Pair("b", 50)], 9);
        table.select(0, &[Pair("a", 9), Pair("b", 50)], 9);
        table.arrange(&[Pair("a", 99), Pair("b", 50)], 9);
        assert_eq!(table.selected, Some("a"), "selecting the top row resets it");
    }

    #[test]
    fn the_selection_is_always_visible() {
        let rows: Vec<Pair> = (0..50).map(|n| Pair("x", n)).collect();
        let mut table = Table::new(1);
        table.arrange(&rows, 10);
        for (position, page) in [(49, 10), (0, 10), (25, 7), (99, 3), (10, 60), (3, 0)] {
            table.select(position, &rows, page);
            let page = page.max(1);
            assert!((table.offset..table.offset + page).contains(&table.cursor), "{position} {page}");
            assert!(table.offset == 0 || table.offset + page <= rows.len().max(page), "{position} {page}");
        }
    }

    #[test]
    fn a_row_passes_the_filter_if_each_word_is_in_some_column() {
        let rows = [Pair("Alpha", 12), Pair("beta", 12), Pair("alps", 7)];
        let mut table = Table::new(0);
        for (filter, expected) in [("al", 2), ("AL 12", 1), ("", 3), ("  ", 3), ("zeta", 0)] {
            filter.clone_into(&mut table.filter);
            table.arrange(&rows, 9);
            assert_eq!(table.order.len(), expected, "{filter}");
        }
        assert_eq!(table.selected, None);
    }
}
