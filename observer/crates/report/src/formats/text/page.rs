//! The text while it is written.

use std::fmt::{self, Write as _};

use crate::paint::{Paint, Tone};

/// Columns of labels: they have one width, so that what follows is aligned.
const LABEL: usize = 15;

#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    pub(super) fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A line with a label.
    pub(super) fn toned(&mut self, tone: Tone, label: &str, rest: impl fmt::Display) -> fmt::Result {
        let (label, rest) = (observer_text::line(label), rest.to_string());
        let padding = (LABEL + 1).saturating_sub(observer_text::width(&label)).max(1);
        let (label, rest) = (self.paint.tone(Tone::Dim, &label), self.paint.tone(tone, &observer_text::line(&rest)));
        writeln!(self, "{label}{:padding$}{rest}", "")
    }

    /// A line with a tone, and what belongs to it, which is escaped already.
    pub(super) fn block(&mut self, tone: Tone, first: &str, rest: &str) -> fmt::Result {
        let first = self.paint.tone(tone, &observer_text::line(first));
        writeln!(self, "{first}\n{rest}")
    }

    /// A line that is wrapped by the terminal.
    pub(super) fn sentence(&mut self, tone: Tone, text: &str) -> fmt::Result {
        let text = self.paint.tone(tone, &observer_text::line(text));
        writeln!(self, "{text}")
    }
}

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_serious_lines_are_coloured_after_they_are_escaped() {
        let mut page = Page::new(Paint::Colours);
        page.toned(Tone::Bad, "stale-install", "1\u{1b}[2J").unwrap();
        page.toned(Tone::Plain, "", "x").unwrap();
        page.block(Tone::Caution, "first", " second").unwrap();
        let expected = "\u{1b}[2mstale-install\u{1b}[0m   \u{1b}[1;31m1\\x1b[2J\u{1b}[0m\n                x\n\
                        \u{1b}[33mfirst\u{1b}[0m\n second\n";
        assert_eq!(page.into_text(), expected);
    }
}
