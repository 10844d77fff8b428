//! The picture as text: a canvas of cells, which the dashboard colours and the export writes as plain text.

mod canvas;

pub use canvas::{Canvas, Cell, Ink};

use super::{
    close_up::close_up,
    parts::{Fill, Lane, Role, Since},
    scale::Scale,
    story::Story,
};
use crate::units::{duration, offset, wrap};
use observer_text::{cells, cut};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// Unicode characters that terminals draw in one cell.
    #[default]
    Unicode,
    Ascii,
}

impl Charset {
    const fn pick(self, unicode: char, ascii: char) -> char {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }

    const fn fill(self, fill: Fill) -> char {
        match fill {
            Fill::Fault => self.pick('─', '-'),
            Fill::Read => self.pick('━', '='),
            Fill::Pin => self.pick('═', '#'),
            Fill::Danger => self.pick('▓', '!'),
            Fill::Old => self.pick('░', 'o'),
            Fill::Free => self.pick('·', '.'),
            Fill::Allocated => self.pick('▒', 'a'),
            Fill::New => self.pick('█', 'N'),
        }
    }
}

/// Least width, columns. A narrower picture is drawn this wide and cut off.
const NARROWEST: usize = 36;

/// Least width for a caption above the picture, columns.
const CAPTION_FIRST: usize = 100;

/// Width of the exported picture, columns: fits mail and most bug trackers.
const EXPORTED: usize = 100;

/// Draws the picture, `width` columns wide and as high as it needs to be.
pub fn draw(story: &Story, width: usize, charset: Charset) -> Canvas {
    let mut page = Page::new(story, width.max(NARROWEST), charset);
    page.paragraph(&story.title, Ink::Title);
    // On a narrow page, the picture comes before the caption.
    let early = width >= CAPTION_FIRST;
    if early {
        page.paragraph(&story.caption, Ink::Dim);
        page.blank();
    }
    // Visible on a screen of 24 lines without scrolling.
    page.paragraph(&story.description, Ink::Plain);
    page.blank();
    page.lanes();
    if !early {
        page.blank();
        page.paragraph(&story.caption, Ink::Dim);
    }
    page.close_up();
    page.blank();
    page.moments();
    page.blank();
    page.legend();
    page.canvas
}

/// Plain text, for a file.
pub fn export(story: &Story) -> String {
    draw(story, EXPORTED, Charset::Unicode).text()
}

struct Page<'a> {
    story: &'a Story,
    canvas: Canvas,
    charset: Charset,
    row: usize,
    names: usize,
    scale: Scale,
}

impl<'a> Page<'a> {
    fn new(story: &'a Story, width: usize, charset: Charset) -> Self {
        let names = (width / 5).clamp(10, 26);
        let track = width.saturating_sub(names + 1).max(1);
        let scale = Scale { from: story.from, to: story.to, width: (track - 1) as f64 };
        Self { story, canvas: Canvas::new(width), charset, row: 0, names, scale }
    }

    fn blank(&mut self) {
        self.row += 1;
    }

    fn paragraph(&mut self, text: &str, ink: Ink) {
        for line in wrap(text, self.canvas.width()) {
            self.canvas.put(0, self.row, &line, ink);
            self.row += 1;
        }
    }

