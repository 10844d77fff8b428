//! The state of a table: sorted by any column, filtered, with a selection that stays on its row while data moves. Pure.

use std::cmp::Ordering;

/// What a column is sorted by.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Rank {
    /// A number: largest first unless asked otherwise.
    Number(u64),
    /// A text: in order of the alphabet unless asked otherwise.
    Text(String),
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// Characters it wants.
    pub width: u16,
    /// Whether it holds numbers: then it stands to the right and sorts downwards.
    pub number: bool,
    /// When there is not room for all, those with the highest of these go first; 0 never goes.
    pub luxury: u8,
}

/// A row that a table can show.
pub trait Row {
    /// What tells it from all others, and decides between rows that are otherwise equal.
    type Key: Clone + Ord;

    /// The columns.
    const COLUMNS: &'static [Column];

    /// Its key.
    fn key(&self) -> Self::Key;

    /// The text of a column.
    fn cell(&self, column: usize) -> String;

    /// What a column is sorted by.
    fn rank(&self, column: usize) -> Rank;
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<K> {
    /// Column it is sorted by.
    pub sort: usize,
    /// Against the column's own direction.
    pub reversed: bool,
    /// Only rows that hold each of these words.
    pub filter: String,
    /// The selected row.
    pub selected: Option<K>,
    /// Whether it was chosen: until then the selection follows the top, whatever is there.
    pub pinned: bool,
    /// Indexes into the rows, in the order shown.
    pub order: Vec<usize>,
    /// Place of the selected row in `order`.
    pub cursor: usize,
    /// First row shown.
    pub offset: usize,
}

impl<K: Clone + Ord> Table<K> {
    /// Sorted by a column.
    pub fn new(sort: usize) -> Self {
        Self {
            sort,
            reversed: false,
            filter: String::new(),
            selected: None,
            pinned: false,
            order: Vec::new(),
            cursor: 0,
            offset: 0,
        }
    }

    /// Arranges rows that have changed, or that are to be seen otherwise. The selection stays on its row; if that is gone,
    /// on its place. `page` rows fit on the screen.
    pub fn arrange<R: Row<Key = K>>(&mut self, rows: &[R], page: usize) {
        self.order = order(rows, self.sort, self.reversed, &self.filter);
        if !self.pinned {
            self.select(0, rows, page);
            return;
        }
        let found = self.selected.as_ref().and_then(|selected| {
            self.order.iter().position(|index| rows.get(*index).is_some_and(|row| row.key() == *selected))
        });
        self.select(found.unwrap_or(self.cursor), rows, page);
    }

    /// Chooses the row at a place, or the nearest there is. The first place is the top, which is followed.
    pub fn go<R: Row<Key = K>>(&mut self, place: usize, rows: &[R], page: usize) {
        self.pinned = place > 0;
        self.select(place, rows, page);
    }

    /// Selects a row and brings it into sight.
    fn select<R: Row<Key = K>>(&mut self, place: usize, rows: &[R], page: usize) {
        self.cursor = place.min(self.order.len().saturating_sub(1));
        let row = self.order.get(self.cursor).and_then(|index| rows.get(*index));
        self.selected = row.map(Row::key);
        let page = page.max(1);
        self.offset = self.offset.min(self.cursor).max((self.cursor + 1).saturating_sub(page));
        // No empty space below while there are rows above.
        self.offset = self.offset.min(self.order.len().saturating_sub(page));
    }

    /// Sorts by the next column, in its own direction.
    pub fn next_sort(&mut self, columns: usize) {
        self.sort = (self.sort + 1) % columns.max(1);
        self.reversed = false;
    }

    /// Sorts by a column; by the same one again: the other way round.
    pub fn sort_by(&mut self, column: usize) {
        self.reversed = column == self.sort && !self.reversed;
        self.sort = column;
    }
}

/// Indexes of the rows that pass the filter, sorted by column and then by key.
fn order<R: Row>(rows: &[R], sort: usize, reversed: bool, filter: &str) -> Vec<usize> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let mut ranked: Vec<(Rank, R::Key, usize)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| words.is_empty() || passes(*row, &words))
        .map(|(index, row)| (row.rank(sort), row.key(), index))
        .collect();
    ranked.sort_unstable_by(|(a, key_a, _), (b, key_b, _)| {
        let order = compare(a, b);
        (if reversed { order.reverse() } else { order }).then_with(|| key_a.cmp(key_b))
    });
    ranked.into_iter().map(|(.., index)| index).collect()
}

