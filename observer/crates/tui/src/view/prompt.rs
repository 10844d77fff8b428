//! A line that is being typed, and above it why it cannot be used.

use ratatui::layout::Rect;

use super::{footer::above, pen::Pen};
use crate::{
    app::{
        App,
        prompt::{Asked, Prompt},
    },
    theme::Tone,
};
use observer_report::selection::query::Field;

const fn label(asked: Asked) -> &'static str {
    match asked {
        Asked::Time => "jump to: ",
        Asked::Rows => "find: ",
    }
}

fn hint(asked: Asked, fields: &[Field]) -> String {
    match asked {
        Asked::Time => "e.g. 53s or 17:03:11, Enter jumps, Esc closes".to_owned(),
        Asked::Rows => {
            let fields: Vec<String> = fields.iter().map(|field| format!("{}:", field.name())).collect();
            format!("words, or {}; Enter finds", fields.join(" "))
        }
    }
}

/// `body`: the lines above, of which an explanation covers the last.
pub(super) fn prompt(pen: &mut Pen<'_>, app: &App, prompt: &Prompt, body: Rect, line: Rect) {
    let rest = pen.put(line, label(prompt.asked), Tone::Accent);
    let rest = pen.put(rest, &prompt.text, Tone::Strong);
    let rest = pen.word(rest, "_", Tone::Strong);
    pen.put(rest, &hint(prompt.asked, app.fields()), Tone::Dim);
    if let Some(error) = &prompt.error {
        above(pen, error, body, Tone::Bad);
    }
}
