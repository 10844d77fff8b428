//! The tables of entries, tasks and findings.

use ratatui::{
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Row, StatefulWidget as _, Table as Widget, TableState},
};

use super::pen::{Pen, width};
use crate::{
    app::table::{Column, Table, TableRow, Value},
    layout::{self, COLUMN_SPACING},
    theme::{Theme, Tone},
};

/// Draws a table. `none`: the text for a table without rows.
pub(super) fn table<R: TableRow>(pen: &mut Pen<'_>, table: &Table<R::Key>, rows: &[R], area: Rect, none: &str) {
    let theme = pen.theme;
    let columns: Vec<(usize, u16)> = layout::columns(R::COLUMNS, area.width);
    let cells = |cell: &dyn Fn(usize, &Column, u16) -> Line<'static>| {
        Row::new(columns.iter().filter_map(|(index, width)| Some(cell(*index, R::COLUMNS.get(*index)?, *width))))
    };
    let header =
        cells(&|index, column, width| head(theme, column, width, (index == table.sort).then_some(table.reversed)));
    let page = usize::from(area.height.saturating_sub(1));
    let visible = table.order.iter().skip(table.offset).take(page).filter_map(|index| rows.get(*index));
    let visible = visible.map(|row| cells(&|index, column, _| cell(theme, column, &row.value(index))));
    let widget = Widget::new(visible, columns.iter().map(|(_, width)| Constraint::Length(*width)))
        .column_spacing(COLUMN_SPACING)
        .header(header)
        .row_highlight_style(theme.tone(Tone::Selected));
    let mut selected = TableState::new().with_selected(table.cursor.checked_sub(table.offset));
    widget.render(area, pen.buffer, &mut selected);
    if table.order.is_empty() {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        pen.put(below, if table.filter.is_empty() { none } else { "no row passes the filter" }, Tone::Dim);
    }
}

/// The head of a column; `sorted`: whether the order is reversed, for the column that the table is sorted by.
fn head(theme: Theme, column: &Column, room: u16, sorted: Option<bool>) -> Line<'static> {
    let arrow = match sorted {
        None => return align(column, Line::from(theme.span(column.name, Tone::Dim))),
        Some(false) => theme.pick('▼', 'v'),
        Some(true) => theme.pick('▲', '^'),
    };
    let text = format!("{}{arrow}", column.name);
    let line = Line::from(theme.span(&text, Tone::Strong));
    // A line that is too long loses its start where it is aligned to the right: rather the arrow than the name.
    if width(&text) <= room { align(column, line) } else { line }
}

fn cell(theme: Theme, column: &Column, value: &Value<'_>) -> Line<'static> {
    let tone = if let Value::Verdict(verdict) = value { Theme::of_verdict(*verdict) } else { Tone::Plain };
    align(column, Line::from(theme.span(&value.to_string(), tone)))
}

fn align<'a>(column: &Column, line: Line<'a>) -> Line<'a> {
    if column.is_number { line.right_aligned() } else { line }
}
