//! The last line: the filter being typed, a message, or key hints.

use ratatui::layout::Rect;

use super::pen::{Pen, skip, width};
use crate::{
    app::{
        App, HelpPage, Overlay, Tab,
        keys::{Action, Place},
    },
    theme::Tone,
};

pub(super) fn footer(pen: &mut Pen<'_>, app: &App, area: Rect) {
    if app.typing {
        let rest = pen.put(area, "filter: ", Tone::Accent);
        let rest = pen.put(rest, app.filter(), Tone::Strong);
        let rest = pen.word(rest, "_", Tone::Strong);
        pen.put(rest, "Enter keeps it, Esc clears it", Tone::Dim);
        return;
    }
    if let Some(message) = &app.message {
        pen.put(area, &message.text, if message.is_error { Tone::Bad } else { Tone::Strong });
        return;
    }
    match &app.overlay {
        Some(Overlay::Help { page: HelpPage::Keys, .. }) => {
            pen.put(area, "? glossary, Up and Down scroll, any other key closes this page", Tone::Dim);
        }
        Some(Overlay::Help { page: HelpPage::Glossary, .. }) => {
            pen.put(area, "Up and Down scroll, any other key closes this page", Tone::Dim);
        }
        overlay => {
            let picture = matches!(overlay, Some(Overlay::Picture { .. }));
            hints(pen, area, &if picture { picture_hints() } else { view_hints(app) });
        }
    }
}

type Hint = (Place, Action, &'static str);

/// As many hints as fit.
fn hints(pen: &mut Pen<'_>, area: Rect, hints: &[Hint]) {
    let mut rest = area;
    for (place, action, text) in hints {
        let Some(key) = first_key(*place, *action) else { continue };
        if width(key) + 1 + width(text) > rest.width {
            return;
        }
        rest = pen.put(rest, key, Tone::Accent);
        rest = pen.word(skip(rest, 1), text, Tone::Dim);
    }
}

fn first_key(place: Place, action: Action) -> Option<&'static str> {
    let binding = place.bindings().find(|binding| binding.action == action)?;
    binding.label.split(' ').next()
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
        hints.extend([(Tables, Action::Filter, "filter"), (Tables, Action::Sort, "sort")]);
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
