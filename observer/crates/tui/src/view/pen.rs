//! Puts text into cells, and never outside the area given.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use crate::theme::{Theme, Tone};
use observer_report::picture::text::{Canvas, Cell, Charset};

pub(super) struct Pen<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// Writes at the left of the area's first row. Returns the rest of that row.
    pub(super) fn put(&mut self, area: Rect, text: &str, tone: Tone) -> Rect {
        let row = Rect { height: area.height.min(1), ..area };
        if row.is_empty() {
            return row;
        }
        let (end, _) = self.buffer.set_span(row.x, row.y, &self.theme.span(text, tone), row.width);
        skip(row, end - row.x)
    }

    /// As [`Pen::put`], followed by two spaces.
    pub(super) fn word(&mut self, area: Rect, text: &str, tone: Tone) -> Rect {
        skip(self.put(area, text, tone), 2)
    }

    /// Writes the first text that fits, or nothing.
    pub(super) fn first_that_fits<T: AsRef<str>>(&mut self, area: Rect, texts: &[T], tone: Tone) {
        if let Some(text) = texts.iter().find(|text| width(text.as_ref()) <= area.width) {
            self.put(area, text.as_ref(), tone);
        }
    }

    /// Writes at the right of the area's first row. Returns the rest of that row.
    pub(super) fn right(&mut self, area: Rect, text: &str, tone: Tone) -> Rect {
        let width = width(text).min(area.width);
        self.put(Rect { x: area.right() - width, width, ..area }, text, tone);
        Rect { width: area.width - width, ..area }
    }

    /// A horizontal line.
    pub(super) fn rule(&mut self, area: Rect) {
        let line = self.theme.pick('─', '-').to_string().repeat(usize::from(area.width));
        self.put(area, &line, Tone::Dim);
    }

    /// The rows of a canvas from `first` on.
    pub(super) fn canvas(&mut self, area: Rect, canvas: &Canvas, first: usize) {
        for (row, area) in canvas.rows().skip(first).zip(area.rows()) {
            for (cell, position) in row.iter().zip(area.positions()) {
                let ch = match cell.ch {
                    // Drawn with the character before it, which is one `?` in ASCII.
                    Cell::COVERED if self.theme.charset == Charset::Unicode => continue,
                    Cell::COVERED => ' ',
                    ch => self.theme.glyph(ch),
                };
                if let Some(target) = self.buffer.cell_mut(position) {
                    target.set_char(ch).set_style(self.theme.ink(cell.ink));
                }
            }
        }
    }
}

/// The area without its first columns.
pub(super) fn skip(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}