fn compare(a: &Rank, b: &Rank) -> Ordering {
    match (a, b) {
        (Rank::Number(a), Rank::Number(b)) => b.cmp(a),
        (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
        (Rank::Number(_), Rank::Text(_)) => Ordering::Less,
        (Rank::Text(_), Rank::Number(_)) => Ordering::Greater,
    }
}

/// Whether each word is in some column.
fn passes<R: Row>(row: &R, words: &[String]) -> bool {
    let cells: Vec<String> = (0..R::COLUMNS.len()).map(|column| row.cell(column).to_lowercase()).collect();
    words.iter().all(|word| cells.iter().any(|cell| cell.contains(word)))
}

/// Which columns fit into `width`, in their order: the most luxurious are left out first.
pub fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    loop {
        let of = |index: &usize| columns.get(*index);
        let wanted: u32 = kept.iter().filter_map(of).map(|column| u32::from(column.width) + 1).sum();
        let worst = kept.iter().filter_map(|index| Some((of(index)?.luxury, *index))).max();
        match worst {
            Some((luxury, index)) if wanted > u32::from(width) + 1 && luxury > 0 => {
                kept.retain(|other| *other != index);
            }
            _ => return kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, u64);

    impl Row for Pair {
        type Key = &'static str;
        const COLUMNS: &'static [Column] = &[
            Column { name: "name", width: 6, number: false, luxury: 0 },
            Column { name: "n", width: 4, number: true, luxury: 1 },
        ];

        fn key(&self) -> &'static str {
            self.0
        }

        fn cell(&self, column: usize) -> String {
            if column == 0 { self.0.to_owned() } else { self.1.to_string() }
        }

        fn rank(&self, column: usize) -> Rank {
            if column == 0 { Rank::Text(self.0.to_owned()) } else { Rank::Number(self.1) }
        }
    }

    fn names(table: &Table<&'static str>, rows: &[Pair]) -> String {
        table.order.iter().map(|index| rows[*index].0).collect()
    }

    #[test]
    fn sorted_by_column_then_by_key() {
        let rows = [Pair("c", 5), Pair("a", 9), Pair("b", 5)];
        let mut table = Table::new(1);
        table.arrange(&rows, 9);
        assert_eq!(names(&table, &rows), "abc");
        table.sort_by(1);
        table.arrange(&rows, 9);
        assert_eq!(names(&table, &rows), "bca", "equal ones keep the order of their keys");
        table.next_sort(2);
        table.arrange(&rows, 9);
        assert_eq!((table.sort, names(&table, &rows).as_str()), (0, "abc"));
    }

    #[test]
    fn the_selection_stays_on_its_row_while_data_moves() {
        let mut table = Table::new(1);
        let rows = [Pair("a", 9), Pair("b", 5), Pair("c", 1)];
        table.arrange(&rows, 9);
        table.go(1, &rows, 9);
        let rows = [Pair("a", 9), Pair("b", 5), Pair("c", 100), Pair("d", 50)];
        table.arrange(&rows, 9);
        assert_eq!((table.selected, table.cursor), (Some("b"), 3));
        let rows = [Pair("a", 9), Pair("c", 100)];
        table.arrange(&rows, 9);
        assert_eq!((table.selected, table.cursor), (Some("a"), 1), "gone: the nearest place");
    }

    #[test]
    fn until_a_row_is_chosen_the_top_is_followed() {
        let mut table = Table::new(1);
        table.arrange(&[Pair("a", 9), Pair("b", 5)], 9);
        table.arrange(&[Pair("a", 9), Pair("b", 50)], 9);
        assert_eq!(table.selected, Some("b"));
        table.go(1, &[Pair("a", 9), Pair("b", 50)], 9);
        table.go(0, &[Pair("a", 9), Pair("b", 50)], 9);
        table.arrange(&[Pair("a", 99), Pair("b", 50)], 9);
        assert_eq!(table.selected, Some("a"), "back at the top it follows again");
    }

    #[test]
    fn the_selection_is_always_in_sight() {
        let rows: Vec<Pair> = (0..50).map(|n| Pair("x", n)).collect();
        let mut table = Table::new(1);
        table.arrange(&rows, 10);
        for (place, page) in [(49, 10), (0, 10), (25, 7), (99, 3), (10, 60), (3, 0)] {
            table.go(place, &rows, page);
            let page = page.max(1);
            assert!(table.offset <= table.cursor && table.cursor < table.offset + page, "{place} {page}");
            assert!(table.offset == 0 || table.offset + page <= rows.len().max(page));
        }
    }

    #[test]
    fn filters_by_all_words_in_any_column() {
        let rows = [Pair("Alpha", 12), Pair("beta", 12), Pair("alps", 7)];
        let mut table = Table::new(0);
        for (filter, expected) in [("al", 2), ("AL 12", 1), ("", 3), ("  ", 3), ("zeta", 0)] {
            filter.clone_into(&mut table.filter);
            table.arrange(&rows, 9);
            assert_eq!(table.order.len(), expected, "{filter}");
        }
        assert_eq!(table.selected, None);
    }

    #[test]
    fn luxury_goes_first() {
        assert_eq!(fitting(Pair::COLUMNS, 80), [0, 1]);
        assert_eq!(fitting(Pair::COLUMNS, 11), [0, 1]);
        assert_eq!(fitting(Pair::COLUMNS, 10), [0]);
        assert_eq!(fitting(Pair::COLUMNS, 0), [0]);
    }
}
