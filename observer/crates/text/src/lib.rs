//! Names and paths from outside: of tasks, swap areas, control groups, hosts, files. They can hold any byte, so they are
//! kept as bytes ([`Name`]) and escaped wherever they are printed. Every escape of the tool is made here.
//!
//! - A character that is not printable ([`is_printable`]) becomes `\x1b` below U+0080 and `\u{202e}` above.
//! - A byte that is not part of valid UTF-8 becomes `\xff`.
//! - A backslash becomes `\x5c` where it could be read as the start of one of these; elsewhere it stays. systemd's
//!   `\x2d` stays as well.
//!
//! So [`unescaped`] gives the bytes back.

mod name;

use std::{borrow::Cow, fmt::Write as _};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub use self::name::{Name, joined};

/// Whether a character can be shown: it does not control the terminal, reorder the text around it, end a line or stay
/// invisible.
pub const fn is_printable(ch: char) -> bool {
    !matches!(ch,
        // C0, DEL, C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        // Zero width, directional marks.
        | '\u{200b}'..='\u{200f}'
        // Line and paragraph separators, embeddings and overrides.
        | '\u{2028}'..='\u{202e}'
        // Word joiner, invisible operators, isolates, deprecated format characters.
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        // Noncharacters, which XML does not allow either, and tags.
        | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}'
    ) && (ch as u32) & 0xfffe != 0xfffe
}

/// Bytes as text in which every character is printable; injective.
pub fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes)
        && text.chars().all(|ch| ch != '\\' && is_printable(ch))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for (offset, ch) in chunk.valid().char_indices() {
            let rest = bytes.get(at + offset..).unwrap_or_default();
            if ch == '\\' && escape(rest).is_some() {
                out.push_str("\\x5c");
            } else if is_printable(ch) {
                out.push(ch);
            } else {
                push_escape(&mut out, ch);
            }
        }
        at += chunk.valid().len() + chunk.invalid().len();
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    Cow::Owned(out)
}

/// The bytes that were [`escaped`]. Any other text is kept as it is.
pub fn unescaped(text: &(impl AsRef<[u8]> + ?Sized)) -> Vec<u8> {
    let mut rest = text.as_ref();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, tail)) = rest.split_first() {
        rest = match escape(rest) {
            Some((Escape::Byte(byte), tail)) => {
                out.push(byte);
                tail
            }
            Some((Escape::Char(ch), tail)) => {
                out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
                tail
            }
            None => {
                out.push(*byte);
                tail
            }
        };
    }
    out
}

/// Text of which a part came from outside, as one line in which every character is printable. Unlike [`escaped`] it
/// leaves backslashes alone, so what was escaped before stays as it is.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_printable)
}

/// As [`line`] for text of several lines: ends of lines and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |ch| matches!(ch, '\n' | '\t') || is_printable(ch))
}

/// As [`line`] for a grid of cells: a character that takes no cell, as a combining accent, is escaped too.
pub fn cells(text: &str) -> Cow<'_, str> {
    replaced(text, |ch| is_printable(ch) && columns(ch) > 0)
}

/// Columns that a printable character takes on a terminal: 0, 1 or 2.
pub fn columns(ch: char) -> usize {
    ch.width().unwrap_or(0)
}

/// Columns that text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The start of a text that takes at most `room` columns.
pub fn cut(text: &str, mut room: usize) -> &str {
    for (at, ch) in text.char_indices() {
        match room.checked_sub(columns(ch)) {
            Some(left) => room = left,
            None => return text.get(..at).unwrap_or_default(),
        }
    }
    text
}

fn replaced(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&keep) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for ch in text.chars() {
        if keep(ch) { out.push(ch) } else { push_escape(&mut out, ch) }
    }
    Cow::Owned(out)
}

