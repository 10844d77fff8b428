//! Where everything is drawn: pure functions from sizes to rectangles.

use ratatui::layout::{Constraint, Layout, Rect, Size};

use super::app::{Hit, Tab, table::Column};

/// Smallest screen that the dashboard is drawn on.
pub const SMALLEST: Size = Size { width: 40, height: 10 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderSize {
    /// One line: state and dropped events.
    Line,
    /// Three lines.
    Short,
    /// Five lines: hooks and overhead have lines of their own.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    pub header: Rect,
    pub header_size: HeaderSize,
    pub tabs: Rect,
    pub body: Rect,
    /// Message, filter or key hints.
    pub footer: Rect,
}

/// Divides the screen; `None`: it is smaller than [`SMALLEST`].
pub fn screen(size: Size) -> Option<Screen> {
    if size.width < SMALLEST.width || size.height < SMALLEST.height {
        return None;
    }
    let (header_size, rows) = match size.height {
        ..=15 => (HeaderSize::Line, 1),
        16..=35 => (HeaderSize::Short, 3),
        _ => (HeaderSize::Full, 5),
    };
    let [header, tabs, body, footer] =
        Layout::vertical([Constraint::Length(rows), Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(Rect::from(size));
    Some(Screen { header, header_size, tabs, body, footer })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Three answers, one line each.
    pub answers: Rect,
    /// Rates, with a head where all of them fit.
    pub rates: Rect,
    /// Distributions, with a head and an axis; empty: no room.
    pub distributions: Rect,
    /// Rows of each distribution; 0: left out.
    pub heights: Vec<u16>,
}

const ANSWERS: u16 = 3;
/// A head and one row per series. With fewer rows the head goes first, then the first series.
const RATE_ROWS: u16 = 8;
/// Most rows of one distribution.
const TALLEST: u16 = 7;

/// Divides the body of the overview, the most important part first. `filled`: for each distribution, whether it has any
/// durations.
pub fn overview(body: Rect, filled: &[bool]) -> Overview {
    // Blank lines between the parts only where everything fits.
    let gap = u16::from(body.height > 18);
    let answers = ANSWERS.min(body.height);
    let rates = RATE_ROWS.min(body.height - answers);
    let heights = heights(body.height.saturating_sub(answers + rates + 2 * gap + 2), filled);
    let rows: u16 = heights.iter().sum();
    let distributions = if rows == 0 { 0 } else { rows + 2 };
    let [answers, _, rates, _, distributions] =
        Layout::vertical([answers, gap, rates, gap, distributions].map(Constraint::Length)).areas(body);
    Overview { answers, rates, distributions, heights }
}

/// Rows of each distribution if there are `rows` in total. With too few, those with durations come first; with more,
/// those share them, and an empty distribution keeps one line.
fn heights(rows: u16, filled: &[bool]) -> Vec<u16> {
    let mut left = rows;
    let mut heights = vec![0; filled.len()];
    for turn in [true, false] {
        for (height, _) in heights.iter_mut().zip(filled).filter(|(_, filled)| **filled == turn) {
            *height = left.min(1);
            left -= *height;
        }
    }
    let sharing = u16::try_from(filled.iter().filter(|filled| **filled).count()).unwrap_or(u16::MAX);
    let more = left.checked_div(sharing).unwrap_or(0).min(TALLEST - 1);
    for (height, _) in heights.iter_mut().zip(filled).filter(|(_, filled)| **filled) {
        *height += more;
    }
    heights
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAreas {
    /// Head and rows.
    pub table: Rect,
    /// The line between table and picture.
    pub rule: Rect,
    /// The picture of the selected finding; empty: no room.
    pub preview: Rect,
}

impl TableAreas {
    /// Rows that fit below the head.
    pub fn page(&self) -> u16 {
        self.table.height.saturating_sub(1)
    }
}

/// Divides the body of a view with a table.
pub fn table(body: Rect, tab: Tab) -> TableAreas {
    let with_preview = tab == Tab::Findings && body.height >= 34 && body.width >= 100;
    let (rule, preview) = if with_preview { (1, body.height - body.height / 3 - 1) } else { (0, 0) };
    let [table, rule, preview] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(rule), Constraint::Length(preview)]).areas(body);
    TableAreas { table, rule, preview }
}

/// Columns between two columns of a table.
pub const COLUMN_SPACING: u16 = 1;

/// The columns of a table that is sorted by one of them, which has room for its arrow and is never left out.
pub fn sorted(columns: &[Column], sort: usize) -> Vec<Column> {
    let changed = |(index, column): (usize, &Column)| {
        let (width, priority) = if index == sort {
            (column.width.max(column.with_arrow()), 0)
        } else {
            (column.width, column.priority + 1)
        };
        Column { width, priority, ..*column }
    };
    columns.iter().enumerate().map(changed).collect()
}

/// Those of the columns `shown` that fit into `width`, in that order, each with its width. Room to spare goes to the
/// texts, which grow to twice their width at most.
pub fn columns(columns: &[Column], shown: &[usize], width: u16) -> Vec<(usize, u16)> {
    let chosen = fitting(columns, shown, width);
    let needed: u16 = chosen.iter().map(|(_, column)| column.width + COLUMN_SPACING).sum();
    let texts = chosen.iter().filter(|(_, column)| !column.is_number).count();
    let spare = width.saturating_sub(needed) / u16::try_from(texts.max(1)).unwrap_or(1);
    let width = |column: &Column| column.width + if column.is_number { 0 } else { spare.min(column.width) };
    chosen.into_iter().map(|(index, column)| (index, width(column))).collect()
}

/// Those of the columns `shown` that fit into `width`: those with the highest priority number are left out first, and
/// one always remains.
fn fitting<'a>(columns: &'a [Column], shown: &[usize], width: u16) -> Vec<(usize, &'a Column)> {
    let mut kept: Vec<(usize, &Column)> =
        shown.iter().filter_map(|index| Some((*index, columns.get(*index)?))).collect();
    loop {
        let needed: u32 = kept.iter().map(|(_, column)| u32::from(column.width + COLUMN_SPACING)).sum();
        let last = kept.iter().map(|(index, column)| (column.priority, *index)).max();
        match last {
            Some((priority, index)) if needed > u32::from(width + COLUMN_SPACING) && priority > 0 && kept.len() > 1 => {
                kept.retain(|(other, _)| *other != index);
            }
            _ => return kept,
        }
    }
}

/// The column whose head is at `x`, counted from the left edge of the table.
fn column_at(heads: &[Column], shown: &[usize], width: u16, x: u16) -> Option<usize> {
    let mut end = 0;
    columns(heads, shown, width).into_iter().find_map(|(index, width)| {
        end += width + COLUMN_SPACING;
        (x < end).then_some(index)
    })
}

/// The tab whose label is at `x`, counted from the left edge of the labels.
fn tab_at(labels: &[String], x: u16) -> Option<Tab> {
    let mut start = 0;
    labels.iter().zip(Tab::ALL).find_map(|(label, tab)| {
        let end = start + u16::try_from(label.chars().count()).unwrap_or(u16::MAX);
        let found = (start..end).contains(&x).then_some(tab);
        start = end + 1;
        found
    })
}

/// What is under the mouse. `heads`: the columns of the table; `shown`: those that are shown.
pub fn hit(
    screen: &Screen,
    tab: Tab,
    labels: &[String],
    heads: &[Column],
    shown: &[usize],
    column: u16,
    row: u16,
) -> Option<Hit> {
    let position = (column, row).into();
    if screen.tabs.contains(position) {
        return tab_at(labels, column - screen.tabs.x).map(Hit::Tab);
    }
    let area = table(screen.body, tab).table;
    if tab == Tab::Overview || !area.contains(position) {
        return None;
    }
    if row == area.y {
        return column_at(heads, shown, area.width, column - area.x).map(Hit::Head);
    }
    Some(Hit::Row(usize::from(row - area.y - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::table::TableRow as _,
        model::{EntryRow, FindingRow, GroupRow},
    };

    /// Every height, and the widths next to those at which something changes.
    fn sizes() -> impl Iterator<Item = Size> {
        [39, 40, 99, 100, 300].into_iter().flat_map(|width| (1..=80).map(move |height| Size { width, height }))
    }

    fn assert_apart_and_inside(parts: &[Rect], whole: Rect) {
        for (index, part) in parts.iter().enumerate() {
            assert!(part.is_empty() || part.intersection(whole) == *part, "{part:?} is not inside {whole:?}");
            assert!(parts.iter().skip(index + 1).all(|other| !part.intersects(*other)), "{parts:?}");
        }
    }

    #[test]
    fn parts_never_overlap_on_any_screen() {
        for size in sizes() {
            let Some(screen) = screen(size) else {
                assert!(size.width < SMALLEST.width || size.height < SMALLEST.height);
                continue;
            };
            assert_apart_and_inside(&[screen.header, screen.tabs, screen.body, screen.footer], size.into());
            for filled in [[true, false, true, true, false, true], [false; 6], [true; 6]] {
                let overview = overview(screen.body, &filled);
                assert_apart_and_inside(&[overview.answers, overview.rates, overview.distributions], screen.body);
                let rows: u16 = overview.heights.iter().sum();
                assert_eq!(overview.distributions.height, if rows == 0 { 0 } else { rows + 2 }, "{size}");
            }
            for tab in [Tab::Entries, Tab::Findings] {
                let areas = table(screen.body, tab);
                assert_apart_and_inside(&[areas.table, areas.rule, areas.preview], screen.body);
                assert!(areas.page() >= 5, "{size}");
            }
        }
    }

    #[test]
    fn columns_fit_every_width() {
        for heads in [EntryRow::COLUMNS, GroupRow::COLUMNS, FindingRow::COLUMNS] {
            for width in SMALLEST.width..300 {
                let all: Vec<usize> = (0..heads.len()).collect();
                let columns = columns(heads, &all, width);
                assert!(columns.len() >= 2, "{width}");
                let used: u16 = columns.iter().map(|(_, width)| width + COLUMN_SPACING).sum();
                assert!(used <= width + COLUMN_SPACING, "{width}: {columns:?}");
                assert_eq!(column_at(heads, &all, width, 0), Some(columns[0].0));
                assert_eq!(column_at(heads, &all, width, used), None);
            }
        }
    }

    #[test]
    fn columns_of_low_priority_are_left_out_first() {
        let names = |columns: &[Column], width| -> Vec<&str> {
            let all: Vec<usize> = (0..columns.len()).collect();
            fitting(columns, &all, width).into_iter().map(|(_, column)| column.name).collect()
        };
        assert_eq!(names(EntryRow::COLUMNS, 40), ["entry", "overlaps", "worst"]);
        assert_eq!(names(GroupRow::COLUMNS, 40), ["name", "overlaps"]);
        assert_eq!(names(FindingRow::COLUMNS, 40), ["at", "verdict", "entry"]);
        assert_eq!(names(EntryRow::COLUMNS, 0), ["entry", "overlaps", "worst"], "priority 0 is always kept");
    }

    #[test]
    fn the_column_that_a_table_is_sorted_by_is_never_left_out() {
        for heads in [EntryRow::COLUMNS, GroupRow::COLUMNS, FindingRow::COLUMNS] {
            for (sort, width) in (0..heads.len()).flat_map(|sort| (SMALLEST.width..300).map(move |width| (sort, width)))
            {
                let all: Vec<usize> = (0..heads.len()).collect();
                let columns = columns(&sorted(heads, sort), &all, width);
                let (_, room) = columns.iter().find(|(index, _)| *index == sort).unwrap();
                assert!(*room >= heads[sort].with_arrow(), "{width}: {columns:?}");
                let used: u16 = columns.iter().map(|(_, width)| width + COLUMN_SPACING).sum();
                assert!(columns.len() >= 2 && used <= width + COLUMN_SPACING, "{width}: {columns:?}");
            }
        }
    }

    #[test]
    fn columns_are_in_the_order_of_the_user() {
        let indexes = |shown: &[usize], width| -> Vec<usize> {
            columns(EntryRow::COLUMNS, shown, width).into_iter().map(|(index, _)| index).collect()
        };
        assert_eq!(indexes(&[10, 3, 0], 80), [10, 3, 0]);
        assert_eq!(indexes(&[10, 9, 8, 0], 40), [10, 8, 0], "the lowest priority is left out");
        assert_eq!(indexes(&[9, 8], 4), [8], "one remains");
        let screen = screen(Size { width: 80, height: 24 }).unwrap();
        let hit = hit(&screen, Tab::Entries, &[], EntryRow::COLUMNS, &[10, 3, 0], 0, screen.body.y);
        assert_eq!(hit, Some(Hit::Head(10)), "the mouse hits what is drawn");
    }

    #[test]
    fn everything_fits_80_by_24() {
        let screen = screen(Size { width: 80, height: 24 }).unwrap();
        let overview = overview(screen.body, &[true; 4]);
        assert_eq!((overview.answers.height, overview.rates.height, overview.distributions.height), (3, 8, 6));
        assert_eq!(screen.header_size, HeaderSize::Short);
    }

    #[test]
    fn distributions_with_durations_come_first_and_share_the_rest() {
        let filled = [true, false, false, false, true];
        assert_eq!(heights(0, &filled), [0, 0, 0, 0, 0]);
        assert_eq!(heights(1, &filled), [1, 0, 0, 0, 0]);
        assert_eq!(heights(4, &filled), [1, 1, 1, 0, 1]);
        assert_eq!(heights(9, &filled), [3, 1, 1, 1, 3]);
        assert_eq!(heights(60, &filled), [7, 1, 1, 1, 7]);
        assert_eq!(heights(60, &[false; 4]), [1; 4]);
        assert_eq!(heights(60, &[]), [0; 0]);
    }

    #[test]
    fn on_a_small_screen_rates_are_left_out_before_answers() {
        for height in SMALLEST.height..60 {
            let overview = overview(screen(Size { width: 40, height }).unwrap().body, &[true; 4]);
            assert_eq!(overview.answers.height, 3, "{height}");
            assert!(overview.rates.height == RATE_ROWS || overview.distributions.height == 0, "{height}");
        }
        let smallest = overview(screen(SMALLEST).unwrap().body, &[true; 4]);
        assert_eq!((smallest.rates.height, smallest.distributions.height), (4, 0));
    }

    #[test]
    fn the_mouse_hits_tabs_heads_and_rows() {
        let screen = screen(Size { width: 80, height: 24 }).unwrap();
        let labels: Vec<String> = ["1 Overview", "2 Entries", "3 Tasks", "4 Findings"].map(str::to_owned).to_vec();
        let shown: Vec<usize> = (0..EntryRow::COLUMNS.len()).collect();
        let hit = |tab, column, row| hit(&screen, tab, &labels, EntryRow::COLUMNS, &shown, column, row);
        let row = screen.tabs.y;
        assert_eq!(hit(Tab::Overview, 0, row), Some(Hit::Tab(Tab::Overview)));
        assert_eq!(hit(Tab::Overview, 10, row), None);
        assert_eq!(hit(Tab::Overview, 11, row), Some(Hit::Tab(Tab::Entries)));
        assert_eq!(hit(Tab::Overview, 30, 12), None);
        assert_eq!(hit(Tab::Entries, 0, row + 1), Some(Hit::Head(0)));
        assert_eq!(hit(Tab::Entries, 30, row + 2), Some(Hit::Row(0)));
        assert_eq!(hit(Tab::Entries, 30, 23), None);
    }
}
