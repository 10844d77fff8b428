//! The line with the names of the views.

use super::pen::Pen;
use crate::{
    app::{App, Tab},
    layout::{self, Area},
    theme::Tone,
};

/// Room that the names with their counts want.
const WITH_COUNTS: u16 = 64;

/// What is written for each view.
pub fn labels(app: &App, width: u16) -> Vec<String> {
    let model = &app.shown().model;
    let counts = [0, model.entries.len(), model.parties.len(), model.findings.len()];
    let label = |(number, (tab, count)): (usize, (Tab, usize))| match count {
        1.. if width >= WITH_COUNTS && tab != Tab::Tasks => format!("{number} {} ({count})", tab.name()),
        _ => format!("{number} {}", tab.name()),
    };
    (1..).zip(Tab::ALL.into_iter().zip(counts)).map(label).collect()
}

pub(super) fn tabs(pen: &mut Pen<'_>, app: &App, area: Area) {
    let labels = labels(app, area.width);
    let mut end = area.x;
    for ((tab, place), label) in Tab::ALL.into_iter().zip(layout::tabs(area, &labels)).zip(&labels) {
        let tone = if tab == app.tab { Tone::Selected } else { Tone::Accent };
        pen.put(place, label, tone);
        end = place.x + place.width;
    }
    let rest = Area { x: end, width: (area.x + area.width).saturating_sub(end), ..area };
    let (text, tone) = note(app);
    if super::pen::length(&text) + 2 <= rest.width {
        pen.right(rest, &text, tone);
    }
}

/// What is special about the view.
fn note(app: &App) -> (String, Tone) {
    let mut notes = Vec::new();
    if app.is_frozen() {
        notes.push("FROZEN".to_owned());
    }
    if let Some(how) = &app.command_ended {
        notes.push(ended(how));
    }
    let place = |cursor: usize, len: usize| if len == 0 { String::new() } else { format!("{}/{len}", cursor + 1) };
    match app.tab {
        Tab::Overview => {}
        Tab::Entries => notes.push(place(app.entries.cursor, app.entries.order.len())),
        Tab::Tasks => {
            notes.push(app.grouping.name().to_owned());
            notes.push(place(app.tasks.cursor, app.tasks.order.len()));
        }
        Tab::Findings => notes.push(place(app.findings.cursor, app.findings.order.len())),
    }
    if !app.filter().is_empty() && !app.typing {
        notes.push(format!("filter: {}", app.filter()));
    }
    notes.retain(|note| !note.is_empty());
    (notes.join("  "), if app.is_frozen() || app.command_ended.is_some() { Tone::Caution } else { Tone::Dim })
}

/// Short, in capitals: it stays there.
fn ended(how: &str) -> String {
    let how = if how == "succeeded" { "ended" } else { how.strip_prefix("was ").unwrap_or(how) };
    format!("COMMAND {}", how.to_uppercase())
}
