//! The help pages: keys, and the glossary.

use ratatui::{
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Paragraph, Widget as _},
};

use super::pen::Pen;
use crate::{
    app::{HelpPage, keys::Place},
    theme::{Theme, Tone},
};
use observer_report::{glossary, units::wrap};

/// Columns of a page.
const WIDTH: u16 = 84;
/// Columns of the keys, or of the terms.
const LEFT: usize = 18;

/// Draws the lines of a page from `scroll` on.
pub(super) fn help(pen: &mut Pen<'_>, page: HelpPage, body: Rect, scroll: usize) {
    let area = body.centered_horizontally(Constraint::Length(WIDTH.min(body.width)));
    let lines = lines(pen.theme, page, body.width);
    let scroll = scroll.min(lines.len().saturating_sub(area.height.into()));
    Paragraph::new(lines).scroll((u16::try_from(scroll).unwrap_or(0), 0)).render(area, pen.buffer);
}

/// The lines of a page on a screen of this width.
pub(super) fn lines(theme: Theme, page: HelpPage, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width.min(WIDTH));
    let left = LEFT.min((width - 2) / 2);
    let mut lines = Vec::new();
    let mut section = |title: &str, rows: &mut dyn Iterator<Item = (&str, &str)>| {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(theme.span(title, Tone::Strong)));
        for (term, text) in rows {
            let texts = wrap(text, width - left - 2);
            // A term that is too long for its columns has a line for itself.
            let (mut term, own_line) = (term, term.chars().count() >= left && page == HelpPage::Glossary);
            if own_line {
                lines.push(Line::from_iter([theme.span("  ", Tone::Plain), theme.span(term, Tone::Accent)]));
                term = "";
            }
            for text in texts {
                let term = format!("  {:left$.left$}", std::mem::take(&mut term));
                lines.push(Line::from_iter([theme.span(&term, Tone::Accent), theme.span(&text, Tone::Plain)]));
            }
        }
    };
    match page {
        HelpPage::Keys => {
            for place in Place::ALL {
                section(place.name(), &mut place.bindings().map(|binding| (binding.label, binding.help)));
            }
        }
        HelpPage::Glossary => {
            for glossary::Section { title, terms } in glossary::SECTIONS {
                section(title, &mut terms.iter().map(|term| (term.name, term.meaning)));
            }
        }
    }
    lines
}
