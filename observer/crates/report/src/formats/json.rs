//! One JSON object per line. Strings have no character that is not printable, as escapes of JSON or of `observer_text`.
//! An integer that readers with double-precision numbers would round is a string.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{CharEscape, CompactFormatter, Formatter},
};

/// 2^53. Integers from here on are written as strings.
const LARGE: u64 = 1 << 53;

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
    value.serialize(&mut Serializer::with_formatter(&mut json, Portable::default()))?;
    String::from_utf8(json).map_err(io::Error::other)
}

/// Writes what every reader reads alike, and every terminal shows.
#[derive(Debug, Default)]
struct Portable {
    in_string: bool,
}

impl Portable {
    fn integer<W: Write + ?Sized>(&self, out: &mut W, value: impl std::fmt::Display, large: bool) -> io::Result<()> {
        // The key of a map is in quotes already.
        if large && !self.in_string { write!(out, "\"{value}\"") } else { write!(out, "{value}") }
    }
}

impl Formatter for Portable {
    fn begin_string<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.in_string = true;
        CompactFormatter.begin_string(out)
    }

    fn end_string<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.in_string = false;
        CompactFormatter.end_string(out)
    }

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

    fn write_u64<W: Write + ?Sized>(&mut self, out: &mut W, value: u64) -> io::Result<()> {
        self.integer(out, value, value >= LARGE)
    }

    fn write_i64<W: Write + ?Sized>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
        self.integer(out, value, value.unsigned_abs() >= LARGE)
    }

    fn write_u128<W: Write + ?Sized>(&mut self, out: &mut W, value: u128) -> io::Result<()> {
        self.integer(out, value, value >= LARGE.into())
    }

    fn write_i128<W: Write + ?Sized>(&mut self, out: &mut W, value: i128) -> io::Result<()> {
        self.integer(out, value, value.unsigned_abs() >= LARGE.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn integers_that_doubles_do_not_hold_are_strings() {
        let at = |value: u64| text(&value).unwrap();
        assert_eq!(
            [at(LARGE - 1), at(LARGE), at(u64::MAX)],
            ["9007199254740991", "\"9007199254740992\"", "\"18446744073709551615\""]
        );
        assert_eq!(text(&i64::MIN).unwrap(), "\"-9223372036854775808\"");
        assert_eq!(
            text(&json!({"a": [1, u64::MAX], "b": 0.5})).unwrap(),
            r#"{"a":[1,"18446744073709551615"],"b":0.5}"#
        );
        let key = BTreeMap::from([(u64::MAX, 1)]);
        assert_eq!(text(&key).unwrap(), r#"{"18446744073709551615":1}"#);
    }

    #[test]
    fn strings_are_printable_and_keep_their_backslashes() {
        let odd = "a\\b\"\u{1b}\u{7f}\u{202e}\r\u{8}\u{c}\n\u{fc}";
        let json = text(&odd).unwrap();
        assert_eq!(json, "\"a\\\\b\\\"\\\\x1b\\\\x7f\\\\u{202e}\\\\x0d\\\\x08\\\\x0c\\\\x0a\u{fc}\"");
        let read: String = serde_json::from_str(&json).unwrap();
        assert_eq!(read, "a\\b\"\\x1b\\x7f\\u{202e}\\x0d\\x08\\x0c\\x0a\u{fc}");
    }
}
