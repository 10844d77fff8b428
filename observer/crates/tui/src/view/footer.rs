//! The last line: what is being typed, what was just done, or which keys help now.

use super::pen::Pen;
use crate::{
    app::{
        App, Overlay, Tab,
        keys::{Action, BINDINGS, Place},
    },
    layout::Area,
    theme::Tone,
};

pub(super) fn footer(pen: &mut Pen<'_>, app: &App, area: Area) {
    if app.typing {
        let rest = pen.put(area, "filter: ", Tone::Accent);
        let rest = pen.put(rest, app.filter(), Tone::Strong);
        let rest = pen.word(rest, "_", Tone::Strong);
        pen.put(rest, "Enter keeps it, Esc drops it", Tone::Dim);
        return;
    }
    if let Some(message) = &app.message {
        pen.put(area, &message.text, if message.failed { Tone::Bad } else { Tone::Strong });
        return;
    }
    if matches!(app.overlay, Some(Overlay::Help { .. })) {
        pen.put(area, "Down and Up scroll, any other key closes this page", Tone::Dim);
        return;
    }
    let mut rest = area;
    for (place, action, word) in hints(app) {
        if let Some(key) = key_of(place, action) {
            let needed = super::pen::length(key) + 1 + super::pen::length(word);
            if rest.width < needed {
                return;
            }
            let after = pen.put(rest, key, Tone::Accent);
            let after = pen.put(after, &format!(" {word}"), Tone::Dim);
            rest = after;
            rest.cut_left(2);
        }
    }
}

/// The key that is written for an action.
fn key_of(place: Place, action: Action) -> Option<&'static str> {
    let binding = BINDINGS.iter().find(|binding| binding.place == place && binding.action == action)?;
    binding.shown.split(' ').next()
}

/// The keys worth a word here, the most useful first.
fn hints(app: &App) -> Vec<(Place, Action, &'static str)> {
    use Place::{Everywhere, Picture, Replay, Tables};
    if matches!(app.overlay, Some(Overlay::Picture { .. })) {
        return vec![
            (Picture, Action::Back, "close"),
            (Picture, Action::Export, "write SVG and text"),
            (Picture, Action::Down, "scroll"),
            (Picture, Action::NextFinding, "next"),
            (Picture, Action::PreviousFinding, "previous"),
            (Everywhere, Action::Help, "keys"),
        ];
    }
    let mut hints = vec![(Everywhere, Action::Quit, "quit"), (Everywhere, Action::Help, "keys")];
    if app.tab == Tab::Findings {
        hints.push((Tables, Action::Open, "picture"));
    }
    if app.places().contains(&Replay) {
        hints.push((Replay, Action::PlayPause, "play/pause"));
        hints.push((Replay, Action::StepToFinding, "next finding"));
        hints.push((Replay, Action::Faster, "faster"));
        hints.push((Replay, Action::Slower, "slower"));
    }
    if app.tab != Tab::Overview {
        hints.push((Tables, Action::Filter, "filter"));
        hints.push((Tables, Action::Sort, "sort"));
    }
    if app.tab == Tab::Tasks {
        hints.push((Tables, Action::Group, "group"));
    }
    hints.extend([
        (Everywhere, Action::NextView, "views"),
        (Everywhere, Action::Freeze, "freeze"),
        (Everywhere, Action::Export, "export"),
        (Everywhere, Action::Clear, "clear"),
    ]);
    hints
}
