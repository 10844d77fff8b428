//! The tables of entries, tasks and findings.

use ratatui::{
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Row, StatefulWidget as _, Table as Widget, TableState},
};

use super::pen::Pen;
use crate::{
    app::table::{Column, Table, TableRow, Value},
    layout::{self, COLUMN_SPACING},
    theme::{Theme, Tone},
};
use observer_report::picture::text::Charset;

/// Draws the columns `shown` of a table. `none`: the text for a table without rows.
pub(super) fn table<R: TableRow>(
    pen: &mut Pen<'_>,
    table: &Table<R::Key>,
    rows: &[R],
    shown: &[usize],
    area: Rect,
    none: &str,
) {
    let theme = pen.theme;
    let columns: Vec<(usize, u16)> = layout::columns(&layout::sorted(R::COLUMNS, table.sort), shown, area.width);
    let cells = |cell: &dyn Fn(usize, &Column, u16) -> Line<'static>| {
        Row::new(columns.iter().filter_map(|(index, width)| Some(cell(*index, R::COLUMNS.get(*index)?, *width))))
    };
    let header = cells(&|index, column, _| head(theme, column, (index == table.sort).then_some(table.reversed)));
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
fn head(theme: Theme, column: &Column, sorted: Option<bool>) -> Line<'static> {
    let arrow = match (sorted, theme.charset) {
        (None, _) => return align(column, Line::from(theme.span(column.name, Tone::Dim))),
        (Some(false), Charset::Unicode) => "▼",
        (Some(true), Charset::Unicode) => "▲",
        // Apart from the name: `nov` reads as a word.
        (Some(false), Charset::Ascii) => " v",
        (Some(true), Charset::Ascii) => " ^",
    };
    align(column, Line::from(theme.span(&format!("{}{arrow}", column.name), Tone::Strong)))
}

fn cell(theme: Theme, column: &Column, value: &Value<'_>) -> Line<'static> {
    let tone = if let Value::Verdict(verdict) = value { Theme::of_verdict(*verdict) } else { Tone::Plain };
    align(column, Line::from(theme.span(&value.to_string(), tone)))
}

fn align<'a>(column: &Column, line: Line<'a>) -> Line<'a> {
    if column.is_number { line.right_aligned() } else { line }
}
