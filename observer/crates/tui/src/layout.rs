//! Where things go: pure functions from sizes to rectangles. Knows no terminal library.

use super::app::{
    Tab,
    table::{Column, fitting},
};

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: u16,
    /// Upper edge.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

#[expect(clippy::return_self_not_must_use, reason = "also used to drop what is cut off")]
impl Area {
    /// The whole screen.
    pub const fn screen(width: u16, height: u16) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// Cuts rows off at the top; fewer if there are not as many.
    pub fn cut_top(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.height);
        let top = Self { height: rows, ..*self };
        self.y += rows;
        self.height -= rows;
        top
    }

    /// Cuts rows off at the bottom.
    pub fn cut_bottom(&mut self, rows: u16) -> Self {
        let rows = rows.min(self.height);
        self.height -= rows;
        Self { y: self.y + self.height, height: rows, ..*self }
    }

    /// Cuts columns off at the left.
    pub fn cut_left(&mut self, columns: u16) -> Self {
        let columns = columns.min(self.width);
        let left = Self { width: columns, ..*self };
        self.x += columns;
        self.width -= columns;
        left
    }

    /// Whether a cell lies inside.
    pub const fn holds(&self, column: u16, row: u16) -> bool {
        column >= self.x && column - self.x < self.width && row >= self.y && row - self.y < self.height
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }
}

/// Smallest screen that something can be shown on.
pub const SMALLEST: (u16, u16) = (40, 10);

/// How much the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderSize {
    /// One line: state and dropped.
    Line,
    /// Three lines.
    Short,
    /// Five lines: a line for devices, and one for what the hooks are.
    Full,
}

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Kernel, devices, dropped, cost.
    pub header: Area,
    /// How much of it.
    pub header_size: HeaderSize,
    /// Names of the views.
    pub tabs: Area,
    /// The view.
    pub body: Area,
    /// Message, filter or hints.
    pub footer: Area,
}

/// Divides the screen; `None`: it is too small.
pub fn screen(width: u16, height: u16) -> Option<Screen> {
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let mut body = Area::screen(width, height);
    let (header_size, rows) = match height {
        ..=15 => (HeaderSize::Line, 1),
        16..=35 => (HeaderSize::Short, 3),
        _ => (HeaderSize::Full, 5),
    };
    let header = body.cut_top(rows);
    let tabs = body.cut_top(1);
    let footer = body.cut_bottom(1);
    Some(Screen { header, header_size, tabs, body, footer })
}

/// The parts of the overview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Exposed, happening, price: a line each.
    pub glance: Area,
    /// Rates, with a head line.
    pub rates: Area,
    /// Distributions, with a head line and an axis; empty: no room.
    pub distributions: Area,
    /// Rows of each distribution; 0: it is not shown.
    pub heights: Vec<u16>,
}

/// Rows of the rates: a head, and a line for each series.
const RATE_ROWS: u16 = 8;
/// Rows that a distribution takes at most.
const TALLEST: u16 = 7;

/// Divides the body of the overview. What answers the question comes first. `filled`: for each distribution, whether
/// there is anything in it.
pub fn overview(mut body: Area, filled: &[bool]) -> Overview {
    let all = body.height;
    // Lines between the parts, where there is room for everything.
    let (glance, gap) = match all {
        ..RATE_ROWS => (0, 0),
        RATE_ROWS..=10 => (all - RATE_ROWS, 0),
        11..=18 => (3, 0),
        _ => (3, 1),
    };
    let glance = body.cut_top(glance);
    body.cut_top(gap);
    let rates = body.cut_top(RATE_ROWS);
    body.cut_top(gap);
    let heights = heights(body.height.saturating_sub(2), filled);
    let rows: u16 = heights.iter().sum();
    let distributions = if rows == 0 { Area::default() } else { body.cut_top(2 + rows) };
    Overview { glance, rates, distributions, heights }
}

