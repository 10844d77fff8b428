//! Tables: names of columns, rows, the selected one turned round.

use super::pen::Pen;
use crate::{
    app::table::{Row, Table},
    layout::{self, TableAreas},
    model::Model,
    theme::{Theme, Tone},
};
use observer_engine::verdict::Verdict;

/// What to say where there are no rows.
pub(super) fn empty(model: &Model, nothing: &str) -> String {
    let lost = model.lost();
    if lost > 0 { format!("{nothing}, as far as was seen: {lost} events dropped") } else { format!("{nothing} so far") }
}

pub(super) fn table<R: Row>(pen: &mut Pen<'_>, state: &Table<R::Key>, rows: &[R], areas: &TableAreas, nothing: &str) {
    let columns = layout::columns(R::COLUMNS, areas.head);
    for placed in &columns {
        let Some(column) = R::COLUMNS.get(placed.index) else { continue };
        let place = layout::Area { x: placed.x, width: placed.width, ..areas.head };
        let sorted = placed.index == state.sort;
        let tone = if sorted { Tone::Strong } else { Tone::Dim };
        let arrow = if state.reversed { pen.theme.pick('▲', '^') } else { pen.theme.pick('▼', 'v') };
        let name = if sorted { format!("{}{arrow}", column.name) } else { column.name.to_owned() };
        if column.number {
            pen.right(place, &name, tone)
        } else {
            pen.put(place, &name, tone)
        };
    }
    let mut area = areas.rows;
    if state.order.is_empty() {
        let text = if state.filter.is_empty() { nothing } else { "no row passes the filter" };
        pen.put(area.cut_top(1), text, Tone::Dim);
        return;
    }
    for (place, index) in state.order.iter().enumerate().skip(state.offset).take(usize::from(area.height)) {
        let line = area.cut_top(1);
        let Some(row) = rows.get(*index) else { continue };
        for placed in &columns {
            let Some(column) = R::COLUMNS.get(placed.index) else { continue };
            let cell = layout::Area { x: placed.x, width: placed.width, ..line };
            let text = row.cell(placed.index);
            let tone = verdict(&text).map_or(Tone::Plain, Theme::of_verdict);
            if column.number {
                pen.right(cell, &text, tone)
            } else {
                pen.put(cell, &text, tone)
            };
        }
        if place == state.cursor {
            pen.restyle(line, Tone::Selected);
        }
    }
}

/// The verdict that a cell names.
fn verdict(text: &str) -> Option<Verdict> {
    const ALL: [Verdict; 5] =
        [Verdict::LockWait, Verdict::PinWait, Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];
    ALL.into_iter().find(|verdict| verdict.name() == text)
}
