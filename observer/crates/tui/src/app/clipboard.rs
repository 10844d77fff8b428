//! What is copied for the clipboard of the terminal. Pure.

use crate::model::{FindingRow, Model};
use observer_report::{formats::text, words};
use observer_text::{Name, lines, unescaped};

/// Longest text, bytes. Terminals drop what is longer than a few times this.
const LONGEST: usize = 32 << 10;

/// The last line of a text that is too long.
const CUT: &str = "(cut here: it is too long for a clipboard)\n";

/// A finding with its evidence, and the kernel: enough for a bug report.
pub(super) fn finding(row: &FindingRow, model: &Model) -> String {
    let device = row.device.as_deref().map(|device| Name::from(unescaped(device)));
    let kernel = &model.about.kernel;
    let evidence = text::finding(&row.finding, device.as_ref());
    limited(&format!("{evidence}\nkernel {} ({})\n", kernel.release, words::state(kernel.state)))
}

/// Without control characters, which a paste would send to a shell, and not longer than [`LONGEST`].
fn limited(text: &str) -> String {
    let text = lines(text);
    if text.len() <= LONGEST {
        return text.into_owned();
    }
    let room = LONGEST - CUT.len();
    let whole = text.split_inclusive('\n').scan(0, |length, line| {
        *length += line.len();
        (*length <= room).then_some(line)
    });
    whole.chain([CUT]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_line_and_has_no_control_characters() {
        assert_eq!(limited("a\u{1b}[2Jb\nc\n"), "a\\x1b[2Jb\nc\n");
        let long = limited(&"0123456789\n".repeat(9_999));
        assert!(long.len() <= LONGEST && long.len() > LONGEST - 64, "{}", long.len());
        assert!(long.ends_with(&format!("0123456789\n{CUT}")));
        assert_eq!(limited(&"x".repeat(LONGEST)).len(), LONGEST);
        assert_eq!(limited(&"x".repeat(LONGEST + 1)), CUT, "one line that is too long");
    }
}
