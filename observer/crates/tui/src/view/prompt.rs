//! A line that is being typed, and above it why it cannot be used.

use ratatui::{
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Clear, Paragraph, Widget as _},
};

use super::pen::Pen;
use crate::{
    app::{
        App,
        prompt::{Asked, Prompt},
    },
    theme::Tone,
};
use observer_report::{selection::query::Field, units::wrap};

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
            let fields = fields.iter().map(|field| format!(" {}:", field.name())).collect::<String>();
            format!("words, or{fields}; Enter finds")
        }
    }
}

/// `body`: the lines above, of which an explanation covers the last.
pub(super) fn prompt(pen: &mut Pen<'_>, app: &App, prompt: &Prompt, body: Rect, line: Rect) {
    let rest = pen.put(line, label(prompt.asked), Tone::Accent);
    let rest = pen.put(rest, &prompt.text, Tone::Strong);
    let rest = pen.word(rest, "_", Tone::Strong);
    pen.put(rest, &hint(prompt.asked, app.fields()), Tone::Dim);
    let Some(error) = &prompt.error else { return };
    let theme = pen.theme;
    let lines: Vec<Line<'_>> =
        wrap(error, body.width.into()).iter().map(|line| Line::from(theme.span(line, Tone::Bad))).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(body.height);
    let [_, rule, area] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(height)]).areas(body);
    Clear.render(rule, pen.buffer);
    Clear.render(area, pen.buffer);
    pen.rule(rule);
    Paragraph::new(lines).render(area, pen.buffer);
}