    fn column(&self, at: Since) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and the width")]
        let place = self.scale.place(at).round() as usize;
        self.names + 1 + place
    }

    fn lanes(&mut self) {
        self.axis();
        for lane in &self.story.lanes {
            self.lane(lane);
        }
        self.danger();
    }

    /// The same lanes again, magnified, with an axis of their own.
    fn close_up(&mut self) {
        let Some(story) = close_up(self.story) else { return };
        self.blank();
        let times = (self.story.to - self.story.from) / (story.to - story.from).max(1);
        self.paragraph(&format!("close-up, magnified {times} times"), Ink::Title);
        let scale = Scale { from: story.from, to: story.to, ..self.scale };
        let canvas = std::mem::take(&mut self.canvas);
        let mut inner = Page { story: &story, canvas, scale, ..*self };
        inner.lanes();
        (self.canvas, self.row) = (inner.canvas, inner.row);
    }

    fn axis(&mut self) {
        let most = u32::try_from(self.canvas.width() / 14).unwrap_or(8).max(2);
        let line = self.charset.pick('─', '-');
        self.fill(self.scale.from, self.scale.to, self.row + 1, line, Ink::Dim);
        let mut free = 0;
        for tick in self.scale.ticks(most) {
            let column = self.column(tick.at);
            self.canvas.set(column, self.row + 1, self.charset.pick('┼', '+'), Ink::Dim);
            // Centred over its tick, unless it would touch the label before or leave the page.
            let len = tick.label.chars().count();
            let at = (column.saturating_sub(len / 2)).min(self.canvas.width().saturating_sub(len));
            if at >= free {
                self.canvas.put(at, self.row, &tick.label, Ink::Dim);
                free = at + len + 1;
            }
        }
        self.row += 2;
    }

    fn fill(&mut self, from: Since, to: Since, row: usize, ch: char, ink: Ink) {
        for column in self.column(from)..=self.column(to) {
            self.canvas.set(column, row, ch, ink);
        }
    }

    /// Two rows: the letters of moments, and below them the bar.
    fn lane(&mut self, lane: &Lane) {
        let ink = if lane.role == Role::Reader { Ink::Title } else { Ink::Plain };
        self.canvas.put(0, self.row, cut(&cells(&lane.name), self.names), ink);
        self.canvas.put(0, self.row + 1, cut(&cells(&lane.detail), self.names), Ink::Dim);
        for span in &lane.spans {
            self.fill(span.from, span.to, self.row + 1, self.charset.fill(span.fill), Ink::Fill(span.fill));
            self.word(span.from, span.to, span.fill);
        }
        let mut taken = Vec::new();
        for moment in &lane.moments {
            let column = self.free_column(self.column(moment.at), &taken);
            taken.push(column);
            self.canvas.set(column, self.row, moment.mark.letter(), Ink::Mark(moment.mark));
        }
        self.row += 2;
    }

    /// Writes what the entry holds into its span, where there is room.
    fn word(&mut self, from: Since, to: Since, fill: Fill) {
        if !matches!(fill, Fill::Old | Fill::Free | Fill::Allocated | Fill::New) {
            return;
        }
        let (first, last) = (self.column(from), self.column(to));
        let word = format!(" {} ", fill.words());
        let len = word.chars().count();
        if last.saturating_sub(first) > len + 2 {
            self.canvas.put(first + (last - first - len) / 2, self.row + 1, &word, Ink::Plain);
        }
    }

    /// The nearest free column, to the right first, so that moments at nearly the same time stand side by side, in
    /// order.
    fn free_column(&self, wanted: usize, taken: &[usize]) -> usize {
        let low = self.names + 1;
        let high = self.canvas.width() - 1;
        let right = (wanted..=high).find(|column| !taken.contains(column));
        let left = || (low..wanted).rev().find(|column| !taken.contains(column));
        right.or_else(left).unwrap_or(wanted)
    }

    fn danger(&mut self) {
        // A close-up does not show the end, so its length would be wrong.
        let Some((from, to)) = self.story.danger.filter(|(_, to)| *to < self.story.to) else { return };
        let (first, last) = (self.column(from), self.column(to));
        self.canvas.put(0, self.row, cut("stale copy", self.names), Ink::Fill(Fill::Danger));
        self.fill(from, to, self.row, self.charset.pick('─', '-'), Ink::Fill(Fill::Danger));
        self.canvas.set(first, self.row, self.charset.pick('├', '|'), Ink::Fill(Fill::Danger));
        self.canvas.set(last, self.row, self.charset.pick('┤', '|'), Ink::Fill(Fill::Danger));
        let length = format!(" {} ", duration((to - from).unsigned_abs()));
        let len = length.chars().count();
        if last.saturating_sub(first) > len + 2 {
            self.canvas.put(first + (last - first - len) / 2, self.row, &length, Ink::Fill(Fill::Danger));
        }
        self.row += 1;
    }

    /// Every moment with its time, in order.
    fn moments(&mut self) {
        for (lane, event) in self.story.moments() {
            let Some(lane) = self.story.lanes.get(lane) else { continue };
            self.canvas.put(0, self.row, &format!("{:>12}", offset(event.at)), Ink::Dim);
            let letter = event.mark.letter().to_string();
            self.canvas.put(14, self.row, &letter, Ink::Mark(event.mark));
            let words = format!("{} ({}) {}", lane.name, lane.detail, event.mark.words());
            for line in wrap(&words, self.canvas.width().saturating_sub(17)) {
                self.canvas.put(17, self.row, &line, Ink::Plain);
                self.row += 1;
            }
        }
    }

    /// The fills that occur in the picture, as many per row as there is room for.
    fn legend(&mut self) {
        const FILLS: [Fill; 4] = [Fill::Fault, Fill::Read, Fill::Pin, Fill::Danger];
        let used = |fill: &Fill| self.story.lanes.iter().flat_map(|lane| &lane.spans).any(|span| span.fill == *fill);
        let mut column = 0;
        for fill in FILLS.into_iter().filter(used).collect::<Vec<_>>() {
            let len = fill.words().len() + 6;
            if column > 0 && column + len > self.canvas.width() {
                (column, self.row) = (0, self.row + 1);
            }
            let sample: String = std::iter::repeat_n(self.charset.fill(fill), 3).collect();
            self.canvas.put(column, self.row, &sample, Ink::Fill(fill));
            self.canvas.put(column + 4, self.row, fill.words(), Ink::Dim);
            column += len;
        }
        self.row += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        picture::story::{setting, story},
    };

    fn picture(width: usize, charset: Charset) -> String {
        draw(&story(&fixtures::stale(), &setting()), width, charset).text()
    }

    #[test]
    fn no_line_is_wider_than_the_picture() {
        for finding in fixtures::all() {
            for width in NARROWEST..220 {
                let canvas = draw(&story(&finding, &setting()), width, Charset::Unicode);
                assert!(canvas.text().lines().all(|line| line.chars().count() <= width));
            }
        }
    }

    #[test]
    fn an_ascii_picture_is_ascii() {
        assert!(picture(80, Charset::Ascii).is_ascii());
    }

    #[test]
    fn spans_are_to_scale() {
        let story = story(&fixtures::stale(), &setting());
        let canvas = draw(&story, 125, Charset::Unicode);
        let bar = canvas.rows().find(|row| row.iter().any(|cell| cell.ink == Ink::Fill(Fill::Danger))).unwrap();
        let width = bar.iter().filter(|cell| cell.ink == Ink::Fill(Fill::Danger)).count() as f64;
        let (from, to) = story.danger.unwrap();
        let expected = (to - from) as f64 / (story.to - story.from) as f64 * 99.0;
        assert!((width - expected).abs() <= 1.5, "{width} columns, {expected} expected");
    }

    #[test]
    fn every_moment_has_a_letter_on_its_lane() {
        for finding in fixtures::all() {
            let story = story(&finding, &setting());
            let canvas = draw(&story, 80, Charset::Ascii);
            let letters = canvas.rows().flatten().filter(|cell| matches!(cell.ink, Ink::Mark(_))).count();
            let on = |story: &Story| -> usize { story.lanes.iter().map(|lane| lane.moments.len()).sum() };
            let close = close_up(&story).map_or(0, |close| on(&close));
            assert_eq!(letters, on(&story) + close + story.moments().len());
        }
    }
}
