//! The list of columns, and the lines of the configuration file that would make the choice the default.

use ratatui::layout::{Constraint, Layout, Rect};

use super::pen::Pen;
use crate::{
    app::{
        Tab,
        columns::{ColumnPicker, as_configuration},
    },
    layout,
    theme::Tone,
};
use observer_report::units::wrap;

/// Fewest rows of the list. The rest of the page gives way.
const FEWEST: usize = 4;

pub(super) fn columns(pen: &mut Pen<'_>, tab: Tab, picker: &ColumnPicker, body: Rect) {
    let shown: Vec<usize> = picker.items.iter().filter(|(_, shown)| *shown).map(|(column, _)| *column).collect();
    let notes = notes(tab, &shown, body.width, body.height);
    let rows = u16::try_from(notes.len()).unwrap_or(0);
    let length = u16::try_from(picker.items.len()).unwrap_or(u16::MAX);
    let [head, list, _, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(length.min(body.height.saturating_sub(1 + rows))),
        Constraint::Length(u16::from(body.height > length + rows + 1)),
        Constraint::Length(rows),
    ])
    .areas(body);
    pen.put(head, &format!("Columns of {}, from left to right", tab.name()), Tone::Strong);
    let fitting = layout::columns(tab.columns(), &shown, body.width);
    let first = (picker.cursor + 1).saturating_sub(list.height.into());
    for ((index, (column, is_shown)), area) in picker.items.iter().enumerate().skip(first).zip(list.rows()) {
        let name = tab.columns().get(*column).map_or("", |column| column.name);
        let mark = if *is_shown { "[x]" } else { "[ ]" };
        let tone = match (index == picker.cursor, is_shown) {
            (true, _) => Tone::Selected,
            (false, true) => Tone::Plain,
            (false, false) => Tone::Dim,
        };
        let rest = pen.word(area, &format!("{mark} {name}"), tone);
        if *is_shown && !fitting.iter().any(|(fits, _)| fits == column) {
            pen.put(rest, "no room on this screen", Tone::Dim);
        }
    }
    for (note, area) in notes.iter().zip(below.rows()) {
        pen.put(area, note, Tone::Dim);
    }
}

/// How to keep the choice: the lines for the file if there is room for them, else where they are described.
fn notes(tab: Tab, shown: &[usize], width: u16, height: u16) -> Vec<String> {
    let mut lines = vec!["To keep them, write into the file that observer config --path prints:".to_owned()];
    lines.extend(as_configuration(tab, shown).lines().flat_map(|line| wrap(line, width.into())));
    let fits = lines.iter().all(|line| line.len() <= width.into());
    if fits && lines.len() + FEWEST < height.into() {
        return lines;
    }
    vec!["To keep them: [columns], observer config".to_owned()]
}
