//! One JSON object per line. Strings have no character that is not printable, as escapes of JSON or of `observer_text`.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{CharEscape, CompactFormatter, Formatter},
};

/// Prints a value on standard output.
///
/// # Errors
/// When standard output cannot be written (closed, full).
pub fn print(value: &impl Serialize) -> io::Result<()> {
    write(value, &mut io::stdout().lock())
}

/// # Errors
/// When the output cannot be written.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut json = text(value)?;
    json.push('\n');
    out.write_all(json.as_bytes())?;
    out.flush()
}

/// A value as JSON.
///
/// # Errors
/// When the value has a map whose keys are not strings.
pub fn text(value: &impl Serialize) -> io::Result<String> {
    let mut json = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut json, Printable))?;
    String::from_utf8(json).map_err(io::Error::other)
}

/// Escapes what terminals do not show.
#[derive(Debug)]
struct Printable;

impl Formatter for Printable {
    /// `fragment` has no backslash: those are written by [`Formatter::write_char_escape`].
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        match observer_text::line(fragment) {
            Cow::Borrowed(text) => out.write_all(text.as_bytes()),
            Cow::Owned(escaped) => out.write_all(escaped.replace('\\', "\\\\").as_bytes()),
        }
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => self.write_string_fragment(out, "\x08"),
            CharEscape::FormFeed => self.write_string_fragment(out, "\x0c"),
            CharEscape::CarriageReturn => self.write_string_fragment(out, "\r"),
            CharEscape::AsciiControl(byte) => {
                self.write_string_fragment(out, char::from(byte).encode_utf8(&mut [0; 4]))
            }
            CharEscape::LineFeed => self.write_string_fragment(out, "\n"),
            CharEscape::Tab => self.write_string_fragment(out, "\t"),
            CharEscape::Quote | CharEscape::ReverseSolidus | CharEscape::Solidus => {
                CompactFormatter.write_char_escape(out, escape)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_printable_and_keep_their_backslashes() {
        let odd = "a\\b\"\u{1b}\u{7f}\u{202e}\r\u{8}\u{c}\n\u{fc}";
        let json = text(&odd).unwrap();
        assert_eq!(json, "\"a\\\\b\\\"\\\\x1b\\\\x7f\\\\u{202e}\\\\x0d\\\\x08\\\\x0c\\\\x0a\u{fc}\"");
        let read: String = serde_json::from_str(&json).unwrap();
        assert_eq!(read, "a\\b\"\\x1b\\x7f\\u{202e}\\x0d\\x08\\x0c\\x0a\u{fc}");
    }
}
