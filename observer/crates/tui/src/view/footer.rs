//! The last line: the filter being typed, a message, or key hints.

use ratatui::{
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Clear, Paragraph, Widget as _},
};

use super::pen::{Pen, skip, width};
use crate::{
    app::{
        App, HelpPage, Overlay, Tab,
        keymap::Keymap,
        keys::{Action, Place},
    },
    theme::Tone,
};
use observer_report::units::wrap;

/// `body`: the lines above, of which a message that is longer than the last line covers some.
pub(super) fn footer(pen: &mut Pen<'_>, app: &App, body: Rect, area: Rect) {
    if app.typing {
        let rest = pen.put(area, "filter: ", Tone::Accent);
        let rest = pen.put(rest, app.filter(), Tone::Strong);
        let rest = pen.word(rest, "_", Tone::Strong);
        pen.put(rest, "Enter keeps it, Esc clears it", Tone::Dim);
        return;
    }
    if let Some(message) = &app.message {
        let tone = if message.is_error { Tone::Bad } else { Tone::Strong };
        if width(&message.text) <= area.width {
            pen.put(area, &message.text, tone);
        } else {
            above(pen, &message.text, body.union(area), tone);
        }
        return;
    }
    match &app.overlay {
        Some(Overlay::Help { page: HelpPage::Keys, .. } | Overlay::Row { .. }) => {
            let glossary = first_key(&app.keys, Place::Everywhere, Action::Help).map(|key| format!("{key} glossary, "));
            let rest = "Up and Down scroll, any other key closes this page";
            pen.put(area, &format!("{}{rest}", glossary.unwrap_or_default()), Tone::Dim);
        }
        Some(Overlay::Help { page: HelpPage::Glossary, .. }) => {
            pen.put(area, "Up and Down scroll, any other key closes this page", Tone::Dim);
        }
        overlay => {
            let chosen = match overlay {
                Some(Overlay::Picture { .. }) => picture_hints(),
                Some(Overlay::Columns(_)) => column_hints(),
                _ => view_hints(app),
            };
            hints(pen, &app.keys, area, &chosen);
        }
    }
}

/// Text in the last lines of an area, under a rule.
pub(super) fn above(pen: &mut Pen<'_>, text: &str, area: Rect, tone: Tone) {
    let theme = pen.theme;
    let lines: Vec<Line<'_>> =
        wrap(text, area.width.into()).iter().map(|line| Line::from(theme.span(line, tone))).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [_, rule, area] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(height)]).areas(area);
    Clear.render(rule, pen.buffer);
    Clear.render(area, pen.buffer);
    pen.rule(rule);
    Paragraph::new(lines).render(area, pen.buffer);
}

type Hint = (Place, Action, &'static str);

/// As many hints as fit.
fn hints(pen: &mut Pen<'_>, keys: &Keymap, area: Rect, hints: &[Hint]) {
    let mut rest = area;
    for (place, action, text) in hints {
        let Some(key) = first_key(keys, *place, *action) else { continue };
        if width(key) + 1 + width(text) > rest.width {
            return;
        }
        rest = pen.put(rest, key, Tone::Accent);
        rest = pen.word(skip(rest, 1), text, Tone::Dim);
    }
}

/// `None`: no key triggers the action.
fn first_key(keys: &Keymap, place: Place, action: Action) -> Option<&str> {
    let bound = keys.bindings(place).find(|bound| bound.action == action)?;
    bound.label.split(' ').next().filter(|key| !key.is_empty())
}

fn picture_hints() -> Vec<Hint> {
    vec![
        (Place::Picture, Action::Back, "close"),
        (Place::Picture, Action::Export, "export SVG and text"),
        (Place::Picture, Action::Down, "scroll"),
        (Place::Picture, Action::NextFinding, "next"),
        (Place::Picture, Action::PreviousFinding, "previous"),
        (Place::Everywhere, Action::Help, "keys"),
    ]
}

fn column_hints() -> Vec<Hint> {
    vec![
        (Place::Columns, Action::Back, "close"),
        (Place::Columns, Action::ToggleColumn, "show/hide"),
        (Place::Columns, Action::MoveColumnLeft, "move left"),
        (Place::Columns, Action::MoveColumnRight, "move right"),
        (Place::Columns, Action::DefaultColumns, "default"),
        (Place::Everywhere, Action::Help, "keys"),
    ]
}

/// The most useful first.
fn view_hints(app: &App) -> Vec<Hint> {
    use Place::{Everywhere, Replay, Tables};
    let mut hints = vec![(Everywhere, Action::Quit, "quit"), (Everywhere, Action::Help, "keys")];
    if app.tab == Tab::Findings {
        hints.push((Tables, Action::Open, "picture"));
    }
    if app.places().contains(&Replay) {
        hints.extend([
            (Replay, Action::PlayPause, "play/pause"),
            (Replay, Action::PlayToFinding, "next finding"),
            (Replay, Action::Faster, "faster"),
            (Replay, Action::Slower, "slower"),
        ]);
    }
    if app.tab != Tab::Overview {
        hints.extend([
            (Tables, Action::Explain, "explain"),
            (Tables, Action::Filter, "filter"),
            (Tables, Action::Find, "find"),
            (Tables, Action::Sort, "sort"),
        ]);
    }
    if app.tab == Tab::Tasks {
        hints.push((Tables, Action::Group, "group"));
    }
    hints.extend([
        (Everywhere, Action::NextView, "views"),
        (Everywhere, Action::Freeze, "freeze"),
        (Everywhere, Action::Export, "export"),
        (Everywhere, Action::Clear, "reset counts"),
    ]);
    hints
}
