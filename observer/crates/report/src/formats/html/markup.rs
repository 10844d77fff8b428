//! Markup. Text from outside is escaped.

use std::{borrow::Cow, fmt::Write as _};

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

    /// Adds a table. The first column names the row.
    pub(super) fn table<const N: usize>(&mut self, columns: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
        self.raw("<div class=\"table\"><table>\n<thead><tr>");
        for column in columns {
            self.write(format_args!("<th scope=\"col\">{}</th>", escaped(column)));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let cell = escaped(cell);
                let cell =
                    if index == 0 { format!("<th scope=\"row\">{cell}</th>") } else { format!("<td>{cell}</td>") };
                self.raw(&cell);
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
    fn names_are_escaped() {
        assert_eq!(escaped("<b>&\"'\u{1b}x"), "&lt;b&gt;&amp;&quot;&#39;\\x1bx");
        assert!(matches!(escaped("kworker/0:1"), Cow::Borrowed(_)));
    }
}
