//! A canvas of cells.

use crate::picture::parts::{Fill, Mark};

/// What a cell means, for drawing in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    #[default]
    Plain,
    Dim,
    Title,
    Fill(Fill),
    Mark(Mark),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub ch: char,
    pub ink: Ink,
}

impl Default for Cell {
    fn default() -> Self {
        Self { ch: ' ', ink: Ink::Plain }
    }
}

/// A canvas of a fixed width, as high as its lowest cell. Cells outside the width are discarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canvas {
    width: usize,
    rows: Vec<Vec<Cell>>,
}

impl Canvas {
    pub fn new(width: usize) -> Self {
        Self { width, rows: Vec::new() }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// From top to bottom.
    pub fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.rows.iter().map(Vec::as_slice)
    }

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

    /// Plain text, without trailing spaces.
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
    fn a_canvas_grows_downwards_and_discards_what_is_outside() {
        let mut canvas = Canvas::new(4);
        canvas.put(2, 1, "abc", Ink::Dim);
        assert_eq!((canvas.text().as_str(), canvas.height(), canvas.width()), ("\n  ab\n", 2, 4));
    }
}
