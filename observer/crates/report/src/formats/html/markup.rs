//! Markup. Text from outside is escaped.

use std::{borrow::Cow, fmt::Write as _};

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Text(&'static str),
    /// Counts, durations and sizes: aligned on the right.
    Number(&'static str),
}

impl Column {
    const fn name(&self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }

    const fn class(&self) -> &'static str {
        match self {
            Self::Text(_) => "",
            Self::Number(_) => " class=\"number\"",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup without escaping it.
    pub(super) fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Adds formatted markup without escaping it.
    pub(super) fn write(&mut self, markup: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(markup);
    }

    /// Adds an element whose text is escaped.
    pub(super) fn element(&mut self, name: &str, text: &str) {
        self.write(format_args!("<{name}>{}</{name}>\n", escaped(text)));
    }

    /// Adds a table. The first column names the row. On narrow screens each row is a block, whose cells are labelled.
    pub(super) fn table<const N: usize>(&mut self, columns: [Column; N], rows: impl Iterator<Item = [String; N]>) {
        self.raw("<div class=\"table\"><table>\n<thead><tr>");
        for column in &columns {
            self.write(format_args!("<th scope=\"col\"{}>{}</th>", column.class(), escaped(column.name())));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (index, (column, cell)) in columns.iter().zip(&row).enumerate() {
                let (class, label, cell) = (column.class(), escaped(column.name()), escaped(cell));
                if index == 0 {
                    self.write(format_args!("<th scope=\"row\"{class}>{cell}</th>"));
                } else {
                    self.write(format_args!("<td{class} data-label=\"{label}\">{cell}</td>"));
                }
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table></div>\n");
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Text without markup.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let text = observer_text::line(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_on_the_right_and_every_cell_has_the_name_of_its_column() {
        let mut page = Markup::default();
        page.table([Column::Text("task"), Column::Number("n")], [["a<b".to_owned(), "7".to_owned()]].into_iter());
        let text = page.finish();
        assert!(text.contains("<th scope=\"col\">task</th><th scope=\"col\" class=\"number\">n</th>"), "{text}");
        let row = "<tr><th scope=\"row\">a&lt;b</th><td class=\"number\" data-label=\"n\">7</td></tr>";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("<b>&\"'\u{1b}x"), "&lt;b&gt;&amp;&quot;&#39;\\x1bx");
        assert!(matches!(escaped("kworker/0:1"), Cow::Borrowed(_)));
    }
}
