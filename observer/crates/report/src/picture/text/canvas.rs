//! A canvas of cells.

use observer_text::{cells, columns};

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

impl Cell {
    /// The character of a cell that is covered by the wide character before it.
    pub const COVERED: char = '\0';
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
        let Some(cells) = self.rows.get_mut(row) else { return };
        // No half of a wide character is left.
        if cells.get(column + 1).is_some_and(|next| next.ch == Cell::COVERED)
            && let Some(next) = cells.get_mut(column + 1)
        {
            next.ch = ' ';
        }
        if ch != Cell::COVERED
            && cells.get(column).is_some_and(|cell| cell.ch == Cell::COVERED)
            && let Some(wide) = column.checked_sub(1).and_then(|before| cells.get_mut(before))
        {
            wide.ch = ' ';
        }
        if let Some(cell) = cells.get_mut(column) {
            *cell = Cell { ch, ink };
        }
    }

    /// Writes text from a cell to the right. What is not printable in a cell is escaped.
    pub fn put(&mut self, column: usize, row: usize, text: &str, ink: Ink) {
        let mut at = column;
        for ch in cells(text).chars() {
            let wide = columns(ch) > 1;
            // A wide character that would be cut is left out.
            self.set(at, row, if wide && at + 1 >= self.width { ' ' } else { ch }, ink);
            at += 1;
            if wide {
                self.set(at, row, Cell::COVERED, ink);
                at += 1;
            }
        }
    }

    /// Plain text, without trailing spaces.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let line: String = row.iter().map(|cell| cell.ch).filter(|ch| *ch != Cell::COVERED).collect();
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

    #[test]
    fn wide_characters_cover_two_cells_and_are_never_halved() {
        let mut canvas = Canvas::new(5);
        canvas.put(0, 0, "\u{65e5}\u{672c}\u{8a9e}", Ink::Plain);
        assert_eq!(canvas.text(), "\u{65e5}\u{672c}\n", "the third has no room");
        canvas.set(1, 0, 'x', Ink::Plain);
        canvas.set(2, 0, 'y', Ink::Plain);
        assert_eq!(canvas.text(), " xy\n");
        canvas.put(0, 0, "\u{1b}", Ink::Plain);
        assert_eq!(canvas.text(), "\\x1b\n");
    }
}
