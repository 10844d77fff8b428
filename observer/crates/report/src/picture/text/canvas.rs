//! A page of cells.

use crate::picture::parts::{Fill, Mark};

/// What a cell means, for those who draw in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// Text.
    #[default]
    Plain,
    /// Text that matters less.
    Dim,
    /// Text that matters more.
    Title,
    /// Part of a span.
    Fill(Fill),
    /// The letter of a moment.
    Mark(Mark),
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The character.
    pub ch: char,
    /// What it means.
    pub ink: Ink,
}

impl Default for Cell {
    fn default() -> Self {
        Self { ch: ' ', ink: Ink::Plain }
    }
}

/// A page of a fixed width, as high as what is put on it. What lies outside is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canvas {
    width: usize,
    rows: Vec<Vec<Cell>>,
}

impl Canvas {
    /// An empty page.
    pub fn new(width: usize) -> Self {
        Self { width, rows: Vec::new() }
    }

    /// Its width.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its height.
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// From top to bottom.
    pub fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.rows.iter().map(Vec::as_slice)
    }

    /// Sets one cell.
    pub fn set(&mut self, column: usize, row: usize, ch: char, ink: Ink) {
        if column >= self.width {
            return;
        }
        if self.rows.len() <= row {
            self.rows.resize(row + 1, vec![Cell::default(); self.width]);
        }
        if let Some(cell) = self.rows.get_mut(row).and_then(|cells| cells.get_mut(column)) {
            *cell = Cell { ch, ink };
        }
    }

    /// Writes text from a cell to the right.
    pub fn put(&mut self, column: usize, row: usize, text: &str, ink: Ink) {
        for (offset, ch) in text.chars().enumerate() {
            self.set(column + offset, row, ch, ink);
        }
    }

    /// Plain, without spaces at the ends of lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let line: String = row.iter().map(|cell| cell.ch).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_downwards_and_drops_what_is_outside() {
        let mut canvas = Canvas::new(4);
        canvas.put(2, 1, "abc", Ink::Dim);
        assert_eq!((canvas.text().as_str(), canvas.height(), canvas.width()), ("\n  ab\n", 2, 4));
    }
}