/// Rows of each distribution where there are `rows` in all. One each; if there are too few, those with something in them
/// come first; if there are more, those share them, and an empty one stays a line.
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

/// The parts of a table's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAreas {
    /// Names of the columns.
    pub head: Area,
    /// The rows.
    pub rows: Area,
    /// The picture of the selected finding; empty: none.
    pub preview: Area,
}

/// Divides the body of a view with a table.
pub fn table(mut body: Area, tab: Tab) -> TableAreas {
    let preview = if tab == Tab::Findings && body.height >= 34 && body.width >= 100 {
        let mut preview = body.cut_bottom(body.height - body.height / 3);
        // A line between the two.
        preview.cut_top(1);
        preview
    } else {
        Area::default()
    };
    let head = body.cut_top(1);
    TableAreas { head, rows: body, preview }
}

/// A column with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedColumn {
    /// Its number.
    pub index: usize,
    /// Left edge.
    pub x: u16,
    /// Width.
    pub width: u16,
}

/// Where the columns of a table stand. What is left over goes to the texts, at most twice their width.
pub fn columns(columns: &[Column], area: Area) -> Vec<PlacedColumn> {
    let chosen = fitting(columns, area.width);
    let of = |index: &usize| columns.get(*index).copied();
    let wanted: u16 = chosen.iter().filter_map(of).map(|column| column.width + 1).sum();
    let texts = chosen.iter().filter_map(of).filter(|column| !column.number).count();
    let spare = area.width.saturating_sub(wanted) / u16::try_from(texts.max(1)).unwrap_or(1);
    let mut x = area.x;
    let end = area.x + area.width;
    let mut placed = Vec::new();
    for index in chosen {
        let Some(column) = of(&index) else { continue };
        let more = if column.number { 0 } else { spare.min(column.width) };
        let width = (column.width + more).min(end.saturating_sub(x));
        placed.push(PlacedColumn { index, x, width });
        x = (x + width + 1).min(end);
    }
    placed
}

/// Where the names of the views stand, each with the text that goes there.
pub fn tabs(area: Area, labels: &[String]) -> Vec<Area> {
    let mut rest = area;
    labels
        .iter()
        .map(|label| {
            let tab = rest.cut_left(u16::try_from(label.chars().count()).unwrap_or(u16::MAX));
            rest.cut_left(1);
            tab
        })
        .collect()
}

/// The area of a page that lies over the view: as wide as it wants, as high as the body.
pub fn overlay(body: Area, wide: u16) -> Area {
    let width = wide.min(body.width);
    Area { x: body.x + (body.width - width) / 2, width, ..body }
}

/// What the mouse can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The name of a view.
    Tab(Tab),
    /// A row of the table on the screen, from 0.
    Row(usize),
    /// The head of a column.
    Head(usize),
    /// The wheel.
    WheelUp,
    /// The wheel.
    WheelDown,
}