/// Adds the escape of a character.
fn push_escape(out: &mut String, ch: char) {
    match u8::try_from(ch) {
        Ok(byte) if byte.is_ascii() => push_byte(out, byte),
        // Writing to a String cannot fail.
        _ => drop(write!(out, "\\u{{{:x}}}", u32::from(ch))),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// What an escape stands for.
enum Escape {
    Byte(u8),
    Char(char),
}

/// The escape at the start of `text`, and what follows it. Only what [`escaped`] writes is one.
fn escape(text: &[u8]) -> Option<(Escape, &[u8])> {
    match text {
        [b'\\', b'x', high, low, rest @ ..] => {
            let byte = (digit(*high)? << 4) | digit(*low)?;
            let written = !byte.is_ascii() || byte == b'\\' || !is_printable(char::from(byte));
            written.then_some((Escape::Byte(byte), rest))
        }
        [b'\\', b'u', b'{', rest @ ..] => {
            let end = rest.iter().take(7).position(|byte| *byte == b'}')?;
            let (digits, rest) = rest.split_at_checked(end)?;
            let mut code = 0;
            for byte in digits {
                code = (code << 4) | u32::from(digit(*byte)?);
            }
            let ch = char::from_u32(code).filter(|ch| !ch.is_ascii() && !is_printable(*ch))?;
            Some((Escape::Char(ch), rest.get(1..)?))
        }
        _ => None,
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::select};

    #[test]
    fn names_that_are_plain_text_stay_as_they_are() {
        for plain in ["", "kworker/0:1", "gr\u{fc}n", "\u{65e5}\u{672c}", r"a\b", r"app\x2dname.slice", r"\u{fc}", "\\"]
        {
            assert_eq!(escaped(plain.as_bytes()), plain);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        for (bytes, text) in [
            (&b"a\x1b]0;x\x07"[..], r"a\x1b]0;x\x07"),
            (b"\xff\xfe", r"\xff\xfe"),
            ("\u{9b}1m\u{7f}".as_bytes(), r"\u{9b}1m\x7f"),
            ("\u{202e}\u{2028}\u{feff}".as_bytes(), r"\u{202e}\u{2028}\u{feff}"),
            (b"one\ntwo", r"one\x0atwo"),
            (br"\x1b", r"\x5cx1b"),
            (br"\x5c", r"\x5cx5c"),
            (br"\u{202e}", r"\x5cu{202e}"),
            // Cut in the middle of a character.
            (b"a\xc3", r"a\xc3"),
        ] {
            assert_eq!(escaped(bytes), text);
            assert_eq!(unescaped(text), bytes);
        }
    }

    #[test]
    fn text_that_is_escaped_stays_as_it_is_in_a_line() {
        assert_eq!(line("by a\\x1b\x1b\n"), r"by a\x1b\x1b\x0a");
        assert_eq!(lines("by a\\x1b\x1b\n\t\r"), "by a\\x1b\\x1b\n\t\\x0d");
        assert!(matches!(line("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn wide_characters_take_two_columns_and_combining_ones_none() {
        assert_eq!(["", "a\u{65e5}b"].map(|text| cut(text, 2)), ["", "a"]);
        assert_eq!((cut("abc", 3), cut("abc", 2), cut("\u{65e5}b", 2)), ("abc", "ab", "\u{65e5}"));
        assert_eq!((width("\u{65e5}a"), width("e\u{301}")), (3, 1));
        assert_eq!(cells("\u{65e5}e\u{301}"), "\u{65e5}e\\u{301}");
    }

    /// Bytes that are likely to meet in an escape.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let parts: Vec<&[u8]> = vec![
            b"\\",
            b"\\\\",
            b"x",
            b"5c",
            b"1",
            b"b",
            b"u{",
            b"202e",
            b"}",
            b"\x1b",
            b"\xff",
            b"\xe2\x80\xae",
            b"a",
        ];
        prop_oneof![vec(any::<u8>(), 0..40), vec(select(parts), 0..16).prop_map(|parts| parts.concat())]
    }

    proptest! {
        #[test]
        fn bytes_are_escaped_without_loss(bytes in bytes()) {
            let text = escaped(&bytes);
            prop_assert!(text.chars().all(is_printable), "{text:?}");
            prop_assert_eq!(&unescaped(text.as_ref()), &bytes);
            prop_assert_eq!(line(&text), text.as_ref());
        }

        #[test]
        fn every_line_is_printable(text in any::<String>()) {
            prop_assert!(line(&text).chars().all(is_printable));
        }
    }
}
