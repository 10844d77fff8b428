//! Markdown tables.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

/// A table whose first `words` columns have words and whose others have numbers.
pub(super) fn table(head: &[&str], words: usize, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(ToString::to_string).collect::<Vec<_>>());
    let rules = (0..head.len()).map(|column| if column < words { "---" } else { "---:" });
    // Writing into a String cannot fail.
    let _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
    for row in rows {
        text += &line(row);
    }
    text
}

/// Rounded, with digits in groups of three.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    if number <= -0.5 { format!("-{text}") } else { text }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

/// `page` with `tables` between the lines that name the command which writes them.
///
/// # Errors
/// When it lacks these lines.
pub(crate) fn replace_tables(page: &str, command: &str, tables: &str) -> Result<String> {
    let (start, end) = (format!("<!-- tables: written by `{command}` -->"), "<!-- tables: end -->");
    let (before, rest) = page.split_once(&start).with_context(|| format!("the page has no line {start}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("the page has no line {end}"))?;
    Ok(format!("{before}{start}\n{tables}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_of_a_command_are_replaced() {
        let page = |tables: &str| format!("a\n<!-- tables: written by `x` -->\n{tables}<!-- tables: end -->\nb\n");
        assert_eq!(replace_tables(&page("old\n"), "x", "new\n").unwrap(), page("new\n"));
        assert!(replace_tables(&page("old\n"), "y", "new\n").is_err());
        assert!(replace_tables("a", "x", "new").is_err());
    }

    #[test]
    fn digits_are_grouped_from_the_end() {
        for (number, text) in
            [(0.2, "0"), (-0.2, "0"), (999.6, "1 000"), (-1_234.0, "-1 234"), (20_067_544.0, "20 067 544")]
        {
            assert_eq!(whole(number), text);
        }
    }

    #[test]
    fn numbers_are_right_aligned() {
        let rows = [vec!["a".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["x", "n"], 1, &rows), "| x | n |\n|---|---:|\n| a | 1 |\n");
    }
}