/// What lies under a cell.
pub fn hit(screen: &Screen, tab: Tab, labels: &[String], heads: &[Column], column: u16, row: u16) -> Option<Hit> {
    if screen.tabs.holds(column, row) {
        let place = tabs(screen.tabs, labels).iter().position(|area| area.holds(column, row))?;
        return Tab::ALL.get(place).copied().map(Hit::Tab);
    }
    if tab == Tab::Overview {
        return None;
    }
    let areas = table(screen.body, tab);
    if areas.rows.holds(column, row) {
        return Some(Hit::Row(usize::from(row - areas.rows.y)));
    }
    if areas.head.holds(column, row) {
        let placed = columns(heads, areas.head);
        let head = placed.iter().find(|head| (head.x..=head.x + head.width).contains(&column))?;
        return Some(Hit::Head(head.index));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::table::Row as _,
        model::{EntryRow, FindingRow, PartyRow},
    };

    fn sizes() -> impl Iterator<Item = (u16, u16)> {
        (1..=300).flat_map(|width| (1..=80).map(move |height| (width, height)))
    }

    fn meet(a: Area, b: Area) -> bool {
        let apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        !a.is_empty() && !b.is_empty() && !apart
    }

    fn check(parts: &[Area], whole: Area) {
        for (index, a) in parts.iter().enumerate() {
            let inside = a.x >= whole.x
                && a.y >= whole.y
                && a.x + a.width <= whole.x + whole.width
                && a.y + a.height <= whole.y + whole.height;
            assert!(a.is_empty() || inside, "{a:?} is not inside {whole:?}");
            assert!(parts.iter().skip(index + 1).all(|b| !meet(*a, *b)), "{parts:?}");
        }
    }

    #[test]
    fn parts_never_overlap_on_any_screen() {
        for (width, height) in sizes() {
            let Some(screen) = screen(width, height) else {
                assert!(width < SMALLEST.0 || height < SMALLEST.1);
                continue;
            };
            let whole = Area::screen(width, height);
            check(&[screen.header, screen.tabs, screen.body, screen.footer], whole);
            for filled in [[true, false, true, true, false, true], [false; 6], [true; 6]] {
                let overview = overview(screen.body, &filled);
                check(&[overview.glance, overview.rates, overview.distributions], screen.body);
                let rows: u16 = overview.heights.iter().sum();
                assert_eq!(overview.distributions.height, if rows == 0 { 0 } else { rows + 2 }, "{width}x{height}");
            }
            for tab in Tab::ALL {
                let areas = table(screen.body, tab);
                check(&[areas.head, areas.rows, areas.preview], screen.body);
                assert!(areas.rows.height >= 5, "{width}x{height}");
                for heads in [EntryRow::COLUMNS, PartyRow::COLUMNS, FindingRow::COLUMNS] {
                    let placed = columns(heads, areas.head);
                    let places: Vec<Area> =
                        placed.iter().map(|c| Area { x: c.x, width: c.width, ..areas.head }).collect();
                    check(&places, areas.head);
                    assert!(placed.len() >= 2);
                }
            }
            check(&[overlay(screen.body, 90)], screen.body);
        }
    }

    #[test]
    fn twenty_four_lines_are_enough_for_everything() {
        let screen = screen(80, 24).unwrap();
        let overview = overview(screen.body, &[true; 4]);
        assert_eq!((overview.glance.height, overview.rates.height, overview.distributions.height), (3, 8, 6));
        assert_eq!(screen.header_size, HeaderSize::Short);
    }

    #[test]
    fn distributions_with_something_in_them_come_first_and_share_what_is_left() {
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
    fn ten_lines_show_all_rates() {
        let overview = overview(screen(40, 10).unwrap().body, &[true; 4]);
        assert_eq!((overview.rates.height, overview.distributions.height), (7, 0));
    }

    #[test]
    fn the_mouse_hits_what_is_drawn() {
        let screen = screen(80, 24).unwrap();
        let labels: Vec<String> = ["1 Overview", "2 Entries", "3 Tasks", "4 Findings"].map(str::to_owned).to_vec();
        let hit = |tab, column, row| hit(&screen, tab, &labels, EntryRow::COLUMNS, column, row);
        let row = screen.tabs.y;
        assert_eq!(hit(Tab::Overview, 0, row), Some(Hit::Tab(Tab::Overview)));
        assert_eq!(hit(Tab::Overview, 10, row), None);
        assert_eq!(hit(Tab::Overview, 11, row), Some(Hit::Tab(Tab::Entries)));
        assert_eq!(hit(Tab::Overview, 30, 12), None);
        assert_eq!(hit(Tab::Entries, 30, row + 1).map(|hit| matches!(hit, Hit::Head(_))), Some(true));
        assert_eq!(hit(Tab::Entries, 30, row + 2), Some(Hit::Row(0)));
        assert_eq!(hit(Tab::Entries, 30, 23), None);
    }
}
