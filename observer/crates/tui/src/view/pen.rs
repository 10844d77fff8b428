//! Puts text into cells, and never outside the area that it is given.

use ratatui::{buffer::Buffer, style::Style};

use crate::{
    layout::Area,
    theme::{Theme, Tone},
};
use observer_report::picture::text::{Canvas, Charset};

/// See the module.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// Writes at the left of the area's first row. Gives what is left of that row.
    pub(super) fn put(&mut self, area: Area, text: &str, tone: Tone) -> Area {
        self.styled(area, text, self.theme.tone(tone))
    }

    /// As [`Pen::put`], with two spaces behind it.
    pub(super) fn word(&mut self, area: Area, text: &str, tone: Tone) -> Area {
        let mut rest = self.put(area, text, tone);
        rest.cut_left(2);
        rest
    }

    /// Writes if there is room for all of it: half a word says less than none.
    pub(super) fn if_fits(&mut self, area: Area, text: &str, tone: Tone) {
        if length(text) <= area.width {
            self.put(area, text, tone);
        }
    }

    /// The first that fits; nothing where none does.
    pub(super) fn longest(&mut self, area: Area, texts: &[String], tone: Tone) {
        if let Some(text) = texts.iter().find(|text| length(text) <= area.width) {
            self.put(area, text, tone);
        }
    }

    /// Writes at the right of the area's first row. Gives what is left of that row.
    pub(super) fn right(&mut self, area: Area, text: &str, tone: Tone) -> Area {
        let len = length(text).min(area.width);
        let at = area.x + area.width - len;
        self.put(Area { x: at, width: len, ..area }, text, tone);
        Area { width: area.width - len, ..area }
    }

    pub(super) fn styled(&mut self, area: Area, text: &str, style: Style) -> Area {
        let mut rest = Area { height: area.height.min(1), ..area };
        if rest.is_empty() || !self.buffer.area.contains((area.x, area.y).into()) {
            return rest;
        }
        let text = self.plain(text);
        let width = usize::from(rest.width.min(self.buffer.area.width - rest.x));
        let (end, _) = self.buffer.set_stringn(rest.x, rest.y, text, width, style);
        rest.cut_left(end - rest.x);
        rest
    }

    /// One character.
    pub(super) fn set(&mut self, x: u16, y: u16, ch: char, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_char(ch).set_style(style);
        }
    }

    /// Adds a style to what is there.
    pub(super) fn restyle(&mut self, area: Area, tone: Tone) {
        let rect = ratatui::layout::Rect::new(area.x, area.y, area.width, area.height);
        self.buffer.set_style(rect.intersection(self.buffer.area), self.theme.tone(tone));
    }

    /// A level line.
    pub(super) fn rule(&mut self, area: Area) {
        let (ch, style) = (self.theme.pick('─', '-'), self.theme.tone(Tone::Dim));
        for x in area.x..area.x + area.width {
            self.set(x, area.y, ch, style);
        }
    }

    /// A canvas, from one of its rows on.
    pub(super) fn canvas(&mut self, area: Area, canvas: &Canvas, from: usize) {
        for (row, y) in canvas.rows().skip(from).zip(area.y..area.y + area.height) {
            for (cell, x) in row.iter().zip(area.x..area.x + area.width) {
                let ch = if self.theme.charset == Charset::Ascii && !cell.ch.is_ascii() { '?' } else { cell.ch };
                self.set(x, y, ch, self.theme.ink(cell.ink));
            }
        }
    }

    /// What this terminal can show: names of tasks may hold anything.
    fn plain(&self, text: &str) -> String {
        let keep = |ch: char| match self.theme.charset {
            Charset::Ascii if !ch.is_ascii() => '?',
            _ if ch.is_control() => '?',
            _ => ch,
        };
        text.chars().map(keep).collect()
    }
}

/// Columns of a text that has one for each character.
pub(super) fn length(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}
