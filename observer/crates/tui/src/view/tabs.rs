//! The line with the names of the views.

use ratatui::{
    layout::Rect,
    widgets::{Tabs, Widget as _},
};

use super::pen::{Pen, skip, width};
use crate::{
    app::{App, CommandEnd, Grouping, Tab},
    theme::Tone,
};

/// Narrowest screen on which the names have counts.
const WITH_COUNTS: u16 = 64;

/// The label of each tab, on a screen of this width.
pub fn labels(app: &App, width: u16) -> Vec<String> {
    let model = &app.shown().model;
    let counts = [0, model.entries.len(), 0, model.findings.len()];
    let label = |(number, (tab, count)): (usize, (Tab, usize))| match count {
        1.. if width >= WITH_COUNTS => format!("{number} {} ({count})", tab.name()),
        _ => format!("{number} {}", tab.name()),
    };
    (1..).zip(Tab::ALL.into_iter().zip(counts)).map(label).collect()
}

pub(super) fn tabs(pen: &mut Pen<'_>, app: &App, area: Rect) {
    let labels = labels(app, area.width);
    let end = labels.iter().map(|label| width(label) + 1).sum::<u16>().saturating_sub(1);
    let selected = Tab::ALL.iter().position(|tab| *tab == app.tab);
    let titles = labels
        .iter()
        .zip(Tab::ALL)
        .map(|(label, tab)| pen.theme.span(label, if tab == app.tab { Tone::Selected } else { Tone::Accent }));
    let tabs = Tabs::new(titles).select(selected).padding("", "").divider(" ");
    tabs.highlight_style(pen.theme.tone(Tone::Selected)).render(area, pen.buffer);
    let (text, tone) = note(app);
    let rest = skip(area, end);
    if width(&text) + 2 <= rest.width {
        pen.right(rest, &text, tone);
    }
}

/// The state of the view: frozen, ended, position, filter.
fn note(app: &App) -> (String, Tone) {
    let mut notes = Vec::new();
    if app.is_frozen() {
        notes.push("FROZEN".to_owned());
    }
    match app.command_end {
        None => {}
        Some(CommandEnd::Exited(0)) => notes.push("COMMAND ENDED".to_owned()),
        Some(CommandEnd::Exited(code)) => notes.push(format!("COMMAND EXITED WITH {code}")),
        Some(CommandEnd::Signalled(signal)) => notes.push(format!("COMMAND KILLED BY SIGNAL {signal}")),
    }
    let position = |cursor: usize, len: usize| (len > 0).then(|| format!("{}/{len}", cursor + 1));
    match app.tab {
        Tab::Overview => {}
        Tab::Entries => notes.extend(position(app.entries.cursor, app.entries.order.len())),
        Tab::Tasks => {
            notes.push(app.grouping.name().to_owned());
            if app.grouping == Grouping::Cgroup && app.shown().model.about.cgroups.is_coarse() {
                notes.push("(of v2, not of v1)".to_owned());
            }
            notes.extend(position(app.tasks.cursor, app.tasks.order.len()));
        }
        Tab::Findings => notes.extend(position(app.findings.cursor, app.findings.order.len())),
    }
    if !app.filter().is_empty() && !app.typing {
        notes.push(format!("filter: {}", app.filter()));
    }
    let tone = if app.is_frozen() || app.command_end.is_some() { Tone::Caution } else { Tone::Dim };
    (notes.join("  "), tone)
}
