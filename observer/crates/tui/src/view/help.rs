//! The help pages: keys, and the glossary.

use ratatui::{
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Paragraph, Widget as _},
};

use super::pen::Pen;
use crate::{
    app::{
        HelpPage,
        keymap::Keymap,
        keys::{MOUSE, Place},
    },
    theme::{Theme, Tone},
};
use observer_report::{glossary, units::wrap};

/// Columns of a page.
const WIDTH: u16 = 84;
/// Columns of the keys, or of the terms.
const LEFT: usize = 18;

/// Draws lines from `scroll` on.
pub(super) fn draw(pen: &mut Pen<'_>, lines: Vec<Line<'static>>, body: Rect, scroll: usize) {
    let area = body.centered_horizontally(Constraint::Length(WIDTH.min(body.width)));
    let scroll = scroll.min(lines.len().saturating_sub(area.height.into()));
    Paragraph::new(lines).scroll((u16::try_from(scroll).unwrap_or(0), 0)).render(area, pen.buffer);
}

/// Sections of terms with their texts, as lines.
pub(super) struct Page {
    theme: Theme,
    width: usize,
    left: usize,
    /// A term that is too long for its columns has a line for itself; else it is cut.
    own_lines: bool,
    pub(super) lines: Vec<Line<'static>>,
}

impl Page {
    /// On a screen of this width.
    pub(super) fn new(theme: Theme, width: u16, own_lines: bool) -> Self {
        let width = usize::from(width.min(WIDTH));
        Self { theme, width, left: LEFT.min((width - 2) / 2), own_lines, lines: Vec::new() }
    }

    pub(super) fn section<'a>(&mut self, title: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
        let Self { theme, width, left, own_lines, lines } = self;
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(theme.span(title, Tone::Strong)));
        for (term, text) in rows {
            let texts = wrap(text, *width - *left - 2);
            let (mut term, own_line) = (term, term.chars().count() >= *left && *own_lines);
            if own_line {
                lines.push(Line::from_iter([theme.span("  ", Tone::Plain), theme.span(term, Tone::Accent)]));
                term = "";
            }
            for text in texts {
                let term = format!("  {:left$.left$}", std::mem::take(&mut term), left = *left);
                lines.push(Line::from_iter([theme.span(&term, Tone::Accent), theme.span(&text, Tone::Plain)]));
            }
        }
    }
}

/// The lines of a page on a screen of this width.
pub(super) fn lines(theme: Theme, keys: &Keymap, page: HelpPage, width: u16) -> Vec<Line<'static>> {
    let mut lines = Page::new(theme, width, page == HelpPage::Glossary);
    match page {
        HelpPage::Keys => {
            for place in Place::ALL {
                lines.section(place.name(), keys.bindings(place).map(|bound| (bound.label.as_str(), bound.help)));
            }
            lines.section("with the mouse", MOUSE.into_iter());
        }
        HelpPage::Glossary => {
            for glossary::Section { title, terms } in glossary::SECTIONS {
                lines.section(title, terms.iter().map(|term| (term.name, term.meaning)));
            }
        }
    }
    lines.lines
}
